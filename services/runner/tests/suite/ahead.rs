//! More waits for the store than may: it is handed over then, not when the timer says. Whoever catches up would wait for the timer
//! otherwise, or, as `elder` may not wait, make the same rows again and again.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use yiping_runtime::config::Store;
use yiping_window::Domain;

use crate::{
    for_every_domain,
    play::paused,
    scene::Scene,
    slice::Slice,
    steps::{LATENESS, at_once},
};

const HOUR: Duration = Duration::from_secs(3_600);

for_every_domain!(what_waits_is_handed_over_before_too_much_waits, super::LATENESS);

fn what_waits_is_handed_over_before_too_much_waits<D: Domain + Send + Sync + 'static>(slice: &Slice<D>) {
    paused(async {
        let scene = Arc::new(Scene::new(None, at_once(slice)));
        slice.feed(&scene, 1, slice.records(1)).await;
        let (life, deps) = slice.deps(&scene, 1);
        let config = Store { flush: HOUR, checkpoint: HOUR, run_ahead: 500 };
        let running = slice.begin_with(life, yiping_runner::Deps { store_config: config, ..deps });
        let began = Instant::now();
        while scene.store.every_window().is_empty() {
            assert!(began.elapsed() < HOUR / 2 && !running.task.is_finished(), "nothing was handed over");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        running.kill().await;
    });
}
