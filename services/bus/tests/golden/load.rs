//! `bus.load_p90`: passengers over capacity.

use super::*;

fn loaded(passengers: Option<u32>, capacity: Option<u32>) -> Value {
    let mut position = fix("V1", "1", HUANCUI);
    if let Some(passengers) = passengers {
        position["passengers"] = passengers.into();
    }
    if let Some(capacity) = capacity {
        position["capacity"] = capacity.into();
    }
    position
}

#[test]
fn the_90th_percentile_of_ten_loads_is_the_ninth() {
    // 6, 12, … 60 of 60: 0.1 … 1.0; rank ⌈0.9 · 10⌉ = 9: 0.9 (±1 %)
    let mut log = log();
    for tenth in 1..=10 {
        log = log.at(&format!("10:00:{:02}", tenth * 5), "position", loaded(Some(tenth * 6), Some(60)));
    }
    let figures = log.figures::<Bus>();
    for (level, key) in [("city", "city"), ("route", "1")] {
        let (value, num, den, n) = figures.get("bus.load_p90", level, key, "30m", "10:30:00").unwrap();
        assert!((value.unwrap() - 0.9).abs() <= 0.009, "{value:?}");
        assert_eq!((num, den, n), (0.0, 10.0, 10));
    }
}

#[test]
fn blank_is_not_zero_and_no_places_are_no_load() {
    let figures = log()
        .at("10:00:00", "position", loaded(None, Some(60))) // nobody counted
        .at("10:00:10", "position", loaded(Some(30), None)) // of how many?
        .at("10:00:20", "position", loaded(Some(0), Some(0))) // no places
        .at("10:00:30", "position", loaded(Some(0), Some(60))) // empty: 0
        .at("10:00:40", "position", loaded(Some(90), Some(60))) // more than it may take: 1.5
        .figures::<Bus>();
    assert_eq!(figures.get("bus.load_p90", "city", "city", "30m", "10:30:00"), Some((None, 0.0, 2.0, 2)));
}

#[test]
fn an_overcrowded_bus_is_over_one() {
    let mut log = log();
    for second in 10..15 {
        log = log.at(&format!("10:00:{second}"), "position", loaded(Some(90), Some(60)));
    }
    let value = log.figures::<Bus>().value("bus.load_p90", "city", "city", "30m", "10:30:00").unwrap();
    assert!((value - 1.5).abs() <= 0.015, "{value}");
}
