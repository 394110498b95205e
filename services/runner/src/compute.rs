//! The same machines offline: files in, the last revision of every row out. What a batch job over the complete log says, and what
//! the live figures must equal.

use std::{
    collections::{BTreeMap, HashMap},
    io,
};

use anyhow::{Context, bail, ensure};
use foldhash::fast::RandomState;
use serde::Serialize;
use yiping_catalogue::{Catalogue, Sums};
use yiping_city::City;
use yiping_event::{Data, Event, Reject, Stream, TimeMs, decode};
use yiping_log::partition_for_key;
use yiping_window::{Counters, Domain, Input, Level, Machine, Name, Output, Row, Settings, Span};

use crate::export::exported;

const MIXED: &str = "events and lines of an export (yiping log export) can't be mixed; give either";

/// More than any topic has; beyond it a number is taken for a mistake, not for memory to be filled.
const MOST_PARTITIONS: u32 = 4_096;

/// A row with the columns of `city.metrics`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OfflineRow {
    pub stream: &'static str,
    pub metric: Name,
    pub level: &'static str,
    pub key: Name,
    pub span: &'static str,
    pub window_start: Name,
    pub window_end: Name,
    pub value: Option<f64>,
    pub numerator: f64,
    pub denominator: f64,
    pub n: i64,
    pub is_final: bool,
    pub revision: u64,
    pub watermark: Name,
}

