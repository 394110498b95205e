//! How long a call is worked on.

use serde_json::json;
use yiping_hotline::Hotline;

use crate::{call, city, log};

#[test]
fn handling_is_talk_hold_and_wrap_when_the_call_ends() {
    // 150 + 20 + 30 = 200 s; 100 s; 0 + 0 + 0 = 0 s; 300 s; and, told late, 400 s: 1,000 s / 5 = 200 s. One tells nothing: not counted
    let ended = |id: &str, parts: serde_json::Value| {
        let mut data = call(id, "ended");
        data.as_object_mut().unwrap().extend(parts.as_object().unwrap().clone());
        data
    };
    let log = log()
        .at("09:50:00", "call", call("a", "offered"))
        .at("10:00:00", "call", ended("a", json!({"talk_s": 150, "hold_s": 20, "wrap_s": 30})))
        .at("10:01:00", "call", ended("b", json!({"talk_s": 100})))
        .at("10:02:00", "call", ended("c", json!({"talk_s": 0, "hold_s": 0, "wrap_s": 0})))
        .at("10:03:00", "call", ended("d", json!({"talk_s": null, "wrap_s": 300})))
        .at("10:04:00", "call", call("e", "ended"))
        .tick("11:00:00");
    let four = log.clone().figures::<Hotline>();
    assert_eq!(city(&four, "hotline.handle_mean_s", "30m", "10:30:00"), Some((None, 600.0, 4.0, 4)));
    let five = log.at("10:29:59.999", "call", ended("f", json!({"talk_s": 400}))).figures::<Hotline>();
    assert_eq!(city(&five, "hotline.handle_mean_s", "30m", "10:30:00"), Some((Some(200.0), 1_000.0, 5.0, 5)));
    // at the end, not at the offer: [09:35, 10:05) holds four, [10:00:…] none of the offer's window alone
    assert_eq!(city(&five, "hotline.handle_mean_s", "30m", "10:00:00"), None);
}
