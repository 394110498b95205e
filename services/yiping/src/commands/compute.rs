//! `yiping compute`: the very same state machines over files of events, or over a log's export.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::PathBuf,
};

use anyhow::Context;
use yiping_catalogue::Catalogue;
use yiping_event::Stream;
use yiping_runner::Computed;
use yiping_runtime::Config;

use super::output;
use crate::{assembly, cli::ComputeArgs};

/// How many bytes are written at a time.
const BLOCK: usize = 1 << 16;

pub fn compute(args: ComputeArgs) -> anyhow::Result<()> {
    let config = Config::load(args.config.config.as_deref())?;
    config.check()?;
    let city = assembly::city(&config)?;
    let catalogue = Catalogue::builtin()?;
    let stream = args.stream;
    let settings =
        yiping_runner::settings(config.streams.get(stream.as_str()).context("every stream has settings")?, &city);
    let lines = lines(args.files)?;
    let spans = args.spans.as_deref();
    let run = match stream {
        Stream::Bus => yiping_runner::compute::<yiping_bus::Bus>,
        Stream::Parking => yiping_runner::compute::<yiping_parking::Parking>,
        Stream::Hotline => yiping_runner::compute::<yiping_hotline::Hotline>,
        Stream::Elder => yiping_runner::compute::<yiping_elder::Elder>,
    };
    let computed = run(stream, &catalogue, &city, &settings, args.partitions, spans, lines)?;
    let mut rows = 0_u64;
    output(&args.out, |out| {
        let mut lines = Vec::with_capacity(2 * BLOCK);
        computed.published.each(|row| {
            serde_json::to_writer(&mut lines, &row).map_err(io::Error::from)?;
            lines.push(b'\n');
            rows += 1;
            if lines.len() < BLOCK {
                return Ok(());
            }
            out.write_all(&lines)?;
            lines.clear();
            Ok::<(), io::Error>(())
        })?;
        Ok(out.write_all(&lines)?)
    })?;
    report(&computed, rows);
    Ok(())
}

fn report(computed: &Computed, rows: u64) {
    let counters = computed.counters;
    eprintln!(
        "rows {rows}; events: accepted {}, late {}, duplicates {}, quarantined {}, rejected {}; of other streams {}",
        counters.accepted, counters.late, counters.duplicates, counters.quarantined, counters.rejected, computed.others
    );
    for (code, count) in &computed.rejects {
        eprintln!("  {code}: {count}");
    }
}

/// The lines of all files in order; every file is opened first, so that a wrong name is told before work begins.
pub fn lines(files: Vec<PathBuf>) -> anyhow::Result<impl Iterator<Item = io::Result<Vec<u8>>>> {
    let mut readers: Vec<Box<dyn BufRead>> = Vec::new();
    for path in files {
        readers.push(if path.as_os_str() == "-" {
            Box::new(BufReader::new(io::stdin()))
        } else {
            let file = File::open(&path).with_context(|| format!("opening {}", path.display()))?;
            Box::new(BufReader::with_capacity(1 << 16, file))
        });
    }
    Ok(readers.into_iter().flat_map(|reader| reader.split(b'\n')))
}
