//! Parking: snapshots, entries, exits, payments and credits become free spaces, occupancy, stays, and what is paid and owed.
//!
//! | file | stage |
//! | --- | --- |
//! | `entity/lot.rs` | a lot: its floors in event-time order, its hours, what follows from each step and from time alone |
//! | `entity/session.rs` | a session: a stay (`stay.rs`) and what is owed (`credit.rs`), as facts that add up in any order |
//! | `metrics/space.rs`, `occupancy.rs`, `filling.rs`, `silence.rs` | figures that follow from a lot's state |
//! | `metrics/stays.rs`, `credits.rs`, `turnover.rs` | figures that follow from sessions (turnover: and from lots) |
//! | `metrics/payments.rs`, `snapshots.rs` | figures that follow from an event alone |
//! | `live.rs` | lots and floors as they are now |
//!
//! Pure: no clock, no log, no store (I1). Deadlines are event-time timers: the watermark fires them.

mod entity;
mod format1;
mod live;
mod metrics;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use yiping_city::{City, OTHER};
use yiping_event::{Data, Event, Reject, TimeMs, parking};
use yiping_window::{Board, Context, Domain, EntityId, KeyId, NoKey, Order, Settings, Table, Timeline, domain::Timer};

use entity::{
    credit::Credit,
    lot::{Clock, Listed, Lot, Lots, Step, Unit},
    session::{Place, Session},
    stay::{Passed, Stay},
};
pub use format1::V1;
use metrics::Metrics;

/// A timer that is about a lot: time alone changes it.
const LOT: u8 = 0;

