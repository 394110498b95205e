//! What goes wrong on purpose opens the breaches that it should, and they close after it: simulated, computed and judged by the binary
//! itself, against the same hours without the incident.

use std::{collections::BTreeMap, path::Path, process::Command};

use serde_json::Value;

/// When each breach opened and closed, by (metric, level, key): those of the whole run.
type Breaches = BTreeMap<(String, String, String), Vec<(String, Option<String>)>>;

fn yiping(arguments: &[&str]) {
    let out = Command::new(env!("CARGO_BIN_EXE_yiping")).args(arguments).output().unwrap();
    assert!(out.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
}

fn breaches(dir: &Path, (stream, scale, spans): (&str, &str, &str), incident: Option<&str>) -> Breaches {
    let file = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let (events, rows, found) = (file("events"), file("rows"), file("breaches"));
    let mut simulate = vec!["simulate", "--seed", "1", "--start", "2026-11-20T10:00:00+08:00", "--duration", "3h"];
    simulate.extend(["--streams", stream, "--scale", scale, "--faults", "usual", "--out", &events]);
    simulate.extend(incident.into_iter().flat_map(|incident| ["--incident", incident]));
    yiping(&simulate);
    yiping(&["compute", "--stream", stream, "--spans", spans, "--out", &rows, &events]);
    yiping(&["judge", "--out", &found, &rows]);
    let mut breaches = Breaches::new();
    for line in std::fs::read_to_string(&found).unwrap().lines() {
        let breach: Value = serde_json::from_str(line).unwrap();
        let text = |member: &str| breach[member].as_str().unwrap().to_owned();
        let of = (text("metric"), text("level"), text("key"));
        breaches.entry(of).or_default().push((text("opened_at"), breach["closed_at"].as_str().map(str::to_owned)));
    }
    breaches
}

/// `of`: stream, scale, spans. The breaches that an incident from 11:00 to 12:00 (03:00 to 04:00 UTC) makes, by (metric, level): all must open within it and close
/// after it.
fn made(of: (&str, &str, &str), incident: &str) -> Vec<(String, String)> {
    let dir = tempfile::tempdir().unwrap();
    let usual = breaches(dir.path(), of, None);
    let with = breaches(dir.path(), of, Some(&format!("{incident}@1h+60m")));
    let mut made = Vec::new();
    for ((metric, level, key), spells) in with {
        let id = (metric.clone(), level.clone(), key.clone());
        for (opened, closed) in spells.iter().filter(|spell| !usual.get(&id).is_some_and(|known| known.contains(spell)))
        {
            assert!(opened.as_str() > "2026-11-20T03:00", "{metric} {key} opened at {opened}, before the incident");
            assert!(closed.is_some(), "{metric} {key} never closed");
        }
        if usual.get(&id) != Some(&spells) {
            made.push((metric, level));
        }
    }
    made.dedup();
    made
}

fn names(made: &[(String, String)]) -> Vec<&str> {
    made.iter().map(|(metric, _)| metric.as_str()).collect()
}

#[test]
fn an_outage_of_heating_surges_and_fills_the_hotline() {
    let made = made(("hotline", "1", "30m,now"), "heating-outage");
    let names = names(&made);
    for metric in ["hotline.surge", "hotline.connect_ratio", "hotline.wait_mean_s", "hotline.abandon_ratio"] {
        assert!(names.contains(&metric), "{metric} is not among {names:?}");
    }
}

#[test]
fn an_sos_that_nobody_answers_is_a_warning_and_then_critical() {
    let made = made(("elder", "1", "24h,now"), "sos-unanswered");
    let mut names = names(&made);
    names.sort_unstable();
    names.dedup();
    assert_eq!(names, ["elder.sos_ack_180s_ratio", "elder.sos_ack_60s_ratio", "elder.sos_oldest_wait_s"]);
}

#[test]
fn lots_that_fill_up_are_told_by_name() {
    let made = made(("parking", "0.3", "15m,now"), "lot-full");
    assert!(made.contains(&("parking.occupancy_ratio".to_owned(), "lot".to_owned())), "{made:?}");
}

#[test]
fn a_dead_parking_feed_is_lots_that_are_silent() {
    let made = made(("parking", "0.3", "15m,now"), "feed-dead-parking");
    assert_eq!(names(&made), ["parking.silent_lots"]);
}
