//! What real feeds do, a test each: METRICS' traps, as far as they concern buses.

use std::{io, path::Path};

use yiping_catalogue::Catalogue;
use yiping_city::City;
use yiping_runner::compute;
use yiping_window::Settings;

use super::*;

/// Every row.
fn digits(figures: &Figures) -> Vec<(String, figures::Figure)> {
    let of = |row: &yiping_runner::OfflineRow| {
        let name = format!("{} {} {} {} {}", row.metric, row.level, row.key, row.span, row.window_end);
        (name, (row.value, row.numerator, row.denominator, row.n))
    };
    figures.rows.iter().map(of).collect()
}

#[test]
fn zero_zero_and_swapped_coordinates_count_nowhere() {
    let good = later(log().at("10:00:00", "position", fix("V1", "1", HUANCUI)), "10:05:00");
    let bad = good.clone().at("10:01:00", "position", fix("V1", "1", (0.0, 0.0))).at(
        "10:02:00",
        "position",
        fix("V1", "1", (HUANCUI.1, HUANCUI.0)),
    );
    let (good, bad) = (good.figures::<Bus>(), bad.figures::<Bus>());
    assert_eq!(digits(&bad), digits(&good));
    assert_eq!(bad.counters.rejected, 2);
}

#[test]
fn gcj_02_is_the_same_place() {
    let (lon, lat) = wgs84_to_gcj02(HUANCUI.0, HUANCUI.1);
    let mut shifted = fix("V1", "1", (lon, lat));
    shifted["datum"] = "gcj02".into();
    let plain = log().at("10:00:00", "position", fix("V1", "1", HUANCUI)).at("10:00:10", "position", shifted);
    let (_, metres, _, n) = plain.figures::<Bus>().get("bus.speed_kmh", "route", "1", "15m", "10:15:00").unwrap();
    assert!(metres < 0.5 && n == 1, "{metres} m"); // unshifted: 460 m in 10 s, refused as a jump
}

#[test]
fn a_gps_jump_moves_no_bus_but_its_passengers_and_its_age_count() {
    let mut jumped = fix("V1", "1", north(130.0));
    (jumped["passengers"], jumped["capacity"]) = (30.into(), 60.into());
    let log = log().at("10:00:00", "position", fix("V1", "1", north(0.0))).at("10:00:10", "position", jumped).at(
        "10:00:20",
        "position",
        fix("V1", "1", north(1.0)),
    );
    let figures = log.figures::<Bus>();
    let speed = rounded(figures.get("bus.speed_kmh", "route", "1", "15m", "10:15:00")).unwrap();
    assert_eq!((speed.1.round(), speed.2, speed.3), (111.0, 20.0, 1));
    assert_eq!(figures.get("bus.load_p90", "route", "1", "30m", "10:30:00"), Some((None, 0.0, 1.0, 1)));
    assert_eq!(figures.get("bus.fix_age_p95_s", "city", "city", "5m", "10:05:00"), Some((None, 0.0, 3.0, 3)));
}

#[test]
fn store_and_forward_corrects_history_and_raises_nothing_now() {
    // out of coverage from 10:00 to 10:20, then everything at once; one fix of three hours ago
    let heard = log().at("10:00:00", "position", fix("V1", "1", HUANCUI));
    let heard = later(heard, "10:20:00");
    let mut stored = fix("V1", "1", HUANCUI);
    stored["backfill"] = true.into();
    let all = received(heard.clone(), "10:05:00", "10:20:00", stored.clone());
    let all = received(all, "07:20:00", "10:20:00", stored);
    let (before, after) = (later(heard, "10:25:00").figures::<Bus>(), later(all, "10:25:00").figures::<Bus>());
    let online =
        |figures: &Figures, end: &str| figures.get("bus.online_ratio", "route", "1", "now", end).map(|figure| figure.1);
    // history: online at 10:05, 10:06, 10:07, as the fix's own time says
    for (end, was, is) in [("10:04:00", 0.0, 0.0), ("10:05:00", 0.0, 1.0), ("10:07:00", 0.0, 1.0)] {
        assert_eq!((online(&before, end), online(&after, end)), (Some(was), Some(is)), "{end}");
    }
    // now: nothing but what was true
    for end in ["10:08:00", "10:19:00", "10:20:00", "10:21:00", "10:25:00"] {
        assert_eq!((online(&before, end), online(&after, end)), (Some(0.0), Some(0.0)), "{end}");
    }
    assert_eq!(after.counters.late, 1); // the one of three hours ago
    let ages = |figures: &Figures| {
        let of_ages = |row: &&yiping_runner::OfflineRow| row.metric == "bus.fix_age_p95_s";
        figures
            .rows
            .iter()
            .filter(of_ages)
            .map(|row| (row.key.clone(), row.window_end.clone(), row.n))
            .collect::<Vec<_>>()
    };
    assert_eq!(ages(&before), ages(&after));
}

