//! A run that opens with what is still on the desks.

#![allow(clippy::unwrap_used, reason = "a test that can't go on may panic")]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use yiping_city::City;
use yiping_event::{Stream, TimeMs};
use yiping_simulator::{Faults, Options, Simulator};

const HOUR: i64 = 3_600_000;

fn lines(opening: bool, faults: Faults) -> Vec<String> {
    let options = Options {
        duration_ms: Some(14 * HOUR),
        streams: vec![Stream::Hotline],
        faults,
        opening,
        ..Options::new(7, TimeMs::parse("2026-11-20T10:00:00+08:00").unwrap())
    };
    Simulator::new(&City::weihai(), &options).map(|line| line.json).collect()
}

#[test]
fn whoever_hears_of_an_order_has_heard_how_it_began_and_nothing_else_has_changed() {
    for faults in [Faults::None, Faults::Usual] {
        let (plain, all) = (lines(false, faults), lines(true, faults));
        let known: BTreeSet<&String> = plain.iter().collect();
        let (as_before, opening): (Vec<&String>, Vec<&String>) = all.iter().partition(|line| known.contains(line));
        assert_eq!(as_before, plain.iter().collect::<Vec<_>>());
        let opening: Vec<Value> = opening.into_iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(opening.iter().all(|event| event["type"] == "city.hotline.order"));
        assert!(opening.iter().all(|event| event["receivedtime"] == "2026-11-20T14:00:00.000Z"), "all at once");
        assert!(opening.is_sorted_by_key(|event| event["time"].as_str().unwrap().to_owned()), "in their order");

        // what is left of a desk: the last word on each order, and when it falls due
        let mut last: BTreeMap<&str, (&str, Option<&str>)> = BTreeMap::new();
        for event in &opening {
            let data = &event["data"];
            let order = last.entry(data["order_id"].as_str().unwrap()).or_default();
            *order = (data["event"].as_str().unwrap(), data["due"].as_str().or(order.1));
        }
        let open = last.values().filter(|(event, _)| *event != "closed").count();
        assert!((500..5_000).contains(&open), "{open} orders of {} are open", last.len());
        let settled = last.values().filter(|(event, _)| *event == "closed");
        assert!(settled.clone().count() > 0, "some that are done fall due later");
        assert!(settled.clone().all(|(_, due)| due.is_some_and(|due| due >= "2026-11-20T02")), "{last:?}");

        let began = |events: &[Value]| -> BTreeSet<String> {
            let of = events.iter().filter(|event| event["data"]["event"] == "created");
            of.map(|event| event["data"]["order_id"].to_string()).collect()
        };
        let told: Vec<Value> = all.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let (known, orders) = (began(&told), told.iter().filter(|event| event["type"] == "city.hotline.order"));
        let unheard = orders.filter(|event| !known.contains(&event["data"]["order_id"].to_string())).count();
        // (with usual faults a few are on their way for hours)
        assert!(unheard <= if faults == Faults::None { 0 } else { 5 }, "{unheard}");
    }
}
