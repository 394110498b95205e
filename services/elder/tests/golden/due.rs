//! Orders of the day on which they are due, judged at its end.

use super::*;

const COMPLETION: &str = "elder.completion_ratio";
const NO_SHOW: &str = "elder.no_show_ratio";

/// Six orders due at 18:00 on the 20th: four finished (one of them twice told), one a no-show, one open; a seventh is cancelled.
fn six() -> Log {
    let mut log = log();
    for at in 0..7 {
        log = log.at("10:00:00", "order", created(&format!("o{at}"), "助浴", "环翠区", Some("18:00:00")));
    }
    for at in 0..4 {
        log = log.at(&format!("17:0{at}:00"), "order", step(&format!("o{at}"), "finished"));
    }
    log.at("17:10:00", "order", step("o3", "finished")).at("18:30:00", "order", step("o4", "no_show")).at(
        "19:00:00",
        "order",
        step("o6", "cancelled"),
    )
}

fn of_day(figures: &Figures, metric: &str, level: &str, key: &str) -> Option<Figure> {
    figures.get(metric, level, key, "day", "21T00:00:00")
}

#[test]
fn finished_and_no_show_are_shares_of_the_orders_due_that_day() {
    let figures = six().figures::<Elder>();
    for (level, key) in [("city", "city"), ("district", "环翠区"), ("category", "助浴")] {
        assert_eq!(of_day(&figures, COMPLETION, level, key), ratio(4, 6));
        assert_eq!(of_day(&figures, NO_SHOW, level, key), ratio(1, 6));
    }
}

#[test]
fn an_order_is_judged_when_its_day_ends_in_the_citys_zone_and_not_before() {
    // midnight in Weihai is 16:00 UTC; the watermark is there at 00:00:05
    let before = six().tick("21T00:00:04.999").tick("21T00:00:04.999");
    assert_eq!(so_far(&before, COMPLETION, "day"), None);
    assert_eq!(so_far(&six().tick("21T00:00:05"), COMPLETION, "day"), Some((4, 6)));
}

#[test]
fn what_is_due_at_night_belongs_to_the_day_of_the_citys_zone() {
    // due 00:00:00 and 07:00 on the 21st: 16:00 and 23:00 UTC on the 20th. Due 23:59:59.999 on the 20th: the 20th
    let log = log()
        .at("10:00:00", "order", created("a", "助浴", "环翠区", Some("21T00:00:00")))
        .at("10:00:00", "order", created("b", "助浴", "环翠区", Some("21T07:00:00")))
        .at("10:00:00", "order", created("c", "助浴", "环翠区", Some("23:59:59.999")));
    let figures = later(log, "21T01:00:00").figures::<Elder>();
    assert_eq!(of_day(&figures, COMPLETION, "city", "city"), too_few(0, 1));
    assert_eq!(figures.get(COMPLETION, "city", "city", "day", "22T00:00:00"), too_few(0, 2));
}

#[test]
fn what_happens_after_the_days_end_changes_no_verdict_and_what_happened_before_does() {
    // o5 is finished half an hour after midnight: still 4 / 6. That it was finished at 23:59 comes to light at 10:00: 5 / 6
    let log =
        six().at("21T00:30:00", "order", step("o5", "finished")).at("21T00:30:00", "order", step("o0", "cancelled"));
    let log = later(log, "21T10:00:00");
    assert_eq!(of_day(&log.figures::<Elder>(), COMPLETION, "city", "city"), ratio(4, 6));
    let late = log.clone().at("23:59:59", "order", step("o5", "finished")).figures::<Elder>();
    assert_eq!(of_day(&late, COMPLETION, "city", "city"), ratio(5, 6));
    // or that it was cancelled: 4 / 5
    let late = log.at("23:59:59", "order", step("o5", "cancelled")).figures::<Elder>();
    assert_eq!(of_day(&late, COMPLETION, "city", "city"), ratio(4, 5));
    assert_eq!(of_day(&late, NO_SHOW, "city", "city"), ratio(1, 5));
}

#[test]
fn without_a_due_time_the_categorys_limit_counts_and_without_a_limit_the_order_is_no_part() {
    // life_care: one working day. Made on Friday the 20th at 10:00, due on Monday the 23rd; of 助浴 the profile knows nothing
    let log = log()
        .at("10:00:00", "order", created("a", "life_care", "环翠区", None))
        .at("10:00:00", "order", created("b", "助浴", "环翠区", None))
        .at("10:30:00", "order", step("a", "finished"));
    let figures = later(log, "23T11:00:00").figures::<Elder>();
    assert_eq!(of_day(&figures, COMPLETION, "city", "city"), None);
    assert_eq!(figures.get(COMPLETION, "city", "city", "day", "24T00:00:00"), too_few(1, 1));
}

#[test]
fn the_creations_due_time_goes_before_what_a_later_event_says() {
    let told = |id: &str, due: &str| json!({"order_id": id, "event": "accepted", "due": figures::stamp(due)});
    let log = log()
        .at("10:00:00", "order", created("a", "助浴", "环翠区", Some("18:00:00")))
        .at("10:10:00", "order", told("a", "21T18:00:00"))
        .at("10:00:00", "order", created("b", "助浴", "环翠区", None))
        .at("10:10:00", "order", told("b", "21T18:00:00"));
    let figures = later(log, "21T01:00:00").figures::<Elder>();
    assert_eq!(of_day(&figures, COMPLETION, "city", "city"), too_few(0, 1));
    assert_eq!(figures.get(COMPLETION, "city", "city", "day", "22T00:00:00"), too_few(0, 1));
}

#[test]
fn i5_a_due_time_that_moves_takes_a_judged_order_along_while_its_day_is_within_the_lateness() {
    // due on the 20th says the acceptance; on the 21st it comes to light that the departure of 10:05 had said the 21st
    let told = |event: &str, due: &str| json!({"order_id": "a", "event": event, "due": figures::stamp(due)});
    let log = log().at("10:00:00", "order", created("a", "助浴", "环翠区", None)).at(
        "10:10:00",
        "order",
        told("accepted", "18:00:00"),
    );
    let moved =
        later(log.clone(), "21T09:00:00").at("10:05:00", "order", told("departed", "21T18:00:00")).figures::<Elder>();
    assert_eq!(of_day(&moved, COMPLETION, "city", "city"), None); // published, then emptied: hidden
    assert_eq!(moved.get(COMPLETION, "city", "city", "day", "22T00:00:00"), too_few(0, 1));
}

#[test]
fn i5_a_verdict_on_a_settled_day_stands_and_counts_once() {
    // On the 21st at 12:00 the acceptance says: due on the 20th at 18:00, so judged at once. On the 22nd, when that is settled, the
    // departure of 11:00 on the 21st, which goes before it, says: due on the 22nd. It counts on the 20th and nowhere else
    let told = |event: &str, due: &str| json!({"order_id": "a", "event": event, "due": figures::stamp(due)});
    let log = log().at("10:00:00", "order", created("a", "助浴", "环翠区", None)).at(
        "21T12:00:00",
        "order",
        told("accepted", "18:00:00"),
    );
    let log = later(log, "22T10:00:00").at("21T11:00:00", "order", told("departed", "22T20:00:00"));
    let figures = log.figures::<Elder>();
    assert_eq!(of_day(&figures, COMPLETION, "city", "city"), too_few(0, 1));
    assert_eq!(figures.get(COMPLETION, "city", "city", "day", "23T00:00:00"), None);
}