#[derive(Debug, Default)]
pub struct Computed {
    /// Sorted by (metric, level, key, span, window_start).
    pub rows: Vec<OfflineRow>,
    pub counters: Counters,
    /// Lines of other streams, passed over.
    pub others: u64,
    /// Codes of rejects and of what was quarantined, with their counts.
    pub rejects: Vec<(&'static str, u64)>,
}

/// Runs a stream's machine over lines, in their order. `spans`: only these.
///
/// Lines are events, spread over `partitions` by their keys; or all of them are of a log's export: then every record goes to its own
/// partition's machine, with its offset and its append time. A partition that an export says nothing of has no part in any figure, so
/// it needs no mention.
///
/// # Errors
/// When lines can't be read, when events and an export are mixed, when an export's offsets don't grow, or the settings are wrong.
pub fn compute<D: Domain>(
    stream: Stream,
    catalogue: &Catalogue,
    city: &City,
    settings: &Settings,
    partitions: u32,
    spans: Option<&[Span]>,
    lines: impl Iterator<Item = io::Result<Vec<u8>>>,
) -> anyhow::Result<Computed> {
    let specs = catalogue.specs(stream, spans);
    let machine = || match Machine::new(stream, &specs, settings.clone()) {
        Ok(machine) => Ok(machine.without_live()),
        Err(error) => Err(anyhow::anyhow!("settings: {error}")),
    };
    let partitions = partitions.max(1);
    let mut machines: Vec<Machine<D>> = (0..partitions).map(|_| machine()).collect::<Result<_, _>>()?;
    let mut windows = Windows::default();
    let mut codes: HashMap<&'static str, u64> = HashMap::new();
    let mut computed = Computed::default();
    let mut out = Output::default();
    let mut of_export: Option<bool> = None;
    let mut offset = 0;
    for (line, number) in lines.zip(1_u64..) {
        let line = line.context("reading events")?;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if of_export.is_none() {
            of_export = Some(exported(&line).with_context(|| format!("line {number} of an export"))?.is_some());
        }
        if of_export == Some(true) {
            let Some(record) = exported(&line).with_context(|| format!("line {number} of an export"))? else {
                bail!("line {number}: {MIXED}");
            };
            let partition = record.partition;
            ensure!(partition < MOST_PARTITIONS, "line {number}: {partition} is no partition");
            while machines.len() <= partition as usize {
                machines.push(machine()?);
            }
            let machine = &mut machines[partition as usize];
            ensure!(
                machine.offset().is_none_or(|before| before < record.offset),
                "line {number}: offset {} of partition {partition} does not come after {}; one export of one stream, in its order, is wanted",
                record.offset,
                machine.offset().unwrap_or_default(),
            );
            let input = Input { offset: record.offset, append: Some(record.append), payload: &record.payload };
            machine.apply(input, &mut out);
            windows.keep(partition, &mut out.rows);
        } else {
            let decoded = decode(&line);
            if decoded.is_err() && exported(&line)?.is_some() {
                bail!("line {number}: {MIXED}");
            }
            let Some(targets) = targets(&decoded, stream, partitions) else {
                computed.others += 1;
                continue;
            };
            let input = Input { offset, append: None, payload: &line };
            if targets.len() == 1 {
                machines[targets.start as usize].apply_decoded(decoded, input, &mut out);
                windows.keep(targets.start, &mut out.rows);
            } else {
                for partition in targets {
                    machines[partition as usize].apply(input, &mut out);
                    windows.keep(partition, &mut out.rows);
                }
            }
            offset += 1;
        }
        for (_, reject) in out.rejects.drain(..) {
            *codes.entry(reject.code.as_str()).or_default() += 1;
        }
        out.late.clear();
        out.late_minutes.clear();
    }
    let watermark = machines.iter().filter_map(Machine::watermark).min();
    // one partition's source still speaks when another's have fallen silent: all end at the same time
    if let Some(time) = machines.iter().filter_map(Machine::time).max() {
        for (partition, machine) in (0u32..).zip(&mut machines) {
            machine.advance(time, machine.offset().unwrap_or(0), &mut out);
            windows.keep(partition, &mut out.rows);
        }
    }
    let newest = machines.iter().filter_map(Machine::last_event).max();
    if let Some(newest) = newest {
        for (partition, machine) in (0u32..).zip(&mut machines) {
            machine.finish(newest, &mut out);
            windows.keep(partition, &mut out.rows);
        }
    }
    for machine in &machines {
        let counters = machine.counters();
        computed.counters.accepted += counters.accepted;
        computed.counters.duplicates += counters.duplicates;
        computed.counters.late += counters.late;
        computed.counters.quarantined += counters.quarantined;
        computed.counters.rejected += counters.rejected;
    }
    computed.rejects = codes.into_iter().collect();
    computed.rejects.sort_unstable();
    computed.rows = windows.publish(stream, catalogue, city, watermark.unwrap_or_default());
    Ok(computed)
}

/// Which partitions a line goes to; `None` when it is another stream's. What doesn't decode goes to the first one, to be counted.
fn targets(decoded: &Result<Event<'_>, Reject>, stream: Stream, partitions: u32) -> Option<std::ops::Range<u32>> {
    let Ok(event) = decoded else {
        return Some(0..1);
    };
    let of = match &event.data {
        Data::SourceHeartbeat(heartbeat) => heartbeat.stream,
        Data::Tick(tick) => tick.stream,
        _ => event.stream(),
    };
    if of.is_some_and(|of| of != stream) {
        return None;
    }
    if matches!(event.data, Data::Tick(_) | Data::Config(_)) {
        return Some(0..partitions);
    }
    let partition = partition_for_key(event.key().as_bytes(), partitions);
    Some(partition..partition + 1)
}

/// What a partition said of a window, as small as can be: there are millions.
struct Part {
    /// Of [`Windows::ids`].
    series: u32,
    partition: u16,
    gone: bool,
    end: i64,
    num: i64,
    den: i64,
    n: i64,
    /// The second two sums and the histogram, of the few metrics that have them.
    more: Option<Box<Sums>>,
    revision: u64,
}

impl Part {
    fn sums(&self) -> Sums {
        let Part { num, den, n, .. } = *self;
        self.more.as_deref().cloned().unwrap_or(Sums { num, den, n, ..Sums::default() })
    }
}

type Series = (Name, Level, Name, Span);

/// All that was said, in the order in which it was.
#[derive(Default)]
struct Windows {
    numbers: HashMap<Series, u32, RandomState>,
    parts: Vec<Part>,
}

impl Windows {
    fn keep(&mut self, partition: u32, rows: &mut Vec<Row>) {
        for row in rows.drain(..) {
            let Row { metric, level, key, span, end, num, den, n, num2, den2, hist, gone, offset, .. } = row;
            let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
            let series = *self.numbers.entry((metric, level, key, span)).or_insert(next);
            let more =
                (num2 != 0 || den2 != 0 || !hist.is_empty()).then(|| Box::new(Sums { num, den, n, num2, den2, hist }));
            let partition = u16::try_from(partition).unwrap_or(u16::MAX); // there are at most 4,096
            let revision = (1 << 48) | offset;
            self.parts.push(Part { series, partition, gone, end: end.0, num, den, n, more, revision });
        }
    }

