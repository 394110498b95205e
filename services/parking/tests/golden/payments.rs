//! Payments.

use serde_json::{Value, json};
use yiping_parking::Parking;

use crate::{figures::Log, later, log};

fn payment(channel: &str, amount_fen: i64, result: &str) -> Value {
    json!({"lot_id": "P001", "session_id": "s", "channel": channel, "amount_fen": amount_fen, "result": result})
}

/// Five paid: 500 fen three times, 1,000, 1,500; one attempt failed; one let out free.
fn payments() -> Log {
    log()
        .at("10:00:00", "payment", payment("wechat", 500, "ok"))
        .at("10:05:00", "payment", payment("wechat", 500, "ok")) // the same session again: it pays in parts
        .at("10:06:00", "payment", payment("wechat", 500, "ok"))
        .at("10:07:00", "payment", payment("etc", 1_000, "ok"))
        .at("10:08:00", "payment", payment("ccb_seamless", 1_500, "ok"))
        .at("10:09:00", "payment", payment("alipay", 700, "failed"))
        .at("10:10:00", "payment", payment("waived", 900, "ok"))
}

#[test]
fn shares_are_of_what_was_paid() {
    let figures = later(payments(), "11:01:00").figures::<Parking>();
    let share = |channel| figures.get("parking.payment_share", "channel", channel, "1h", "11:00:00");
    let amount = |channel| figures.get("parking.payment_amount_share", "channel", channel, "1h", "11:00:00");
    assert_eq!(share("wechat"), Some((Some(0.6), 3.0, 5.0, 5)));
    assert_eq!(share("etc"), Some((Some(0.2), 1.0, 5.0, 5)));
    // 1,500 of 4,000 fen
    assert_eq!(amount("wechat"), Some((Some(0.375), 1_500.0, 4_000.0, 4_000)));
    assert_eq!(amount("ccb_seamless"), Some((Some(0.375), 1_500.0, 4_000.0, 4_000)));
    // all channels as soon as anything was paid; letting somebody out is none
    for channel in ["alipay", "app", "unionpay", "cash"] {
        assert_eq!(share(channel), Some((Some(0.0), 0.0, 5.0, 5)), "{channel}");
        assert_eq!(amount(channel), Some((Some(0.0), 0.0, 4_000.0, 4_000)), "{channel}");
    }
    assert_eq!((share("waived"), amount("waived")), (None, None));
    // [10:01, 11:01): four are too few for a share
    assert_eq!(figures.get("parking.payment_share", "channel", "wechat", "1h", "11:01:00"), Some((None, 2.0, 4.0, 4)));
}

#[test]
fn a_late_payment_revises_the_shares() {
    let figures =
        later(payments(), "11:00:30").at("10:02:00", "payment", payment("cash", 1_000, "ok")).figures::<Parking>();
    let share = |channel| figures.get("parking.payment_share", "channel", channel, "1h", "11:00:00").unwrap();
    assert_eq!((share("cash").1, share("wechat").0), (1.0, Some(0.5)));
    // 1,500 of 5,000 fen
    assert_eq!(figures.value("parking.payment_amount_share", "channel", "wechat", "day", "21T00:00:00"), Some(0.3));
}

#[test]
fn seamless_is_etc_and_the_banks_plates() {
    let figures = later(payments(), "11:00:30").figures::<Parking>();
    for (level, key) in [("lot", "P001"), ("district", "环翠区"), ("city", "city")] {
        let ratio = figures.get("parking.seamless_ratio", level, key, "1h", "11:00:00");
        assert_eq!(ratio, Some((Some(0.4), 2.0, 5.0, 5)), "{level}");
    }
    assert_eq!(figures.get("parking.seamless_ratio", "lot", "P001", "1h", "11:01:00"), Some((None, 2.0, 4.0, 4)));
}

#[test]
fn failures_are_of_attempts_and_waived_is_none() {
    let figures = later(payments(), "11:00:30").figures::<Parking>();
    let ratio = |level, key| figures.get("parking.payment_failure_ratio", level, key, "15m", "10:15:00");
    for (level, key) in [("lot", "P001"), ("district", "环翠区"), ("city", "city")] {
        assert_eq!(ratio(level, key), Some((Some(1.0 / 6.0), 1.0, 6.0, 6)), "{level}");
    }
    assert_eq!(ratio("channel", "alipay"), Some((None, 1.0, 1.0, 1)));
    assert_eq!(ratio("channel", "wechat"), Some((None, 0.0, 3.0, 3)));
    assert_eq!((ratio("channel", "cash"), ratio("channel", "waived")), (None, None));
}
