//! Orders closed by their due date.

use yiping_hotline::Hotline;

use crate::{due, everywhere, extended, few, figures::assert_any_order, log, ratio, step};

const METRIC: &str = "hotline.on_time_close_ratio";
/// Of one order, due on the 20th.
const KEPT: Option<crate::Figure> = Some((None, 1.0, 1.0, 1));
const MISSED: Option<crate::Figure> = Some((None, 0.0, 1.0, 1));

fn day(figures: &crate::Figures) -> Option<crate::Figure> {
    everywhere(figures, METRIC, "day", "21T00:00:00")
}

#[test]
fn orders_due_in_the_window_were_closed_in_time_or_missed() {
    // six due at 12:00: closed at 11:00, at 12:00 sharp (in time), at 12:00:00.001 (missed), never (missed), at 11:30 and, known an
    // hour later, at 11:59. One due on the 22nd isn't due yet. First 3 of 6, then 4
    let mut log = log();
    for id in ["a", "b", "c", "d", "e", "f"] {
        log = log.at("10:00:00", "order", due(id, "12:00:00"));
    }
    log = log
        .at("10:00:00", "order", due("g", "22T12:00:00"))
        .at("11:00:00", "order", step("a", "closed"))
        .at("11:30:00", "order", step("e", "closed"))
        .at("12:00:00", "order", step("b", "closed"))
        .at("12:00:00.001", "order", step("c", "closed"))
        .tick("13:00:00");
    let before = log.clone().figures::<Hotline>();
    let after = log.at("11:59:00", "order", step("f", "closed")).tick("13:00:10").figures::<Hotline>();
    assert_eq!(day(&before), ratio(3.0, 6.0));
    assert_eq!(day(&after), ratio(4.0, 6.0));
    // placed at 12:00: [11:59 − 24 h, 11:59) doesn't hold it, [12:05 − 24 h, 12:05) does
    assert_eq!(everywhere(&after, METRIC, "24h", "12:00:00"), None);
    assert_eq!(everywhere(&after, METRIC, "24h", "12:05:00"), ratio(4.0, 6.0));
}

#[test]
fn an_order_that_is_not_due_yet_counts_when_it_is_closed_and_not_before() {
    // closed on the 20th, due on the 22nd: it counts on the 22nd
    let open = log().at("10:00:00", "order", due("a", "22T12:00:00")).tick("10:30:00");
    assert!(open.figures::<Hotline>().rows.iter().all(|row| row.metric != METRIC));
    let log = log()
        .at("10:00:00", "order", due("a", "22T12:00:00"))
        .at("11:00:00", "order", step("a", "closed"))
        .tick("22T13:00:00");
    let figures = log.figures::<Hotline>();
    assert_eq!(day(&figures), None);
    assert_eq!(everywhere(&figures, METRIC, "24h", "22T12:05:00"), KEPT);
}

#[test]
fn an_extension_moves_the_order_to_another_window() {
    // due at 11:00, missed; put off to 15:00 at 12:00, closed at 14:00: in time, at 15:00
    let missed = log().at("10:00:00", "order", due("a", "11:00:00")).tick("11:30:00");
    assert_eq!(everywhere(&missed.figures::<Hotline>(), METRIC, "24h", "11:05:00"), MISSED);
    let log = log()
        .at("10:00:00", "order", due("a", "11:00:00"))
        .tick("11:30:00")
        .at("12:00:00", "order", extended("a", "15:00:00"))
        .at("14:00:00", "order", step("a", "closed"));
    assert_any_order::<Hotline>(&log);
    let figures = log.tick("16:00:00").figures::<Hotline>();
    assert_eq!(everywhere(&figures, METRIC, "24h", "11:05:00"), None); // hidden: its order moved
    assert_eq!(everywhere(&figures, METRIC, "24h", "15:05:00"), KEPT);
    assert_eq!(day(&figures), KEPT); // once
}

#[test]
fn extensions_count_in_the_order_of_their_times_and_may_shorten() {
    // to 18:00 at 12:00, to 13:00 at 12:30: closed at 14:00 is too late
    let log = log()
        .at("10:00:00", "order", due("a", "16:00:00"))
        .at("12:30:00", "order", extended("a", "13:00:00"))
        .at("12:00:00", "order", extended("a", "18:00:00"))
        .at("14:00:00", "order", step("a", "closed"));
    assert_any_order::<Hotline>(&log);
    let figures = log.tick("19:00:00").figures::<Hotline>();
    assert_eq!(everywhere(&figures, METRIC, "24h", "13:05:00"), MISSED);
    assert_eq!(day(&figures), MISSED);
}

#[test]
fn an_order_without_due_date_is_judged_by_the_one_that_an_extension_gives_it() {
    let figures = log()
        .at("10:00:00", "order", crate::created("a"))
        .at("10:30:00", "order", extended("a", "11:00:00"))
        .at("10:40:00", "order", step("a", "closed"))
        .figures::<Hotline>();
    assert_eq!(day(&figures), KEPT);
    let never = log().at("10:00:00", "order", crate::created("a")).at("10:40:00", "order", step("a", "closed"));
    assert_eq!(day(&never.figures::<Hotline>()), None);
}

