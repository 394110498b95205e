//! Orders open, overdue, due soon.

use yiping_hotline::Hotline;

use crate::{
    city, created, direct, due, everywhere, extended, few, figures::assert_any_order, gauge, log, ratio, step,
};

const OPEN: &str = "hotline.open_orders";
const OVERDUE: &str = "hotline.overdue_orders";
const SOON: &str = "hotline.due_soon_orders";

/// Open, overdue, due soon.
fn states(figures: &crate::Figures, end: &str) -> [f64; 3] {
    [OPEN, OVERDUE, SOON].map(|metric| everywhere(figures, metric, "now", end).unwrap().0.unwrap())
}

#[test]
fn an_order_is_open_until_it_is_closed() {
    let log = log()
        .at("10:00:30", "order", created("a"))
        .at("10:01:00", "order", created("b"))
        .at("10:02:00", "order", step("a", "closed"))
        .at("10:03:30", "order", step("a", "closed")); // told twice: closed all the same
    assert_any_order::<Hotline>(&log);
    let figures = log.tick("10:05:00").figures::<Hotline>();
    assert_eq!(everywhere(&figures, OPEN, "now", "10:01:00"), gauge(2.0, 2));
    assert_eq!(everywhere(&figures, OPEN, "now", "10:02:00"), gauge(1.0, 2));
    assert_eq!(everywhere(&figures, OPEN, "now", "10:04:00"), gauge(1.0, 2));
    // no due date, and a category without limit: never due
    assert_eq!(everywhere(&figures, OVERDUE, "now", "10:04:00"), gauge(0.0, 2));
}

#[test]
fn an_order_is_due_soon_for_a_day_and_overdue_after_its_due_date() {
    // due on the 21st at 12:00: due soon from the 20th at 12:00 on, overdue from the first instant after
    let figures = log()
        .at("11:00:00", "order", due("a", "21T12:00:00"))
        .at("21T12:05:00", "order", step("a", "closed"))
        .tick("21T12:10:00")
        .figures::<Hotline>();
    for (end, expected) in [
        ("11:59:00", [1.0, 0.0, 0.0]),
        ("12:00:00", [1.0, 0.0, 1.0]),
        ("21T12:00:00", [1.0, 0.0, 1.0]), // on the dot it can still be closed in time
        ("21T12:01:00", [1.0, 1.0, 0.0]),
        ("21T12:04:00", [1.0, 1.0, 0.0]),
        ("21T12:05:00", [0.0, 0.0, 0.0]),
    ] {
        assert_eq!(states(&figures, end), expected, "{end}");
    }
}

#[test]
fn an_extension_ends_being_overdue_when_it_comes() {
    // due at 10:10:30; extended at 10:20 to 10:30
    let log = log().at("10:00:00", "order", due("a", "10:10:30")).at("10:20:00", "order", extended("a", "10:30:00"));
    assert_any_order::<Hotline>(&log);
    let figures = log.tick("10:40:00").figures::<Hotline>();
    for (end, expected) in [
        ("10:10:00", [1.0, 0.0, 1.0]),
        ("10:11:00", [1.0, 1.0, 0.0]),
        ("10:19:00", [1.0, 1.0, 0.0]),
        ("10:20:00", [1.0, 0.0, 1.0]),
        ("10:30:00", [1.0, 0.0, 1.0]),
        ("10:31:00", [1.0, 1.0, 0.0]),
    ] {
        assert_eq!(states(&figures, end), expected, "{end}");
    }
}

#[test]
fn a_reopened_order_is_open_and_past_its_due_date_overdue_at_once() {
    let log = log()
        .at("10:00:00", "order", due("a", "10:10:00"))
        .at("10:05:00", "order", step("a", "closed"))
        .at("10:07:00", "order", step("a", "reopened"))
        .at("10:08:00", "order", step("a", "closed"))
        .at("10:20:00", "order", step("a", "reopened"));
    assert_any_order::<Hotline>(&log);
    let figures = log.tick("10:30:00").figures::<Hotline>();
    for (end, expected) in [
        ("10:05:00", [0.0, 0.0, 0.0]),
        ("10:07:00", [1.0, 0.0, 1.0]),
        ("10:08:00", [0.0, 0.0, 0.0]),
        ("10:11:00", [0.0, 0.0, 0.0]),
        ("10:20:00", [1.0, 1.0, 0.0]),
    ] {
        assert_eq!(states(&figures, end), expected, "{end}");
    }
}

