//! What opens, what closes, and what changes nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on may panic")]

use yiping_catalogue::Catalogue;
use yiping_city::City;
use yiping_watch::{Baseline, Breach, DAYS, Figure, Judge, Outcome, Past, Rules};

const MINUTE: i64 = 60_000;

fn judge(stream: &str) -> (Judge, City) {
    let mut city = City::weihai();
    city.thresholds.clear();
    let rules = Rules::new(&Catalogue::builtin().unwrap(), &city).unwrap();
    (Judge::new(stream, &rules, 0), city)
}

fn figure(metric: &str, level: &str, key: &str, span: &str, minute: i64, value: Option<f64>) -> Figure {
    let [metric, level, key, span] = [metric, level, key, span].map(str::to_owned);
    Figure { metric, level, key, span, end: minute * MINUTE, value }
}

/// The city's number of callers who wait, minute by minute.
fn waiting(values: &[(i64, f64)]) -> Vec<Figure> {
    values
        .iter()
        .map(|(minute, value)| figure("hotline.waiting", "city", "city", "now", *minute, Some(*value)))
        .collect()
}

/// opened and closed, in minutes.
fn told(outcome: &Outcome) -> Vec<(i64, Option<i64>)> {
    outcome.breaches.iter().map(|breach| (breach.opened_at / MINUTE, breach.closed_at.map(|at| at / MINUTE))).collect()
}

fn judged(judge: &mut Judge, city: &City, figures: &[Figure]) -> Outcome {
    let until = figures.iter().map(|figure| figure.end).max().unwrap_or_default();
    judge.judge(figures, &Past::new(), city, until)
}

#[test]
fn a_breach_opens_after_its_time_and_closes_behind_its_clear() {
    // more than 20 wait, for 2 minutes: beyond from minute 1 on, so it opens at minute 3; at 15 it stays, below 10 it closes
    let (mut judge, city) = judge("hotline");
    let story = [(0, 3.0), (1, 25.0), (2, 30.0), (3, 28.0), (4, 40.0), (5, 15.0), (6, 9.0), (7, 3.0)];
    let outcome = judged(&mut judge, &city, &waiting(&story));
    assert_eq!(told(&outcome), [(3, Some(6))]);
    let Breach { value, worst, threshold, severity, owner, action, .. } = &outcome.breaches[0];
    assert_eq!((*value, *worst, *threshold, *severity), (28.0, 40.0, 20.0, "warning"));
    assert!(!owner.is_empty() && !action.is_empty());
}

#[test]
fn a_peak_that_is_too_short_opens_nothing_nor_does_one_with_a_gap_of_data() {
    let (mut judge, city) = judge("hotline");
    assert_eq!(told(&judged(&mut judge, &city, &waiting(&[(1, 25.0), (2, 25.0), (3, 5.0)]))), []);
    let mut figures = waiting(&[(11, 25.0), (12, 25.0)]);
    figures.push(figure("hotline.waiting", "city", "city", "now", 13, None));
    figures.extend(waiting(&[(14, 25.0), (15, 25.0)]));
    assert_eq!(told(&judged(&mut judge, &city, &figures)), []);
    assert_eq!(told(&judged(&mut judge, &city, &waiting(&[(16, 25.0)]))), [(16, None)]);
}

#[test]
fn however_the_story_is_cut_the_breaches_are_the_same() {
    let story = waiting(&[
        (0, 3.0),
        (1, 25.0),
        (2, 30.0),
        (3, 28.0),
        (4, 40.0),
        (5, 15.0),
        (6, 9.0),
        (7, 30.0),
        (8, 31.0),
        (9, 33.0),
    ]);
    let newest = |outcomes: Vec<Outcome>| {
        let mut breaches: std::collections::BTreeMap<String, Breach> = Default::default();
        for breach in outcomes.into_iter().flat_map(|outcome| outcome.breaches) {
            breaches.insert(breach.id.clone(), breach);
        }
        breaches
    };
    let (mut straight, city) = judge("hotline");
    let whole = newest(vec![judged(&mut straight, &city, &story)]);
    assert_eq!(whole.len(), 2);
    for cut in 1..story.len() {
        let (mut first, _) = judge("hotline");
        let before = judged(&mut first, &city, &story[..cut]);
        // a new process takes up what was remembered, and is given the last figures once more
        let (mut second, _) = judge("hotline");
        second.recall(before.states.clone());
        let after = judged(&mut second, &city, &story[cut.saturating_sub(2)..]);
        assert_eq!(newest(vec![before, after]), whole, "cut after {cut}");
    }
}

#[test]
fn without_what_was_remembered_a_restart_would_open_it_once_more() {
    // the negative control of the test above
    let story = waiting(&[(1, 25.0), (2, 30.0), (3, 28.0), (4, 40.0), (5, 40.0), (6, 40.0)]);
    let (mut first, city) = judge("hotline");
    assert_eq!(told(&judged(&mut first, &city, &story[..4])), [(3, None)]);
    let (mut forgetful, _) = judge("hotline");
    assert_eq!(told(&judged(&mut forgetful, &city, &story[3..])), [(6, None)]);
}

#[test]
fn a_window_is_judged_once_whatever_comes_later() {
    let (mut judge, city) = judge("hotline");
    judged(&mut judge, &city, &waiting(&[(1, 25.0), (2, 25.0), (3, 25.0)]));
    // a backfill makes history worse
    assert_eq!(told(&judged(&mut judge, &city, &waiting(&[(2, 90.0), (3, 90.0)]))), []);
}

