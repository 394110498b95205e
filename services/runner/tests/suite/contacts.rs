//! A source that speaks into several partitions was last heard where it spoke last.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::Value;
use yiping_event::Stream;
use yiping_parking::Parking;

use crate::{
    play::{paused, stored},
    scene::Scene,
    slice::Slice,
    steps::{LATENESS, at_once},
};

/// When each source was last heard, as the process tells Prometheus once all is stored.
async fn told(slice: &Slice<Parking>, partitions: u32) -> BTreeMap<String, f64> {
    let scene = Arc::new(Scene::new(None, at_once(slice)));
    let heads = slice.feed(&scene, partitions, slice.records(partitions)).await;
    let (life, deps) = slice.deps(&scene, partitions);
    let metrics = deps.metrics.clone();
    let running = slice.begin_with(life, deps);
    while !stored(&scene, &heads) {
        assert!(!running.task.is_finished());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let sources = slice.lines.iter().filter_map(|line| {
        let event: Value = serde_json::from_str(line).unwrap();
        (event["type"] != "city.tick").then(|| event["source"].as_str().unwrap().to_owned())
    });
    let heard = sources.map(|source| {
        let time = metrics.source_last_contact.with_label_values(&[&source]).get();
        (source, time)
    });
    let heard = heard.collect();
    running.stop().await;
    heard
}

#[test]
fn a_source_was_last_heard_where_it_spoke_last() {
    let slice = Slice::<Parking>::of(Stream::Parking, LATENESS);
    let (alone, several) = paused(async { (told(&slice, 1).await, told(&slice, 8).await) });
    assert!(alone.values().all(|time| *time > 0.0), "{alone:?}");
    assert_eq!(several, alone);
}