#[test]
fn an_order_closed_in_zero_seconds_or_before_it_was_made_is_never_open() {
    let figures = log()
        .at("10:00:00", "order", created("a"))
        .at("10:00:00", "order", step("a", "closed"))
        .at("10:01:00", "order", created("b"))
        .at("10:00:30", "order", step("b", "closed")) // two clocks
        .tick("10:05:00")
        .figures::<Hotline>();
    assert_eq!(everywhere(&figures, OPEN, "now", "10:00:00"), gauge(0.0, 1));
    assert_eq!(everywhere(&figures, OPEN, "now", "10:01:00"), gauge(0.0, 2));
    assert_eq!(everywhere(&figures, OPEN, "now", "10:04:00"), gauge(0.0, 2));
}

#[test]
fn a_direct_order_is_never_open_or_due_even_if_it_is_reopened() {
    let mut order = direct("a");
    order["due"] = crate::stamp("10:10:00").into();
    let figures = log()
        .at("10:00:00", "order", order)
        .at("10:01:00", "order", step("a", "dispatched"))
        .at("10:02:00", "order", step("a", "reopened"))
        .at("10:03:00", "order", extended("a", "10:12:00"))
        .tick("10:30:00")
        .figures::<Hotline>();
    for metric in [OPEN, OVERDUE, SOON, "hotline.on_time_close_ratio", "hotline.response_ratio"] {
        assert!(figures.rows.iter().all(|row| row.metric != metric), "{metric}");
    }
}

#[test]
fn an_urged_order_is_one_as_long_as_it_is_open() {
    // five orders at 10:00; a is urged at 10:01 and again at 10:02, b at 10:03; a is closed at 10:04 and opened anew at 10:06:
    // 1/5, 1/5, 2/5, then b of the four that are left (few: NULL), then 2/5 again; urged before it was made, c counts from 09:59 on
    let mut log = log();
    for id in ["a", "b", "c", "d", "e"] {
        log = log.at("10:00:00", "order", created(id));
    }
    let log = log
        .at("10:01:00", "order", step("a", "urged"))
        .at("10:02:00", "order", step("a", "urged"))
        .at("10:03:00", "order", step("b", "urged"))
        .at("10:04:00", "order", step("a", "closed"))
        .at("10:06:00", "order", step("a", "reopened"));
    assert_any_order::<Hotline>(&log);
    let urged = |log: &crate::Log, end: &str| everywhere(&log.figures::<Hotline>(), "hotline.urge_ratio", "now", end);
    let calm = log.clone().tick("10:08:00");
    assert_eq!(urged(&calm, "10:00:00"), ratio(0.0, 5.0));
    assert_eq!(urged(&calm, "10:01:00"), ratio(1.0, 5.0));
    assert_eq!(urged(&calm, "10:02:00"), ratio(1.0, 5.0));
    assert_eq!(urged(&calm, "10:03:00"), ratio(2.0, 5.0));
    assert_eq!(urged(&calm, "10:05:00"), few(1.0, 4.0));
    assert_eq!(urged(&calm, "10:06:00"), ratio(2.0, 5.0));
    let early = log.at("09:59:00", "order", step("c", "urged")).tick("10:08:00");
    assert_eq!(urged(&early, "10:00:00"), ratio(1.0, 5.0));
    assert_eq!(urged(&early, "10:03:00"), ratio(3.0, 5.0));
}

#[test]
fn an_urge_is_remembered_as_long_as_its_order_is_open() {
    // long behind the horizon: a day later the urged one is closed, and the share falls from 1/6 to 0/5
    let mut log = log();
    for id in ["a", "b", "c", "d", "e", "f"] {
        log = log.at("10:00:00", "order", created(id));
    }
    let log = log.at("10:01:00", "order", step("a", "urged")).tick("12:00:00").tick("21T09:59:00");
    let figures = log.at("21T10:00:00", "order", step("a", "closed")).tick("21T10:02:00").figures::<Hotline>();
    let urged = |end: &str| everywhere(&figures, "hotline.urge_ratio", "now", end);
    assert_eq!(urged("21T09:59:00"), ratio(1.0, 6.0));
    assert_eq!(urged("21T10:01:00"), ratio(0.0, 5.0));
}