#[test]
fn a_share_is_judged_against_its_whole() {
    // overdue orders: more than 2 % of the open ones, for 30 minutes
    let (mut judge, city) = judge("hotline");
    let mut figures = Vec::new();
    for minute in 0..=40 {
        figures.push(figure("hotline.open_orders", "city", "city", "now", minute, Some(1_000.0)));
        figures.push(figure(
            "hotline.overdue_orders",
            "city",
            "city",
            "now",
            minute,
            Some(if minute < 5 { 19.0 } else { 21.0 }),
        ));
    }
    let outcome = judged(&mut judge, &city, &figures);
    assert_eq!(told(&outcome), [(35, None)]);
    assert_eq!((outcome.breaches[0].value, outcome.breaches[0].threshold), (21.0, 20.0));
    // nothing is open: no share of it can be overdue
    let nothing = [figure("hotline.open_orders", "city", "city", "now", 41, Some(0.0))];
    assert_eq!(told(&judged(&mut judge, &city, &nothing)), []);
}

#[test]
fn a_surge_is_judged_against_the_days_before_or_the_profiles_rate() {
    let (mut judge, city) = judge("hotline");
    let key = "环翠区/供热供水";
    let orders = |minute, count| figure("hotline.orders", "district_category", key, "30m", minute, Some(count));
    // nine are none, whatever was before
    assert!(judge.wants(&[orders(1, 9.0)]).is_empty());
    let wanted = judge.wants(&[orders(2, 30.0)]);
    assert_eq!(wanted.len(), 1);
    // 28 days of 20 ± 2: limit 26
    let days: Vec<f64> = (0..DAYS).map(|day| if day % 2 == 0 { 18.0 } else { 22.0 }).collect();
    let past: Past = [(wanted[0].clone(), Baseline::of(days).unwrap())].into();
    let outcome = judge.judge(&[orders(2, 30.0)], &past, &city, 2 * MINUTE);
    assert_eq!(told(&outcome), [(2, None)]);
    assert_eq!((outcome.breaches[0].metric.as_str(), outcome.breaches[0].threshold), ("hotline.surge", 26.0));
    // just below its limit it is the same surge; below three quarters of it (19.5) it is over
    assert_eq!(told(&judge.judge(&[orders(3, 25.0)], &past, &city, 3 * MINUTE)), []);
    assert_eq!(told(&judge.judge(&[orders(4, 19.0)], &past, &city, 4 * MINUTE)), [(2, Some(4))]);
    // with no past, by the profile's rate
    let rate = city.surge_rate("hotline.orders", "供热供水", Some("环翠区")).unwrap();
    assert!(rate < 10.0, "{rate}");
    assert_eq!(told(&judge.judge(&[orders(5, 60.0)], &Past::new(), &city, 5 * MINUTE)), [(5, None)]);
}

#[test]
fn a_norm_without_a_past_says_nothing() {
    let (mut judge, city) = judge("bus");
    let speed = |minute, value| figure("bus.speed_kmh", "city", "city", "15m", minute, Some(value));
    let slow: Vec<Figure> = (0..=20).map(|minute| speed(minute, 9.0)).collect();
    assert_eq!(judge.wants(&slow).len(), 21);
    assert_eq!(told(&judged(&mut judge, &city, &slow)), []);
    // usually 20 km/h: 9 is below half of it; for 10 minutes from minute 30 on
    let slow: Vec<Figure> = (30..=45).map(|minute| speed(minute, 9.0)).collect();
    let past: Past =
        judge.wants(&slow).into_iter().map(|one| (one, Baseline::of(vec![20.0; DAYS as usize]).unwrap())).collect();
    assert_eq!(told(&judge.judge(&slow, &past, &city, 45 * MINUTE)), [(40, None)]);
}

#[test]
fn what_is_heard_of_no_more_is_closed_after_two_hours() {
    let (mut judge, city) = judge("parking");
    let full = |minute| figure("parking.free_ratio", "district", "荣成市", "now", minute, Some(0.01));
    let figures: Vec<Figure> = (0..=15).map(full).collect();
    assert_eq!(told(&judged(&mut judge, &city, &figures)), [(10, None)]);
    assert_eq!(told(&judge.judge(&[], &Past::new(), &city, 100 * MINUTE)), []);
    assert_eq!(told(&judge.judge(&[], &Past::new(), &city, 136 * MINUTE)), [(10, Some(136))]);
}

#[test]
fn nobody_is_woken_by_buses_that_sleep() {
    // 30 % of the fleet online is judged from 07:00 to 19:00 of the city (23:00 to 11:00 UTC): it opens five minutes into the day
    // and closes when the day ends
    let (mut judge, city) = judge("bus");
    let online = |minute| figure("bus.online_ratio", "city", "city", "now", minute, Some(0.3));
    let six = (20_777 * 24 + 22) * 60; // 06:00 in Weihai
    let figures: Vec<Figure> = (six..six + 14 * 60).map(online).collect();
    assert_eq!(told(&judged(&mut judge, &city, &figures)), [(six + 65, Some(six + 13 * 60))]);
}

#[test]
fn what_depends_on_the_time_before_the_first_event_is_judged_later() {
    // cars that stood there before the first event leave without an entry: that says nothing of the gates. From 24 h on it does, and
    // half an hour beyond the limit opens.
    let (mut judge, city) = judge("parking");
    let beyond = |minutes: std::ops::RangeInclusive<i64>| -> Vec<Figure> {
        minutes.map(|minute| figure("parking.unmatched_exit_ratio", "city", "city", "1h", minute, Some(0.9))).collect()
    };
    assert_eq!(told(&judged(&mut judge, &city, &beyond(0..=1_439))), []);
    assert_eq!(told(&judged(&mut judge, &city, &beyond(1_440..=1_480))), [(1_470, None)]);
}
