//! Calls waiting.

use yiping_hotline::Hotline;

use crate::{call, city, figures::assert_any_order, gauge, log, waited};

#[test]
fn a_call_waits_from_its_offer_until_it_is_answered_abandoned_or_ended() {
    let log = log()
        .at("10:00:30", "call", call("a", "offered"))
        .at("10:00:40", "call", call("b", "offered"))
        .at("10:01:00", "call", call("c", "offered")) // at the full minute: it waits
        .at("10:01:30", "call", waited("a", "answered", 60.0))
        .at("10:02:00", "call", waited("b", "abandoned", 80.0)) // at the full minute: it waits no more
        .at("10:02:30", "call", call("c", "ended"));
    assert_any_order::<Hotline>(&log);
    let figures = log.tick("10:05:00").figures::<Hotline>();
    // 10:01 a, b, c; 10:02 c; 10:03 nobody, and zero is a figure
    for (end, waiting) in [("10:01:00", 3.0), ("10:02:00", 1.0), ("10:03:00", 0.0), ("10:04:00", 0.0)] {
        assert_eq!(city(&figures, "hotline.waiting", "now", end), gauge(waiting, 3), "{end}");
        assert_eq!(figures.get("hotline.waiting", "district", "环翠区", "now", end), gauge(waiting, 3), "{end}");
    }
    assert_eq!(city(&figures, "hotline.waiting", "now", "10:00:00"), None);
}

#[test]
fn a_late_answer_revises_who_waited() {
    // known at 10:10: it waited from 10:00 to 10:02 only
    let waits = log().at("10:00:00", "call", call("a", "offered")).tick("10:10:00");
    let before = waits.clone().figures::<Hotline>();
    let after = waits.at("10:02:00", "call", waited("a", "answered", 120.0)).tick("10:10:10").figures::<Hotline>();
    assert_eq!(city(&before, "hotline.waiting", "now", "10:05:00"), gauge(1.0, 1));
    assert_eq!(city(&after, "hotline.waiting", "now", "10:01:00"), gauge(1.0, 1));
    assert_eq!(city(&after, "hotline.waiting", "now", "10:05:00"), gauge(0.0, 1));
}

#[test]
fn a_call_without_a_word_waits_for_a_day_at_most() {
    let figures = log().at("10:00:00", "call", call("a", "offered")).tick("21T10:02:00").figures::<Hotline>();
    assert_eq!(city(&figures, "hotline.waiting", "now", "21T09:59:00"), gauge(1.0, 1));
    assert_eq!(city(&figures, "hotline.waiting", "now", "21T10:00:00"), gauge(0.0, 1));
}

#[test]
fn a_hang_up_in_the_menu_never_waits() {
    let figures = log().at("10:00:00", "call", call("a", "ended")).tick("10:05:00").figures::<Hotline>();
    assert!(figures.rows.is_empty(), "{:?}", figures.rows);
}

#[test]
fn a_call_of_zero_seconds_never_waits_and_a_negative_wait_is_none() {
    let figures = log()
        .at("10:00:00", "call", call("a", "offered"))
        .at("10:00:00", "call", waited("a", "answered", 0.0))
        .at("10:01:30", "call", call("b", "offered"))
        .at("10:00:30", "call", call("b", "abandoned")) // before its offer: two clocks
        .tick("10:05:00")
        .figures::<Hotline>();
    for end in ["10:00:00", "10:01:00"] {
        assert_eq!(city(&figures, "hotline.waiting", "now", end), gauge(0.0, 1), "{end}");
    }
    assert_eq!(city(&figures, "hotline.waiting", "now", "10:02:00"), gauge(0.0, 2));
}
