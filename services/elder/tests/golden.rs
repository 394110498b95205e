//! The 12349 hotline by hand: small logs, and the arithmetic that their figures must come to.

#[path = "../../../tests/golden/figures.rs"]
mod figures;

use serde_json::{Value, json};
use yiping_elder::Elder;
use yiping_event::Stream;

use figures::{Figure, Figures, Log, assert_any_order, assert_catalogued};

const OPEN: &str = "elder.sos_open";
const IN_TIME: &str = "elder.sos_ack_60s_ratio";

fn log() -> Log {
    Log::of(Stream::Elder)
}

fn call(id: &str, event: &str, category: &str, district: &str) -> Value {
    json!({"call_id": id, "event": event, "category": category, "district": district})
}

fn sos(case: &str, event: &str) -> Value {
    json!({"case_id": case, "event": event, "district": "环翠区"})
}

fn count(n: i64) -> Option<Figure> {
    Some((Some(n as f64), n as f64, 1.0, n))
}

fn open(figures: &Figures, end: &str) -> Option<f64> {
    figures.value(OPEN, "city", "city", "now", end)
}

/// The city's ratio of the day.
fn in_time(figures: &Figures) -> Option<Figure> {
    figures.get(IN_TIME, "city", "city", "day", "21T00:00:00")
}

/// The newest numerator and denominator of the city's ratio over 24 h, as written so far.
fn so_far(log: &Log) -> Option<(i64, i64)> {
    let rows = log.rows_so_far::<Elder>();
    let city = rows.iter().filter(|row| row.metric == IN_TIME && row.key == "city" && row.span.as_str() == "24h");
    city.max_by_key(|row| (row.end, row.offset)).map(|row| (row.num, row.den))
}

#[test]
fn calls_count_at_four_levels() {
    let figures = log()
        .at("10:00:00", "call", call("a", "offered", "life_care", "环翠区"))
        .at("10:01:00", "call", call("b", "offered", "life_care", "荣成市"))
        .at("10:02:00", "call", call("c", "offered", "emergency", "环翠区"))
        .at("10:03:00", "call", json!({"call_id": "d", "event": "offered", "category": "emergency"}))
        .figures::<Elder>();
    let at = |level, key| figures.get("elder.calls", level, key, "30m", "10:30:00");
    assert_eq!(at("city", "city"), count(4));
    assert_eq!(
        (at("district", "环翠区"), at("district", "荣成市"), at("district", "其他")),
        (count(2), count(1), count(1))
    );
    assert_eq!((at("category", "life_care"), at("category", "emergency")), (count(2), count(2)));
    assert_eq!(at("district_category", "环翠区/life_care"), count(1));
    assert_eq!(at("district_category", "环翠区/emergency"), count(1));
    assert_eq!(at("district_category", "其他/emergency"), count(1));
    assert_eq!(at("district_category", "荣成市/emergency"), None);
    assert_eq!(figures.get("elder.calls", "city", "city", "1h", "11:00:00"), count(4));
    assert_eq!(figures.get("elder.calls", "category", "emergency", "day", "21T00:00:00"), count(2));
}

