//! What a probe, a scrape and a person with a busy port see.

#![allow(clippy::unwrap_used, reason = "a test that panics fails, as it should")]

use std::os::unix::fs::PermissionsExt;

use axum::Router;
use axum::routing::get;
use prometheus::Registry;
use tokio_util::sync::CancellationToken;
use yiping_runtime::endpoints::{Endpoints, Reader};
use yiping_runtime::metrics::Outcome;
use yiping_runtime::{Admin, Health, Metrics, net};

struct Served {
    base: String,
    cancel: CancellationToken,
}

impl Served {
    async fn get(&self, path: &str) -> (u16, String) {
        let answer = reqwest::get(format!("{}{path}", self.base)).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

async fn serve(admin: Admin) -> Served {
    // reqwest wants one even for plain HTTP; a second test finds it there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = net::bind("127.0.0.1:0".parse().unwrap(), "admin.listen").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let cancel = CancellationToken::new();
    tokio::spawn(admin.serve(listener, cancel.clone()));
    Served { base, cancel }
}

#[tokio::test]
async fn ready_only_when_every_part_is_and_the_answer_says_which_is_not() {
    let health = Health::default();
    let served = serve(Admin::new(Registry::new(), health.clone())).await;
    assert_eq!(served.get("/healthz").await.0, 200);
    assert_eq!(served.get("/readyz").await, (503, r#"{"ready":false,"waiting_for":{"process":"starting"}}"#.into()));
    let (store, gateway) = (health.part("store"), health.part("gateway"));
    gateway.ready();
    assert_eq!(served.get("/readyz").await, (503, r#"{"ready":false,"waiting_for":{"store":"starting"}}"#.into()));
    store.ready();
    assert_eq!(served.get("/readyz").await, (200, r#"{"ready":true,"waiting_for":{}}"#.into()));
    store.not_ready("cut off: connection refused");
    assert_eq!(
        served.get("/readyz").await.1,
        r#"{"ready":false,"waiting_for":{"store":"cut off: connection refused"}}"#
    );
    store.ready();
    health.drain();
    assert_eq!(served.get("/readyz").await, (503, r#"{"ready":false,"waiting_for":{"process":"draining"}}"#.into()));
    assert_eq!(served.get("/healthz").await.0, 200, "draining is alive");
}

#[tokio::test]
async fn metrics_carry_the_contracts_names_and_a_revoked_partition_vanishes() {
    let registry = Registry::new();
    let metrics = Metrics::new(&registry).unwrap();
    metrics.begin_stream("bus");
    metrics.count("bus", Outcome::Late, 3);
    for partition in ["0", "1"] {
        metrics.watermark.with_label_values(&["bus", partition]).set(1.5);
        metrics.consumer_lag.with_label_values(&["bus", partition]).set(7);
        metrics.checkpoint.with_label_values(&["bus", partition]).set(2.0);
    }
    metrics.forget_partition("bus", 1);
    let served =
        serve(Admin::new(registry, Health::default()).merge(Router::new().route("/feeds", get(|| async { "feeds" }))))
            .await;
    let (_, text) = served.get("/metrics").await;
    for line in [
        r#"yiping_events_total{outcome="late",stream="bus"} 3"#,
        r#"yiping_events_total{outcome="rejected",stream="bus"} 0"#,
        r#"yiping_watermark_timestamp_seconds{partition="0",stream="bus"} 1.5"#,
        r#"yiping_consumer_lag_records{partition="0",stream="bus"} 7"#,
        "yiping_store_rows_total 0",
        "yiping_store_errors_total 0",
        "yiping_clock_step_seconds 0",
        "yiping_event_to_row_seconds_count 0",
    ] {
        assert!(text.contains(line), "{line}\nis not in\n{text}");
    }
    assert!(!text.contains(r#"partition="1""#), "{text}");
    assert_eq!(served.get("/feeds").await.1, "feeds");
}

#[tokio::test]
async fn a_busy_port_names_the_address_the_setting_and_the_way_out() {
    let taken = net::bind("127.0.0.1:0".parse().unwrap(), "wall.listen").await.unwrap().local_addr().unwrap();
    let held = net::bind(taken, "wall.listen").await.unwrap();
    let error = net::bind(held.local_addr().unwrap(), "gateway.listen").await.unwrap_err().to_string();
    for part in [&format!("gateway.listen: {taken} is in use"), "YIPING_GATEWAY__LISTEN", "port 0"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn endpoints_are_for_the_owner_only_and_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("new");
    let endpoints = Endpoints {
        wall: Some("http://127.0.0.1:8080".into()),
        token: Some("yp_x".into()),
        reader: Some(Reader { user: "yiping_reader".into(), password: "p".into() }),
        ..Endpoints::default()
    };
    let path = endpoints.write(&data).unwrap();
    let again = endpoints.write(&data).unwrap();
    assert_eq!(path, again);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(Endpoints::read(&data).unwrap() == endpoints);
    assert_eq!(std::fs::read_dir(&data).unwrap().count(), 1);
    Endpoints::remove(&data).unwrap();
    Endpoints::remove(&data).unwrap();
    assert!(!path.exists());
}
