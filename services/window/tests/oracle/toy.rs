//! A domain made for the oracle: every shape that the engine knows, with numbers taken straight from the event.
//!
//! | metric | shape | from |
//! | --- | --- | --- |
//! | `parking.sum` | flow: a count, a ratio | snapshots: num = occupied (may be negative), den = capacity |
//! | `parking.size` | flow: a percentile | snapshots: capacity |
//! | `parking.inside` | level, in any order | entries +1, exits −1 |
//! | `parking.state` | level, order-sensitive, with a deadline | the newest snapshot of a lot, for [`HOLDS_MS`] |
//! | `parking.use` | integral | the same state over time; n counts snapshots |
//! | `parking.four` | flow: four sums | a lot's jumps (what its state changes by at a snapshot) and their squares, also huge |
//! | `parking.most`, `parking.least` | max, min | jumps |
//! | `parking.newest` | last | jumps |
//! | `parking.kinds` | distinct | lots and the kind of jump they made |
//! | `parking.trend` | trend | the same state: num at the end, den's change |
//! | `parking.waiting` | oldest | since when a lot is in its state |
//!
//! A jump depends on the snapshot before: one that comes out of order takes the next one's back and makes another.

use serde::{Deserialize, Serialize};
use yiping_event::{Data, Event, Reject, TimeMs};
use yiping_window::{
    Agg, Board, Context, Domain, EntityId, Fold, KeyId, Level, MetricId, MetricSpec, NoKey, Order, Settings, Shape,
    Span, Table, Timeline, board::Place, domain::Timer, timeline::Sign,
};

/// How long a lot's state holds when nothing more is heard.
pub const HOLDS_MS: i64 = 20 * 60 * 1_000;

pub const FLOW_SPANS: [Span; 5] = [Span::M1, Span::M5, Span::H1, Span::H24, Span::Day];
pub const SIZE_SPANS: [Span; 3] = [Span::M5, Span::H1, Span::Day];
pub const USE_SPANS: [Span; 4] = [Span::M5, Span::H1, Span::H24, Span::Day];
/// Long spans alone: all that is old is packed.
pub const FOUR_SPANS: [Span; 2] = [Span::H24, Span::Day];
pub const MOST_SPANS: [Span; 3] = [Span::M1, Span::H1, Span::H24];
pub const LEAST_SPANS: [Span; 1] = [Span::H24];
pub const NEWEST_SPANS: [Span; 2] = [Span::M5, Span::H24];
pub const KINDS_SPANS: [Span; 2] = [Span::H1, Span::Day];
pub const TREND_SPANS: [Span; 2] = [Span::M5, Span::H1];

/// Jumps go to ±2·10⁶, sums of them to ±4·10¹⁵ a snapshot.
pub const HUGE: i64 = 2_000_000_000;
/// Jumps are of so many kinds.
pub const KINDS: i64 = 5;

pub fn specs() -> Vec<MetricSpec> {
    let spec = |id: &str, shape, spans: &[Span]| MetricSpec { id: id.into(), shape, spans: spans.into(), moves: false };
    vec![
        spec("parking.sum", Shape::Flow, &FLOW_SPANS),
        spec("parking.size", Shape::Flow, &SIZE_SPANS),
        spec("parking.inside", Shape::Level, &[Span::Now]),
        spec("parking.state", Shape::Level, &[Span::Now]),
        spec("parking.use", Shape::Integral, &USE_SPANS),
        spec("parking.four", Shape::Flow, &FOUR_SPANS),
        spec("parking.most", Shape::Max, &MOST_SPANS),
        spec("parking.least", Shape::Min, &LEAST_SPANS),
        spec("parking.newest", Shape::Last, &NEWEST_SPANS),
        spec("parking.kinds", Shape::Distinct, &KINDS_SPANS),
        spec("parking.trend", Shape::Trend, &TREND_SPANS),
        spec("parking.waiting", Shape::Oldest, &[Span::Now]),
    ]
}

#[derive(Default, Serialize, Deserialize)]
pub struct Toy {
    lots: Table<Timeline<State, Step>>,
    #[serde(skip)]
    setup: Option<Setup>,
}

struct Setup {
    sum: MetricId,
    size: MetricId,
    inside: MetricId,
    state: MetricId,
    used: MetricId,
    four: MetricId,
    /// Max, min, last.
    single: [MetricId; 3],
    kinds: MetricId,
    trend: MetricId,
    waiting: MetricId,
    everywhere: KeyId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    lot: KeyId,
    num: i64,
    den: i64,
    since: TimeMs,
    until: TimeMs,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State(Option<Known>);

#[derive(Clone, Copy, Serialize, Deserialize)]
enum Step {
    Set(Known),
    RunsOut,
}

impl Setup {
    fn change(&self, lot: KeyId, time: TimeMs, (num, den, n): (i64, i64, i64), out: &mut Sign<'_, '_>) {
        let Some((context, sign)) = out.counting() else { return };
        let at = [(Level::City, self.everywhere), (Level::Lot, lot)];
        context.shift(self.state, &at, time, sign * num, sign * den, 0);
        context.shift(self.used, &at, time, sign * num, sign * den, sign * n);
        context.shift(self.trend, &at, time, sign * num, sign * den, 0);
    }

