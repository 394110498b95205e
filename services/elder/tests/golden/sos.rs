//! Cases that are open, and those that nobody has answered for.

use super::*;

const OPEN: &str = "elder.sos_open";

fn open(figures: &Figures, end: &str) -> Option<f64> {
    figures.value(OPEN, "city", "city", "now", end)
}

/// The city's ratio of the day.
fn in_time(figures: &Figures) -> Option<Figure> {
    figures.get("elder.sos_ack_60s_ratio", "city", "city", "day", "21T00:00:00")
}

#[test]
fn a_case_is_open_from_raised_to_closed() {
    let figures = log()
        .at("10:00:00", "sos", sos("a", "raised"))
        .at("10:00:30", "sos", sos("a", "acknowledged"))
        .at("10:01:30", "sos", sos("b", "raised"))
        .at("10:02:30", "sos", sos("a", "closed"))
        .at("10:03:00", "sos", sos("b", "closed"))
        .at("10:05:00", "sos", sos("c", "raised"))
        .figures::<Elder>();
    // a: 10:00:00–10:02:30, b: 10:01:30–10:03:00 (at the instant itself it is closed), c from 10:05:00
    let at = ["10:00:00", "10:01:00", "10:02:00", "10:03:00", "10:04:00", "10:05:00"].map(|end| open(&figures, end));
    assert_eq!(at, [Some(1.0), Some(1.0), Some(2.0), Some(0.0), Some(0.0), Some(1.0)]);
    assert_eq!(open(&figures, "09:59:00"), None);
}

#[test]
fn none_open_is_zero_where_cases_have_been_and_nothing_where_none_was() {
    let figures = log()
        .at("10:00:30", "sos", sos("a", "raised"))
        .at("10:01:30", "sos", sos("a", "closed"))
        .at("10:05:00", "call", call("x", "offered", "life_care", "荣成市"))
        .figures::<Elder>();
    let at = |key| figures.value(OPEN, "district", key, "now", "10:04:00");
    assert_eq!((at("环翠区"), at("荣成市")), (Some(0.0), None));
    assert_eq!(open(&figures, "10:04:00"), Some(0.0));
}

#[test]
fn i1_zeros_do_not_depend_on_the_order_in_which_cases_come() {
    // in order: a (10:00:30–10:01:30), then b (10:05:30–); disordered: b first
    let a = |log: Log| log.at("10:00:30", "sos", sos("a", "raised")).at("10:01:30", "sos", sos("a", "closed"));
    let b = |log: Log| log.at("10:05:30", "sos", sos("b", "raised"));
    let end = |log: Log| log.at("10:06:30", "sos", sos("b", "closed"));
    let (ordered, disordered) = (end(b(a(log()))).figures::<Elder>(), end(a(b(log()))).figures::<Elder>());
    let minutes = |figures: &Figures| -> Vec<Option<f64>> {
        (0..=6).map(|minute| open(figures, &format!("10:0{minute}:00"))).collect()
    };
    assert_eq!(minutes(&ordered), [None, Some(1.0), Some(0.0), Some(0.0), Some(0.0), Some(0.0), Some(1.0)]);
    assert_eq!(minutes(&disordered), minutes(&ordered));
}

#[test]
fn a_false_alarm_acknowledges_and_closes() {
    // raised 10:00:00, called off at 10:00:40: in time, and no longer open
    let log = log().at("10:00:00", "sos", sos("a", "raised")).at("10:00:40", "sos", sos("a", "false_alarm"));
    let figures = log.at("10:02:00", "call", call("x", "offered", "life_care", "荣成市")).figures::<Elder>();
    assert_eq!((open(&figures, "10:00:00"), open(&figures, "10:01:00")), (Some(1.0), Some(0.0)));
    assert_eq!(in_time(&figures), Some((Some(1.0), 1.0, 1.0, 1)));
}

#[test]
fn a_close_that_comes_before_its_raise_opens_nothing() {
    // closed at 10:00:50, and only then the raise of 10:00:10 is heard of: open between them, at no full minute
    let log = log().at("10:00:50", "sos", sos("a", "closed")).at("10:00:10", "sos", sos("a", "raised"));
    let figures = log.at("10:02:00", "call", call("x", "offered", "life_care", "荣成市")).figures::<Elder>();
    assert_eq!((open(&figures, "10:01:00"), open(&figures, "10:02:00")), (Some(0.0), Some(0.0)));
}

#[test]
fn a_close_without_a_raise_is_no_case() {
    let figures = log().at("10:00:50", "sos", sos("a", "closed")).tick("10:05:00").figures::<Elder>();
    assert!(figures.rows.iter().all(|row| row.numerator == 0.0), "{:?}", figures.rows);
    assert_eq!(in_time(&figures), None);
}

