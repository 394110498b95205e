//! The life of a 12345 work order, from the call that it comes of to what the caller says weeks later.

use crate::agenda::{DAY_MS, HOUR_MS, MINUTE_MS};
use crate::draws::{Draws, ms};
use crate::hotline::{Answer, Steps, What};

/// A day's orders live at most this long, with their callbacks: 14 working days around the longest holidays, an
/// extension, and the days for which the latest are overdue.
pub(crate) const ORDER_DAYS: i64 = 42;
/// The longest limit, in ms, whatever the profile's calendar makes of it.
const LONGEST_MS: i64 = 31 * DAY_MS;
/// What an extension adds to the limit.
const EXTENSION_MS: i64 = 3 * DAY_MS;

/// Until when an order is to be handled.
pub(crate) struct Limits {
    /// From the first dispatch to the first contact.
    pub(crate) response_ms: i64,
    /// When it is to be closed, ms since 1970.
    pub(crate) due: i64,
}

/// The steps of an order from `created` on; `midnight` begins some day of the city's zone. `direct`: the share that is
/// answered on the phone.
pub(crate) fn live(created: i64, limits: &Limits, midnight: i64, direct: f64, draws: &mut Draws, steps: &mut Steps) {
    let direct = draws.chance(direct);
    // few agencies leave the limit to the profile
    let says_due = draws.chance(0.98);
    let mut due = limits.due.min(created + LONGEST_MS);
    let say = |event, rank, due| What::Order { event, rank, due, direct };
    steps.push((created, say("created", 0, (!direct && says_due).then_some(due))));
    if direct {
        if draws.chance(0.1) {
            steps.push((created + ms(draws.between(3_600.0, 80_000.0)), callback(draws)));
        }
        return;
    }
    let dispatched = created + ms(draws.between(120.0, 1_800.0));
    steps.push((dispatched, say("dispatched", 1, None)));
    let mut at = dispatched;
    if draws.chance(0.03) {
        at += ms(draws.between(1_800.0, 14_400.0));
        steps.push((at, say("returned", 2, None)));
        at += ms(draws.between(600.0, 3_600.0));
        steps.push((at, say("dispatched", 3, None)));
    }
    at += ms(draws.between(300.0, 3_600.0));
    steps.push((at, say("accepted", 4, None)));
    // 99 of 100 are contacted within the category's limit
    let within = if draws.chance(0.993) { draws.between(0.05, 0.9) } else { draws.between(1.02, 1.6) };
    at = (at + MINUTE_MS).max(dispatched + share_of(limits.response_ms, within));
    steps.push((at, say("contacted", 5, None)));

    let mut earliest = created + share_of(due - created, 0.2);
    if draws.chance(0.03) {
        let asked = created + share_of(due - created, 0.75);
        due += EXTENSION_MS;
        earliest = asked + 4 * HOUR_MS;
        steps.push((office(asked, midnight), say("extended", 6, Some(due))));
    }
    // 98 of 100 are closed in time, reopened ones counted; a day's distance to the limit, because office hours move it
    let in_time = share_of(due - DAY_MS - earliest, draws.unit());
    let overdue = due - earliest + DAY_MS + share_of(4 * DAY_MS, draws.unit());
    let closing = earliest + if draws.chance(0.985) { in_time } else { overdue };
    let by_day = office(closing, midnight);
    // nobody closes what is still to be contacted: then it takes a day more
    at = if by_day > at { by_day } else { office(at + DAY_MS, midnight) };
    if draws.chance(0.02) {
        steps.push((created + share_of(at - created, draws.between(0.3, 0.95)), say("urged", 7, None)));
    }
    steps.push((at, say("replied", 8, None)));
    at += ms(draws.between(60.0, 1_200.0));
    steps.push((at, say("closed", 9, None)));
    if draws.chance(0.02) {
        let reopened = at + ms(draws.between(3_600.0, 40_000.0));
        steps.push((reopened, say("reopened", 10, None)));
        at = office(at + ms(draws.between(50_000.0, 120_000.0)), midnight).max(reopened + 10 * MINUTE_MS);
        steps.push((at, say("closed", 11, None)));
    }
    if draws.chance(0.85) {
        let asked = office(at + ms(draws.between(3_600.0, 90_000.0)), midnight);
        steps.push((asked.max(at + 10 * MINUTE_MS), callback(draws)));
    }
}

/// The same day, at the corresponding instant of the office's hours, 08:30 to 18:00: keeps the order of instants.
fn office(at: i64, midnight: i64) -> i64 {
    let of_day = (at - midnight).rem_euclid(DAY_MS);
    at - of_day + 17 * HOUR_MS / 2 + of_day * 19 / 48
}

