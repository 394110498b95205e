//! Parts start, fail, drain.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use yiping_runtime::{Health, Life};

const BUDGET: Duration = Duration::from_secs(2);

async fn until_cancelled(cancel: CancellationToken) -> anyhow::Result<()> {
    cancel.cancelled().await;
    Ok(())
}

#[tokio::test]
async fn a_stop_drains_the_parts_last_started_first() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let health = Health::default();
    health.part("store").ready();
    let mut life = Life::new(health.clone());
    for name in ["store", "runner", "gateway"] {
        let order = order.clone();
        life.spawn(name, BUDGET, |cancel| async move {
            until_cancelled(cancel).await?;
            order.lock().unwrap().push(name);
            Ok(())
        });
    }
    life.stopping().cancel();
    life.run_until_stopped().await.unwrap();
    assert_eq!(*order.lock().unwrap(), ["gateway", "runner", "store"]);
    assert_eq!(health.wanting()["process"], "draining");
}

#[tokio::test]
async fn the_first_failing_part_stops_everything_and_is_named() {
    let mut life = Life::new(Health::default());
    life.spawn("store", BUDGET, until_cancelled);
    life.spawn("gateway", BUDGET, |_| async { anyhow::bail!("the disk is full") });
    assert_eq!(life.run_until_stopped().await.unwrap_err().to_string(), "gateway failed: the disk is full");
}

#[tokio::test]
async fn a_panic_is_a_failure() {
    let mut life = Life::new(Health::default());
    life.spawn("store", BUDGET, until_cancelled);
    life.spawn("runner", BUDGET, |_| async { panic!("an invariant broke") });
    let error = life.run_until_stopped().await.unwrap_err().to_string();
    assert!(error.starts_with("runner failed: panicked"), "{error}");
}

#[tokio::test]
async fn a_part_that_does_not_drain_is_cut_off_and_the_next_still_drains() {
    let mut life = Life::new(Health::default());
    let (drained, saw) = tokio::sync::oneshot::channel();
    life.spawn("store", BUDGET, |cancel| async move {
        until_cancelled(cancel).await?;
        drained.send(()).map_err(|()| anyhow::anyhow!("nobody listens"))
    });
    life.spawn("stuck", Duration::from_millis(20), |_| std::future::pending());
    life.stopping().cancel();
    let began = Instant::now();
    life.run_until_stopped().await.unwrap();
    saw.await.unwrap();
    assert!(began.elapsed() < BUDGET);
}

#[tokio::test]
async fn parts_that_have_nothing_left_to_do_end_the_process_when_all_have() {
    let mut life = Life::new(Health::default());
    life.spawn("replay", BUDGET, |_| async { Ok(()) });
    life.run_until_stopped().await.unwrap();
}
