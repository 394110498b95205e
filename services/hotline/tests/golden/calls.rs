//! Calls, placed where they were offered: load, connect ratio, waits, hang-ups.

use serde_json::json;
use yiping_hotline::Hotline;

use crate::{call, city, count, digits, few, figures::assert_any_order, log, ratio, waited};

#[test]
fn calls_count_where_they_were_offered() {
    let figures = log()
        .at("10:00:00", "call", call("a", "offered"))
        .at("10:04:59.999", "call", call("b", "offered"))
        .at("10:05:00", "call", call("c", "offered"))
        .at("10:06:00", "call", waited("a", "answered", 360.0))
        .at("10:09:00", "call", call("a", "ended"))
        .figures::<Hotline>();
    // [10:00, 10:05) holds a and b, [10:05, 10:10) c alone: an answer at 10:06 is no second call
    assert_eq!(city(&figures, "hotline.calls", "5m", "10:05:00"), count(2));
    assert_eq!(city(&figures, "hotline.calls", "5m", "10:10:00"), count(1));
    assert_eq!(city(&figures, "hotline.calls", "1h", "11:00:00"), count(3));
    assert_eq!(city(&figures, "hotline.calls", "day", "21T00:00:00"), count(3));
}

#[test]
fn a_call_belongs_to_the_calendar_day_of_the_city() {
    let figures = log()
        .at("23:59:59.999", "call", call("a", "offered"))
        .at("21T00:00:00", "call", call("b", "offered"))
        .figures::<Hotline>();
    assert_eq!(city(&figures, "hotline.calls", "day", "21T00:00:00"), count(1));
    assert_eq!(city(&figures, "hotline.calls", "day", "22T00:00:00"), count(1));
}

#[test]
fn the_connect_ratio_is_answered_of_offered() {
    // six offered at 10:00…10:05; four answered, one abandoned, one still waiting: 4 of 6
    let mut log = log();
    for (minute, id) in ["a", "b", "c", "d", "e", "f"].iter().enumerate() {
        log = log.at(&format!("10:0{minute}:00"), "call", call(id, "offered"));
    }
    for id in ["a", "b", "c", "d"] {
        log = log.at("10:06:00", "call", waited(id, "answered", 60.0));
    }
    let figures = log.at("10:06:30", "call", waited("e", "abandoned", 150.0)).figures::<Hotline>();
    let expected = Some((Some(4.0 / 6.0), 4.0, 6.0, 6));
    assert_eq!(city(&figures, "hotline.connect_ratio", "30m", "10:30:00"), expected);
    assert_eq!(city(&figures, "hotline.connect_ratio", "24h", "21T10:00:00"), expected);
    assert_eq!(figures.get("hotline.connect_ratio", "district", "环翠区", "30m", "10:30:00"), expected);
    // [10:03, 10:33): d answered, e and f not: too few to say, yet published
    assert_eq!(city(&figures, "hotline.connect_ratio", "30m", "10:33:00"), Some((None, 1.0, 3.0, 3)));
}

#[test]
fn an_answer_counts_in_the_window_of_its_offer_so_that_no_ratio_passes_one() {
    // five offered at 10:00, answered at 10:31: [10:01, 10:31) … hold five answers and no offer, yet say nothing
    let mut log = log();
    for id in ["a", "b", "c", "d", "e"] {
        log = log.at("10:00:00", "call", call(id, "offered"));
    }
    for id in ["a", "b", "c", "d", "e"] {
        log = log.at("10:31:00", "call", waited(id, "answered", 1_860.0));
    }
    let figures = log.figures::<Hotline>();
    assert_eq!(city(&figures, "hotline.connect_ratio", "30m", "10:30:00"), Some((Some(1.0), 5.0, 5.0, 5)));
    assert_eq!(city(&figures, "hotline.connect_ratio", "30m", "10:31:00"), None);
    let ratios = figures.rows.iter().filter(|row| row.metric == "hotline.connect_ratio");
    assert!(ratios.into_iter().all(|row| row.numerator <= row.denominator));
}

