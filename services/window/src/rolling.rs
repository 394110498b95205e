//! A window's value as the window moves forward over a series' panes: what enters at its end is added, what leaves at its start is
//! taken away. It follows from the panes alone, so it is no part of a checkpoint: whatever isn't known is read from them again.

use crate::{
    metric::Shape,
    pane::{Agg, PANE_MS},
    panes::{Panes, Part},
    tally::Tally,
};

/// The start of a window that holds everything up to its end (`now`).
pub(crate) const EVER: i64 = i64::MIN;

/// A window: its start and end in ms.
pub(crate) type Bounds = (i64, i64);

/// What a window comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Value {
    pub agg: Agg,
    pub hist: Vec<(u16, i64)>,
}

impl Value {
    /// Whether there is nothing to be told of it.
    pub fn is_empty(&self) -> bool {
        self.agg.is_zero()
    }
}

/// An integral's state (num, den) at the window's start and at its end.
#[derive(Clone, Debug, Default)]
struct Levels {
    start: Bound,
    end: Bound,
}

type Bound = (i64, i64);

#[derive(Clone, Debug, Default)]
pub(crate) struct Rolling {
    /// Whether the rest is what the panes say.
    known: bool,
    /// Sums, and the number of observations.
    agg: Agg,
    levels: Option<Box<Levels>>,
    tally: Option<Box<Tally>>,
}

impl Rolling {
    /// A window as the panes say.
    pub fn over(panes: &Panes, shape: Shape, (start, end): Bounds) -> Self {
        let mut rolling = Rolling { known: true, ..Rolling::default() };
        if shape == Shape::Integral {
            let mut level = panes.floor();
            panes.sums(EVER, pane_start(start), |_, agg| level.add(agg, 1));
            let level = (level.num, level.den);
            rolling.levels = Some(Box::new(Levels { start: level, end: level }));
        } else if shape == Shape::Trend {
            rolling.agg.num = panes.floor().num;
            panes.sums(EVER, pane_start(start), |_, agg| rolling.agg.num = rolling.agg.num.wrapping_add(agg.num));
        } else if start == EVER {
            rolling.agg = panes.floor();
        }
        rolling.sweep(panes, shape, start, end, 1);
        rolling
    }

    /// Moves the window forward.
    pub fn roll(&mut self, panes: &Panes, shape: Shape, from: Bounds, to: Bounds) {
        // a window that has nothing in common with the one before begins anew; a state is carried on
        if !self.known || (from.1 <= to.0 && !shape.lasts()) {
            *self = Rolling::over(panes, shape, to);
            return;
        }
        self.sweep(panes, shape, from.1, to.1, 1);
        if from.0 != to.0 {
            self.sweep(panes, shape, from.0, to.0, -1);
        }
    }

    /// Adds what lies between two positions (the end moves), or takes it away (the start moves).
    fn sweep(&mut self, panes: &Panes, shape: Shape, from: i64, to: i64, sign: i64) {
        let (first, last) = (pane_start(from), pane_start(to));
        if let Some(levels) = &mut self.levels {
            let level = if sign > 0 { &mut levels.end } else { &mut levels.start };
            add_area(&mut self.agg, (level.0, level.1), to.wrapping_sub(from), sign);
            panes.sums(first, last, |time, agg| {
                take(&mut self.agg, agg, time, to, sign);
                *level = (level.0.wrapping_add(agg.num), level.1.wrapping_add(agg.den));
            });
        } else {
            // what leaves a trend's window is no change of it any more, but still part of the state
            let keep = if shape == Shape::Trend && sign < 0 { 0 } else { 1 };
            panes.sums(first, last, |_, agg| self.agg.add(&Agg { num: keep * agg.num, ..*agg }, sign));
        }
        panes.items(first, last, |time, item, count| {
            self.agg.n = self.agg.n.wrapping_add(sign * count);
            let tally = self.tally.get_or_insert_with(|| Box::new(Tally::of(shape)));
            if sign > 0 { tally.enter(shape, time, item, count) } else { tally.leave(item, count) }
        });
        if let Some(tally) = self.tally.as_mut().filter(|_| sign < 0) {
            tally.begin(last);
        }
    }

