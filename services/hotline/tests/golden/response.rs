//! Whether callers are contacted in time.

use yiping_hotline::Hotline;

use crate::{created, everywhere, few, figures::assert_any_order, log, ratio, step};

const METRIC: &str = "hotline.response_ratio";

fn heating(id: &str) -> serde_json::Value {
    let mut order = created(id);
    order["category"] = "供热供水".into(); // contact within 2 h
    order
}

#[test]
fn contacted_within_the_limit_of_those_whose_limit_falls_in_the_window() {
    // five dispatched at 10:00, limit 12:00: contacted at 11:00, 12:00 sharp, 12:00:00.001, never, and (told late) 11:30: 2, then 3 of 5
    let mut log = log();
    for id in ["a", "b", "c", "d", "e"] {
        log = log.at("09:00:00", "order", heating(id)).at("10:00:00", "order", step(id, "dispatched"));
    }
    log = log
        .at("11:00:00", "order", step("a", "contacted"))
        .at("12:00:00", "order", step("b", "contacted"))
        .at("12:00:00.001", "order", step("c", "contacted"))
        .tick("13:00:00");
    let get = |figures: &crate::Figures, end: &str| {
        let figure = figures.get(METRIC, "city", "city", "24h", end);
        for (level, key) in [("district", "环翠区"), ("category", "供热供水"), ("agency", "住建")] {
            assert_eq!(figures.get(METRIC, level, key, "24h", end), figure);
        }
        figure
    };
    let before = log.clone().figures::<Hotline>();
    assert_eq!(get(&before, "12:05:00"), ratio(2.0, 5.0));
    assert_eq!(get(&before, "12:00:00"), None);
    let after = log.at("11:30:00", "order", step("e", "contacted")).tick("13:00:10").figures::<Hotline>();
    assert_eq!(get(&after, "12:05:00"), ratio(3.0, 5.0));
    assert_eq!(after.get(METRIC, "city", "city", "day", "21T00:00:00"), ratio(3.0, 5.0));
}

#[test]
fn a_category_without_limit_has_a_day_and_the_first_dispatch_counts() {
    // dispatched at 10:00 and again at 15:00: the limit is on the 21st at 10:00
    let log = log()
        .at("09:00:00", "order", created("a"))
        .at("15:00:00", "order", step("a", "dispatched"))
        .at("10:00:00", "order", step("a", "dispatched"))
        .at("10:01:00", "order", created("never dispatched"))
        .at("12:00:00", "order", step("a", "contacted"));
    let figures = log.figures::<Hotline>();
    assert_eq!(everywhere(&figures, METRIC, "24h", "21T10:05:00"), few(1.0, 1.0));
    assert_eq!(everywhere(&figures, METRIC, "24h", "21T10:00:00"), None);
    assert_any_order::<Hotline>(&log);
}

#[test]
fn an_order_still_within_its_limit_counts_neither_way() {
    let log = log().at("09:00:00", "order", heating("a")).at("10:00:00", "order", step("a", "dispatched"));
    let rows = log.clone().tick("11:00:00").rows_so_far::<Hotline>();
    assert!(rows.iter().all(|row| row.metric != METRIC));
    // at the end of a file timers of a day go on: the limit passes
    assert_eq!(log.figures::<Hotline>().get(METRIC, "city", "city", "day", "21T00:00:00"), few(0.0, 1.0));
}
