//! Devices by their heartbeats.

use super::*;

const SILENT: &str = "elder.device_silent_ratio";

fn beat(device: &str, district: &str) -> Value {
    json!({"device_id": device, "district": district})
}

fn at(figures: &Figures, key: &str, end: &str) -> Option<Figure> {
    let level = if key == "city" { "city" } else { "district" };
    figures.get(SILENT, level, key, "now", end)
}

/// Five devices heard of at 10:00:00 on the 20th; four of them also at 09:30 on the 21st.
fn five() -> Log {
    let mut log = log();
    for device in 0..5 {
        log = log.at("10:00:00", "heartbeat", beat(&format!("d{device}"), "环翠区"));
    }
    for device in 0..4 {
        log = log.at("21T09:30:00", "heartbeat", beat(&format!("d{device}"), "环翠区"));
    }
    log
}

#[test]
fn a_device_is_silent_from_24_hours_after_its_newest_heartbeat() {
    let log = later(five(), "21T10:30:00");
    let figures = log.figures::<Elder>();
    assert_eq!((at(&figures, "city", "21T09:59:00"), at(&figures, "city", "21T10:00:00")), (ratio(0, 5), ratio(1, 5)));
    assert_eq!(at(&figures, "环翠区", "21T10:30:00"), ratio(1, 5));
    // a heartbeat of 23:00 comes late: it was never silent
    let late = log.clone().at("23:00:00", "heartbeat", beat("d4", "环翠区")).figures::<Elder>();
    assert_eq!(at(&late, "city", "21T10:00:00"), ratio(0, 5));
    // one of 10:20:30 ends the silence at the next full minute
    let back = later(log.at("21T10:20:30", "heartbeat", beat("d4", "环翠区")), "21T10:40:00").figures::<Elder>();
    let minutes = ["21T10:19:00", "21T10:20:00", "21T10:21:00"].map(|end| at(&back, "city", end));
    assert_eq!(minutes, [ratio(1, 5), ratio(1, 5), ratio(0, 5)]);
}

#[test]
fn fewer_than_five_devices_are_no_figure() {
    let log = (0..4).fold(log(), |log, device| log.at("10:00:00", "heartbeat", beat(&format!("d{device}"), "环翠区")));
    assert_eq!(at(&later(log, "10:05:00").figures::<Elder>(), "city", "10:05:00"), too_few(0, 4));
}

#[test]
fn a_call_for_help_is_no_heartbeat() {
    let raised = json!({"case_id": "a", "event": "raised", "district": "环翠区", "device_id": "d4"});
    let log = later(five().at("21T09:40:00", "sos", raised), "21T10:30:00");
    assert_eq!(at(&log.figures::<Elder>(), "city", "21T10:00:00"), ratio(1, 5));
}

#[test]
fn i5_an_old_heartbeat_enrols_a_silent_device_and_one_of_30_days_ago_none() {
    // on the 30th at 10:00 come heartbeats of the 1st at 12:00 (28 d 22 h ago) and of 31 October at 10:05 and 09:59. They come too
    // late: enrolled and silent from the horizon on (09:50 on the 29th), until 30 days are over
    // (calls of the same keys bring their partitions to today)
    let today = |log: Log, id| log.at("30T09:50:05", "call", call(id, "offered", "life_care", "荣成市"));
    let log = ["a", "b", "c"]
        .into_iter()
        .fold(log(), today)
        .at("01T12:00:00", "heartbeat", beat("a", "环翠区"))
        .at("10-31T10:05:00", "heartbeat", beat("b", "环翠区"))
        .at("10-31T09:40:00", "heartbeat", beat("c", "环翠区"));
    let figures = later(log, "30T10:10:00").figures::<Elder>();
    assert_eq!(figures.counters.late, 3);
    let minutes = ["30T09:52:00", "30T10:04:00", "30T10:05:00", "30T10:10:00"].map(|end| at(&figures, "city", end));
    assert_eq!(minutes, [too_few(2, 2), too_few(2, 2), too_few(1, 1), too_few(1, 1)]);
}

#[test]
fn a_device_leaves_30_days_after_its_last_heartbeat_and_comes_back_as_a_new_one() {
    // a is heard of on the 1st at 10:00:30 and then on 1 December at 12:00, without a district: gone in between from 10:01 on
    let log = later(log().at("01T10:00:30", "heartbeat", beat("a", "环翠区")), "02T10:10:00");
    let log = later(log, "12-01T10:30:00").at("12-01T12:00:00", "heartbeat", json!({"device_id": "a"}));
    let figures = later(log, "12-01T12:05:00").figures::<Elder>();
    let ends = ["01T10:00:00", "01T10:01:00", "02T10:00:00", "02T10:01:00", "12-01T10:00:00"];
    let first = ends.map(|end| at(&figures, "环翠区", end));
    assert_eq!(first, [None, too_few(0, 1), too_few(0, 1), too_few(1, 1), too_few(1, 1)]);
    assert_eq!((at(&figures, "city", "12-01T10:01:00"), at(&figures, "环翠区", "12-01T12:05:00")), (None, None));
    assert_eq!(at(&figures, "其他", "12-01T12:05:00"), too_few(0, 1));
}

#[test]
fn a_device_counts_in_the_district_that_its_newest_heartbeat_tells() {
    // 环翠区 at 10:00, nothing at 11:00, 荣成市 at 12:00; then the heartbeat of 11:30 in 文登区 comes late
    let log = log()
        .at("10:00:00", "heartbeat", beat("a", "环翠区"))
        .at("11:00:00", "heartbeat", json!({"device_id": "a"}))
        .at("12:00:00", "heartbeat", beat("a", "荣成市"));
    let log = log.at("12:30:00", "heartbeat", beat("a", "荣成市"));
    let districts =
        |figures: &Figures, end| ["环翠区", "文登区", "荣成市"].map(|key| at(figures, key, end).map(|figure| figure.3));
    let figures = log.figures::<Elder>();
    assert_eq!(districts(&figures, "11:59:00"), [Some(1), None, None]);
    assert_eq!(districts(&figures, "12:00:00"), [None, None, Some(1)]);
    let late = log.at("11:30:00", "heartbeat", beat("a", "文登区")).figures::<Elder>();
    assert_eq!(districts(&late, "11:29:00"), [Some(1), None, None]);
    assert_eq!(districts(&late, "11:59:00").map(|n| n.unwrap_or(0)), [0, 1, 0]);
    assert_eq!(districts(&late, "12:00:00").map(|n| n.unwrap_or(0)), [0, 0, 1]);
    assert_eq!(at(&late, "city", "12:00:00"), too_few(0, 1));
}

#[test]
fn i8_heartbeats_in_any_order_come_to_the_same() {
    // of the same minute, of the same district and of others, with gaps of more than a day
    let mut log = log();
    for (device, time, district) in [
        ("a", "10:00:10", "环翠区"),
        ("a", "10:00:50", "荣成市"),
        ("a", "10:00:50", "文登区"),
        ("a", "10:30:00", "环翠区"),
        ("b", "10:00:00", "环翠区"),
        ("b", "21T09:59:00", "环翠区"),
        ("c", "10:00:30", "环翠区"),
        ("c", "20T22:00:00", "荣成市"),
    ] {
        log = log.at(time, "heartbeat", beat(device, district));
    }
    assert_any_order::<Elder>(&log);
}
