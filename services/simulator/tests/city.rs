//! The simulator as its users meet it: lines that a gateway would receive, decoded by the crate that all services use.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::{BTreeMap, HashMap, HashSet};

use support::{HOUR, MINUTE, event, local, options, share, simulate};
use yiping_city::{City, OTHER, gcj02_to_wgs84};
use yiping_event::bus::{StopKind, TripKind};
use yiping_event::hotline::{CallKind, OrderKind};
use yiping_event::parking::PaymentResult;
use yiping_event::{Data, Datum, Event, Stream, TimeMs, decode};
use yiping_simulator::{Faults, Line, Options, Simulator};

/// A run in Weihai; `start` is local time.
fn run(start: &str, minutes: i64, scale: f64, faults: Faults, streams: &[Stream]) -> Vec<Line> {
    simulate(&options(start, minutes * MINUTE, scale, faults, streams)).collect()
}

#[test]
fn the_same_arguments_give_the_same_bytes_and_another_seed_gives_others() {
    let run = |seed| {
        let mut text = Vec::new();
        let options = Options {
            duration_ms: Some(5 * MINUTE),
            scale: 0.2,
            faults: Faults::Hostile,
            ..Options::new(seed, local("2026-11-20T08:00:00"))
        };
        let lines = yiping_simulator::write(Simulator::new(&City::weihai(), &options), &mut text).unwrap();
        assert_eq!(lines, text.iter().filter(|&&b| b == b'\n').count() as u64);
        text
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

/// The same on any machine. Whoever changes the profile or the simulator changes the digits: then take the new ones.
#[test]
fn the_bytes_of_seed_1_are_known() {
    let lines = run("2026-11-20T17:30:00", 30, 0.1, Faults::Hostile, &Stream::ALL);
    let bytes = lines.iter().flat_map(|line| line.json.bytes());
    let fnv1a =
        bytes.fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3));
    assert_eq!(format!("{} lines, {fnv1a:016x}", lines.len()), "27191 lines, b9b5893fd52c5d6d");
}

#[test]
fn every_line_is_an_event_of_its_stream_with_its_time_of_receipt_in_order() {
    let lines = run("2026-11-20T07:50:00", 15, 1.0, Faults::Usual, &Stream::ALL);
    assert!(lines.len() > 100_000, "{}", lines.len());
    let mut before = local("2026-11-20T07:50:00");
    for line in &lines {
        let event = event(line);
        assert_eq!(event.received, Some(line.receive), "{}", line.json);
        assert!(event.time < line.receive);
        assert!(line.receive >= before);
        before = line.receive;
        match &event.data {
            Data::SourceHeartbeat(beat) => assert_eq!(beat.stream, Some(line.stream)),
            _ => assert_eq!(event.stream(), Some(line.stream)),
        }
    }
    assert!(before < local("2026-11-20T08:05:00"));
}

#[test]
fn leaving_a_stream_out_changes_nothing_in_the_others() {
    let all = run("2026-11-20T10:00:00", 3, 0.3, Faults::Usual, &Stream::ALL);
    let two = run("2026-11-20T10:00:00", 3, 0.3, Faults::Usual, &[Stream::Parking, Stream::Elder]);
    let of_two = |line: &Line| matches!(line.stream, Stream::Parking | Stream::Elder);
    assert_eq!(all.into_iter().filter(of_two).collect::<Vec<_>>(), two);
}

