//! An owner that was thought dead: it stands still in the middle of its work, another one takes over and finishes, and then it goes on.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use yiping_window::Domain;

use crate::{
    for_every_domain,
    play::paused,
    scene::Scene,
    slice::Slice,
    steps::{End, LATENESS, at_once, straight},
};

/// Longer than a run of the whole slice takes.
const LONG: Duration = Duration::from_secs(2);

for_every_domain!(i3_an_owner_that_wakes_up_late_changes_nothing, super::LATENESS);

fn i3_an_owner_that_wakes_up_late_changes_nothing<D: Domain + Send + Sync + 'static>(slice: &Slice<D>) {
    let undisturbed = straight(slice, 1);
    let end = End::of(slice, &undisturbed);
    let calls: usize = undisturbed.calls().values().sum();
    for at in 1..calls - 3 {
        let scene = paused(async {
            let scene = Arc::new(Scene { freeze_at: Some(at), ..Scene::new(None, at_once(slice)) });
            let heads = slice.feed(&scene, 1, slice.records(1)).await;
            let late = slice.begin(&scene, 1);
            while !scene.frozen.load(Ordering::Relaxed) {
                assert!(!late.task.is_finished());
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            slice.drain(&scene, &heads).await;
            End::of(slice, &scene).assert_same(&end, &format!("frozen at call {at}, the other owner"));
            scene.frozen.store(false, Ordering::Relaxed);
            tokio::time::sleep(LONG).await;
            late.stop().await;
            scene
        });
        End::of(slice, &scene).assert_same(&end, &format!("frozen at call {at}, after it woke up"));
    }
}

for_every_domain!(i3_two_owners_at_the_same_time_change_nothing, super::LATENESS);

fn i3_two_owners_at_the_same_time_change_nothing<D: Domain + Send + Sync + 'static>(slice: &Slice<D>) {
    let end = End::of(slice, &straight(slice, 1));
    let scene = paused(async {
        let scene = Arc::new(Scene::new(None, at_once(slice)));
        slice.feed(&scene, 1, slice.records(1)).await;
        let one = slice.begin(&scene, 1);
        tokio::time::sleep(Duration::from_millis(10)).await;
        let other = slice.begin(&scene, 1);
        tokio::time::sleep(LONG).await;
        one.stop().await;
        other.stop().await;
        scene
    });
    End::of(slice, &scene).assert_same(&end, "two owners");
}