#[test]
fn a_late_fix_of_a_vehicle_unknown_so_far_is_not_online_after_the_fact() {
    // V2 was never heard of; its first fix is three hours old
    let log = later(received(later(log(), "10:20:00"), "07:20:00", "10:20:00", fix("V2", "2", HUANCUI)), "10:22:10");
    let rows = log.rows_so_far::<Bus>();
    let online = |key: &str| -> Vec<i64> {
        rows.iter().filter(|row| row.metric == "bus.online_ratio" && row.key == key).map(|row| row.num).collect()
    };
    assert!(!online("99").is_empty() && online("99").contains(&1)); // LATER is
    assert!(online("2").iter().all(|online| *online == 0), "{:?}", online("2"));
}

#[test]
fn a_poll_that_repeats_the_same_update_counts_once() {
    let mut loaded = fix("V1", "1", HUANCUI);
    (loaded["passengers"], loaded["capacity"]) = (31.into(), 62.into());
    let once = log()
        .at("10:00:00", "position", loaded)
        .at("10:00:00", "trip", trip("started", "T1", "10:00:00"))
        .at("10:00:10", "stop", call("arrived", "V1", "0080", None))
        .at("10:00:30", "stop", departure("V1", "10:00:00"))
        .at("10:10:30", "stop", departure("V2", "10:10:00"));
    let again = once.lines().to_vec().into_iter().fold(once.clone(), Log::again);
    let (once, again) = (once.figures::<Bus>(), again.figures::<Bus>());
    assert_eq!(digits(&once), digits(&again));
    assert_eq!(again.counters.duplicates, 5);
}

#[test]
fn a_service_day_that_ends_after_midnight_is_two_calendar_days_and_one_of_duty() {
    // 23:50 and 00:10: two days' departures and trips; the headway between them belongs to the later one's
    let log = log()
        .at("23:40:00", "position", fix("N1", "1", HUANCUI))
        .at("23:50:00", "trip", trip("started", "T1", "23:50:00"))
        .at("23:50:00", "stop", departure("N1", "23:50:00"))
        .at("21T00:10:00", "trip", trip("started", "T2", "21T00:10:00"))
        .at("21T00:10:00", "stop", departure("N2", "21T00:10:00"));
    let figures = later(log, "21T00:20:00").figures::<Bus>();
    for metric in ["bus.on_time_ratio", "bus.dispatch_ratio"] {
        for end in ["21T00:00:00", "22T00:00:00"] {
            assert_eq!(figures.get(metric, "route", "1", "day", end), Some((None, 1.0, 1.0, 1)), "{metric} {end}");
        }
    }
    assert_eq!(figures.get("bus.gap_ratio", "route", "1", "30m", "21T00:11:00"), Some((None, 0.0, 1.0, 1)));
    let duty = figures.get("bus.online_ratio", "route", "1", "now", "21T00:20:00");
    assert_eq!(duty, Some((None, 0.0, 1.0, 1)));
}