#[test]
fn an_answer_without_its_offer_is_placed_by_its_wait_and_moves_when_the_offer_comes() {
    // answered at 10:10 after 8 min: placed at 10:02. The offer, of 09:58, comes later: the call moves there
    let answered = log().at("10:10:00", "call", waited("a", "answered", 480.0)).tick("10:20:00");
    let before = answered.figures::<Hotline>();
    assert_eq!(city(&before, "hotline.calls", "5m", "10:05:00"), count(1));
    assert_eq!(city(&before, "hotline.calls", "5m", "10:00:00"), None);
    let after = answered.at("09:58:00", "call", call("a", "offered")).tick("10:30:00").figures::<Hotline>();
    assert_eq!(city(&after, "hotline.calls", "5m", "10:00:00"), count(1));
    // emptied because its call moved: hidden, not zero
    assert_eq!(city(&after, "hotline.calls", "5m", "10:05:00"), None);
    // counted once, with its answer, over windows that hold both places
    assert_eq!(city(&after, "hotline.connect_ratio", "30m", "10:20:00"), Some((None, 1.0, 1.0, 1)));
}

#[test]
fn the_order_in_which_a_calls_events_come_changes_no_digit() {
    let events = [
        ("10:00:00", call("a", "offered")),
        ("10:00:20", waited("a", "answered", 20.0)),
        ("10:03:00", call("a", "ended")),
    ];
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let figures = orders.map(|order| {
        let log = order.iter().fold(log(), |log, &at| log.at(events[at].0, "call", events[at].1.clone()));
        digits(&log.figures::<Hotline>())
    });
    assert!(!figures[0].is_empty());
    for other in &figures[1..] {
        assert_eq!(other, &figures[0]);
    }
}

#[test]
fn an_abandoned_call_was_offered_and_a_hang_up_in_the_menu_was_not() {
    let figures = log()
        .at("10:00:00", "call", call("a", "offered"))
        .at("10:00:40", "call", waited("a", "abandoned", 40.0))
        .at("10:01:00", "call", waited("b", "abandoned", 30.0)) // its offer is lost: placed at 10:00:30
        .at("10:02:00", "call", call("c", "ended")) // neither offered nor decided: never in the queue
        .figures::<Hotline>();
    assert_eq!(city(&figures, "hotline.calls", "5m", "10:05:00"), count(2));
    assert_eq!(city(&figures, "hotline.connect_ratio", "30m", "10:30:00"), Some((None, 0.0, 2.0, 2)));
    assert_eq!(city(&figures, "hotline.wait_p95_s", "30m", "10:30:00"), None);
}

#[test]
fn the_95th_percentile_of_20_waits_is_the_19th() {
    // waits of 1 … 20 s: ⌈0.95 × 20⌉ = 19th smallest, 19 s (histogram: within 1 %)
    let mut log = log();
    for wait in 1..=20 {
        log = log.at("10:00:00", "call", call(&format!("c{wait}"), "offered"));
    }
    for wait in 1..=20 {
        log = log.at(&format!("10:00:{wait:02}"), "call", waited(&format!("c{wait}"), "answered", f64::from(wait)));
    }
    let figures = log.figures::<Hotline>();
    let (value, numerator, denominator, n) = city(&figures, "hotline.wait_p95_s", "30m", "10:30:00").unwrap();
    assert!((value.unwrap() - 19.0).abs() <= 0.19, "{value:?}");
    assert_eq!((numerator, denominator, n), (0.0, 20.0, 20));
}