    /// A part comes that lies before the window's end.
    pub fn revise(&mut self, shape: Shape, (start, end): Bounds, time: i64, part: &Part) {
        let inside = time >= pane_start(start);
        match (part, &mut self.levels) {
            _ if !self.known => {}
            (Part::Sums(agg), Some(levels)) => {
                take(&mut self.agg, agg, time, end, 1);
                levels.end = (levels.end.0.wrapping_add(agg.num), levels.end.1.wrapping_add(agg.den));
                if !inside {
                    take(&mut self.agg, agg, time, start, -1);
                    levels.start = (levels.start.0.wrapping_add(agg.num), levels.start.1.wrapping_add(agg.den));
                }
            }
            (Part::Sums(agg), None) if inside => self.agg.add(agg, 1),
            (Part::Sums(agg), None) if shape == Shape::Trend => self.agg.num = self.agg.num.wrapping_add(agg.num),
            (&Part::Item { item, count }, _) if inside => {
                self.agg.n = self.agg.n.wrapping_add(count);
                let tally = self.tally.get_or_insert_with(|| Box::new(Tally::of(shape)));
                self.known = tally.revise(shape, time, item, count);
            }
            _ => {}
        }
    }

    pub fn is_known(&self) -> bool {
        self.known
    }

    pub fn forget(&mut self) {
        *self = Rolling::default();
    }

    pub fn value(&self, shape: Shape) -> Value {
        let mut value = Value { agg: self.agg, hist: Vec::new() };
        if let Some(tally) = &self.tally {
            value.hist = tally.histogram();
            if let Some((time, extreme)) = tally.extreme() {
                value.agg.num = extreme;
                value.agg.den = if shape == Shape::Last { time } else { 0 };
            }
            value.agg.num = value.agg.num.wrapping_add(tally.entities());
            if let Some(since) = tally.oldest() {
                value.agg.num = since;
            }
        }
        value
    }

    /// Of a window of changes alone: whether it says anything of this window.
    pub fn is_changed(&self, changes: &Panes, shape: Shape, (start, end): Bounds) -> bool {
        match shape {
            Shape::Max | Shape::Min | Shape::Last => {
                let mut any = false;
                changes.items(pane_start(start), pane_start(end), |_, _, _| any = true);
                any
            }
            _ => !self.is_empty(),
        }
    }

    /// Of a window of changes alone: whether the window was empty before them.
    pub fn was_empty(&self, after: &Rolling) -> bool {
        after.agg == self.agg
    }

    /// The value that the window would have if it were moved; it isn't.
    pub fn ahead(&self, panes: &Panes, shape: Shape, from: Bounds, to: Bounds) -> Value {
        if let (true, Some(tally @ Tally::Distinct(_))) = (self.known, self.tally.as_deref()) {
            // there may be very many entities, and few of them come and go
            let mut changes = Vec::new();
            panes.items(pane_start(from.1), pane_start(to.1), |_, item, count| changes.push((item, count)));
            panes.items(pane_start(from.0), pane_start(to.0), |_, item, count| changes.push((item, -count)));
            let n = changes.iter().fold(self.agg.n, |n, change| n.wrapping_add(change.1));
            let num = tally.entities_after(changes.into_iter());
            return Value { agg: Agg { num, n, ..Agg::default() }, hist: Vec::new() };
        }
        let mut moved = self.clone();
        moved.roll(panes, shape, from, to);
        moved.value(shape)
    }

    /// Whether nothing is in it: no sum, no observation.
    pub fn is_empty(&self) -> bool {
        self.known && self.agg.is_zero() && self.tally.as_ref().is_none_or(|tally| tally.is_empty())
    }

    /// Whether time alone doesn't change it.
    pub fn stands_still(&self) -> bool {
        self.known && self.levels.as_ref().is_none_or(|levels| levels.end == (0, 0))
    }
}

/// An integral's pane up to `position`, a pane's boundary at or behind its end: the area inside the pane, and from the pane's end on
/// its change of level.
fn take(sum: &mut Agg, pane: &Agg, time: i64, position: i64, sign: i64) {
    let rest = position.wrapping_sub(time + PANE_MS);
    sum.num = sum.num.wrapping_add(sign.wrapping_mul(pane.num2));
    sum.den = sum.den.wrapping_add(sign.wrapping_mul(pane.den2));
    sum.n = sum.n.wrapping_add(sign.wrapping_mul(pane.n));
    add_area(sum, (pane.num, pane.den), rest, sign);
}

fn add_area(sum: &mut Agg, level: Bound, ms: i64, sign: i64) {
    sum.num = sum.num.wrapping_add(sign.wrapping_mul(level.0.wrapping_mul(ms)));
    sum.den = sum.den.wrapping_add(sign.wrapping_mul(level.1.wrapping_mul(ms)));
}

/// The start of the pane that holds `t`.
pub(crate) fn pane_start(t: i64) -> i64 {
    t.div_euclid(PANE_MS).saturating_mul(PANE_MS)
}