#[test]
fn clocks_hours_or_years_off_harm_themselves_only() {
    let good = log()
        .at("10:00:00", "position", fix("V1", "1", HUANCUI))
        .at("10:00:30", "stop", departure("V1", "10:00:00"))
        .at("10:10:30", "stop", departure("V2", "10:10:00"));
    let good = later(good, "10:20:00");
    let mut bad = good.clone();
    for time in [
        "2006-04-06T10:00:00+08:00",
        "2026-11-20T02:00:00+08:00",
        "2026-11-20T18:00:00+08:00",
        "2099-01-01T00:00:00+08:00",
    ] {
        for (kind, data) in [
            ("position", fix("V3", "1", HUANCUI)),
            ("stop", departure("V3", "10:05:00")),
            ("stop", call("arrived", "V3", "0080", None)),
        ] {
            let id = format!("bad{}", bad.lines().len());
            let event = json!({
                "specversion": "1.0", "id": id, "source": "test", "type": format!("city.bus.{kind}"), "time": time, "data": data,
                "receivedtime": stamp("10:20:00"),
            });
            bad = bad.again(event.to_string());
        }
    }
    let (good, bad) = (later(good, "10:25:00").figures::<Bus>(), later(bad, "10:25:00").figures::<Bus>());
    assert_eq!((bad.counters.quarantined, bad.counters.late), (6, 6));
    assert_eq!(digits(&bad), digits(&good));
}

#[test]
fn utc_plus_8_has_no_daylight_saving_and_other_zones_do() {
    // St John's, the night of 1 November 2026: 25 hours, 02:30Z to 03:30Z the next day; 01:30 comes twice (04:00Z, 05:00Z).
    // Tolerance of that city: 180 s
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/cities/examples/tiny");
    let (catalogue, city) = (Catalogue::builtin().unwrap(), City::load(&folder).unwrap());
    let settings = Settings { zone: "America/St_Johns".into(), profile: city.text(), ..figures::settings(Stream::Bus) };
    let event = |id: usize, time: &str, scheduled: &str| {
        json!({
            "specversion": "1.0", "id": format!("d{id}"), "source": "test", "type": "city.bus.stop", "time": time,
            "data": {"vehicle_id": "V1", "route_id": "1", "direction": 0, "stop_id": "S", "event": "departed", "scheduled_time": scheduled},
        })
        .to_string()
        .into_bytes()
    };
    let lines = vec![
        event(1, "2026-11-01T00:00:30-02:30", "2026-11-01T00:00:00-02:30"), // its first minute
        event(2, "2026-11-01T01:30:00-02:30", "2026-11-01T01:30:00-02:30"), // 01:30 …
        event(3, "2026-11-01T01:30:00-03:30", "2026-11-01T01:30:00-03:30"), // … and again, an hour later
        event(4, "2026-11-01T12:03:00-03:30", "2026-11-01T12:00:00-03:30"), // +180 s: on time here
        event(5, "2026-11-01T23:59:30-03:30", "2026-11-01T23:56:00-03:30"), // +210 s: late here; the last minute
        event(6, "2026-11-02T00:00:30-03:30", "2026-11-02T00:00:00-03:30"), // the next day
    ];
    let lines = lines.into_iter().map(Ok::<_, io::Error>);
    let rows = compute::<Bus>(Stream::Bus, &catalogue, &city, &settings, 1, None, lines).unwrap().published.rows();
    let day = |metric: &str| -> Vec<(String, String, f64, f64)> {
        let of_day =
            |row: &&yiping_runner::OfflineRow| row.metric == metric && row.level == "city" && row.span == "day";
        let of = |row: &yiping_runner::OfflineRow| {
            (row.window_start.to_string(), row.window_end.to_string(), row.numerator, row.denominator)
        };
        rows.iter().filter(of_day).map(of).collect()
    };
    let text = |text: &str| text.to_owned();
    assert_eq!(
        day("bus.on_time_ratio"),
        [
            (text("2026-11-01T02:30:00.000Z"), text("2026-11-02T03:30:00.000Z"), 4.0, 5.0),
            (text("2026-11-02T03:30:00.000Z"), text("2026-11-03T03:30:00.000Z"), 1.0, 1.0),
        ]
    );
    // the hour between two 01:30 is a headway of an hour: [04:36Z, 05:36Z) has it alone
    let hour = rows.iter().find(|row| {
        row.metric == "bus.excess_wait_s" && row.level == "city" && row.window_end == "2026-11-01T05:36:00.000Z"
    });
    assert_eq!(hour.map(|row| (row.numerator, row.denominator, row.n)), Some((1_800.0, 1_800.0, 1)));
}