#[test]
fn a_wait_that_nobody_told_is_the_time_from_offer_to_answer() {
    // five answers after 100 s, none of which says so; four waits are too few to say
    let mut log = log();
    for id in ["a", "b", "c", "d", "e"] {
        let at = if id == "e" { "10:10:00" } else { "10:00:00" };
        log = log.at(at, "call", call(id, "offered"));
    }
    for id in ["a", "b", "c", "d"] {
        log = log.at("10:01:40", "call", call(id, "answered"));
    }
    let figures = log.at("10:11:40", "call", call("e", "answered")).figures::<Hotline>();
    let (value, ..) = city(&figures, "hotline.wait_p95_s", "30m", "10:30:00").unwrap();
    assert!((value.unwrap() - 100.0).abs() <= 1.0, "{value:?}");
    assert_eq!(city(&figures, "hotline.wait_p95_s", "30m", "10:10:00"), Some((None, 0.0, 4.0, 4)));
}

#[test]
fn a_call_without_district_counts_elsewhere_until_one_is_named() {
    let offered = json!({"call_id": "a", "event": "offered"});
    let alone = log().at("10:00:00", "call", offered.clone()).figures::<Hotline>();
    assert_eq!(alone.get("hotline.calls", "district", "其他", "5m", "10:05:00"), count(1));
    let named = log().at("10:00:00", "call", offered).at("10:00:20", "call", waited("a", "answered", 20.0));
    let named = named.figures::<Hotline>();
    assert_eq!(named.get("hotline.calls", "district", "其他", "5m", "10:05:00"), None);
    assert_eq!(named.get("hotline.calls", "district", "环翠区", "5m", "10:05:00"), count(1));
}

#[test]
fn i5_a_call_of_twenty_hours_ago_still_revises_its_windows() {
    let log = log().at("21T06:00:00", "call", call("new", "offered")).at("10:00:00", "call", call("old", "offered"));
    let figures = log.tick("21T06:01:00").figures::<Hotline>();
    assert_eq!(figures.counters.late, 0);
    assert_eq!(city(&figures, "hotline.calls", "5m", "10:05:00"), count(1));
}

#[test]
fn i5_an_offer_too_late_for_its_window_takes_no_counted_call_away() {
    // answered at 10:10 after 8 min: counted at 10:02. More than 24 h later its offer of 09:58 comes: too late, waits for `heal`
    let answered = log().at("10:10:00", "call", waited("a", "answered", 480.0));
    let answered = answered.at("21T10:00:00", "call", call("b", "offered")).tick("21T10:00:00");
    let late = answered.clone().at("09:58:00", "call", call("a", "offered"));
    let (before, after) = (answered.figures::<Hotline>(), late.figures::<Hotline>());
    assert_eq!(after.counters.late, 1);
    assert_eq!(city(&before, "hotline.calls", "5m", "10:05:00"), count(1));
    assert_eq!(digits(&after), digits(&before));
}

#[test]
fn i5_a_call_whose_window_is_settled_does_not_count_in_another_as_well() {
    // answered at 10:10 after 8 min: counted at 10:02. A day later the horizon stands at 10:05:05; an offer of 10:06 (a clock that
    // differs from the wait) is not too late itself, but the count at 10:02 can't be taken back any more
    let answered = log().at("10:10:00", "call", waited("a", "answered", 480.0)).tick("21T10:05:10");
    let figures = answered.at("10:06:00", "call", call("a", "offered")).tick("21T10:06:00").figures::<Hotline>();
    assert_eq!(figures.counters.late, 0);
    assert_eq!(city(&figures, "hotline.calls", "day", "21T00:00:00"), count(1));
    assert_eq!(city(&figures, "hotline.calls", "1h", "11:00:00"), count(1));
}

#[test]
fn i7_an_event_received_twice_counts_once() {
    let log = log().at("10:00:00", "call", call("a", "offered"));
    let twice = log.lines()[0].clone();
    let figures = log.again(twice).figures::<Hotline>();
    assert_eq!((figures.counters.accepted, figures.counters.duplicates), (1, 1));
    assert_eq!(city(&figures, "hotline.calls", "5m", "10:05:00"), count(1));
}

