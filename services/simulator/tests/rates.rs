//! The city's rates, counted over a day as the metric catalogue defines them, against the norms that its notes give.
//!
//! Bounds are four to five standard deviations of a share of that many events, around what the norm says, and at least
//! half a per cent to each side where the norm is only known to a per cent. They hold for any seed, so that a change of
//! the profile doesn't break them.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::{HashMap, HashSet};

use support::{DAY, HOUR, MINUTE, event, local, options, share, simulate};
use yiping_city::City;
use yiping_event::bus::{StopKind, TripKind};
use yiping_event::elder::{OrderKind as ServiceKind, SosKind};
use yiping_event::hotline::{CallKind, OrderKind};
use yiping_event::parking::{Channel, CreditKind, PaymentResult};
use yiping_event::{Data, Stream};
use yiping_simulator::{Faults, Line};

/// The lines of a run that hold `word`, for streams of which most is something else.
fn with(word: &str, start: &str, days: i64, scale: f64, faults: Faults, stream: Stream) -> Vec<Line> {
    let lines = simulate(&options(start, days * DAY, scale, faults, &[stream]));
    lines.filter(|line| line.json.contains(word)).collect()
}

fn assert_in(what: &str, value: f64, bounds: std::ops::Range<f64>) {
    assert!(bounds.contains(&value), "{what}: {value}, not in {bounds:?}");
}

#[test]
fn buses_are_on_time_and_dispatched_as_the_norms_say() {
    // A tenth of the fleet: 3,600 trips on 300 ways of which each has some dozen jams' turns.
    let lines = with("city.bus.", "2026-11-20T00:00:00", 1, 0.1, Faults::None, Stream::Bus);
    let midnight = local("2026-11-20T23:50:00");
    let in_time = |late: i64| (-MINUTE..=5 * MINUTE).contains(&late);
    let (mut due, mut punctual) = (0, 0);
    let (mut scheduled, mut started) = (HashSet::new(), HashSet::new());
    let (mut arrivals, mut dwells, mut loads) = (HashMap::new(), Vec::new(), Vec::new());
    for line in &lines {
        let event = event(line);
        match event.data {
            Data::BusStop(d) if d.event == StopKind::Arrived => {
                arrivals.insert((d.trip_id.unwrap().into_owned(), d.stop_seq), event.time.ms());
            }
            Data::BusStop(d) => {
                let late = event.time.ms() - d.scheduled_time.unwrap().ms();
                if d.timing_point == Some(true) {
                    due += 1;
                    punctual += usize::from(in_time(late));
                }
                let stop = (d.trip_id.unwrap().into_owned(), d.stop_seq);
                dwells.extend(arrivals.remove(&stop).map(|arrived| event.time.ms() - arrived));
            }
            Data::BusTrip(d) => match d.event {
                // what is to start around midnight may not have started when the day is over
                TripKind::Scheduled if d.scheduled_time >= midnight => {}
                TripKind::Scheduled => _ = scheduled.insert(d.trip_id.into_owned()),
                TripKind::Cancelled => _ = scheduled.remove(d.trip_id.as_ref()),
                TripKind::Started if in_time(event.time.ms() - d.scheduled_time.ms()) => {
                    started.insert(d.trip_id.into_owned());
                }
                _ => {}
            },
            Data::BusPosition(d) if event.time.ms() % 20 == 0 => {
                loads.push(share(d.passengers.unwrap() as usize, d.capacity.unwrap() as usize));
            }
            _ => {}
        }
    }
    // below the 0.95 of the Traffic Commissioners: this warning is meant to be open
    assert_in("on time", share(punctual, due), 0.905..0.94);
    let dispatched = scheduled.iter().filter(|trip| started.contains(*trip)).count();
    assert_in("dispatch", share(dispatched, scheduled.len()), 0.98..0.995);
    dwells.sort_unstable();
    let (p50, p95) = (dwells[dwells.len() / 2], dwells[dwells.len() * 95 / 100]);
    assert!((12_000..25_000).contains(&p50) && (25_000..60_000).contains(&p95), "dwell {p50} {p95} ms");
    loads.sort_by(f64::total_cmp);
    assert_in("load p90", loads[loads.len() * 9 / 10], 0.4..0.95);
}

