//! Orders created, and those answered on the phone.

use serde_json::json;
use yiping_hotline::Hotline;

use crate::{city, count, created, digits, direct, everywhere, few, figures::assert_any_order, log, ratio, step};

#[test]
fn orders_count_when_they_are_created_at_every_level() {
    let other = json!({"order_id": "c", "event": "created", "category": "噪音扰民", "district": "文登区"});
    let figures = log()
        .at("10:00:00", "order", created("a"))
        .at("10:10:00", "order", created("b"))
        .at("10:29:59.999", "order", other)
        .at("10:30:00", "order", created("d"))
        .figures::<Hotline>();
    // [10:00, 10:30): a, b, c
    assert_eq!(city(&figures, "hotline.orders", "30m", "10:30:00"), count(3));
    assert_eq!(city(&figures, "hotline.orders", "1h", "11:00:00"), count(4));
    assert_eq!(city(&figures, "hotline.orders", "day", "21T00:00:00"), count(4));
    for (level, key, n) in [
        ("district", "环翠区", 2),
        ("district", "文登区", 1),
        ("category", "路灯", 2),
        ("agency", "住建", 2), // c names none
        ("district_category", "环翠区/路灯", 2),
        ("district_category", "文登区/噪音扰民", 1),
    ] {
        assert_eq!(figures.get("hotline.orders", level, key, "30m", "10:30:00"), count(n), "{level} {key}");
    }
}

#[test]
fn the_direct_ratio_is_answered_on_the_phone_of_created() {
    // four direct of five; a late direct one revises the day: five of six
    let mut log = log().at("10:00:00", "order", created("a"));
    for id in ["b", "c", "d"] {
        log = log.at("11:00:00", "order", direct(id));
    }
    let four = log.clone().tick("21T01:00:00").figures::<Hotline>();
    assert_eq!(city(&four, "hotline.direct_ratio", "day", "21T00:00:00"), few(3.0, 4.0));
    let six = log.tick("21T01:00:00").at("12:00:00", "order", direct("e")).at("12:00:00", "order", direct("f"));
    let six = six.figures::<Hotline>();
    assert_eq!(city(&six, "hotline.direct_ratio", "day", "21T00:00:00"), ratio(5.0, 6.0));
    for (level, key) in [("district", "环翠区"), ("category", "路灯")] {
        assert_eq!(six.get("hotline.direct_ratio", level, key, "day", "21T00:00:00"), ratio(5.0, 6.0));
    }
}

#[test]
fn before_its_created_nothing_of_an_order_counts_and_then_all_of_it() {
    let steps = |log: crate::figures::Log| {
        log.at("10:10:00", "order", step("a", "dispatched")).at("10:20:00", "order", step("a", "closed"))
    };
    let unknown = steps(log()).tick("11:00:00").figures::<Hotline>();
    assert!(unknown.rows.is_empty(), "{:?}", unknown.rows);
    let late =
        steps(log()).tick("11:00:00").at("10:00:00", "order", created("a")).tick("11:00:10").figures::<Hotline>();
    assert_eq!(everywhere(&late, "hotline.orders", "1h", "11:00:00"), count(1));
    assert_eq!(everywhere(&late, "hotline.return_ratio", "24h", "21T10:00:00"), few(0.0, 1.0));
    let in_order = steps(log().at("10:00:00", "order", created("a"))).tick("11:00:10").figures::<Hotline>();
    let said = |figures: &crate::Figures| digits(figures).into_iter().filter(|row| row.4.1 != 0.0 || row.4.3 != 0);
    assert_eq!(said(&late).collect::<Vec<_>>(), said(&in_order).collect::<Vec<_>>());
}

#[test]
fn an_order_told_twice_counts_once_where_it_was_told_first() {
    let again = json!({"order_id": "a", "event": "created", "category": "其他", "district": "文登区"});
    let log = log().at("10:40:00", "order", again).at("10:00:00", "order", created("a"));
    let figures = log.figures::<Hotline>();
    assert_eq!(city(&figures, "hotline.orders", "day", "21T00:00:00"), count(1));
    assert_eq!(everywhere(&figures, "hotline.orders", "30m", "10:30:00"), count(1));
    assert_eq!(figures.get("hotline.orders", "district", "文登区", "day", "21T00:00:00"), None);
    assert_any_order::<Hotline>(&log);
}

#[test]
fn without_an_agency_of_its_own_an_order_is_its_first_dispatchs() {
    let plain = json!({"order_id": "a", "event": "created", "category": "路灯", "district": "环翠区"});
    let to = |agency: &str| json!({"order_id": "a", "event": "dispatched", "agency": agency});
    let log = log().at("10:00:00", "order", plain);
    let nobody = log.clone().figures::<Hotline>();
    assert!(nobody.rows.iter().all(|row| row.level != "agency"));
    // the second dispatch comes first, then the first one: the order and everything of it moves to the first one's agency
    let log = log.at("10:30:00", "order", to("城管")).at("10:10:00", "order", to("住建"));
    let figures = log.figures::<Hotline>();
    assert_eq!(everywhere(&figures, "hotline.orders", "1h", "11:00:00"), count(1));
    assert_eq!(everywhere(&figures, "hotline.return_ratio", "24h", "21T10:00:00"), few(0.0, 2.0));
    assert_eq!(figures.value("hotline.orders", "agency", "城管", "1h", "11:00:00"), None);
    assert_any_order::<Hotline>(&log);
}

#[test]
fn i7_an_order_received_twice_counts_once() {
    let log = log().at("10:00:00", "order", created("a"));
    let twice = log.lines()[0].clone();
    let figures = log.again(twice).figures::<Hotline>();
    assert_eq!((figures.counters.accepted, figures.counters.duplicates), (1, 1));
    assert_eq!(city(&figures, "hotline.orders", "30m", "10:30:00"), count(1));
}
