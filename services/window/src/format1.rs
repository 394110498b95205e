//! State as format 1 wrote it (postcard), frozen. Its running sums are not read: they are made anew from the panes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Deserialize;
use yiping_event::TimeMs;

use crate::{
    board::{Board, Series},
    clock::{Clock, Settings},
    closed::Closed,
    domain::{Domain, Timer},
    key::{KeyId, Keys, Level},
    machine::{Contact, Core, Counters},
    metric::MetricId,
    pane::{Agg, PANE_MS},
    panes::{Panes, Part},
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

/// Panes by their number; areas stand in the second sums.
fn panes(old: impl IntoIterator<Item = (i64, AggV1)>, into: &mut Panes) {
    for (pane, old) in old {
        let (time, mut n) = (pane * PANE_MS, old.n);
        for (bucket, count) in old.hist {
            into.put(time, &Part::Item { item: i64::from(bucket), count });
            n -= count;
        }
        let AggV1 { num, den, area_num, area_den, .. } = old;
        into.put(time, &Part::Sums(Agg { num, den, n, num2: area_num, den2: area_den }));
    }
}

impl From<SeriesV1> for Series {
    fn from(old: SeriesV1) -> Self {
        let mut kept = Panes::over(Agg { num: old.floor.0, den: old.floor.1, ..Agg::default() });
        panes(old.panes, &mut kept);
        let pending = (!old.pending.is_empty()).then(|| {
            let mut pending = Box::<Panes>::default();
            panes(old.pending, &mut pending);
            pending
        });
        Series { metric: old.metric, level: old.level, key: old.key, panes: kept, windows: Box::default(), pending }
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
        closed: closed
            .map(|(span, closed)| (span, Closed { start: closed.start, end: closed.end }))
            .collect::<BTreeMap<_, _>>()
            .into(),
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
        moved: None,
        holes: Vec::new(),
        late_minutes: BTreeMap::new(),
    })
}
