//! The same machines offline: files in, the last revision of every row out. What a batch job over the complete log says, and what
//! the live figures must equal.

use std::{collections::HashMap, io};

use anyhow::{Context, bail, ensure};
use yiping_catalogue::Catalogue;
use yiping_city::City;
use yiping_event::{Data, Event, Reject, Stream, decode};
use yiping_log::partition_for_key;
use yiping_window::{Counters, Domain, Input, Machine, Output, Settings, Span};

use crate::{
    export::exported,
    published::{Heard, Published},
};

const MIXED: &str = "events and lines of an export (yiping log export) can't be mixed; give either";

/// More than any topic has; beyond it a number is taken for a mistake, not for memory to be filled.
const MOST_PARTITIONS: u32 = 4_096;

#[derive(Debug)]
pub struct Computed {
    pub published: Published,
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
    let mut windows = Heard::default();
    let mut codes: HashMap<&'static str, u64> = HashMap::new();
    let mut others = 0;
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
                others += 1;
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
    let mut counters = Counters::default();
    machines.iter().for_each(|machine| counters.add(machine.counters()));
    let mut rejects: Vec<(&'static str, u64)> = codes.into_iter().collect();
    rejects.sort_unstable();
    let published = windows.publish(stream, catalogue, city, watermark.unwrap_or_default());
    Ok(Computed { published, counters, others, rejects })
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
