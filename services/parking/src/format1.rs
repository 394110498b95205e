//! State as format 1 wrote it (postcard), frozen.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use yiping_event::TimeMs;
use yiping_window::{EntityId, KeyId, Table, Timeline, dedup::ByEntity};

use crate::{
    Known, Parking,
    entity::lot::{self, Lot},
};

#[derive(Debug, Deserialize)]
pub struct V1 {
    lots: HashMap<EntityId, KnownV1, ByEntity>,
}

#[derive(Debug, Deserialize)]
struct KnownV1 {
    key: KeyId,
    timeline: Timeline<LotV1, StepV1>,
}

#[derive(Debug, Deserialize)]
struct LotV1 {
    key: Option<KeyId>,
    district: Option<KeyId>,
    whole: Option<StateV1>,
    floors: BTreeMap<KeyId, StateV1>,
    unplaced: i64,
}

#[derive(Debug, Deserialize)]
struct StateV1 {
    capacity: i64,
    occupied: i64,
    open: bool,
    heard: TimeMs,
}

#[derive(Debug, Deserialize)]
struct UnitV1 {
    lot: KeyId,
    floor: Option<KeyId>,
    district: KeyId,
    names_district: bool,
}

#[derive(Debug, Deserialize)]
enum StepV1 {
    Snapshot { unit: UnitV1, capacity: i64, occupied: i64, open: bool },
    Moved { unit: UnitV1, by: i64 },
    RunsOut,
}

impl From<V1> for Parking {
    fn from(old: V1) -> Self {
        let known = |old: KnownV1| Known { key: old.key, timeline: old.timeline.map(lot, step) };
        let lots = old.lots.into_iter().map(|(id, old)| (id, known(old))).collect();
        Parking { lots: Table::without_keys(lots), ..Parking::default() }
    }
}

fn lot(old: LotV1) -> Lot {
    let floors = old.floors.into_iter().map(|(floor, old)| (floor, state(old))).collect();
    Lot::of_format1(old.key, old.district, old.whole.map(state), floors, old.unplaced)
}

fn state(old: StateV1) -> lot::State {
    let StateV1 { capacity, occupied, open, heard } = old;
    lot::State { capacity, occupied, open, heard }
}

fn unit(old: UnitV1) -> lot::Unit {
    let UnitV1 { lot, floor, district, names_district } = old;
    lot::Unit { lot, floor, district, names_district, profile: None }
}

fn step(old: StepV1) -> lot::Step {
    match old {
        StepV1::Snapshot { unit: old, capacity, occupied, open } => {
            lot::Step::Snapshot { unit: unit(old), capacity, occupied, open }
        }
        StepV1::Moved { unit: old, by } => lot::Step::Moved { unit: unit(old), by },
        StepV1::RunsOut => lot::Step::RunsOut,
    }
}
