//! Calls, and how many were answered.

use super::*;

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

fn decided(id: &str, event: &str, category: &str, wait_s: u64) -> Value {
    json!({"call_id": id, "event": event, "category": category, "wait_s": wait_s})
}

#[test]
fn the_connect_ratio_is_answered_over_offered_where_it_was_offered() {
    // six calls offered 10:00–10:05 in 环翠区 (four of life_care), four of them answered, one hung up, one undecided: 4 / 6
    let mut log = log();
    for (at, category) in
        ["life_care", "life_care", "life_care", "emergency", "life_care", "emergency"].iter().enumerate()
    {
        log = log.at(&format!("10:0{at}:00"), "call", call(&format!("c{at}"), "offered", category, "环翠区"));
        let event = ["answered", "answered", "answered", "answered", "abandoned", "offered"][at];
        if event != "offered" {
            log = log.at(&format!("10:0{at}:20"), "call", decided(&format!("c{at}"), event, category, 20));
        }
    }
    let metric = "elder.connect_ratio";
    let log = later(log, "10:40:00");
    let figures = log.figures::<Elder>();
    let at = |figures: &Figures, level, key| figures.get(metric, level, key, "30m", "10:30:00");
    assert_eq!(at(&figures, "city", "city"), ratio(4, 6));
    assert_eq!(at(&figures, "district", "环翠区"), ratio(4, 6));
    // five of life_care would be needed: 3 / 4 is no figure
    assert_eq!(
        (at(&figures, "category", "life_care"), at(&figures, "category", "emergency")),
        (too_few(3, 4), too_few(1, 2))
    );
    assert_eq!(figures.get(metric, "city", "city", "24h", "21T10:00:00"), ratio(4, 7)); // and the one of 10:40
    // the last one's answer of 10:05:30 comes when its window is out: it counts at its offer
    let late = log.at("10:05:30", "call", decided("c5", "answered", "emergency", 30)).figures::<Elder>();
    assert_eq!(at(&late, "city", "city"), ratio(5, 6));
}

#[test]
fn an_answer_whose_offer_is_unknown_counts_once_where_its_wait_began() {
    // answered 10:31:00 after 90 s: 10:29:30, so [10:00, 10:30) has 1 / 1; the first decision counts, the second doesn't
    let log = log().at("10:31:00", "call", decided("a", "answered", "life_care", 90)).at(
        "10:32:00",
        "call",
        decided("a", "abandoned", "life_care", 150),
    );
    let figures = log.figures::<Elder>();
    assert_eq!(figures.get("elder.connect_ratio", "city", "city", "30m", "10:30:00"), too_few(1, 1));
    assert_eq!(figures.get("elder.connect_ratio", "district", "其他", "30m", "10:30:00"), too_few(1, 1));
}

#[test]
fn i5_a_call_of_a_settled_window_takes_nothing_more() {
    // offered on the 20th at 10:00; answered on the 21st at 11:00, an hour after that window was settled: the ratio stays 0 / 1
    let log = log().at("10:00:00", "call", call("a", "offered", "life_care", "环翠区"));
    let log = later(log, "21T10:30:00").at("21T11:00:00", "call", decided("a", "answered", "life_care", 10));
    let figures = log.figures::<Elder>();
    assert_eq!(figures.get("elder.connect_ratio", "city", "city", "30m", "10:30:00"), too_few(0, 1));
    assert_eq!(figures.get("elder.calls", "district", "环翠区", "day", "21T00:00:00"), count(1));
    assert_eq!(figures.get("elder.calls", "district", "环翠区", "day", "22T00:00:00"), None);
}