    fn publish(self, stream: Stream, catalogue: &Catalogue, city: &City, watermark: TimeMs) -> Vec<OfflineRow> {
        let Windows { numbers, mut parts } = self;
        let days = yiping_window::span::Days::new(city.zone.clone());
        // numbers in the order of rows
        let mut series: Vec<(Series, u32)> = numbers.into_iter().collect();
        let order = |(metric, level, key, span): &Series| (metric.clone(), level.as_str(), key.clone(), span.as_str());
        series.sort_by_cached_key(|(series, _)| order(series));
        let mut rank = vec![0; series.len()];
        for (at, (_, number)) in (0u32..).zip(&series) {
            rank[*number as usize] = at;
        }
        for part in &mut parts {
            part.series = rank[part.series as usize];
        }
        // of equals the last one counts: the sort is stable
        parts.sort_by_key(|part| (part.series, part.end, part.partition));
        let watermark = Name::from(watermark.to_string().as_str());
        let mut times: HashMap<i64, Name, RandomState> = HashMap::default();
        let mut time = |ms: i64| times.entry(ms).or_insert_with(|| Name::from(TimeMs(ms).to_string().as_str())).clone();
        let mut rows = Vec::new();
        for window in parts.chunk_by(|a, b| (a.series, a.end) == (b.series, b.end)) {
            let (metric, level, key, span) = &series[window[0].series as usize].0;
            let newest = || window.chunk_by(|a, b| a.partition == b.partition).filter_map(<[Part]>::last);
            let (Some(entry), false) = (catalogue.entry(metric), newest().all(|part| part.gone)) else {
                continue;
            };
            let mut sums = Sums::default();
            for (at, part) in newest().enumerate() {
                if at == 0 { sums = part.sums() } else { sums.merge(&part.sums(), entry.merge) }
            }
            let end = window[0].end;
            let is_city = *level == Level::City;
            let fleet = (entry.constant.as_deref() == Some("fleet") && is_city).then_some(i64::from(city.fleet));
            let figure = entry.publish(&sums, TimeMs(end), fleet);
            rows.push(OfflineRow {
                stream: stream.as_str(),
                metric: metric.clone(),
                level: level.as_str(),
                key: key.clone(),
                span: span.as_str(),
                window_start: time(span.start_of(end, &days)),
                window_end: time(end),
                value: figure.value,
                numerator: figure.numerator,
                denominator: figure.denominator,
                n: figure.n,
                is_final: true,
                revision: newest().map(|part| part.revision).max().unwrap_or(0),
                watermark: watermark.clone(),
            });
        }
        derive(stream, catalogue, &mut rows);
        rows
    }
}

/// The figures that are made of others (the views of the store do the same): at each full minute up to the last one that is `now`,
/// how many rows lie beyond the limit.
fn derive(stream: Stream, catalogue: &Catalogue, rows: &mut Vec<OfflineRow>) {
    let last = rows.iter().filter(|row| row.span == Span::Now.as_str()).map(|row| &row.window_end).max().cloned();
    let before = rows.len();
    for entry in catalogue.entries.iter().filter(|entry| entry.stream == stream) {
        let Some((derived, when, limit)) =
            entry.derived.as_ref().and_then(|derived| Some((derived, derived.when?, derived.limit?)))
        else {
            continue;
        };
        let mut made: BTreeMap<&str, OfflineRow> = BTreeMap::new();
        for row in &rows[..before] {
            let is_source = row.metric == derived.of && row.level == derived.level && row.span == derived.span;
            // (times of one form are in order as texts, too)
            let is_now =
                row.window_end.ends_with(":00.000Z") && last.as_ref().is_some_and(|last| row.window_end <= *last);
            if !is_source || !is_now {
                continue;
            }
            let made = made.entry(&row.window_end).or_insert_with(|| OfflineRow {
                metric: entry.id.as_str().into(),
                level: Level::City.as_str(),
                key: Level::City.as_str().into(),
                span: Span::Now.as_str(),
                window_start: row.window_end.clone(),
                value: Some(0.0),
                numerator: 0.0,
                denominator: 1.0,
                n: 0,
                ..row.clone()
            });
            if let Some(value) = row.value {
                made.n += 1;
                made.numerator += f64::from(u8::from(when.holds(value, limit)));
                made.value = Some(made.numerator);
            }
            made.revision = made.revision.max(row.revision);
        }
        let made: Vec<OfflineRow> = made.into_values().collect();
        rows.extend(made);
    }
    if rows.len() > before {
        let order =
            |row: &OfflineRow| (row.metric.clone(), row.level, row.key.clone(), row.span, row.window_end.clone());
        let (mut derived, kept) = (rows.split_off(before), std::mem::take(rows));
        derived.sort_by_key(order);
        // two sorted lists become one
        let mut derived = derived.into_iter().peekable();
        for row in kept {
            while let Some(first) = derived.next_if(|first| first.metric < row.metric) {
                rows.push(first);
            }
            rows.push(row);
        }
        rows.extend(derived);
    }
}
