//! What Prometheus, Alertmanager and Grafana are told of the catalogue and the city's profile: made here, kept in `deploy/`, so that a
//! limit stands in one place. It must not know how figures are made or stored.
//!
//! | file | what |
//! | --- | --- |
//! | `alert.rs` | a threshold as an alert: what is asked, what is said |
//! | `prometheus.rs` | rules, and their tests for `promtool` |
//! | `route.rs` | Alertmanager: who is told, what hides what |
//! | `runbook.rs` | a page for each figure with a limit |
//! | `grafana.rs` | dashboards: `grafana/stream.rs` and `grafana/pipeline.rs` say which panels, `grafana/panel.rs` how they look |
//! | `words.rs` | Chinese for the catalogue's identifiers |
//!
//! What is not made of the catalogue is written by hand beside it: `deploy/prometheus/rules/system.yml`, `deploy/runbooks/*.md`.

mod alert;
mod grafana;
mod prometheus;
mod route;
mod runbook;
mod words;

use yiping_catalogue::Catalogue;
use yiping_city::City;
use yiping_event::Stream;
use yiping_watch::RuleError;

/// Why nothing can be made.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error(transparent)]
    Rule(#[from] RuleError),
    #[error("the city's clocks change: hours of the day in alert rules need a zone without daylight saving")]
    ChangingClocks,
}

/// A file under `deploy/`.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    pub path: String,
    pub text: String,
}

/// All files for a city.
///
/// # Errors
/// When the profile has a threshold that the catalogue doesn't know, or a zone with daylight saving.
pub fn files(catalogue: &Catalogue, city: &City) -> Result<Vec<File>, Fault> {
    let alerts = alert::alerts(catalogue, city)?;
    let file = |path: &str, text: String| File { path: path.to_owned(), text };
    let mut files = vec![
        file("prometheus/rules/sources.yml", prometheus::sources(city)),
        file("prometheus/tests/figures-hours.yml", prometheus::tests_of_hours(&alerts)),
        file("alertmanager/alertmanager.yml", route::alertmanager(&alerts, city)),
    ];
    for stream in Stream::ALL.map(Stream::as_str) {
        files.push(file(&format!("prometheus/rules/figures-{stream}.yml"), prometheus::figures(&alerts, stream)));
        files.push(file(&format!("prometheus/tests/figures-{stream}.yml"), prometheus::tests(&alerts, stream)));
    }
    files.extend(runbook::pages(&alerts));
    let dashboards = grafana::dashboards(catalogue, city)?;
    files.extend(dashboards.into_iter().map(|(name, text)| file(&format!("grafana/dashboards/{name}"), text)));
    Ok(files)
}