#[test]
fn all_types_appear_within_a_day_in_the_city_s_numbers() {
    let lines = run("2026-11-20T04:00:00", 24 * 60, 0.1, Faults::None, &Stream::ALL);
    assert!(lines.is_sorted_by_key(|line| line.receive));
    let mut types: BTreeMap<&str, usize> = BTreeMap::new();
    let mut words: BTreeMap<String, usize> = BTreeMap::new();
    for line in &lines {
        let event = event(line);
        *types.entry(event.type_name()).or_default() += 1;
        let word = match &event.data {
            Data::BusStop(d) => d.event.to_string(),
            Data::BusTrip(d) => d.event.to_string(),
            Data::ParkingCredit(d) => d.event.to_string(),
            Data::ParkingPayment(d) => d.channel.to_string(),
            Data::HotlineCall(d) => d.event.to_string(),
            Data::HotlineOrder(d) => d.event.to_string(),
            Data::ElderSos(d) => d.event.to_string(),
            Data::ElderCall(d) => d.category.to_string(),
            Data::ElderOrder(d) => d.event.to_string(),
            _ => String::new(),
        };
        *words.entry(format!("{} {word}", event.type_name())).or_default() += 1;
    }
    let within = |name: &str, low: usize, high: usize| {
        let count = words.get(name).or(types.get(name)).copied().unwrap_or(0);
        assert!((low..=high).contains(&count), "{name}: {count}");
    };
    assert_eq!(types.len(), 17, "{types:?}");
    // A tenth of the city: 140 vehicles for some 17 hours, four positions a minute.
    within("city.bus.position", 480_000, 640_000);
    within("city.bus.trip started", 1_500, 4_500);
    within("city.bus.trip cancelled", 2, 60);
    within("city.parking.snapshot", 30 * 1_440, 60 * 1_440);
    within("city.parking.entry", 8_000, 40_000);
    within("city.parking.payment wechat", 3_000, 20_000);
    within("city.parking.credit settled", 50, 1_000);
    within("city.hotline.call offered", 180, 220);
    within("city.hotline.order created", 90, 150);
    within("city.hotline.order dispatched", 15, 60);
    within("city.hotline.order closed", 15, 60);
    within("city.hotline.callback ", 10, 80);
    within("city.elder.call life_care", 200, 350);
    within("city.elder.sos raised", 2, 6);
    within("city.elder.order created", 1, 12);
    within("city.elder.callback ", 1, 12);
    // 200 devices, one sign of life in half an hour, some of them silent for spells
    within("city.elder.heartbeat", 9_000, 9_650);
    within("city.source.heartbeat", 4 * 24 * 240, 12 * 24 * 360);
}

#[test]
fn every_word_of_the_contract_is_said_some_day() {
    let lines = run("2026-11-18T00:00:00", 4 * 24 * 60, 1.0, Faults::None, &[Stream::Hotline]);
    let mut orders = HashSet::new();
    let mut calls = HashSet::new();
    for line in &lines {
        match event(line).data {
            Data::HotlineOrder(d) => orders.insert(d.event),
            Data::HotlineCall(d) => calls.insert(d.event),
            _ => false,
        };
    }
    assert_eq!(orders.len(), OrderKind::ALL.len(), "{orders:?}");
    assert_eq!(calls.len(), CallKind::ALL.len(), "{calls:?}");
}

#[test]
fn the_whole_fleet_is_online_by_day_and_some_of_it_at_night() {
    let count = |start: &str| {
        let lines = run(start, 3, 1.0, Faults::None, &[Stream::Bus]);
        let positions = lines.iter().filter_map(|line| match event(line).data {
            Data::BusPosition(d) => Some(d.vehicle_id.into_owned()),
            _ => None,
        });
        positions.collect::<HashSet<_>>().len()
    };
    assert_eq!(count("2026-11-20T11:00:00"), 1_400);
    assert_eq!(count("2026-11-20T18:00:00"), 1_400);
    let night = count("2026-11-20T02:00:00");
    assert!((20..100).contains(&night), "{night}");
}

#[test]
fn buses_drive_like_buses_inside_the_city() {
    let city = City::weihai();
    let lines = run("2026-11-20T07:00:00", 120, 0.5, Faults::None, &[Stream::Bus]);
    let mut last: HashMap<String, (TimeMs, f64, f64)> = HashMap::new();
    let (mut metres, mut seconds, mut steps) = (0.0, 0.0, 0);
    let mut gcj02 = 0;
    for line in &lines {
        let event = event(line);
        if let Data::BusPosition(d) = &event.data {
            let (lon, lat) = if d.datum == Some(Datum::Gcj02) { gcj02_to_wgs84(d.lon, d.lat) } else { (d.lon, d.lat) };
            gcj02 += usize::from(d.datum == Some(Datum::Gcj02));
            assert!(city.contains(lon, lat) && city.bounds.contains(lon, lat), "{}", line.json);
            assert_ne!(city.district_of(lon, lat), OTHER, "{}", line.json);
            if d.passengers > d.capacity.map(|c| c * 11 / 10) {
                panic!("{}", line.json);
            }
            if let Some(&(then, x, y)) = last.get(d.vehicle_id.as_ref())
                && then < event.time
            {
                let step = (((lon - x) * 88_700.0).powi(2) + ((lat - y) * 111_320.0).powi(2)).sqrt();
                #[expect(clippy::cast_precision_loss, reason = "seconds between fixes")]
                let time = (event.time.ms() - then.ms()) as f64 / 1_000.0;
                assert!(step / time * 3.6 < 90.0, "{} km/h: {}", step / time * 3.6, line.json);
                metres += step;
                seconds += time;
                steps += 1;
            }
            last.insert(d.vehicle_id.to_string(), (event.time, lon, lat));
        }
    }
    let kmh = metres / seconds * 3.6;
    assert!(steps > 100_000 && (14.0..32.0).contains(&kmh), "{kmh} km/h");
    assert!(gcj02 > 1_000);
}

