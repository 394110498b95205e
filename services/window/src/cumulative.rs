//! Running sums over a series' panes: a window's value is the sum at its end less the sum at its start, whatever its span.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::{
    metric::Shape,
    pane::{Agg, PANE_MS},
};

/// What a series has added up to before a position (an instant in ms, a multiple of the pane).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sum {
    agg: Agg,
    /// Integrals: the state at the position.
    level_num: i64,
    level_den: i64,
}

impl Sum {
    /// The sum where a series' kept panes begin, with the state that pruned panes left behind.
    pub(crate) fn at_floor(level_num: i64, level_den: i64, shape: Shape) -> Self {
        match shape {
            Shape::Flow => Sum::default(),
            Shape::Level => Sum { agg: Agg { num: level_num, den: level_den, ..Agg::default() }, ..Sum::default() },
            Shape::Integral => Sum { agg: Agg::default(), level_num, level_den },
        }
    }

    /// Takes up one pane's contribution that lies before `position`.
    pub(crate) fn take(&mut self, shape: Shape, position: i64, pane: i64, agg: &Agg) {
        if shape != Shape::Integral {
            self.agg.add(agg, 1);
            return;
        }
        let rest = position - (pane + 1) * PANE_MS;
        self.agg.num = self.agg.num.wrapping_add(agg.area_num).wrapping_add(agg.num.wrapping_mul(rest));
        self.agg.den = self.agg.den.wrapping_add(agg.area_den).wrapping_add(agg.den.wrapping_mul(rest));
        self.agg.n = self.agg.n.wrapping_add(agg.n);
        self.level_num = self.level_num.wrapping_add(agg.num);
        self.level_den = self.level_den.wrapping_add(agg.den);
    }

    /// Moves from `from` to `to`, taking up the panes between.
    pub(crate) fn advance(&mut self, shape: Shape, from: i64, to: i64, panes: &VecDeque<(i64, Agg)>) {
        if shape == Shape::Integral {
            self.agg.num = self.agg.num.wrapping_add(self.level_num.wrapping_mul(to - from));
            self.agg.den = self.agg.den.wrapping_add(self.level_den.wrapping_mul(to - from));
        }
        let first = panes.partition_point(|entry| entry.0 < from.div_euclid(PANE_MS));
        for (pane, agg) in panes.range(first..).take_while(|entry| entry.0 < to.div_euclid(PANE_MS)) {
            self.take(shape, to, *pane, agg);
        }
    }

    /// A window's value from the sums at its two ends. An instant (`now`) has no start: it is the sum itself.
    pub(crate) fn since(&self, start: &Sum) -> Agg {
        self.agg.minus(&start.agg)
    }

    pub(crate) fn agg(&self) -> &Agg {
        &self.agg
    }

    /// Whether time alone changes it.
    pub(crate) fn stands_still(&self) -> bool {
        self.level_num == 0 && self.level_den == 0
    }
}