#[test]
fn an_answered_call_is_no_second_call_and_moves_to_its_offer() {
    // answered at 10:31 after 120 s: 10:29. Its offer of 10:28 comes late; [09:59, 10:29) then holds it
    let mut answered = call("a", "answered", "life_care", "环翠区");
    answered["wait_s"] = 120.0.into();
    let log = log().at("10:31:00", "call", answered).tick("10:40:00");
    let before = log.figures::<Elder>();
    let after = log.at("10:28:00", "call", call("a", "offered", "life_care", "环翠区")).figures::<Elder>();
    let at = |figures: &Figures| figures.get("elder.calls", "city", "city", "30m", "10:29:00");
    assert_eq!((at(&before), at(&after)), (None, count(1)));
    assert_eq!(after.get("elder.calls", "city", "city", "1h", "11:00:00"), count(1));
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
fn exactly_sixty_seconds_is_in_time_and_a_millisecond_more_is_not() {
    let figures = log()
        .at("10:00:00.000", "sos", sos("a", "raised"))
        .at("10:00:00.000", "sos", sos("b", "raised"))
        .at("10:01:00.000", "sos", sos("a", "acknowledged"))
        .at("10:01:00.001", "sos", sos("b", "acknowledged"))
        .figures::<Elder>();
    assert_eq!(in_time(&figures), Some((Some(0.5), 1.0, 2.0, 2)));
    assert_eq!(figures.get(IN_TIME, "district", "环翠区", "24h", "21T10:00:00"), Some((Some(0.5), 1.0, 2.0, 2)));
    // placed at the time raised: [10:05 of the 20th, 10:05 of the 21st) no longer holds it
    assert_eq!(figures.get(IN_TIME, "city", "city", "24h", "21T10:05:00"), None);
}

#[test]
fn an_undecided_case_is_not_counted_and_a_tick_alone_makes_it_missed() {
    // raised 10:00:00: its limit is 10:01:00, which the watermark (5 s behind) passes at 10:01:05
    let raised = log().at("10:00:00", "sos", sos("a", "raised"));
    assert_eq!(so_far(&raised.clone().tick("10:00:59")), None);
    assert_eq!(so_far(&raised.clone().tick("10:01:04.999").tick("10:01:04.999")), None);
    assert_eq!(so_far(&raised.clone().tick("10:01:05").tick("10:05:05")), Some((0, 1)));
    assert_eq!(in_time(&raised.figures::<Elder>()), Some((Some(0.0), 0.0, 1.0, 1)));
}

#[test]
fn i5_an_acknowledgement_that_comes_late_takes_the_miss_back() {
    // the tick says missed; then the acknowledgement of 10:00:30 arrives: one of one in time
    let missed = log().at("10:00:00", "sos", sos("a", "raised")).tick("10:05:05");
    assert_eq!(so_far(&missed), Some((0, 1)));
    let told = missed.at("10:00:30", "sos", sos("a", "acknowledged"));
    assert_eq!(so_far(&told.clone().tick("10:10:05")), Some((1, 1)));
    assert_eq!(in_time(&told.figures::<Elder>()), Some((Some(1.0), 1.0, 1.0, 1)));
}

#[test]
fn an_acknowledgement_after_the_limit_stays_missed_and_counts_once() {
    let log = log().at("10:00:00", "sos", sos("a", "raised")).tick("10:02:00");
    let figures = log.at("10:03:00", "sos", sos("a", "acknowledged")).figures::<Elder>();
    assert_eq!(in_time(&figures), Some((Some(0.0), 0.0, 1.0, 1)));
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
fn i5_an_offer_too_late_for_its_window_takes_no_counted_call_away() {
    // answered at 10:10 after 8 min: counted at 10:02. More than 24 h later its offer of 09:58 comes: too late, waits for `heal`
    let mut answered = call("a", "answered", "life_care", "环翠区");
    answered["wait_s"] = 480.0.into();
    let log = log().at("10:10:00", "call", answered);
    let log = log.at("21T10:00:00", "call", call("b", "offered", "life_care", "环翠区")).tick("21T10:00:00");
    let figures = log.at("09:58:00", "call", call("a", "offered", "life_care", "环翠区")).figures::<Elder>();
    assert_eq!(figures.counters.late, 1);
    assert_eq!(figures.get("elder.calls", "city", "city", "30m", "10:30:00"), count(1));
}

#[test]
fn i8_the_order_in_which_events_come_changes_no_digit() {
    let mut log = log();
    for at in 0..12 {
        let (id, hour) = (format!("c{at}"), 8 + at);
        log = log.at(&format!("{hour:02}:00:00"), "sos", sos(&id, "raised"));
        log = log.at(&format!("{hour:02}:{:02}:30", at % 3), "sos", sos(&id, "acknowledged"));
        let end = if at % 4 == 0 { "false_alarm" } else { "closed" };
        log = log.at(&format!("{:02}:{:02}:00", hour + at % 2, 20 + at), "sos", sos(&id, end));
        log = log.at(&format!("{hour:02}:10:00"), "call", call(&id, "offered", "life_care", "荣成市"));
    }
    assert_any_order::<Elder>(&log);
}

#[test]
fn every_metric_of_the_catalogue_speaks_at_its_levels_and_spans_and_no_other() {
    let log = log().at("10:00:00", "call", call("a", "offered", "life_care", "环翠区")).at(
        "10:00:00",
        "sos",
        sos("a", "raised"),
    );
    assert_catalogued(Stream::Elder, &log.figures::<Elder>());
}