#[test]
fn a_trip_calls_at_its_stops_in_order_and_ends() {
    let lines = run("2026-11-20T09:00:00", 180, 0.1, Faults::None, &[Stream::Bus]);
    let mut trips: BTreeMap<String, Vec<(u32, StopKind, TimeMs)>> = BTreeMap::new();
    let mut started: HashMap<String, TimeMs> = HashMap::new();
    let mut finished: HashMap<String, TimeMs> = HashMap::new();
    for line in &lines {
        let event = event(line);
        match event.data {
            Data::BusStop(d) => {
                let calls = trips.entry(d.trip_id.unwrap().into_owned()).or_default();
                calls.push((d.stop_seq.unwrap(), d.event, event.time));
            }
            Data::BusTrip(d) if d.event == TripKind::Started => _ = started.insert(d.trip_id.into_owned(), event.time),
            Data::BusTrip(d) if d.event == TripKind::Finished => {
                _ = finished.insert(d.trip_id.into_owned(), event.time)
            }
            _ => {}
        }
    }
    let mut whole = 0;
    for (trip, mut calls) in trips {
        let (Some(&start), Some(&end)) = (started.get(&trip), finished.get(&trip)) else { continue };
        whole += 1;
        calls.sort_by_key(|&(.., time)| time);
        assert_eq!(calls[0], (1, StopKind::Departed, start));
        assert_eq!(calls.last().map(|&(_, kind, time)| (kind, time)), Some((StopKind::Arrived, end)));
        for pair in calls.windows(2) {
            let next = if pair[0].1 == StopKind::Departed {
                (pair[0].0 + 1, StopKind::Arrived)
            } else {
                (pair[0].0, StopKind::Departed)
            };
            assert_eq!((pair[1].0, pair[1].1), next, "{trip}");
        }
    }
    assert!(whole > 200, "{whole}");
}

#[test]
fn a_snapshot_counts_the_cars_that_came_and_went() {
    let lines = run("2026-11-20T08:00:00", 180, 0.3, Faults::None, &[Stream::Parking]);
    let mut events: Vec<Event<'_>> = lines.iter().map(event).collect();
    events.sort_by_key(|e| (e.time, e.rank()));
    let mut taken: HashMap<(String, Option<String>), i64> = HashMap::new();
    let (mut snapshots, mut fullest, mut payments) = (0, 0, 0);
    for event in &events {
        match &event.data {
            Data::ParkingSnapshot(d) => {
                let key = (d.lot_id.to_string(), d.floor.as_ref().map(ToString::to_string));
                if let Some(&taken) = taken.get(&key) {
                    assert_eq!(d.occupied, taken, "{event:?}");
                    snapshots += 1;
                }
                assert!((0..=d.capacity).contains(&d.occupied), "{event:?}");
                fullest = fullest.max(d.occupied * 100 / d.capacity);
                taken.insert(key, d.occupied);
            }
            Data::ParkingEntry(d) => {
                let key = (d.lot_id.to_string(), d.floor.as_ref().map(ToString::to_string));
                taken.entry(key).and_modify(|n| *n += 1);
            }
            Data::ParkingExit(d) => {
                let key = (d.lot_id.to_string(), d.floor.as_ref().map(ToString::to_string));
                taken.entry(key).and_modify(|n| *n -= 1);
                assert!(d.entry_time.unwrap() < event.time);
            }
            Data::ParkingPayment(d) => payments += usize::from(d.result == PaymentResult::Ok),
            _ => {}
        }
    }
    assert!(snapshots > 15_000, "{snapshots}");
    assert!(fullest > 90, "{fullest} %");
    assert!(payments > 1_000, "{payments}");
}

#[test]
fn within_any_twenty_seconds_of_the_night_all_streams_speak() {
    let lines = run("2026-11-20T00:30:00", 300, 1.0, Faults::Usual, &Stream::ALL);
    for stream in Stream::ALL {
        let mut before = local("2026-11-20T00:30:00");
        for line in lines.iter().filter(|line| line.stream == stream) {
            assert!(line.receive.ms() - before.ms() < 20_000, "{stream} silent from {before} to {}", line.receive);
            before = line.receive;
        }
        assert!(before > local("2026-11-20T05:29:40"));
    }
}

