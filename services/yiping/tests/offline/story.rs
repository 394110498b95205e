use std::collections::BTreeMap;

use yiping::story::Story;
use yiping_event::{Stream, TimeMs};
use yiping_runtime::clock::unix_ms;
use yiping_simulator::Faults;

use crate::arguments::incident;

const MINUTE: i64 = 60_000;

#[test]
fn an_incident_counts_from_the_first_start_and_does_not_begin_anew() {
    let dir = tempfile::tempdir().unwrap();
    let planned = [incident("lot-full@10m+20m").unwrap()];
    let before = unix_ms();
    let first = Story::of(dir.path(), 1, Faults::Usual, &planned).unwrap();
    first.save(dir.path()).unwrap();
    let incident = first.incidents().unwrap()[0];
    assert!((before - 1_000..=unix_ms()).contains(&(incident.from.0 - 10 * MINUTE)), "{incident:?}");
    assert_eq!(incident.to.0 - incident.from.0, 20 * MINUTE);
    let again = Story::of(dir.path(), 1, Faults::Usual, &planned).unwrap();
    assert_eq!(again.incidents, first.incidents);
    // after a sleep of a day the city begins anew, and the incident has been
    let sent = BTreeMap::from([(Stream::Bus, TimeMs(before - 24 * 60 * MINUTE).to_string())]);
    let slept = Story { sent, ..first };
    slept.save(dir.path()).unwrap();
    let anew = Story::of(dir.path(), 1, Faults::Usual, &[]).unwrap();
    assert_ne!(anew.sent, slept.sent);
    assert_eq!(anew.incidents, slept.incidents);
}

#[test]
fn a_folder_of_a_demo_without_incidents_is_read() {
    let text = r#"{"seed": 1, "faults": "usual", "since": {}, "sent": {}}"#;
    assert_eq!(serde_json::from_str::<Story>(text).unwrap().incidents, []);
}