/// A timer that is about a session: its credit is due.
const SESSION: u8 = 1;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Parking {
    lots: Table<Known>,
    #[serde(default)]
    sessions: Table<Session>,
    #[serde(skip)]
    setup: Option<Setup>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Known {
    key: KeyId,
    timeline: Timeline<Lot, Step>,
}

#[derive(Debug)]
struct Setup {
    city: Arc<City>,
    fold: Lots,
    metrics: Metrics,
    everywhere: KeyId,
    elsewhere: KeyId,
    /// How far windows are revised behind the partition's time, in ms.
    reach_ms: i64,
}

impl Domain for Parking {
    type V1 = V1;

    fn configure(&mut self, settings: &Settings, board: &mut Board) -> Result<(), String> {
        let city = City::from_text(&settings.profile).map_err(|error| error.to_string())?;
        let metrics = Metrics::of(board);
        let everywhere = board.keys.intern("city");
        let clock = Clock { zone: city.zone.clone() };
        self.setup = Some(Setup {
            city: Arc::new(city),
            fold: Lots { metrics, everywhere, clock },
            metrics,
            everywhere,
            elsewhere: board.keys.intern(OTHER),
            reach_ms: settings.out_of_order_ms + settings.lateness_ms,
        });
        Ok(())
    }

    fn judge(&self, _: &Event<'_>) -> Result<(), Reject> {
        Ok(())
    }

    fn apply(&mut self, event: &Event<'_>, context: &mut Context<'_>) {
        let Some(setup) = &self.setup else { return };
        match &event.data {
            Data::ParkingSnapshot(data) => {
                let unit = setup.unit(&data.lot_id, data.floor.as_deref(), data.district.as_deref(), context);
                setup.metrics.snapshots.count(setup.everywhere, &unit, data, event.time, context);
                let open = data.open != Some(false);
                let step = Step::Snapshot { unit, capacity: data.capacity, occupied: data.occupied, open };
                self.lot(event, &data.lot_id, step, context);
            }
            Data::ParkingEntry(data) => {
                let unit = setup.unit(&data.lot_id, data.floor.as_deref(), None, context);
                self.passed(event, &data.lot_id, &data.session_id, Passed::In, context);
                self.lot(event, &data.lot_id, Step::Moved { unit, by: 1 }, context);
            }
            Data::ParkingExit(data) => {
                let unit = setup.unit(&data.lot_id, data.floor.as_deref(), None, context);
                self.passed(event, &data.lot_id, &data.session_id, Passed::Out(data.entry_time), context);
                self.lot(event, &data.lot_id, Step::Moved { unit, by: -1 }, context);
            }
            Data::ParkingPayment(data) => {
                let unit = setup.unit(&data.lot_id, None, None, context);
                setup.metrics.payments.count(&setup.place(&unit), data, event.time, context);
                self.lot(event, &data.lot_id, Step::Heard { unit }, context);
            }
            Data::ParkingCredit(data) => {
                let unit = setup.unit(&data.lot_id, None, None, context);
                self.credit(event, data, context);
                self.lot(event, &data.lot_id, Step::Heard { unit }, context);
            }
            _ => {}
        }
    }

    fn timer(&mut self, timer: Timer, context: &mut Context<'_>) {
        let Some(setup) = &self.setup else { return };
        if timer.kind == SESSION {
            let Some(session) = self.sessions.get_mut(timer.entity) else { return };
            let Some(credit) = &mut session.credit else { return };
            let before = credit.clone();
            credit.due_passed(timer.at);
            setup.metrics.credits.changed(&session.place, &before, credit, context);
            return;
        }
        let Some(known) = self.lots.get_mut(timer.entity) else { return };
        // a later step has seen to it; a later change has its own timer
        let timeline = &known.timeline;
        if timeline.newest().is_some_and(|newest| newest.time > timer.at)
            || timeline.tip().next_change().is_none_or(|due| due > timer.at)
        {
            return;
        }
        known.insert(&setup.fold, timer.entity, Order::timer(timer.at), Step::RunsOut, context);
    }

    fn settle(&mut self, horizon: TimeMs) {
        let Some(setup) = &self.setup else { return };
        for known in self.lots.values_mut() {
            known.timeline.settle(&setup.fold, horizon.0);
        }
        self.lots.retain(|known| {
            !known.timeline.tip().is_blank() || known.timeline.newest().is_some_and(|newest| newest.time >= horizon)
        });
        self.sessions.retain(|session| !session.is_done(horizon));
    }

    fn live(&self, context: &mut Context<'_>) {
        for known in self.lots.values() {
            known.live(&[], context);
        }
    }

    fn scatter(self, place: &dyn Fn(&str) -> usize, into: &mut [Self]) -> Result<(), NoKey> {
        self.lots.scatter(place, into, |parking| &mut parking.lots)?;
        self.sessions.scatter(place, into, |parking| &mut parking.sessions)
    }

    fn key_of(&self, timer: &Timer) -> Option<&str> {
        if timer.kind == SESSION { self.sessions.key(timer.entity) } else { self.lots.key(timer.entity) }
    }
}

impl Setup {
    fn unit(&self, lot_id: &str, floor: Option<&str>, named: Option<&str>, context: &mut Context<'_>) -> Unit {
        let listed = self.city.lot(lot_id);
        let home = listed.map_or(self.elsewhere, |lot| context.key(&lot.district));
        Unit {
            lot: context.key(lot_id),
            floor: floor.map(|floor| context.key(&format!("{lot_id}/{floor}"))),
            // only a snapshot may say that the lot has moved to another district
            district: named.map_or(home, |district| context.key(district)),
            names_district: named.is_some(),
            profile: Some(Listed {
                district: home,
                capacity: listed.map_or(0, |lot| lot.capacity),
                hours: listed.and_then(|lot| lot.hours),
            }),
        }
    }

    /// Where sessions and payments of a lot count.
    fn place(&self, unit: &Unit) -> Place {
        let district = unit.profile.map_or(self.elsewhere, |profile| profile.district);
        Place { everywhere: self.everywhere, district, lot: unit.lot }
    }
}

impl Parking {
    fn lot(&mut self, event: &Event<'_>, lot_id: &str, step: Step, context: &mut Context<'_>) {
        let Some(setup) = &self.setup else { return };
        let (id, key) = (EntityId::of(&[lot_id]), context.key(lot_id));
        let known = self.lots.entry(id, event.key(), || Known { key, timeline: Timeline::default() });
        known.insert(&setup.fold, id, Order::of(event), step, context);
    }

    fn session(
        &mut self,
        event: &Event<'_>,
        lot_id: &str,
        session_id: &str,
        context: &mut Context<'_>,
    ) -> Option<(EntityId, &mut Session, Metrics)> {
        let setup = self.setup.as_ref()?;
        let place = setup.place(&setup.unit(lot_id, None, None, context));
        let id = EntityId::of(&[lot_id, session_id]);
        Some((id, self.sessions.entry(id, event.key(), || Session::new(place)), setup.metrics))
    }

    fn passed(&mut self, event: &Event<'_>, lot_id: &str, session_id: &str, passed: Passed, context: &mut Context<'_>) {
        let Some(reach_ms) = self.setup.as_ref().map(|setup| setup.reach_ms) else { return };
        let Some((_, session, metrics)) = self.session(event, lot_id, session_id, context) else { return };
        if session.stay.is_over(event.time) {
            session.stay = Stay::default(); // what the one before contributed stays
        }
        // too late, it moves the session only where it is newer (I5)
        if context.too_late(event.time) && session.stay.newest().is_some_and(|newest| newest >= event.time) {
            return;
        }
        let before = session.stay.clone();
        session.stay.take(&Order::of(event), passed);
        if session.stay != before {
            metrics.stays.count(&session.place, &before, -1, context);
            metrics.stays.count(&session.place, &session.stay, 1, context);
            let seen = context.log_time.map_or(event.time, |log_time| log_time.min(event.time));
            metrics.turnover.count(session, TimeMs(seen.0 - reach_ms), context);
        }
    }

    fn credit(&mut self, event: &Event<'_>, data: &parking::Credit<'_>, context: &mut Context<'_>) {
        let Some((id, session, metrics)) = self.session(event, &data.lot_id, &data.session_id, context) else { return };
        let credit: &mut Credit = session.credit.get_or_insert_default();
        let before = credit.clone();
        credit.take(&Order::of(event), data);
        if let Some(at) = credit.due() {
            context.timer(Timer { at, kind: SESSION, entity: id });
        }
        metrics.credits.changed(&session.place, &before, credit, context);
    }
}

impl Known {
    fn insert(&mut self, fold: &Lots, id: EntityId, order: Order, step: Step, context: &mut Context<'_>) {
        let before: Vec<KeyId> = self.timeline.tip().floors().collect();
        self.timeline.insert(fold, order, step, context);
        if let Some(at) = self.timeline.tip().next_change() {
            context.timer(Timer { at, kind: LOT, entity: id });
        }
        self.live(&before, context);
    }

    fn live(&self, before: &[KeyId], context: &mut Context<'_>) {
        if let Some(newest) = self.timeline.newest() {
            live::rows(self.key, self.timeline.tip(), before, newest.time, context);
        }
    }
}