#[test]
fn one_of_fifty_attempts_to_pay_fails_and_waivers_are_none() {
    let lines = with("city.parking.payment", "2026-11-20T00:00:00", 1, 0.1, Faults::None, Stream::Parking);
    let (mut attempts, mut failed, mut waived) = (0, 0, 0);
    for line in &lines {
        let Data::ParkingPayment(d) = event(line).data else { panic!("{}", line.json) };
        if d.channel == Channel::Waived {
            assert_eq!((d.result, d.amount_fen), (PaymentResult::Ok, 0));
            waived += 1;
        } else {
            attempts += 1;
            failed += usize::from(d.result == PaymentResult::Failed);
        }
    }
    // some 14,000 attempts
    assert_in("failed", share(failed, attempts), 0.015..0.025);
    assert_in("waived", share(waived, attempts + waived), 0.012..0.028);
}

#[test]
fn one_of_fifty_exits_is_lost_under_usual_faults_and_none_without() {
    for (faults, bounds) in [(Faults::None, 0.0..1e-9), (Faults::Usual, 0.015..0.03)] {
        let lines = with("_id\":\"S", "2026-11-20T06:00:00", 1, 0.1, faults, Stream::Parking);
        let end_of_entries = local("2026-11-20T20:00:00");
        let (mut entered, mut left) = (HashSet::new(), HashSet::new());
        for line in &lines {
            match event(line).data {
                Data::ParkingEntry(d) if line.receive < end_of_entries => _ = entered.insert(d.session_id.into_owned()),
                // all cars are gone at 04:00, so that a session without an exit lost it
                Data::ParkingExit(d) => _ = left.insert(d.session_id.into_owned()),
                _ => {}
            }
        }
        let lost = entered.iter().filter(|session| !left.contains(*session)).count();
        assert!(entered.len() > 5_000, "{}", entered.len());
        // beside the 2 %: exits in a lot's or its platform's silent spell, and those that come hours late
        assert_in("lost exits", share(lost, entered.len()), bounds);
    }
}

#[test]
fn one_of_fifty_debts_is_open_when_it_is_due() {
    let start = local("2026-11-20T00:00:00");
    let lines = with("city.parking.credit", "2026-11-20T00:00:00", 10, 0.15, Faults::None, Stream::Parking);
    let (mut due, mut settled) = (HashMap::new(), HashMap::new());
    let (mut owed, mut paid) = (HashMap::new(), HashMap::new());
    for line in &lines {
        let event = event(line);
        let Data::ParkingCredit(d) = event.data else { panic!("{}", line.json) };
        let session = d.session_id.into_owned();
        if d.event == CreditKind::LeftUnpaid {
            owed.insert(session.clone(), d.amount_fen);
            due.insert(session, d.due.unwrap());
        } else {
            paid.insert(session.clone(), d.amount_fen);
            settled.insert(session, event.time);
        }
    }
    due.retain(|_, due| due.ms() < start.ms() + 10 * DAY);
    let overdue = due.iter().filter(|(session, due)| settled.get(*session).is_none_or(|at| at > *due)).count();
    assert!(due.len() > 1_000, "{}", due.len());
    // of some 2,000 debts: 2 % ± 1.3 %
    assert_in("overdue", share(overdue, due.len()), 0.007..0.033);
    assert!(paid.iter().all(|(session, fen)| owed.get(session).is_none_or(|owed| owed == fen)));
    // debts of the days before the run are settled in it, too
    assert!(paid.keys().any(|session| !owed.contains_key(session)));
}

#[test]
fn hotline_calls_are_answered_as_the_norms_say() {
    let lines = with("city.hotline.call\"", "2026-11-20T00:00:00", 1, 5.0, Faults::None, Stream::Hotline);
    let (mut offered, mut answered, mut swift, mut abandoned, mut unanswered_ended) = (0, 0, 0, 0, 0);
    let (mut wait_s, mut talk_s, mut talks) = (0.0, 0.0, 0.0);
    for line in &lines {
        let Data::HotlineCall(d) = event(line).data else { panic!("{}", line.json) };
        match d.event {
            CallKind::Offered => offered += 1,
            CallKind::Answered => {
                answered += 1;
                swift += usize::from(d.wait_s.unwrap() <= 15.0);
                wait_s += d.wait_s.unwrap();
            }
            CallKind::Abandoned => abandoned += 1,
            CallKind::Ended => match d.talk_s {
                Some(talk) => {
                    assert!(d.hold_s.is_some() && d.wrap_s.is_some());
                    (talk_s, talks) = (talk_s + talk, talks + 1.0);
                }
                None => unanswered_ended += 1,
            },
        }
    }
    assert!((9_000..11_000).contains(&offered), "{offered}");
    assert_in("connect", share(answered, offered), 0.963..0.98);
    assert_in("within 15 s", share(swift, offered), 0.905..0.94);
    // 常州's 12 s and 150 s
    #[expect(clippy::cast_precision_loss, reason = "counts of a test")]
    let mean_wait = wait_s / answered as f64;
    assert_in("wait", mean_wait, 11.0..13.0);
    assert_in("talk", talk_s / talks, 143.0..157.0);
    // a quarter of some 280
    assert_in("ended without an answer", share(unanswered_ended, abandoned), 0.13..0.37);
}

