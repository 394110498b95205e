//! What Alertmanager has firing, where one is configured: what Prometheus knows of the system itself (disks, clocks, dead processes). Alerts about
//! figures are left out (`kind="figure"`): those are breaches, which the wall has from `watch`.

use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use serde::Deserialize;
use yiping_event::TimeMs;

use crate::source::{Alert, Alerts};

const PATIENCE: Duration = Duration::from_secs(5);
/// An alert that always fires, to show that the way is open.
const ALWAYS: &str = "Watchdog";

pub struct Alertmanager {
    address: String,
    http: reqwest::Client,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    #[serde(default)]
    labels: Labels,
    #[serde(default)]
    annotations: Annotations,
    starts_at: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Labels {
    alertname: String,
    severity: String,
    kind: String,
    department: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Annotations {
    summary: String,
    action: String,
}

impl Alertmanager {
    /// `address` like `http://127.0.0.1:9093`.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(address: String) -> anyhow::Result<Self> {
        Ok(Alertmanager { address, http: crate::elder::client(PATIENCE)? })
    }
}

#[async_trait]
impl Alerts for Alertmanager {
    async fn firing(&self) -> anyhow::Result<Vec<Alert>> {
        let url =
            format!("{}/api/v2/alerts?active=true&silenced=false&inhibited=false", self.address.trim_end_matches('/'));
        let answer = self.http.get(&url).send().await.and_then(reqwest::Response::error_for_status);
        let told: Vec<Told> = answer.with_context(|| url.clone())?.json().await.context(url)?;
        Ok(shown(told))
    }
}

/// In an order that does not depend on Alertmanager's.
fn shown(told: Vec<Told>) -> Vec<Alert> {
    let of_the_system = |alert: &Told| alert.labels.kind != "figure" && alert.labels.alertname != ALWAYS;
    let alert = |told: Told| Alert {
        severity: if told.labels.severity == "critical" { "critical" } else { "warning" },
        title: if told.annotations.summary.is_empty() { told.labels.alertname } else { told.annotations.summary },
        owner: told.labels.department,
        action: told.annotations.action,
        starts_at: TimeMs::parse(&told.starts_at).unwrap_or(TimeMs(0)),
    };
    let mut alerts: Vec<Alert> = told.into_iter().filter(of_the_system).map(alert).collect();
    alerts.sort_by(|a, b| (a.severity, a.starts_at, &a.title).cmp(&(b.severity, b.starts_at, &b.title)));
    alerts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_figure_is_shown_worst_first() {
        // as the API's own examples: members that we don't read, times with more digits than ms
        let told = r#"[
            {"labels":{"alertname":"DiskFull","severity":"warning","department":"数据运维"},"annotations":{"summary":"磁盘将满","action":"清理"},
             "startsAt":"2026-11-20T02:00:00.123456789Z","fingerprint":"a","status":{"state":"active"}},
            {"labels":{"alertname":"Down","severity":"critical"},"annotations":{},"startsAt":"2026-11-20T03:00:00Z"},
            {"labels":{"alertname":"BusOnlineRatio","kind":"figure","severity":"critical"},"annotations":{"summary":"x"},"startsAt":"2026-11-20T03:00:00Z"},
            {"labels":{"alertname":"Watchdog"},"annotations":{},"startsAt":"2026-11-20T03:00:00Z"}]"#;
        let alerts = shown(serde_json::from_str(told).unwrap());
        let titles: Vec<_> = alerts.iter().map(|a| (a.title.as_str(), a.severity, a.owner.as_str())).collect();
        assert_eq!(titles, [("Down", "critical", ""), ("磁盘将满", "warning", "数据运维")]);
        assert_eq!(alerts[1].starts_at.to_string(), "2026-11-20T02:00:00.123Z");
    }
}
