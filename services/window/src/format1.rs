//! State as format 1 wrote it (postcard), frozen. Its running sums are not read: they are made anew from the panes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Deserialize;
use yiping_event::TimeMs;

use crate::{
    board::{Board, Closed, Series},
    clock::{Clock, Settings},
    domain::{Domain, Timer},
    histogram::Histogram,
    key::{KeyId, Keys, Level},
    machine::{Contact, Core, Counters},
    metric::MetricId,
    pane::Agg,
    span::Span,
};

#[derive(Deserialize)]
struct CoreV1<V> {
    board: BoardV1,
    domain: V,
    clock: Clock,
    counters: Counters,
    contacts: BTreeMap<String, Contact>,
    timers: BTreeSet<Timer>,
    settings: Option<Settings>,
    last_event: Option<TimeMs>,
    offset: Option<u64>,
    foreign_tick: Option<u64>,
    recorded: bool,
}

#[derive(Deserialize)]
struct BoardV1 {
    keys: Keys,
    names: Vec<String>,
    series: Vec<SeriesV1>,
    closed: BTreeMap<Span, ClosedV1>,
    touched: Vec<usize>,
    horizon: Option<i64>,
    too_late: u64,
}

#[derive(Deserialize)]
struct ClosedV1 {
    start: i64,
    end: i64,
}

#[derive(Deserialize)]
struct SeriesV1 {
    metric: MetricId,
    level: Level,
    key: KeyId,
    panes: VecDeque<(i64, AggV1)>,
    floor: (i64, i64),
    _sums: Vec<(SumV1, SumV1)>,
    pending: Vec<(i64, AggV1)>,
}

#[derive(Deserialize)]
struct SumV1 {
    _agg: AggV1,
    _level_num: i64,
    _level_den: i64,
}

#[derive(Deserialize)]
struct AggV1 {
    num: i64,
    den: i64,
    n: i64,
    area_num: i64,
    area_den: i64,
    hist: Vec<(u16, i64)>,
}

impl From<AggV1> for Agg {
    fn from(old: AggV1) -> Self {
        Agg {
            num: old.num,
            den: old.den,
            n: old.n,
            area_num: old.area_num,
            area_den: old.area_den,
            hist: Histogram::from(old.hist),
        }
    }
}

impl From<SeriesV1> for Series {
    fn from(old: SeriesV1) -> Self {
        Series {
            metric: old.metric,
            level: old.level,
            key: old.key,
            panes: old.panes.into_iter().map(|(pane, agg)| (pane, agg.into())).collect(),
            floor: old.floor,
            sums: Vec::new(),
            pending: old.pending.into_iter().map(|(pane, agg)| (pane, agg.into())).collect(),
        }
    }
}

pub(crate) fn read<D: Domain>(bytes: &[u8]) -> Result<Core<D>, String> {
    let old: CoreV1<D::V1> = postcard::from_bytes(bytes).map_err(|error| error.to_string())?;
    let until = old.settings.as_ref().and_then(|settings| old.clock.watermark(settings)).map(|watermark| watermark.0);
    let closed = old.board.closed.into_iter();
    let board = Board {
        keys: old.board.keys,
        names: old.board.names,
        series: old.board.series.into_iter().map(Series::from).collect(),
        closed: closed.map(|(span, closed)| (span, Closed { start: closed.start, end: closed.end })).collect(),
        touched: old.board.touched,
        horizon: old.board.horizon,
        until,
        too_late: old.board.too_late,
        ..Board::default()
    };
    Ok(Core {
        board,
        domain: old.domain.into(),
        clock: old.clock,
        counters: old.counters,
        contacts: old.contacts,
        timers: old.timers,
        settings: old.settings,
        last_event: old.last_event,
        offset: old.offset,
        foreign_tick: old.foreign_tick,
        recorded: old.recorded,
        append: None,
        holes: Vec::new(),
    })
}
