//! Orders sent back, and orders reopened.

use yiping_hotline::Hotline;

use crate::{created, everywhere, few, log, ratio, step};

#[test]
fn returned_of_dispatched_and_every_event_counts() {
    // dispatched six times (one order twice), returned three times: 3 of 6. On the 21st one more is returned, none dispatched: 1 of 0
    let mut log = log();
    for id in ["a", "b", "c", "d", "e"] {
        log = log.at("10:00:00", "order", created(id)).at("11:00:00", "order", step(id, "dispatched"));
    }
    log = log.at("11:30:00", "order", step("a", "returned")).at("11:40:00", "order", step("a", "dispatched"));
    log = log.at("11:30:00", "order", step("b", "returned")).at("23:59:59.999", "order", step("a", "returned"));
    let figures = log.at("21T00:00:00", "order", step("c", "returned")).figures::<Hotline>();
    assert_eq!(everywhere(&figures, "hotline.return_ratio", "day", "21T00:00:00"), ratio(3.0, 6.0));
    assert_eq!(everywhere(&figures, "hotline.return_ratio", "24h", "21T10:00:00"), ratio(4.0, 6.0));
    assert_eq!(everywhere(&figures, "hotline.return_ratio", "day", "22T00:00:00"), few(1.0, 0.0));
}

#[test]
fn reopened_of_closed_and_a_late_event_revises() {
    // five closed, one of them reopened and closed again: 1 of 6; a reopening told at 23:00: 2 of 6
    let mut log = log();
    for id in ["a", "b", "c", "d", "e"] {
        log = log.at("10:00:00", "order", created(id)).at("11:00:00", "order", step(id, "closed"));
    }
    log = log.at("12:00:00", "order", step("a", "reopened")).at("13:00:00", "order", step("a", "closed"));
    log = log.tick("23:00:00");
    let before = log.clone().figures::<Hotline>();
    let after = log.at("12:30:00", "order", step("b", "reopened")).figures::<Hotline>();
    assert_eq!(everywhere(&before, "hotline.reopen_ratio", "day", "21T00:00:00"), ratio(1.0, 6.0));
    assert_eq!(everywhere(&after, "hotline.reopen_ratio", "day", "21T00:00:00"), ratio(2.0, 6.0));
    assert_eq!(everywhere(&after, "hotline.reopen_ratio", "24h", "21T11:00:00"), ratio(2.0, 6.0));
}