#[test]
fn i8_the_order_in_which_calls_come_changes_no_digit() {
    let mut log = log();
    for at in 0..30 {
        let (id, minute) = (format!("c{at}"), at % 30);
        log = log.at(&format!("10:{minute:02}:00"), "call", call(&id, "offered"));
        let (event, second) = if at % 4 == 3 { ("abandoned", 30) } else { ("answered", 5 + at) };
        let decided = if at % 5 == 0 { call(&id, event) } else { waited(&id, event, f64::from(second)) };
        log = log.at(&format!("10:{minute:02}:{second:02}"), "call", decided);
    }
    assert_any_order::<Hotline>(&log);
}

#[test]
fn answered_within_15_s_is_answered_at_once() {
    // six offered: waits of 14.999, 15, 15.001 and 60 s, one hang-up after 5 s, one still waiting: 2 of 6
    let mut log = log();
    for id in ["a", "b", "c", "d", "e", "f"] {
        log = log.at("10:00:00", "call", call(id, "offered"));
    }
    for (id, at, wait) in [("a", "10:00:14.999", 14.999), ("b", "10:00:15", 15.0), ("c", "10:00:15.001", 15.001)] {
        log = log.at(at, "call", waited(id, "answered", wait));
    }
    log = log.at("10:01:00", "call", call("d", "answered")); // untold: 60 s from its offer on
    let figures = log.at("10:00:05", "call", waited("e", "abandoned", 5.0)).figures::<Hotline>();
    assert_eq!(city(&figures, "hotline.answer_15s_ratio", "30m", "10:30:00"), ratio(2.0, 6.0));
    assert_eq!(city(&figures, "hotline.answer_15s_ratio", "24h", "21T10:00:00"), ratio(2.0, 6.0));
    assert_eq!(figures.get("hotline.answer_15s_ratio", "district", "环翠区", "30m", "10:30:00"), ratio(2.0, 6.0));
}

#[test]
fn blank_is_not_zero_a_wait_that_nobody_knows_is_none_of_15_s() {
    // its offer is lost and its answer tells no wait: it counts at 10:00, not as answered at once, and has no part in the mean
    let figures = log().at("10:00:00", "call", call("a", "answered")).figures::<Hotline>();
    assert_eq!(city(&figures, "hotline.answer_15s_ratio", "30m", "10:30:00"), few(0.0, 1.0));
    assert_eq!(city(&figures, "hotline.connect_ratio", "30m", "10:30:00"), few(1.0, 1.0));
    assert_eq!(city(&figures, "hotline.wait_mean_s", "30m", "10:30:00"), None);
}

#[test]
fn the_mean_wait_is_that_of_answered_calls() {
    // 10 + 20 + 30 + 40 s and, revised when a late answer comes, 50 s: 150 s / 5 = 30 s. A hang-up after 500 s says nothing
    let mut log = log();
    for (id, wait) in [("a", 10.0), ("b", 20.0), ("c", 30.0), ("d", 40.0)] {
        log = log.at("10:00:00", "call", call(id, "offered")).at("10:01:00", "call", waited(id, "answered", wait));
    }
    log = log.at("10:00:00", "call", call("e", "offered")).at("10:09:00", "call", waited("x", "abandoned", 500.0));
    let four = log.clone().tick("11:00:00").figures::<Hotline>();
    assert_eq!(city(&four, "hotline.wait_mean_s", "30m", "10:30:00"), Some((None, 100.0, 4.0, 4)));
    let five = log.tick("11:00:00").at("10:00:50", "call", waited("e", "answered", 50.0)).figures::<Hotline>();
    assert_eq!(city(&five, "hotline.wait_mean_s", "30m", "10:30:00"), Some((Some(30.0), 150.0, 5.0, 5)));
    let district = five.get("hotline.wait_mean_s", "district", "环翠区", "30m", "10:30:00");
    assert_eq!(district, Some((Some(30.0), 150.0, 5.0, 5)));
}

