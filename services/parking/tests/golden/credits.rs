//! What was left unpaid.

use serde_json::{Value, json};
use yiping_parking::Parking;

use crate::{
    figures::{Figure, Figures},
    log, stamp,
};

fn left(session: &str, amount_fen: i64, due: &str) -> Value {
    json!({"lot_id": "P001", "session_id": session, "event": "left_unpaid", "amount_fen": amount_fen, "due": stamp(due)})
}

fn settled(session: &str, amount_fen: i64) -> Value {
    json!({"lot_id": "P001", "session_id": session, "event": "settled", "amount_fen": amount_fen})
}

fn open(figures: &Figures, end: &str) -> Option<(f64, i64)> {
    figures.get("parking.credit_open_fen", "lot", "P001", "now", end).map(|figure: Figure| (figure.1, figure.3))
}

#[test]
fn open_is_what_was_left_unpaid_and_not_settled() {
    let log = log()
        .at("10:00:00", "credit", left("s1", 2_000, "12:00:00"))
        .at("10:05:00", "credit", left("s2", 3_000, "12:00:00"))
        .at("10:06:00", "credit", left("s2", 3_000, "12:00:00")) // told again
        .at("10:10:00", "credit", settled("s1", 2_000))
        .at("10:11:00", "credit", settled("s1", 2_000)) // told again
        .at("10:12:00", "credit", settled("s3", 1_000)) // of a leaving that isn't known yet
        .at("10:20:00", "credit", settled("s2", 3_300)); // with a fine: nobody owes less than nothing
    let figures = log.clone().at("10:30:00", "credit", left("s4", 500, "12:00:00")).figures::<Parking>();
    let at = |end| open(&figures, end);
    assert_eq!((at("09:59:00"), at("10:00:00"), at("10:05:00")), (None, Some((2_000.0, 1)), Some((5_000.0, 2))));
    assert_eq!((at("10:10:00"), at("10:19:00"), at("10:20:00")), (Some((3_000.0, 1)), Some((3_000.0, 1)), None));
    assert_eq!(figures.value("parking.credit_open_fen", "district", "环翠区", "now", "10:30:00"), Some(500.0));
    assert_eq!(figures.value("parking.credit_open_fen", "city", "city", "now", "10:06:00"), Some(5_000.0));
    // the leaving of s3, told late: open from 10:08 to 10:12
    let figures = log.at("10:08:00", "credit", left("s3", 1_000, "12:00:00")).figures::<Parking>();
    let at = |end| open(&figures, end);
    assert_eq!(
        (at("10:08:00"), at("10:11:00"), at("10:12:00")),
        (Some((6_000.0, 3)), Some((4_000.0, 2)), Some((3_000.0, 1)))
    );
}

#[test]
fn what_was_paid_in_part_is_open_in_part() {
    let log = log()
        .at("10:00:00", "credit", left("s1", 2_000, "12:00:00"))
        .at("10:01:00", "credit", settled("s1", 500))
        .at("10:05:00", "credit", settled("s9", 1));
    assert_eq!(open(&log.figures::<Parking>(), "10:02:00"), Some((1_500.0, 1)));
}

#[test]
fn i5_a_credit_made_days_ago_is_open_today() {
    let log = log()
        .at("10:00:00", "credit", settled("s9", 1))
        .at("17T10:00:00", "credit", left("s1", 700, "12:00:00")) // three days late
        .at("17T10:00:00", "credit", left("s1", 700, "12:00:00")) // and again
        .at("10:05:00", "credit", settled("s9", 1));
    let figures = log.figures::<Parking>();
    assert_eq!(figures.counters.late, 2);
    assert_eq!(open(&figures, "10:05:00"), Some((700.0, 1)));
}

#[test]
fn overdue_are_those_unsettled_when_due_of_those_due_that_day() {
    let log = log()
        .at("10:00:00", "credit", left("s1", 100, "12:00:00"))
        .at("10:00:00", "credit", left("s2", 100, "12:50:00")) // overdue: settled ten minutes after
        .at("10:00:00", "credit", left("s3", 100, "12:30:00")) // settled exactly when due: in time
        .at("10:00:00", "credit", left("s4", 100, "23:00:00")) // never settled
        .at("10:00:00", "credit", left("s5", 100, "13:30:00"))
        .at("10:00:00", "credit", left("s6", 100, "21T12:00:00")) // another day's
        .at("11:00:00", "credit", settled("s1", 100))
        .at("12:30:00", "credit", settled("s3", 100))
        .at("13:00:00", "credit", settled("s2", 100))
        .at("13:20:00", "credit", settled("s5", 100));
    let figures = log.clone().figures::<Parking>();
    let ratio = |level, key, end| figures.get("parking.credit_overdue_ratio", level, key, "day", end);
    for (level, key) in [("lot", "P001"), ("district", "环翠区"), ("city", "city")] {
        assert_eq!(ratio(level, key, "21T00:00:00"), Some((Some(0.4), 2.0, 5.0, 5)), "{level}");
    }
    // told after 13:20 that s2 had been settled at 12:45: one of five
    let figures = log.clone().at("12:45:00", "credit", settled("s2", 100)).figures::<Parking>();
    assert_eq!(figures.value("parking.credit_overdue_ratio", "city", "city", "day", "21T00:00:00"), Some(0.2));
    // one more day: one credit is due, which is too few for a ratio
    let figures = log.at("21T13:00:00", "credit", settled("s9", 1)).figures::<Parking>();
    assert_eq!(
        figures.get("parking.credit_overdue_ratio", "city", "city", "day", "22T00:00:00"),
        Some((None, 1.0, 1.0, 1))
    );
}