#[test]
fn a_late_close_revises_what_was_open() {
    let open = log().at("10:00:00", "order", due("a", "10:03:00")).tick("10:10:00");
    let closed = open.clone().at("10:02:00", "order", step("a", "closed")).tick("10:10:10").figures::<Hotline>();
    assert_eq!(states(&open.figures::<Hotline>(), "10:05:00"), [1.0, 1.0, 0.0]);
    assert_eq!(states(&closed, "10:01:00"), [1.0, 0.0, 1.0]);
    assert_eq!(states(&closed, "10:05:00"), [0.0, 0.0, 0.0]);
}

#[test]
fn without_a_due_date_the_categorys_limit_holds_in_working_days() {
    // 供热供水: 3 working days. Friday the 20th at 10:00 + 3: Monday, Tuesday, Wednesday the 25th at 10:00. So due soon from Tuesday
    // the 24th at 10:00 on, and not on Monday (3 calendar days)
    let mut order = created("a");
    order["category"] = "供热供水".into();
    let log = log().at("10:00:00", "order", order).tick("24T09:00:00").at("24T10:30:00", "order", step("a", "urged"));
    let figures = log.tick("25T11:00:00").figures::<Hotline>();
    let soon = |end: &str| city(&figures, SOON, "now", end).unwrap().0;
    assert_eq!((soon("24T09:59:00"), soon("24T10:00:00"), soon("25T10:00:00")), (Some(0.0), Some(1.0), Some(1.0)));
    assert_eq!((soon("25T10:01:00"), soon("23T12:00:00")), (Some(0.0), Some(0.0)));
    let missed = figures.get("hotline.on_time_close_ratio", "category", "供热供水", "24h", "25T10:05:00");
    assert_eq!(missed, few(0.0, 1.0));
}

#[test]
fn i5_orders_of_sixty_days_ago_are_open_today() {
    // a stream that goes live takes over what is open: made, sent, put off, in the order of their times and in another; and one that
    // was closed long ago. Their flows are too late
    let old = |log: crate::figures::Log, day: &str, data: serde_json::Value| {
        // (the log's own dates are of November)
        let line = log.clone().at("10:00:00", "order", data).lines().last().unwrap().clone();
        let today = crate::stamp("10:00:00");
        log.again(
            line.replace(&format!("\"time\":\"{today}"), &format!("\"time\":\"{}", today.replace("2026-11-20", day))),
        )
    };
    let mut log = log();
    for number in 0..12 {
        let id = format!("c{number}"); // every partition has heard a call: it is live
        log = log.at("10:00:00", "call", crate::call(&id, "offered"));
    }
    log = log.tick("10:00:10");
    for (day, data) in [
        ("2026-09-21", due("a", "19T10:00:00")), // overdue since yesterday
        ("2026-09-22", step("a", "dispatched")),
        ("2026-10-01", extended("b", "23T10:00:00")), // the extension comes first
        ("2026-09-21", due("b", "01T10:00:00")),
        ("2026-09-25", step("d", "closed")),
        ("2026-09-21", created("d")),
        ("2026-09-21", created("e")),
        ("2026-09-23", step("e", "closed")),
        ("2026-09-24", step("e", "reopened")),
    ] {
        log = old(log, day, data);
    }
    let figures = log.tick("10:05:00").figures::<Hotline>();
    assert_eq!(figures.counters.late, 9);
    assert_eq!(everywhere(&figures, OPEN, "now", "10:01:00"), gauge(3.0, 4)); // a, b, e of a, b, d, e
    assert_eq!(states(&figures, "10:04:00"), [3.0, 1.0, 0.0]);
    for metric in ["hotline.orders", "hotline.return_ratio", "hotline.reopen_ratio", "hotline.on_time_close_ratio"] {
        assert!(figures.rows.iter().all(|row| row.metric != metric), "{metric}");
    }
}
