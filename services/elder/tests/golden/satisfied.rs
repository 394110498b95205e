//! What the customers say afterwards.

use super::*;

const SATISFIED: &str = "elder.satisfied_ratio";

fn callback(order: &str, score: u8, district: &str) -> Value {
    json!({"order_id": order, "score": score, "district": district})
}

#[test]
fn four_and_five_are_satisfied() {
    // 5, 4, 3, 4, 1 in 环翠区: 3 of 5; four in 荣成市, all of 5, are too few
    let mut log = log();
    for (at, score) in [5, 4, 3, 4, 1].into_iter().enumerate() {
        log = log.at(&format!("10:0{at}:00"), "callback", callback(&format!("a{at}"), score, "环翠区"));
    }
    for at in 0..4 {
        log = log.at(&format!("11:0{at}:00"), "callback", callback(&format!("b{at}"), 5, "荣成市"));
    }
    let figures = log.figures::<Elder>();
    let of_day = |level, key| figures.get(SATISFIED, level, key, "day", "21T00:00:00");
    assert_eq!(of_day("city", "city"), ratio(7, 9));
    assert_eq!((of_day("district", "环翠区"), of_day("district", "荣成市")), (ratio(3, 5), too_few(4, 4)));
    // a sixth comes late
    let late = later(log, "21T01:00:00").at("12:00:00", "callback", callback("a9", 2, "环翠区")).figures::<Elder>();
    assert_eq!(late.get(SATISFIED, "district", "环翠区", "day", "21T00:00:00"), ratio(3, 6));
}

#[test]
fn a_callback_without_a_district_counts_in_its_orders_from_when_that_is_known() {
    // the order's creation comes after the callback; of another order nothing is known
    let log = log()
        .at("10:00:00", "callback", json!({"order_id": "a", "score": 5}))
        .at("10:01:00", "callback", json!({"order_id": "b", "score": 5}))
        .at("09:00:00", "order", created("a", "助浴", "荣成市", None));
    let figures = log.figures::<Elder>();
    let of_day = |key| figures.get(SATISFIED, "district", key, "day", "21T00:00:00");
    assert_eq!((of_day("荣成市"), of_day("其他")), (too_few(1, 1), too_few(1, 1)));
    assert_eq!(figures.get(SATISFIED, "city", "city", "day", "21T00:00:00"), too_few(2, 2));
}

#[test]
fn an_order_that_ended_three_weeks_ago_still_knows_its_district() {
    let log = log().at("01T10:00:00", "order", created("a", "助浴", "荣成市", Some("01T12:00:00"))).at(
        "01T12:00:00",
        "order",
        step("a", "finished"),
    );
    let figures = log.at("22T10:00:00", "callback", json!({"order_id": "a", "score": 2})).figures::<Elder>();
    assert_eq!(figures.get(SATISFIED, "district", "荣成市", "day", "23T00:00:00"), too_few(0, 1));
}