#[test]
fn a_verdict_older_than_the_lateness_stands() {
    // due on the 20th at 11:00, missed. Put off on the 21st at 10:59, 23 h 59 min later: it moves. At 11:01, with the horizon behind
    // it: the verdict stands, and the order counts no second time
    let put_off = |at: &str| {
        let log = log().at("10:00:00", "order", due("a", "11:00:00")).tick("21T09:00:00").tick(at);
        let log = log.at(at, "order", extended("a", "21T15:00:00")).at("21T14:00:00", "order", step("a", "closed"));
        log.tick("21T16:00:00").figures::<Hotline>()
    };
    let moved = put_off("21T10:59:00");
    assert_eq!(day(&moved), None);
    assert_eq!(everywhere(&moved, METRIC, "24h", "21T15:05:00"), KEPT);
    let stands = put_off("21T11:01:00");
    assert_eq!(day(&stands), MISSED);
    assert_eq!(everywhere(&stands, METRIC, "24h", "21T15:05:00"), None);
    assert_eq!(everywhere(&stands, METRIC, "day", "22T00:00:00"), None);
    // now it is open and not overdue all the same: the state follows the extension
    assert_eq!(crate::city(&stands, "hotline.overdue_orders", "now", "21T11:00:00"), crate::gauge(1.0, 1));
    assert_eq!(crate::city(&stands, "hotline.overdue_orders", "now", "21T11:01:00"), crate::gauge(0.0, 1));
}

#[test]
fn a_verdict_stands_though_nothing_else_was_heard_for_days() {
    // no tick moves time between: the extension's own time says that the due date is behind the lateness
    let log =
        log().at("10:00:00", "order", due("a", "11:00:00")).at("23T10:00:00", "order", extended("a", "24T10:00:00"));
    let figures = log.at("23T12:00:00", "order", step("a", "closed")).figures::<Hotline>();
    assert_eq!(day(&figures), MISSED);
    assert_eq!(everywhere(&figures, METRIC, "day", "25T00:00:00"), None);
}

#[test]
fn reopened_before_due_it_must_be_closed_again_by_due() {
    let reopened = log().at("10:00:00", "order", due("a", "12:00:00")).at("10:30:00", "order", step("a", "closed")).at(
        "11:00:00",
        "order",
        step("a", "reopened"),
    );
    assert_eq!(day(&reopened.clone().tick("13:00:00").figures::<Hotline>()), MISSED);
    let again = reopened.at("11:59:00", "order", step("a", "closed"));
    assert_eq!(day(&again.clone().figures::<Hotline>()), KEPT);
    assert_any_order::<Hotline>(&again);
}

#[test]
fn reopened_at_or_after_due_the_verdict_stands() {
    for at in ["12:00:00", "12:30:00"] {
        let log = log().at("10:00:00", "order", due("a", "12:00:00")).at("11:00:00", "order", step("a", "closed")).at(
            at,
            "order",
            step("a", "reopened"),
        );
        assert_any_order::<Hotline>(&log);
        let figures = log.tick("13:00:00").figures::<Hotline>();
        assert_eq!(day(&figures), KEPT, "{at}");
        assert_eq!(everywhere(&figures, "hotline.reopen_ratio", "day", "21T00:00:00"), few(1.0, 1.0));
    }
}

#[test]
fn i5_a_close_that_is_too_late_for_windows_still_keeps_a_due_date_that_is_not() {
    // closed on the 20th at 10:30, told 25 h later; due on the 21st at 12:00: in time, and not open
    let log = log().at("10:00:00", "order", due("a", "21T12:00:00")).tick("21T11:30:00");
    let figures = log.at("10:30:00", "order", step("a", "closed")).tick("21T13:00:00").figures::<Hotline>();
    assert_eq!(figures.counters.late, 1);
    assert_eq!(everywhere(&figures, METRIC, "24h", "21T12:05:00"), KEPT);
    assert_eq!(crate::city(&figures, "hotline.open_orders", "now", "21T12:00:00"), crate::gauge(0.0, 1));
}

#[test]
fn i5_an_extension_that_comes_when_the_verdict_is_settled_counts_the_order_no_second_time() {
    // due on the 20th at 11:00, missed; put off on the 21st at 10:00 (23 h later), which is told at 12:00: by then the horizon has
    // passed the due date, and what counts there can't be taken back
    let log = log().at("10:00:00", "order", due("a", "11:00:00")).tick("21T09:00:00").tick("21T12:00:00");
    let log =
        log.at("21T10:00:00", "order", extended("a", "21T15:00:00")).at("21T14:00:00", "order", step("a", "closed"));
    let figures = log.tick("21T16:00:00").figures::<Hotline>();
    assert_eq!(figures.counters.late, 0);
    assert_eq!(day(&figures), MISSED);
    assert_eq!(everywhere(&figures, METRIC, "day", "22T00:00:00"), None);
}

#[test]
fn i5_an_order_taken_over_counts_by_the_due_date_that_it_was_put_off_to() {
    // a live stream is told on the 20th of an order of the 1st, due on the 5th, put off on the 3rd to the 20th at 12:00: what was
    // missed on the 5th, as long as the extension isn't known, is too late for its window and was never counted
    let log = log()
        .at("10:00:00", "callback", serde_json::json!({"order_id": "a"}))
        .tick("10:00:10")
        .at("01T10:00:00", "order", due("a", "05T10:00:00"))
        .tick("10:00:20")
        .at("03T10:00:00", "order", extended("a", "12:00:00"))
        .at("11:00:00", "order", step("a", "closed"))
        .tick("13:00:00");
    let figures = log.figures::<Hotline>();
    assert_eq!(figures.counters.late, 2);
    assert_eq!(day(&figures), KEPT);
    assert_eq!(everywhere(&figures, METRIC, "24h", "12:05:00"), KEPT);
}
