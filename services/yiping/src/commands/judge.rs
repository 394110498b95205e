//! `yiping judge`: the thresholds over rows of `compute`, so that limits can be tuned before they wake anybody.

use std::{
    collections::{BTreeMap, HashMap},
    io,
};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use yiping_catalogue::Catalogue;
use yiping_event::TimeMs;
use yiping_runtime::Config;
use yiping_watch::{Breach, Figure, Rules, breaches};

use super::{compute::lines, output};
use crate::{assembly, cli::JudgeArgs};

/// What is read of a row.
#[derive(Deserialize)]
struct Row {
    stream: String,
    metric: String,
    level: String,
    key: String,
    span: String,
    window_end: String,
    value: Option<f64>,
}

/// The columns of `city.breaches`.
#[derive(Serialize)]
struct Line<'a> {
    metric: &'a str,
    level: &'a str,
    key: &'a str,
    span: &'a str,
    severity: &'a str,
    opened_at: String,
    closed_at: Option<String>,
    value: f64,
    threshold: f64,
    id: &'a str,
    worst: f64,
    owner: &'a str,
    action: &'a str,
}

pub fn judge(args: JudgeArgs) -> anyhow::Result<()> {
    let config = Config::load(args.config.config.as_deref())?;
    config.check()?;
    let city = assembly::city(&config)?;
    let catalogue = Catalogue::builtin()?;
    let rules = Rules::new(&catalogue, &city)?;
    let mut streams: BTreeMap<String, Vec<Figure>> = BTreeMap::new();
    let mut wanted: HashMap<String, Vec<(String, String)>> = HashMap::new();
    for (line, number) in lines(args.files)?.zip(1_u64..) {
        let line = line.context("reading rows")?;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let row: Row =
            serde_json::from_slice(&line).with_context(|| format!("line {number} is no row of yiping compute"))?;
        let wanted = wanted.entry(row.stream.clone()).or_insert_with(|| rules.figures(&row.stream));
        if !wanted.iter().any(|(metric, level)| *metric == row.metric && *level == row.level) {
            continue;
        }
        let end = TimeMs::parse(&row.window_end)
            .map_err(|_| anyhow::anyhow!("line {number}: {} is no time", row.window_end))?;
        let Row { stream, metric, level, key, span, value, .. } = row;
        streams.entry(stream).or_default().push(Figure { metric, level, key, span, end: end.0, value });
    }
    let mut found: Vec<Breach> = Vec::new();
    for (stream, figures) in streams {
        found.extend(breaches(&stream, &rules, &catalogue, &city, figures));
    }
    found.sort_by(|a, b| (a.opened_at, &a.id).cmp(&(b.opened_at, &b.id)));
    output(&args.out, |out| {
        for breach in &found {
            serde_json::to_writer(&mut *out, &line(breach)).map_err(io::Error::from)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    })?;
    let open = found.iter().filter(|breach| breach.closed_at.is_none()).count();
    eprintln!("breaches {}, of which {open} open at the end", found.len());
    Ok(())
}

fn line(breach: &Breach) -> Line<'_> {
    Line {
        metric: &breach.metric,
        level: &breach.level,
        key: &breach.key,
        span: &breach.span,
        severity: breach.severity,
        opened_at: TimeMs(breach.opened_at).to_string(),
        closed_at: breach.closed_at.map(|at| TimeMs(at).to_string()),
        value: breach.value,
        threshold: breach.threshold,
        id: &breach.id,
        worst: breach.worst,
        owner: &breach.owner,
        action: &breach.action,
    }
}
