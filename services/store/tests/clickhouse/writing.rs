//! Writing: what is tried again, what is not, and that acknowledged means on disk.

use std::{net::TcpListener, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio_util::sync::CancellationToken;
use yiping_store::{Batch, MetricFilter, MetricRow, StatusRow, Store, StoreError, StoreOptions, embedded::Server};

use crate::{MINUTE, T0, defs, generation, library, metrics, options, row, status, store, store_or_skip};

#[tokio::test]
async fn three_years_of_old_rows_go_in_at_once() {
    let store = store_or_skip!();
    let rows: Vec<MetricRow> =
        (0..1100).map(|day| row("old.count", T0 - day * 1440 * MINUTE, 0, 1, (1, 0, 1))).collect();
    store.write(&metrics("old", rows), &CancellationToken::new()).await.unwrap();
    let filter = MetricFilter { metric: Some("old.count".into()), ..MetricFilter::default() };
    assert_eq!(store.metrics(&filter).await.unwrap().len(), 1100);
}

#[tokio::test]
async fn without_clickhouse_a_write_waits_until_it_is_told_to_stop() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    drop(socket);
    let options = StoreOptions { retry_first: Duration::from_millis(1), ..StoreOptions::default() };
    let store = Store::connect(&url, "u", "p", options).unwrap();
    let stop = CancellationToken::new();
    let batch = Batch { status: vec![status("x", 0, 1, None)], ..Batch::default() };
    let write = store.write(&batch, &stop);
    let (written, ()) = tokio::join!(write, async {
        while store.errors_total() < 3 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    });
    assert!(matches!(written, Err(StoreError::Stopped { .. })), "{written:?}");
}

#[tokio::test]
async fn a_wrong_password_is_not_tried_again() {
    let good = store_or_skip!();
    good.ping().await.unwrap();
    let url = crate::shared().unwrap().url();
    let store = Store::connect(&url, "yiping_writer", "wrong", StoreOptions::default()).unwrap();
    let batch = Batch { status: vec![status("x", 0, 1, None)], ..Batch::default() };
    let error = store.write(&batch, &CancellationToken::new()).await.unwrap_err();
    assert!(!error.is_retriable(), "{error}");
}

#[test]
fn an_address_that_can_not_be_one_is_named() {
    let error = Store::connect("clickhouse:9000", "u", "p", StoreOptions::default()).unwrap_err();
    assert!(error.to_string().contains("clickhouse:9000"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn i4_kill_9_during_inserts_loses_nothing_that_was_acknowledged() {
    let Some(library) = library() else { return };
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(options(folder.path().join("ch"), library)).await.unwrap();
    let store = store(server.url(), server.writer());
    store.migrate(&defs(), &[], &[], &[]).await.unwrap();
    let generations = vec![generation("crash", 1, None)];
    let stop = CancellationToken::new();
    store.write(&Batch { generations, ..Batch::default() }, &stop).await.unwrap();

    // Inserts without an end, each of its own window; killed three times at moments that nobody chose.
    let (acknowledged, mut seen) = tokio::sync::watch::channel(0_i64);
    let writing = tokio::spawn({
        let (store, stop) = (store.clone(), stop.clone());
        async move {
            for number in 1.. {
                let rows: Vec<MetricRow> = (0..50)
                    .map(|key| MetricRow {
                        key: format!("k{key}").into(),
                        ..row("crash.count", T0 + number * MINUTE, 0, number as u64, (number, 0, 1))
                    })
                    .collect();
                let batch = Batch { metrics: rows, ..Batch::default() };
                match store.write(&batch, &stop).await {
                    Ok(()) => drop(acknowledged.send(number)),
                    Err(StoreError::Stopped { .. }) => return,
                    Err(error) => panic!("{error}"),
                }
            }
        }
    });
    for round in 1..=3 {
        seen.wait_for(|&number| number >= round * 15).await.unwrap();
        let pid = server.pid().unwrap();
        kill(Pid::from_raw(pid as i32), Signal::SIGKILL).unwrap();
        crate::until("the restart", || {
            let now = server.pid();
            async move { now.is_some_and(|now| now != pid) }
        })
        .await;
    }
    let after = *seen.borrow();
    seen.wait_for(|&number| number > after + 5).await.unwrap();
    stop.cancel();
    writing.await.unwrap();
    let acknowledged = *seen.borrow();

    kill(Pid::from_raw(server.pid().unwrap() as i32), Signal::SIGKILL).unwrap();
    crate::until("the answer", || async { store.ping().await.is_ok() }).await;
    let filter = MetricFilter {
        metric: Some("crash.count".into()),
        to_ms: Some(T0 + acknowledged * MINUTE + 1),
        limit: Some(1_000_000),
        ..MetricFilter::default()
    };
    assert_eq!(store.metrics(&filter).await.unwrap().len() as i64, acknowledged * 50);
    server.stop().await;
}

#[test]
fn status_rows_are_plain() {
    // A service without time writes None, which is not 1970.
    let StatusRow { watermark_ms, time_ms, .. } = status("x", 0, 1, None);
    assert_eq!((watermark_ms, time_ms), (None, None));
}
