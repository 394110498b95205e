//! What callers say afterwards.

use serde_json::json;
use yiping_hotline::Hotline;

use crate::{created, everywhere, few, figures::assert_any_order, log, ratio};

const RESOLVED: &str = "hotline.resolved_ratio";
const SATISFIED: &str = "hotline.satisfied_ratio";

#[test]
fn blank_is_not_zero_an_answer_that_was_not_given_is_not_counted() {
    // resolved: yes, yes, no, blank, null, yes, no = 3 of 5; satisfied: no, yes, yes, blank, yes, blank = 3 of 4
    let mut log = log().at("10:00:00", "order", created("a"));
    for data in [
        json!({"order_id": "a", "resolved": true, "satisfied": false}),
        json!({"order_id": "a", "resolved": true, "satisfied": true}),
        json!({"order_id": "a", "resolved": false, "satisfied": true}),
        json!({"order_id": "a", "satisfied": null}),
        json!({"order_id": "a", "resolved": null, "satisfied": true}),
        json!({"order_id": "a", "resolved": true}),
        json!({"order_id": "a", "resolved": false}),
    ] {
        log = log.at("11:00:00", "callback", data);
    }
    let figures = log.clone().figures::<Hotline>();
    assert_eq!(everywhere(&figures, RESOLVED, "day", "21T00:00:00"), ratio(3.0, 5.0));
    assert_eq!(everywhere(&figures, RESOLVED, "24h", "21T11:00:00"), ratio(3.0, 5.0));
    assert_eq!(everywhere(&figures, SATISFIED, "24h", "21T11:00:00"), few(3.0, 4.0));
    // a fifth answer, late: 4 of 5
    let log = log.tick("20:00:00").at("12:00:00", "callback", json!({"order_id": "a", "satisfied": true}));
    assert_eq!(everywhere(&log.figures::<Hotline>(), SATISFIED, "day", "21T00:00:00"), ratio(4.0, 5.0));
}

#[test]
fn a_callback_counts_where_it_says_else_where_its_order_is() {
    // it names 文登区 and no category: 文登区, its order's 路灯 and 住建
    let log = log().at("11:00:00", "callback", json!({"order_id": "a", "resolved": true, "district": "文登区"})).at(
        "10:00:00",
        "order",
        created("a"),
    );
    let figures = log.figures::<Hotline>();
    let day = |level: &str, key: &str| figures.get(RESOLVED, level, key, "day", "21T00:00:00");
    assert_eq!(day("city", "city"), few(1.0, 1.0));
    assert_eq!(day("district", "文登区"), few(1.0, 1.0));
    assert_eq!(day("district", "环翠区"), None);
    assert_eq!(day("category", "路灯"), few(1.0, 1.0));
    assert_eq!(day("agency", "住建"), few(1.0, 1.0));
    assert_any_order::<Hotline>(&log);
}

#[test]
fn a_callback_of_an_unknown_order_counts_too() {
    let figures = log().at("11:00:00", "callback", json!({"order_id": "x", "resolved": false})).figures::<Hotline>();
    let day = |level: &str, key: &str| figures.get(RESOLVED, level, key, "day", "21T00:00:00");
    assert_eq!((day("city", "city"), day("district", "其他"), day("category", "其他")), {
        let no = few(0.0, 1.0);
        (no, no, no)
    });
    assert!(figures.rows.iter().all(|row| row.level != "agency"));
}