#[test]
fn hotline_orders_meet_their_limits_and_callers_are_content_as_the_norms_say() {
    let city = City::weihai();
    let start = "2026-11-02T00:00:00";
    let lines = with("_id\":\"W", start, 28, 1.0, Faults::None, Stream::Hotline);
    let after = local(start).ms() + 21 * DAY;
    let (mut created, mut direct, mut dispatched, mut returned) = (0, 0, 0, 0);
    let (mut closed, mut reopened) = (0, 0);
    // by order: when it was first dispatched, its limit for the first contact, whether it is open, when it is due
    let (mut response, mut limits) = (HashMap::new(), HashMap::new());
    let mut state: HashMap<String, (bool, Option<i64>)> = HashMap::new();
    let (mut asked, mut content, mut resolved) = (0, 0, 0);
    let (mut due, mut in_time, mut contacted_due, mut contacted) = (0, 0, 0, 0);
    let mut judged: Vec<(i64, String)> = Vec::new();
    let mut events: Vec<_> = lines.iter().map(event).collect();
    events.sort_by_key(|e| e.time);
    for event in events {
        let now = event.time.ms();
        // whose limit has passed is judged by how it stood then
        judged.retain(|(limit, order)| {
            let (open, newest) = state[order];
            if *limit >= now || newest != Some(*limit) {
                return *limit >= now;
            }
            if *limit >= after {
                due += 1;
                in_time += usize::from(!open);
            }
            false
        });
        match event.data {
            Data::HotlineOrder(d) => {
                let order = d.order_id.into_owned();
                match d.event {
                    OrderKind::Created => {
                        created += 1;
                        if d.direct == Some(true) {
                            direct += 1;
                            continue;
                        }
                        let hours = i64::from(city.category("hotline", &d.category.unwrap()).unwrap().response_h);
                        limits.insert(order.clone(), hours * HOUR);
                        judged.extend(d.due.map(|due| (due.ms(), order.clone())));
                        state.insert(order, (true, d.due.map(|due| due.ms())));
                    }
                    OrderKind::Dispatched => {
                        dispatched += 1;
                        if let Some(limit) = limits.get(&order) {
                            response.entry(order).or_insert(now + limit);
                        }
                    }
                    OrderKind::Contacted => {
                        if let Some(limit) = response.get(&order) {
                            contacted_due += 1;
                            contacted += usize::from(now <= *limit);
                        }
                    }
                    OrderKind::Extended => {
                        if let Some((_, newest)) = state.get_mut(&order) {
                            *newest = d.due.map(|due| due.ms());
                            judged.extend(d.due.map(|due| (due.ms(), order)));
                        }
                    }
                    OrderKind::Closed | OrderKind::Reopened => {
                        closed += usize::from(d.event == OrderKind::Closed);
                        reopened += usize::from(d.event == OrderKind::Reopened);
                        state.entry(order).and_modify(|(open, _)| *open = d.event == OrderKind::Reopened);
                    }
                    OrderKind::Returned => returned += 1,
                    _ => {}
                }
            }
            Data::HotlineCallback(d) => {
                asked += usize::from(d.satisfied.is_some());
                content += usize::from(d.satisfied == Some(true));
                resolved += usize::from(d.resolved == Some(true));
            }
            _ => {}
        }
    }
    // 28 days have some 33,000 orders, 7,000 of them dispatched; the last seven days' limits are some 1,600
    assert_in("direct", share(direct, created), 0.77..0.81);
    assert_in("response", share(contacted, contacted_due), 0.983..0.997);
    assert!(due > 1_000, "{due}");
    assert_in("closed in time", share(in_time, due), 0.962..0.994);
    assert_in("returned", share(returned, dispatched), 0.02..0.04);
    assert_in("reopened", share(reopened, closed), 0.011..0.029);
    assert!(asked > 5_000, "{asked}");
    assert_in("content", share(content, asked), 0.88..0.92);
    assert_in("resolved", share(resolved, asked), 0.89..0.94);
}