#[test]
fn who_hangs_up_within_10_s_may_have_dialled_wrongly() {
    // eight offered: one hangs up after 10 s (not counted), one after 10.001 s, one after 40 s; three answered, one hangs up nobody
    // knows when, one waits: 2 of 8 − 1 = 7
    let mut log = log();
    for id in ["a", "b", "c", "d", "e", "f", "h"] {
        log = log.at("10:00:00", "call", call(id, "offered"));
    }
    log = log
        .at("10:00:10", "call", waited("a", "abandoned", 10.0))
        .at("10:00:10.001", "call", call("b", "abandoned"))
        .at("10:00:40", "call", waited("c", "abandoned", 40.0))
        .at("10:02:00", "call", call("g", "abandoned"));
    for id in ["d", "e", "f"] {
        log = log.at("10:00:05", "call", waited(id, "answered", 5.0));
    }
    let figures = log.figures::<Hotline>();
    assert_eq!(city(&figures, "hotline.abandon_ratio", "30m", "10:30:00"), ratio(2.0, 7.0));
    assert_eq!(figures.get("hotline.abandon_ratio", "district", "环翠区", "30m", "10:30:00"), ratio(2.0, 7.0));
    assert_eq!(city(&figures, "hotline.calls", "5m", "10:05:00"), count(8));
}

#[test]
fn a_negative_duration_is_no_wait() {
    // answered 20 s before it was offered (two clocks): connected, with no wait; and hung up before it was offered: no hang-up
    // within 10 s, nor one after more
    let figures = log()
        .at("10:00:20", "call", call("a", "offered"))
        .at("10:00:00", "call", call("a", "answered"))
        .at("10:00:20", "call", call("b", "offered"))
        .at("10:00:00", "call", call("b", "abandoned"))
        .figures::<Hotline>();
    assert_eq!(city(&figures, "hotline.connect_ratio", "30m", "10:30:00"), few(1.0, 2.0));
    assert_eq!(city(&figures, "hotline.wait_mean_s", "30m", "10:30:00"), None);
    assert_eq!(city(&figures, "hotline.answer_15s_ratio", "30m", "10:30:00"), few(0.0, 2.0));
    assert_eq!(city(&figures, "hotline.abandon_ratio", "30m", "10:30:00"), few(0.0, 2.0));
}

#[test]
fn i5_a_settled_call_counts_once_whatever_comes_after() {
    // as above: counted at 10:02 and settled there. An offer of 10:06 moves nothing, and a hang-up that came before the answer (also
    // told late) neither takes back nor counts what the offer would have moved
    let answered = log().at("10:10:00", "call", waited("a", "answered", 480.0)).tick("21T10:05:10");
    let after = answered
        .clone()
        .at("10:06:00", "call", call("a", "offered"))
        .at("10:09:00", "call", waited("a", "abandoned", 180.0))
        .tick("21T10:06:00")
        .figures::<Hotline>();
    assert_eq!(city(&after, "hotline.calls", "day", "21T00:00:00"), count(1));
    assert_eq!(city(&after, "hotline.connect_ratio", "24h", "21T10:00:00"), few(1.0, 1.0));
}

#[test]
fn i5_a_call_that_no_window_took_counts_when_its_offer_places_it_in_one() {
    // the horizon stands at 10:00:05. Answered at 10:01 after 2 min: placed at 09:59, too late. Its offer says 10:00:30
    let log = log().at("21T10:00:10", "call", call("a", "ended")).tick("21T10:00:10");
    let log = log.at("10:01:00", "call", waited("a", "answered", 120.0));
    let before = log.clone().tick("21T10:00:20").figures::<Hotline>();
    assert_eq!(city(&before, "hotline.calls", "1h", "11:00:00"), None);
    let after = log.at("10:00:30", "call", call("a", "offered")).tick("21T10:00:20").figures::<Hotline>();
    assert_eq!(city(&after, "hotline.calls", "1h", "11:00:00"), count(1));
}
