//! Open orders on the wall's list, and how long an order is known.

use serde_json::{Value, json};
use yiping_catalogue::Catalogue;
use yiping_event::Stream;
use yiping_hotline::Hotline;
use yiping_window::{Input, LiveRow, Machine, Output};

use crate::{created, direct, due, extended, figures::settings, log, step};

fn machine() -> Machine<Hotline> {
    let specs = Catalogue::builtin().unwrap().specs(Stream::Hotline, None);
    Machine::new(Stream::Hotline, &specs, settings(Stream::Hotline)).unwrap()
}

fn feed(machine: &mut Machine<Hotline>, lines: &[String]) -> Output {
    let mut out = Output::default();
    for line in lines {
        let offset = machine.offset().map_or(0, |offset| offset + 1);
        machine.apply(Input { offset, append: None, payload: line.as_bytes() }, &mut out);
    }
    out
}

fn attrs(row: &LiveRow) -> Value {
    serde_json::from_str(&row.attrs).unwrap()
}

#[test]
fn an_open_order_is_listed_until_it_is_closed() {
    let mut order = due("W-1", "10:30:00");
    order["street"] = "鲸园街道".into();
    let log = log()
        .at("10:00:00", "order", order)
        .at("10:05:00", "order", step("W-1", "dispatched"))
        .at("10:06:00", "order", extended("W-1", "11:00:00"))
        .at("10:20:00", "order", step("W-1", "closed"))
        .at("10:21:00", "callback", json!({"order_id": "W-1", "resolved": true}))
        .at("10:30:00", "order", step("W-1", "reopened"));
    let rows = feed(&mut machine(), log.lines()).live;
    let said: Vec<_> = rows.iter().map(|row| (attrs(row)["state"].as_str().unwrap().to_owned(), row.gone)).collect();
    let expected =
        [("created", false), ("dispatched", false), ("dispatched", false), ("closed", true), ("reopened", false)];
    assert_eq!(said, expected.map(|(state, gone)| (state.to_owned(), gone)));
    assert_eq!(
        attrs(&rows[2]),
        json!({
            "category": "路灯", "district": "环翠区", "street": "鲸园街道", "agency": "住建",
            "created": "2026-11-20T02:00:00.000Z", "due": "2026-11-20T03:00:00.000Z", "state": "dispatched",
        })
    );
    assert!(rows.iter().all(|row| row.kind == "order" && row.key == rows[0].key));
}

#[test]
fn i11_no_row_tells_the_orders_number_or_where_exactly_it_is() {
    let mut order = created("W-371002-0001");
    order["lon"] = 122.123_456.into();
    order["lat"] = 37.512_345.into();
    let log = log().at("10:00:00", "order", order).at("10:00:01", "order", direct("W-2")).tick("10:10:00");
    let out = feed(&mut machine(), log.lines());
    assert_eq!(out.live.len(), 1); // a direct order is never open
    assert!(!out.rows.is_empty());
    let text = format!("{:?} {:?}", out.live, out.rows);
    for personal in ["W-371002", "W-2", "122.1", "37.5"] {
        assert!(!text.contains(personal), "{personal}");
    }
}

#[test]
fn i4_after_a_restore_the_list_is_told_again() {
    let log = log().at("10:00:00", "order", created("a")).at("10:00:00", "order", created("b"));
    let log = log.at("10:01:00", "order", step("b", "closed")).at("10:02:00", "order", direct("c"));
    let mut machine = machine();
    feed(&mut machine, log.lines());
    let mut out = Output::default();
    machine.live(&mut out);
    let mut gone: Vec<bool> = out.live.iter().map(|row| row.gone).collect();
    gone.sort_unstable();
    assert_eq!(gone, [false, true]);
}

/// Of an order closed on the 20th at 11:00: whether it is open once more when a reopening comes `days` later.
fn reopens_after(days: i64) -> bool {
    let log = log().at("10:00:00", "order", created("a")).at("11:00:00", "order", step("a", "closed"));
    let mut machine = machine();
    feed(&mut machine, log.lines());
    let mut out = Output::default();
    let later = yiping_event::TimeMs(machine.time().unwrap().0 + days * 24 * 3_600_000);
    machine.advance(later, 2, &mut out);
    let line = crate::log().at("11:00:00", "order", step("a", "reopened")).lines()[0]
        .replace("2026-11-20T11:00:00+08:00", &later.to_string())
        .replace("e0000", "late");
    let out = feed(&mut machine, &[line]);
    out.live.iter().any(|row| !row.gone)
}

#[test]
fn i9_a_closed_order_is_known_for_thirty_days() {
    assert!(reopens_after(30));
    assert!(!reopens_after(32));
}