fn share_of(span_ms: i64, share: f64) -> i64 {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "spans of days")]
    let part = libm::round(span_ms as f64 * share) as i64;
    part
}

/// Nine of ten are content; some give no answer, which one clerk writes down as null and another not at all.
fn callback(draws: &mut Draws) -> What {
    let mut answer = |share| -> Answer {
        let answer = draws.chance(share);
        match draws.pick(&[93, 4, 3]) {
            0 => Some(Some(answer)),
            1 => Some(None),
            _ => None,
        }
    };
    What::Callback { resolved: answer(0.92), satisfied: answer(0.9) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::draws::For;

    const DUE: i64 = 5 * DAY_MS;

    fn lives(count: i64, direct: f64) -> impl Iterator<Item = Steps> {
        (0..count).map(move |n| {
            let mut draws = Draws::new(1, For::Calls, 1, n);
            let created = draws.whole(0, DAY_MS);
            let mut steps = Steps::new();
            let limits = Limits { response_ms: DAY_MS, due: created + DUE };
            live(created, &limits, 0, direct, &mut draws, &mut steps);
            steps
        })
    }

    fn times(steps: &Steps) -> BTreeMap<&'static str, Vec<i64>> {
        let mut times: BTreeMap<_, Vec<i64>> = BTreeMap::new();
        for &(at, what) in steps {
            let event = if let What::Order { event, .. } = what { event } else { "callback" };
            times.entry(event).or_default().push(at);
        }
        times
    }

    #[test]
    fn every_life_is_in_its_order() {
        for mut steps in lives(20_000, 0.5) {
            steps.sort_by_key(|&(at, _)| at);
            let told = times(&steps);
            let last = steps.last().unwrap().0;
            assert!(last < steps[0].0 + (ORDER_DAYS - 1) * DAY_MS);
            if told.contains_key("dispatched") {
                let first = |event: &str| told[event][0];
                assert!(first("created") < first("dispatched") && first("dispatched") < first("accepted"));
                assert!(first("accepted") < first("contacted") && first("contacted") < first("replied"));
                assert!(first("replied") < first("closed"));
                assert!(told.get("urged").is_none_or(|urged| urged[0] < first("closed")));
                assert!(told.get("extended").is_none_or(|extended| extended[0] < first("closed")));
                assert!(
                    told.get("reopened").is_none_or(|again| first("closed") < again[0] && again[0] < told["closed"][1])
                );
                assert!(told.get("callback").is_none_or(|said| said[0] > *told["closed"].last().unwrap()));
            } else {
                assert_eq!(told["created"].len(), 1);
                assert!(!told.contains_key("closed"));
            }
        }
    }

    #[test]
    fn agencies_close_orders_by_day() {
        for steps in lives(2_000, 0.0) {
            let closed = times(&steps)["replied"][0].rem_euclid(DAY_MS);
            assert!((8 * HOUR_MS..18 * HOUR_MS).contains(&closed), "{closed}");
        }
    }

    /// Of 30,000 the shares have a standard deviation of 0.1 %: bounds of five of them around the norms of the catalogue's
    /// notes (response 0.99, in time 0.98, returned 0.03, reopened 0.02).
    #[test]
    fn orders_meet_their_limits_as_often_as_the_norms_say() {
        let (mut in_time, mut responded, mut returned, mut reopened) = (0, 0, 0, 0);
        for mut steps in lives(30_000, 0.0) {
            steps.sort_by_key(|&(at, _)| at);
            let told = times(&steps);
            let mut due = steps.iter().filter_map(|&(_, what)| match what {
                What::Order { event: "extended", due, .. } => due,
                _ => None,
            });
            let due = due.next_back().unwrap_or(told["created"][0] + DUE);
            let open = steps.iter().filter(|&&(at, _)| at <= due).fold(true, |open, (_, what)| match what {
                What::Order { event: "closed", .. } => false,
                What::Order { event: "reopened", .. } => true,
                _ => open,
            });
            in_time += i32::from(!open);
            responded += i32::from(told["contacted"][0] - told["dispatched"][0] <= DAY_MS);
            returned += i32::from(told.contains_key("returned"));
            reopened += i32::from(told.contains_key("reopened"));
        }
        assert!((29_250..29_550).contains(&in_time), "{in_time}");
        assert!((29_640..29_860).contains(&responded), "{responded}");
        assert!((750..1_050).contains(&returned), "{returned}");
        assert!((480..720).contains(&reopened), "{reopened}");
    }
}