#[test]
fn i5_a_case_raised_thirty_hours_ago_is_open_today() {
    // the raise of 10:00 on the 20th comes at 16:00 on the 21st, 30 h later: too late for its day, open from the horizon on
    let log = log().at("21T16:00:00", "call", call("x", "offered", "life_care", "荣成市"));
    let log = log.at("10:00:00", "sos", sos("a", "raised"));
    let figures = log.at("21T16:10:00", "call", call("y", "offered", "life_care", "荣成市")).figures::<Elder>();
    assert_eq!(figures.counters.late, 1);
    assert_eq!((open(&figures, "21T16:05:00"), in_time(&figures)), (Some(1.0), None));
}

#[test]
fn i5_a_closed_case_that_is_raised_again_days_later_stays_closed() {
    // closed 10:00:30; two days later the platform sends the raise of 10:00:00 once more, far behind the horizon
    let log = log().at("10:00:00", "sos", sos("a", "raised")).at("10:00:30", "sos", sos("a", "closed"));
    let log = log.at("22T10:00:00", "call", call("x", "offered", "life_care", "荣成市"));
    let figures = log.at("10:00:00", "sos", sos("a", "raised")).tick("22T10:05:00").figures::<Elder>();
    assert_eq!(open(&figures, "22T10:03:00"), Some(0.0));
}

#[test]
fn a_case_waits_until_somebody_answers_for_it_or_it_is_closed() {
    // a: 10:00:00–10:02:30; b: 10:01:00–10:05:00, closed without an acknowledgement; at the instant itself it is over
    let figures = later(
        log()
            .at("10:00:00", "sos", sos("a", "raised"))
            .at("10:01:00", "sos", sos("b", "raised"))
            .at("10:02:30", "sos", sos("a", "acknowledged"))
            .at("10:05:00", "sos", sos("b", "closed")),
        "10:06:00",
    )
    .figures::<Elder>();
    let ends = ["09:59:00", "10:00:00", "10:01:00", "10:02:00", "10:03:00", "10:04:00", "10:05:00", "10:06:00"];
    let waiting = ends.map(|end| figures.value("elder.sos_unacknowledged", "city", "city", "now", end));
    assert_eq!(waiting, [None, Some(1.0), Some(2.0), Some(2.0), Some(1.0), Some(1.0), Some(0.0), Some(0.0)]);
    // since 10:00:00 while a waits, then since 10:01:00; n: how many wait
    let oldest = |level, key, end| figures.get("elder.sos_oldest_wait_s", level, key, "now", end);
    let age = |seconds: f64, n| Some((Some(seconds), seconds, 1.0, n));
    let city = ends.map(|end| oldest("city", "city", end));
    let expected =
        [None, age(0.0, 1), age(60.0, 2), age(120.0, 2), age(120.0, 1), age(180.0, 1), age(0.0, 0), age(0.0, 0)];
    assert_eq!(city, expected);
    assert_eq!(oldest("district", "环翠区", "10:04:00"), age(180.0, 1));
    assert_eq!(oldest("district", "荣成市", "10:04:00"), None);
}

#[test]
fn i5_an_acknowledgement_that_comes_late_ends_the_wait_where_it_happened() {
    // minutes 10:01 to 10:04 are out when the acknowledgement of 10:01:30 comes
    let log = later(log().at("10:00:00", "sos", sos("a", "raised")), "10:05:00");
    let figures = log.at("10:01:30", "sos", sos("a", "acknowledged")).figures::<Elder>();
    let at = |end| {
        let value = |metric| figures.value(metric, "city", "city", "now", end);
        (value("elder.sos_unacknowledged"), value("elder.sos_oldest_wait_s"))
    };
    assert_eq!((at("10:01:00"), at("10:02:00")), ((Some(1.0), Some(60.0)), (Some(0.0), Some(0.0))));
}

#[test]
fn an_acknowledgement_from_a_clock_that_is_behind_waits_no_negative_time() {
    // acknowledged 20 s before it was raised: never waiting, and in time
    let log = log().at("10:00:20", "sos", sos("a", "raised")).at("10:00:00", "sos", sos("a", "acknowledged"));
    let figures = later(log, "10:02:00").figures::<Elder>();
    assert_eq!(figures.value("elder.sos_unacknowledged", "city", "city", "now", "10:01:00"), Some(0.0));
    assert_eq!(in_time(&figures), ratio(1, 1));
}

#[test]
fn i5_a_case_raised_29_days_ago_is_open_today() {
    // an opening balance: told on the 30th at 10:00, raised on the 1st at 10:00. Open and waiting for 29 · 86,400 s at 10:00
    // (the call of the same key brings its partition to today)
    let log = log().at("30T09:50:00", "call", call("a", "offered", "life_care", "荣成市"));
    let log = log.at("01T10:00:00", "sos", sos("a", "raised"));
    let figures = later(log, "30T10:10:00").figures::<Elder>();
    assert_eq!(open(&figures, "30T10:00:00"), Some(1.0));
    let oldest = figures.get("elder.sos_oldest_wait_s", "city", "city", "now", "30T10:00:00");
    assert_eq!(oldest, Some((Some(2_505_600.0), 2_505_600.0, 1.0, 1)));
    // and no ratio of a day that has long been told counts it
    assert_eq!(figures.get("elder.sos_ack_60s_ratio", "city", "city", "day", "12-01T00:00:00"), None);
}
