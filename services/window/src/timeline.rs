//! An order-sensitive entity's recent steps, in event-time order. A step that comes out of order is put in its place; from there
//! the old contributions are taken back and the new ones made, until both ways lead to the same state again.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::{domain::Context, order::Order};

/// How an entity's state follows from its steps. Pure: contributions depend on the state before, the step and its place alone.
pub trait Fold {
    type State: Clone + PartialEq + Default;
    type Step: Clone;

    fn step(&self, state: &mut Self::State, order: &Order, step: &Self::Step, out: &mut Sign<'_, '_>);
}

/// Where a fold's contributions go: counted, taken back, or nowhere (only the state is wanted).
pub struct Sign<'a, 'b> {
    pub(crate) context: Option<&'a mut Context<'b>>,
    sign: i64,
}

impl<'b> Sign<'_, 'b> {
    /// The context and the sign to multiply contributions with; `None` when only the state is wanted.
    pub fn counting(&mut self) -> Option<(&mut Context<'b>, i64)> {
        let sign = self.sign;
        self.context.as_deref_mut().map(|context| (context, sign))
    }
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// It changed the timeline.
    Taken,
    /// It was there already, or is too late and older than what is known.
    Ignored,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline<State, Step> {
    /// The state after every step that can't be preceded by a new one any more.
    base: State,
    settled: Option<Order>,
    steps: VecDeque<(Order, Step)>,
    /// The state after all steps.
    tip: State,
}

impl<State: Default, Step> Default for Timeline<State, Step> {
    fn default() -> Self {
        Timeline { base: State::default(), settled: None, steps: VecDeque::new(), tip: State::default() }
    }
}

impl<State, Step> Timeline<State, Step> {
    /// The same timeline in other types: state as an older format kept it.
    #[must_use]
    pub fn map<S, T>(self, state: impl Fn(State) -> S, step: impl Fn(Step) -> T) -> Timeline<S, T> {
        let Timeline { base, settled, steps, tip } = self;
        let steps = steps.into_iter().map(|(order, kept)| (order, step(kept))).collect();
        Timeline { base: state(base), settled, steps, tip: state(tip) }
    }
}

impl<State: Clone + PartialEq + Default, Step: Clone> Timeline<State, Step> {
    /// The newest state.
    #[must_use]
    pub fn tip(&self) -> &State {
        &self.tip
    }

    /// The newest step's place.
    #[must_use]
    pub fn newest(&self) -> Option<Order> {
        self.steps.back().map(|entry| entry.0).or(self.settled)
    }

    /// How many steps are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    pub fn insert<F: Fold<State = State, Step = Step>>(
        &mut self,
        fold: &F,
        order: Order,
        step: Step,
        context: &mut Context<'_>,
    ) -> Placed {
        if self.newest().is_none_or(|newest| newest < order) {
            fold.step(&mut self.tip, &order, &step, &mut Sign { context: Some(context), sign: 1 });
            self.steps.push_back((order, step));
            return Placed::Taken;
        }
        // too late, it moves the entity only where it is newer (I5): whether settling has come by already must not matter
        if self.settled.is_some_and(|settled| order <= settled) || context.too_late(order.time) {
            return Placed::Ignored;
        }
        let Err(at) = self.steps.binary_search_by_key(&order, |entry| entry.0) else {
            return Placed::Ignored;
        };
        let mut was = self.base.clone();
        for (order, step) in self.steps.range(..at) {
            fold.step(&mut was, order, step, &mut Sign { context: None, sign: 0 });
        }
        let mut is = was.clone();
        fold.step(&mut is, &order, &step, &mut Sign { context: Some(context), sign: 1 });
        let mut converged = false;
        for (order, step) in self.steps.range(at..) {
            if was == is {
                converged = true;
                break;
            }
            fold.step(&mut was, order, step, &mut Sign { context: Some(context), sign: -1 });
            fold.step(&mut is, order, step, &mut Sign { context: Some(context), sign: 1 });
        }
        if !converged {
            self.tip = is;
        }
        self.steps.insert(at, (order, step));
        Placed::Taken
    }

    /// Settles the steps before the horizon: nothing can come before them any more.
    pub fn settle<F: Fold<State = State, Step = Step>>(&mut self, fold: &F, horizon_ms: i64) {
        while let Some((order, step)) = self.steps.pop_front_if(|entry| entry.0.time.0 < horizon_ms) {
            fold.step(&mut self.base, &order, &step, &mut Sign { context: None, sign: 0 });
            self.settled = Some(order);
        }
    }
}