    /// A lot's state begins (`count` 1) or ends (−1).
    fn waits(&self, known: &Known, time: TimeMs, count: i64, out: &mut Sign<'_, '_>) {
        let Some((context, sign)) = out.counting() else { return };
        let at = [(Level::City, self.everywhere), (Level::Lot, known.lot)];
        context.sample(self.waiting, &at, time, known.since.0, sign * count);
    }

    fn jump(&self, lot: KeyId, time: TimeMs, jump: i64, out: &mut Sign<'_, '_>) {
        let Some((context, sign)) = out.counting() else { return };
        let at = [(Level::City, self.everywhere), (Level::Lot, lot)];
        let kind = EntityId::of(&[&format!("{}/{}", lot.0, jump.rem_euclid(KINDS))]);
        for metric in self.single {
            context.sample(metric, &at, time, jump, sign);
        }
        for (level, key) in at {
            let place = |metric| Place { metric, level, key, time };
            let (num, den) = (sign * jump * HUGE, sign * jump);
            let sums = Agg { num, den, n: sign, num2: sign * jump * jump, den2: -num };
            context.board.add4(place(self.four), sums);
            context.board.see(place(self.kinds), kind, sign);
        }
    }
}

impl Fold for Setup {
    type State = State;
    type Step = Step;

    fn step(&self, state: &mut State, order: &Order, step: &Step, out: &mut Sign<'_, '_>) {
        if let Some(ended) = state.0.filter(|known| known.until <= order.time) {
            self.change(ended.lot, ended.until, (-ended.num, -ended.den, 0), out);
            self.waits(&ended, ended.until, -1, out);
            state.0 = None;
        }
        if let Step::Set(known) = *step {
            let (num, den) = state.0.map_or((0, 0), |before| (before.num, before.den));
            self.change(known.lot, order.time, (known.num - num, known.den - den, 1), out);
            self.jump(known.lot, order.time, known.num - num, out);
            if let Some(before) = state.0 {
                self.waits(&before, order.time, -1, out);
            }
            self.waits(&known, order.time, 1, out);
            state.0 = Some(known);
        }
    }
}

/// There never was a toy of format 1.
impl From<()> for Toy {
    fn from((): ()) -> Self {
        Toy::default()
    }
}

impl Domain for Toy {
    type V1 = ();

    fn configure(&mut self, _: &Settings, board: &mut Board) -> Result<(), String> {
        let metric = |id: &str| board.metric(id).ok_or_else(|| format!("no metric {id}"));
        self.setup = Some(Setup {
            sum: metric("parking.sum")?,
            size: metric("parking.size")?,
            inside: metric("parking.inside")?,
            state: metric("parking.state")?,
            used: metric("parking.use")?,
            four: metric("parking.four")?,
            single: [metric("parking.most")?, metric("parking.least")?, metric("parking.newest")?],
            kinds: metric("parking.kinds")?,
            trend: metric("parking.trend")?,
            waiting: metric("parking.waiting")?,
            everywhere: board.keys.intern("city"),
        });
        Ok(())
    }

    fn judge(&self, _: &Event<'_>) -> Result<(), Reject> {
        Ok(())
    }

    fn apply(&mut self, event: &Event<'_>, context: &mut Context<'_>) {
        let Some(setup) = &self.setup else { return };
        let mut at = |lot: &str| [(Level::City, setup.everywhere), (Level::Lot, context.key(lot))];
        match &event.data {
            Data::ParkingSnapshot(data) => {
                let at = at(&data.lot_id);
                let entity = EntityId::of(&[&data.lot_id]);
                let until = event.time.plus(HOLDS_MS);
                context.add(setup.sum, &at, event.time, data.occupied, data.capacity, 1);
                context.sample(setup.size, &at, event.time, data.capacity, 1);
                let (num, den) = (data.occupied, data.capacity);
                let step = Step::Set(Known { lot: at[1].1, num, den, since: event.time, until });
                let lot = self.lots.entry(entity, event.key(), Timeline::default);
                lot.insert(setup, Order::of(event), step, context);
                context.timer(Timer { at: until, kind: 0, entity });
            }
            Data::ParkingEntry(data) => {
                let at = at(&data.lot_id);
                context.shift(setup.inside, &at, event.time, 1, 0, 0);
            }
            Data::ParkingExit(data) => {
                let at = at(&data.lot_id);
                context.shift(setup.inside, &at, event.time, -1, 0, 0);
            }
            _ => {}
        }
    }

    fn timer(&mut self, timer: Timer, context: &mut Context<'_>) {
        let (Some(setup), Some(lot)) = (&self.setup, self.lots.get_mut(timer.entity)) else { return };
        let over = lot.tip().0.is_some_and(|known| known.until <= timer.at);
        if over && lot.newest().is_some_and(|newest| newest.time <= timer.at) {
            lot.insert(setup, Order::timer(timer.at), Step::RunsOut, context);
        }
    }

    fn settle(&mut self, horizon: TimeMs) {
        let Some(setup) = &self.setup else { return };
        for lot in self.lots.values_mut() {
            lot.settle(setup, horizon.0);
        }
    }

    fn live(&self, _: &mut Context<'_>) {}

    fn scatter(self, place: &dyn Fn(&str) -> usize, into: &mut [Self]) -> Result<(), NoKey> {
        self.lots.scatter(place, into, |toy| &mut toy.lots)
    }

    fn key_of(&self, timer: &Timer) -> Option<&str> {
        self.lots.key(timer.entity)
    }
}
