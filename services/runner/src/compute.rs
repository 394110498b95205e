//! The same machines offline: files in, the last revision of every row out. What a batch job over the complete log says, and what
//! the live figures must equal.

use std::{
    collections::{BTreeMap, HashMap},
    io,
};

use anyhow::{Context, bail, ensure};
use serde::Serialize;
use yiping_catalogue::{Catalogue, Sums};
use yiping_city::City;
use yiping_event::{Data, Stream, TimeMs, decode};
use yiping_log::partition_for_key;
use yiping_window::{Counters, Domain, Input, Level, Machine, Output, Row, Settings, Span};

use crate::export::exported;

/// More than any topic has; beyond it a number is taken for a mistake, not for memory to be filled.
const MOST_PARTITIONS: u32 = 4_096;

/// A row with the columns of `city.metrics`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OfflineRow {
    pub stream: &'static str,
    pub metric: String,
    pub level: &'static str,
    pub key: String,
    pub span: &'static str,
    pub window_start: String,
    pub window_end: String,
    pub value: Option<f64>,
    pub numerator: f64,
    pub denominator: f64,
    pub n: i64,
    pub is_final: bool,
    pub revision: u64,
    pub watermark: String,
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

/// One partition's newest revision of a window.
struct Part {
    sums: Sums,
    gone: bool,
    revision: u64,
}

type Id = (String, &'static str, String, &'static str, i64);

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
    let machine =
        || Machine::new(stream, &specs, settings.clone()).map_err(|error| anyhow::anyhow!("settings: {error}"));
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
        let record = exported(&line).with_context(|| format!("line {number} of an export"))?;
        if *of_export.get_or_insert(record.is_some()) != record.is_some() {
            bail!("line {number}: events and lines of an export (yiping log export) can't be mixed; give either");
        }
        if let Some(record) = record {
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
            machine.apply(
                Input { offset: record.offset, append: Some(record.append), payload: &record.payload },
                &mut out,
            );
            windows.keep(partition, &mut out.rows);
        } else {
            let Some(targets) = targets(&line, stream, partitions) else {
                computed.others += 1;
                continue;
            };
            for partition in targets {
                machines[partition as usize].apply(Input { offset, append: None, payload: &line }, &mut out);
                windows.keep(partition, &mut out.rows);
            }
            offset += 1;
        }
        for (_, reject) in out.rejects.drain(..) {
            *codes.entry(reject.code.as_str()).or_default() += 1;
        }
        out.live.clear();
        out.late.clear();
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
    let watermark = machines.iter().filter_map(Machine::watermark).min();
    computed.rows = windows.publish(stream, catalogue, city, watermark.unwrap_or_default());
    Ok(computed)
}

/// Which partitions a line goes to; `None` when it is another stream's. What doesn't decode goes to the first one, to be counted.
fn targets(line: &[u8], stream: Stream, partitions: u32) -> Option<std::ops::Range<u32>> {
    let Ok(event) = decode(line) else {
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

/// Each window's newest revision, by partition.
#[derive(Default)]
struct Windows {
    rows: HashMap<Id, BTreeMap<u32, Part>>,
}

impl Windows {
    fn keep(&mut self, partition: u32, rows: &mut Vec<Row>) {
        for row in rows.drain(..) {
            let id = (row.metric, row.level.as_str(), row.key, row.span.as_str(), row.end.0);
            let Row { num, den, n, num2, den2, hist, .. } = row;
            let sums = Sums { num, den, n, num2, den2, hist };
            let part = Part { sums, gone: row.gone, revision: (1 << 48) | row.offset };
            self.rows.entry(id).or_default().insert(partition, part);
        }
    }

    fn publish(self, stream: Stream, catalogue: &Catalogue, city: &City, watermark: TimeMs) -> Vec<OfflineRow> {
        let days = yiping_window::span::Days::new(city.zone.clone());
        let mut rows: Vec<(Id, OfflineRow)> = Vec::with_capacity(self.rows.len());
        for (id, parts) in self.rows {
            let parts: Vec<Part> = parts.into_values().collect();
            let (Some(entry), false) = (catalogue.entry(&id.0), parts.iter().all(|part| part.gone)) else {
                continue;
            };
            let Ok(span) = id.3.parse::<Span>() else {
                continue;
            };
            let mut sums = Sums::default();
            for part in &parts {
                sums.merge(&part.sums, entry.merge);
            }
            let fleet = (entry.constant.as_deref() == Some("fleet") && id.1 == "city").then_some(i64::from(city.fleet));
            let figure = entry.publish(&sums, TimeMs(id.4), fleet);
            let row = OfflineRow {
                stream: stream.as_str(),
                metric: id.0.clone(),
                level: id.1,
                key: id.2.clone(),
                span: id.3,
                window_start: TimeMs(span.start_of(id.4, &days)).to_string(),
                window_end: TimeMs(id.4).to_string(),
                value: figure.value,
                numerator: figure.numerator,
                denominator: figure.denominator,
                n: figure.n,
                is_final: true,
                revision: parts.iter().map(|part| part.revision).max().unwrap_or(0),
                watermark: watermark.to_string(),
            };
            rows.push((id, row));
        }
        derive(stream, catalogue, &mut rows);
        rows.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        rows.into_iter().map(|(_, row)| row).collect()
    }
}

/// The figures that are made of others (the views of the store do the same): at each full minute up to the last one that is `now`,
/// how many rows lie beyond the limit.
fn derive(stream: Stream, catalogue: &Catalogue, rows: &mut Vec<(Id, OfflineRow)>) {
    let last = rows.iter().filter(|(id, _)| id.3 == Span::Now.as_str()).map(|(id, _)| id.4).max();
    for entry in catalogue.entries.iter().filter(|entry| entry.stream == stream) {
        let Some((derived, when, limit)) =
            entry.derived.as_ref().and_then(|derived| Some((derived, derived.when?, derived.limit?)))
        else {
            continue;
        };
        let mut made: BTreeMap<i64, OfflineRow> = BTreeMap::new();
        for ((metric, level, _, span, end), row) in rows.iter() {
            let is_source = *metric == derived.of && *level == derived.level && *span == derived.span;
            if !is_source || end % 60_000 != 0 || last.is_none_or(|last| *end > last) {
                continue;
            }
            let made = made.entry(*end).or_insert_with(|| OfflineRow {
                metric: entry.id.clone(),
                level: Level::City.as_str(),
                key: Level::City.as_str().to_owned(),
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
        rows.extend(
            made.into_iter().map(|(end, row)| ((row.metric.clone(), row.level, row.key.clone(), row.span, end), row)),
        );
    }
}
