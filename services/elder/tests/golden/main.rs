//! The 12349 hotline by hand: small logs, and the arithmetic that their figures must come to. A file a family of figures.

#[path = "../../../../tests/golden/figures.rs"]
mod figures;

mod calls;
mod devices;
mod due;
mod orders;
mod response;
mod satisfied;
mod sos;

use serde_json::{Value, json};
use yiping_elder::Elder;
use yiping_event::Stream;

use figures::{Figure, Figures, Log, assert_any_order, assert_catalogued};

fn log() -> Log {
    Log::of(Stream::Elder)
}

fn call(id: &str, event: &str, category: &str, district: &str) -> Value {
    json!({"call_id": id, "event": event, "category": category, "district": district})
}

fn sos(case: &str, event: &str) -> Value {
    json!({"case_id": case, "event": event, "district": "环翠区"})
}

/// An order's creation.
fn created(id: &str, category: &str, district: &str, due: Option<&str>) -> Value {
    let mut data = json!({"order_id": id, "event": "created", "category": category, "district": district});
    if let Some(due) = due {
        data["due"] = figures::stamp(due).into();
    }
    data
}

/// A later step of an order.
fn step(id: &str, event: &str) -> Value {
    json!({"order_id": id, "event": event})
}

/// Something that happens at a time and touches no figure but those of calls in 荣成市; then the time is known to all partitions.
fn later(log: Log, time: &str) -> Log {
    log.at(time, "call", call(&format!("later {time}"), "offered", "life_care", "荣成市")).tick(time)
}

fn count(n: i64) -> Option<Figure> {
    Some((Some(n as f64), n as f64, 1.0, n))
}

/// A ratio, its minimum n met.
fn ratio(num: i64, den: i64) -> Option<Figure> {
    Some((Some(num as f64 / den as f64), num as f64, den as f64, den))
}

/// A ratio below its minimum n.
fn too_few(num: i64, den: i64) -> Option<Figure> {
    Some((None, num as f64, den as f64, den))
}

/// A metric's newest numerator and denominator of the city over a span, as written so far: the file has no end yet.
fn so_far(log: &Log, metric: &str, span: &str) -> Option<(i64, i64)> {
    let rows = log.rows_so_far::<Elder>();
    let city = rows.iter().filter(|row| row.metric == metric && row.key == "city" && row.span.as_str() == span);
    city.max_by_key(|row| (row.end, row.offset)).map(|row| (row.num, row.den))
}

#[test]
fn i8_the_order_in_which_events_come_changes_no_digit() {
    let mut log = log();
    for at in 0..12 {
        let (id, hour) = (format!("c{at}"), 8 + at);
        log = log.at(&format!("{hour:02}:00:00"), "sos", sos(&id, "raised"));
        log = log.at(&format!("{hour:02}:{:02}:30", at % 3), "sos", sos(&id, "acknowledged"));
        let attempt = if at % 3 == 0 { "not_connected" } else { "connected" };
        log = log.at(&format!("{hour:02}:00:{:02}", 10 + at), "sos", sos(&id, attempt));
        let end = if at % 4 == 0 { "false_alarm" } else { "closed" };
        log = log.at(&format!("{:02}:{:02}:00", hour + at % 2, 20 + at), "sos", sos(&id, end));
        if at % 4 == 2 {
            log = log.at(&format!("{hour:02}:{:02}:00", 15 + at), "sos", sos(&id, "arrived"));
        }
        log = log.at(&format!("{hour:02}:10:00"), "call", call(&id, "offered", "life_care", "荣成市"));
        log = log.at(&format!("{hour:02}:10:{:02}", 5 + at), "call", call(&id, "answered", "life_care", "荣成市"));
        let due = format!("{:02}:30:00", hour + 2);
        log = log.at(&format!("{hour:02}:12:00"), "order", created(&id, "助浴", "荣成市", Some(&due)));
        log = log.at(&format!("{hour:02}:{:02}:00", 14 + at), "order", step(&id, "accepted"));
        log = log.at(&format!("{hour:02}:{:02}:00", 34 + at), "order", step(&id, "arrived"));
        let end = ["finished", "no_show", "cancelled", "finished"][at % 4];
        log = log.at(&format!("{:02}:50:00", hour + 1), "order", step(&id, end));
        log = log.at(&format!("{:02}:55:00", hour + 2), "callback", json!({"order_id": id, "score": 1 + at % 5}));
        let district = ["环翠区", "荣成市"][at % 2];
        let beat = json!({"device_id": format!("d{}", at % 6), "district": district});
        log = log.at(&format!("{hour:02}:05:{:02}", 3 * at), "heartbeat", beat);
    }
    assert_any_order::<Elder>(&log);
}

#[test]
fn every_metric_of_the_catalogue_speaks_at_its_levels_and_spans_and_no_other() {
    let log = log()
        .at("10:00:00", "call", call("a", "offered", "life_care", "环翠区"))
        .at("10:00:00", "sos", sos("a", "raised"))
        .at("10:00:10", "sos", sos("a", "connected"))
        .at("10:00:00", "order", created("a", "life_care", "环翠区", Some("12:00:00")))
        .at("10:05:00", "order", step("a", "accepted"))
        .at("10:45:00", "order", step("a", "arrived"))
        .at("11:45:00", "callback", json!({"order_id": "a", "score": 5}))
        .at("10:00:00", "heartbeat", json!({"device_id": "a", "district": "环翠区"}));
    assert_catalogued(Stream::Elder, &log.figures::<Elder>());
}