#[test]
fn elder_calls_orders_and_alarms_are_handled_as_the_norms_say() {
    let start = "2026-11-20T00:00:00";
    let streams = &[Stream::Elder];
    let lines = simulate(&options(start, DAY, 10.0, Faults::None, streams));
    let lines: Vec<Line> = lines.filter(|line| !line.json.contains("heartbeat")).collect();
    let before_the_last_hour = local(start).ms() + 23 * HOUR;
    let (mut offered, mut answered, mut orders) = (0, 0, 0);
    let (mut ends, mut scores, mut content) = (HashMap::<ServiceKind, usize>::new(), 0, 0);
    let mut cases: HashMap<String, HashMap<SosKind, i64>> = HashMap::new();
    for line in &lines {
        let event = event(line);
        match event.data {
            Data::ElderCall(d) => {
                offered += usize::from(d.event == CallKind::Offered);
                answered += usize::from(d.event == CallKind::Answered);
            }
            Data::ElderOrder(d) => {
                orders += usize::from(d.event == ServiceKind::Created);
                *ends.entry(d.event).or_default() += 1;
            }
            Data::ElderCallback(d) => {
                scores += 1;
                content += usize::from(d.score >= 4);
            }
            Data::ElderSos(d) => {
                cases.entry(d.case_id.into_owned()).or_default().insert(d.event, event.time.ms());
            }
            _ => {}
        }
    }
    // ten times 2,500, with 5 % more or fewer on a single day
    assert!((23_500..26_500).contains(&offered), "{offered}");
    assert_in("connect", share(answered, offered), 0.965..0.985);
    // Weihai: 5,632 / 288,041
    assert_in("conversion", share(orders, offered), 0.0155..0.0245);
    let finished = ends[&ServiceKind::Finished];
    let ended = finished + ends[&ServiceKind::Cancelled] + ends.get(&ServiceKind::NoShow).unwrap_or(&0);
    assert_in("completion", share(finished, ended), 0.93..1.0);
    assert!(ends[&ServiceKind::Cancelled] > 0);
    assert_in("content", share(content, scores), 0.93..1.0);

    cases.retain(|_, told| told.get(&SosKind::Raised).is_some_and(|&raised| raised < before_the_last_hour));
    // ten times 40, with 20 % more or fewer on a single day
    assert!((290..500).contains(&cases.len()), "{}", cases.len());
    let after = |told: &HashMap<SosKind, i64>, kind| Some(told.get(&kind)? - told[&SosKind::Raised]);
    let acknowledged = |told: &HashMap<SosKind, i64>| {
        after(told, SosKind::Acknowledged).or_else(|| after(told, SosKind::FalseAlarm)).unwrap()
    };
    let within = |limit: i64| cases.values().filter(|told| acknowledged(told) <= limit).count();
    assert_in("ack 60 s", share(within(MINUTE), cases.len()), 0.95..1.0);
    assert_in("ack 180 s", share(within(3 * MINUTE), cases.len()), 0.985..1.1);
    let failed = cases.values().filter(|told| told.contains_key(&SosKind::NotConnected)).count();
    assert_in("first attempt", share(failed, cases.len()), 0.11..0.27);
    let arrivals: Vec<i64> = cases.values().filter_map(|told| after(told, SosKind::Arrived)).collect();
    let soon = arrivals.iter().filter(|&&took| took <= 45 * MINUTE).count();
    assert!(arrivals.len() > 100, "{}", arrivals.len());
    assert_in("arrive 45 min", share(soon, arrivals.len()), 0.86..0.99);
    assert!(arrivals.iter().all(|&took| took <= 60 * MINUTE));
    assert!(cases.values().any(|told| told.contains_key(&SosKind::FalseAlarm)));
}

#[test]
fn about_two_of_a_hundred_devices_are_silent_for_a_day() {
    let lines = with("city.elder.heartbeat", "2026-11-20T00:00:00", 2, 1.0, Faults::None, Stream::Elder);
    let (mut first, mut second) = (HashSet::new(), HashSet::new());
    let midnight = local("2026-11-21T00:00:00");
    for line in &lines {
        let event = event(line);
        let Data::ElderHeartbeat(d) = event.data else { panic!("{}", line.json) };
        let day = if event.time < midnight { &mut first } else { &mut second };
        day.insert(d.device_id.into_owned());
    }
    // silent for 60 hours, a day of 24 is missed by 36 / 60 of the 2 %
    assert_in("silent", share(2_000 - second.len(), 2_000), 0.004..0.025);
    assert!(first.iter().any(|device| !second.contains(device)));
}
