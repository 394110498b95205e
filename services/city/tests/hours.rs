//! Opening hours: on a usual day, past midnight, and where clocks change.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use yiping_city::Hours;

fn ms(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_millisecond()
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn hours(text: &str) -> Hours {
    text.parse().unwrap()
}

#[test]
fn a_lot_opens_and_closes_by_the_citys_clocks() {
    let (hours, weihai) = (hours("06:00-22:00"), zone("Asia/Shanghai"));
    let (opens, closes) = (ms("2026-11-20T06:00:00+08:00"), ms("2026-11-20T22:00:00+08:00"));
    assert!(!hours.open_at(opens - 1, &weihai) && hours.open_at(opens, &weihai));
    assert!(hours.open_at(closes - 1, &weihai) && !hours.open_at(closes, &weihai));
    // At 06:00 UTC it is 14:00 in Weihai, at 22:00 UTC 06:00 of the next day; in Lisbon the clocks show UTC.
    assert!(hours.open_at(ms("2026-11-20T22:00:00Z"), &weihai));
    assert!(!hours.open_at(ms("2026-11-20T22:00:00Z"), &zone("Europe/Lisbon")));
}

#[test]
fn the_next_change_is_the_next_opening_or_closing() {
    let (hours, weihai) = (hours("06:00-22:00"), zone("Asia/Shanghai"));
    let opens = ms("2026-11-20T06:00:00+08:00");
    let closes = ms("2026-11-20T22:00:00+08:00");
    assert_eq!(hours.next_change_after(opens - 1, &weihai), opens);
    assert_eq!(hours.next_change_after(opens, &weihai), closes);
    assert_eq!(hours.next_change_after(closes, &weihai), ms("2026-11-21T06:00:00+08:00"));
}

#[test]
fn hours_may_pass_midnight() {
    let (hours, weihai) = (hours("18:00-02:00"), zone("Asia/Shanghai"));
    assert!(!hours.open_at(ms("2026-11-20T17:59:59.999+08:00"), &weihai));
    assert!(hours.open_at(ms("2026-11-20T18:00:00+08:00"), &weihai));
    assert!(hours.open_at(ms("2026-11-21T00:00:00+08:00"), &weihai));
    assert!(hours.open_at(ms("2026-11-21T01:59:59.999+08:00"), &weihai));
    assert!(!hours.open_at(ms("2026-11-21T02:00:00+08:00"), &weihai));
    let closes = ms("2026-11-21T02:00:00+08:00");
    assert_eq!(hours.next_change_after(ms("2026-11-20T23:00:00+08:00"), &weihai), closes);
    assert_eq!(hours.next_change_after(ms("2026-11-21T01:00:00+08:00"), &weihai), closes);
    assert_eq!(hours.next_change_after(closes, &weihai), ms("2026-11-21T18:00:00+08:00"));
}

#[test]
fn until_24_00_is_until_midnight() {
    let (hours, weihai) = (hours("08:00-24:00"), zone("Asia/Shanghai"));
    let midnight = ms("2026-11-21T00:00:00+08:00");
    assert!(hours.open_at(midnight - 1, &weihai) && !hours.open_at(midnight, &weihai));
    assert_eq!(hours.next_change_after(midnight - 1, &weihai), midnight);
}

#[test]
fn a_night_has_an_hour_less_or_more_where_clocks_change() {
    let (hours, lisbon) = (hours("18:00-06:00"), zone("Europe/Lisbon"));
    let length = |opens: &str| hours.next_change_after(ms(opens), &lisbon) - ms(opens);
    const HOUR: i64 = 3_600_000;
    assert_eq!(length("2026-03-27T18:00:00Z"), 12 * HOUR);
    // Clocks go forward at 01:00 on 2026-03-29, back at 02:00 on 2026-10-25.
    assert_eq!(length("2026-03-28T18:00:00Z"), 11 * HOUR);
    assert_eq!(length("2026-10-24T18:00:00+01:00"), 13 * HOUR);
}

#[test]
fn a_skipped_hour_counts_after_the_change_and_a_repeated_one_at_its_first() {
    let lisbon = zone("Europe/Lisbon");
    let evening = ms("2026-03-28T20:00:00Z");
    // 01:30 is skipped: clocks show 02:30 as long after the change.
    assert_eq!(hours("18:00-01:30").next_change_after(evening, &lisbon), ms("2026-03-29T02:30:00+01:00"));
    let evening = ms("2026-10-24T20:00:00+01:00");
    let closes = ms("2026-10-25T01:30:00+01:00");
    assert_eq!(hours("18:00-01:30").next_change_after(evening, &lisbon), closes);
    assert!(!hours("18:00-01:30").open_at(ms("2026-10-25T01:15:00+00:00"), &lisbon));
}

#[test]
fn a_lot_that_closes_for_the_skipped_hour_stays_open() {
    // Closed from 01:00 to 02:00, which do not exist on this day.
    let (hours, lisbon) = (hours("02:00-01:00"), zone("Europe/Lisbon"));
    let change = ms("2026-03-29T01:00:00Z");
    assert!(hours.open_at(change - 1, &lisbon) && hours.open_at(change, &lisbon));
    assert_eq!(hours.next_change_after(change - 1, &lisbon), ms("2026-03-30T01:00:00+01:00"));
}

#[test]
fn no_instant_panics() {
    for t in [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1, i64::MAX] {
        let (hours, zone) = (hours("18:00-02:00"), zone("America/St_Johns"));
        let _ = (hours.open_at(t, &zone), hours.next_change_after(t, &zone));
    }
}

#[test]
fn what_is_no_hours_is_refused() {
    let bad = [
        "",
        "6-22",
        "06:00",
        "06:00-",
        "06:00-25:00",
        "06:60-22:00",
        "06:00-24:01",
        "6:00-22:00",
        "06:00–22:00",
        "24:00-06:00",
        "08:00-08:00",
        "00:00-24:00",
        "+6:00-22:00",
        " 06:00-22:00",
    ];
    for text in bad {
        assert!(text.parse::<Hours>().is_err(), "{text}");
    }
    assert_eq!(hours("06:05-24:00").to_string(), "06:05-24:00");
}

proptest! {
    /// From change to change, minute by minute: what `open_at` says changes at `next_change_after` and not before.
    #[test]
    fn the_next_change_is_where_open_becomes_closed(
        opens in 0u32..1_440,
        closes in 0u32..1_440,
        name in prop::sample::select(vec!["Asia/Shanghai", "Europe/Lisbon", "America/St_Johns", "Australia/Lord_Howe"]),
        // 2026, in minutes: all changes of clocks of these zones lie on full minutes.
        start in 29_454_720i64..29_980_320,
    ) {
        prop_assume!(opens != closes);
        let text = format!("{:02}:{:02}-{:02}:{:02}", opens / 60, opens % 60, closes / 60, closes % 60);
        let (hours, zone) = (hours(&text), zone(name));
        let start = start * 60_000;
        let now = hours.open_at(start, &zone);
        // Two days: a lot changes twice a day, but for a change that the clocks skip.
        let naive = (1..=2 * 1_440).map(|m| start + m * 60_000).find(|t| hours.open_at(*t, &zone) != now);
        prop_assert_eq!(Some(hours.next_change_after(start, &zone)), naive, "{} in {}", text, name);
    }

    /// Without a change of clocks on or next to the day, it is open where clocks show the hours.
    #[test]
    fn on_usual_days_the_clock_decides(opens in 0i64..1_440, closes in 0i64..1_440, minute in 0i64..1_440) {
        prop_assume!(opens != closes);
        let text = format!("{:02}:{:02}-{:02}:{:02}", opens / 60, opens % 60, closes / 60, closes % 60);
        let at = ms("2026-11-20T00:00:00+08:00") + minute * 60_000;
        let open = if opens < closes { opens <= minute && minute < closes } else { minute >= opens || minute < closes };
        prop_assert_eq!(hours(&text).open_at(at, &zone("Asia/Shanghai")), open, "{} at minute {}", text, minute);
    }
}