#[test]
fn usual_faults_come_in_the_contract_s_shares() {
    let lines = run("2026-11-20T12:00:00", 240, 0.2, Faults::Usual, &Stream::ALL);
    assert!(lines.is_sorted_by_key(|line| line.receive));
    let mut seen = HashSet::new();
    let (mut twice, mut late, mut stored, mut backfill) = (0, 0, 0, 0);
    let (mut entered, mut left_without) = (HashSet::new(), 0);
    for line in &lines {
        let event = event(line);
        let again = !seen.insert((event.source.to_string(), event.id.to_string()));
        twice += usize::from(again);
        let delay = line.receive.ms() - event.time.ms();
        assert!(delay <= 5 * HOUR);
        late += usize::from((4_001..=60_000).contains(&delay));
        stored += usize::from(delay > 30 * MINUTE);
        match event.data {
            Data::BusPosition(d) => {
                assert_eq!(d.backfill.is_some(), delay > 30 * MINUTE, "{}", line.json);
                backfill += usize::from(d.backfill.is_some());
            }
            Data::ParkingEntry(d) => _ = entered.insert(d.session_id.into_owned()),
            Data::ParkingExit(d) if !entered.contains(d.session_id.as_ref()) => left_without += 1,
            _ => {}
        }
    }
    let all = lines.len();
    assert!((0.0045..0.0055).contains(&share(twice, all)), "{twice} of {all}");
    assert!((0.008..0.012).contains(&share(late, all)), "{late} of {all}");
    assert!((0.0004..0.002).contains(&share(stored, all)), "{stored} of {all}");
    assert!(backfill > stored / 2 && left_without > 0, "{backfill} {left_without}");
}

#[test]
fn hostile_feeds_bring_every_mischief_and_still_mostly_events() {
    let city = City::weihai();
    let lines = run("2026-11-20T15:00:00", 60, 0.3, Faults::Hostile, &Stream::ALL);
    let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut future, mut years, mut negative, mut over, mut zero, mut outside) = (0, 0, 0, 0, 0, 0);
    for line in &lines {
        assert!(!line.json.contains('\n'));
        let event = match decode(line.json.as_bytes()) {
            Ok(event) => event,
            Err(reject) => {
                *codes.entry(reject.code.as_str()).or_default() += 1;
                continue;
            }
        };
        let ahead = event.time.ms() - line.receive.ms();
        future += usize::from((HOUR / 2..24 * HOUR).contains(&ahead));
        years += usize::from(ahead > 300 * 24 * HOUR);
        match event.data {
            Data::ParkingSnapshot(d) => {
                negative += usize::from(d.occupied < 0);
                over += usize::from(d.occupied > d.capacity);
            }
            Data::BusPosition(d) => {
                let nowhere = d.lon == 0.0 && d.lat == 0.0;
                zero += usize::from(nowhere);
                outside += usize::from(!nowhere && !city.contains(d.lon, d.lat));
            }
            _ => {}
        }
    }
    let bad_json = codes.get("bad_json").copied().unwrap_or(0);
    assert!((0.008..0.012).contains(&share(bad_json, lines.len())), "{codes:?}");
    assert!(codes.len() >= 3, "{codes:?}");
    for (what, count) in [
        ("future", future),
        ("years", years),
        ("negative", negative),
        ("over", over),
        ("zero", zero),
        ("outside", outside),
    ] {
        assert!(count > 0, "{what}");
    }
    assert!(share(codes.values().sum(), lines.len()) < 0.02, "{codes:?}");
}

#[test]
fn scale_multiplies_and_a_city_without_anything_still_lives() {
    let lots = |scale| {
        let lines = run("2026-11-20T10:00:00", 2, scale, Faults::None, &[Stream::Parking]);
        let lots = lines.iter().filter_map(|line| match event(line).data {
            Data::ParkingSnapshot(d) => Some(d.lot_id.into_owned()),
            _ => None,
        });
        lots.collect::<HashSet<_>>().len()
    };
    assert_eq!((lots(0.1), lots(1.0), lots(2.0)), (30, 300, 600));
    let lines = run("2026-11-20T10:00:00", 2, 0.0, Faults::None, &Stream::ALL);
    assert!(lines.iter().all(|line| event(line).type_name() == "city.source.heartbeat") && lines.len() > 80);
}
