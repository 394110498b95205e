//! The commands and their arguments, as the README's table has them.

mod bench;
mod rejects;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use yiping_event::{Stream, TimeMs};
use yiping_runtime::telemetry::LogFormat;
use yiping_simulator::{Faults, Incident, IncidentKind};
use yiping_window::Span;

pub use bench::{BenchArgs, BenchLog, BenchStore};
pub use rejects::{
    KeyCommand, KeyKind, KeyNewArgs, RejectsCommand, RejectsListArgs, RejectsReplayArgs, RejectsShowArgs, RejectsWanted,
};

/// One screen for the whole city: rolling city metrics that equal a batch job over the complete log.
#[derive(Debug, Parser)]
#[command(name = "yiping", version, propagate_version = true)]
pub struct Cli {
    /// Form of the log lines on stderr: text or json
    #[arg(long, global = true, default_value = "text")]
    pub log_format: LogFormat,
    /// Which log lines, as RUST_LOG: "info,yiping_gateway=debug"
    #[arg(long, global = true)]
    pub log: Option<String>,
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Which log lines. The --log of `bench` is another one.
    #[must_use]
    pub fn log_lines(&self) -> Option<&str> {
        self.log.as_deref().filter(|_| !matches!(self.command, Command::Bench(_)))
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// The whole system in one process, fed by the synthetic city
    Demo(DemoArgs),
    /// One or more targets, until stopped
    Run(RunArgs),
    /// The table of targets, and what each needs
    Targets,
    /// The synthetic city as NDJSON, one CloudEvent a line
    Simulate(SimulateArgs),
    /// Recorded data into a running gateway
    Replay(ReplayArgs),
    /// The metric rows of files of events or of a log's export, offline, as NDJSON
    Compute(ComputeArgs),
    /// How fast a stream's log is drained by its own service, and whether what comes out is right: one JSON line
    Bench(BenchArgs),
    /// What would have been beyond its limit: breaches from the rows of `compute`, offline, as NDJSON
    Judge(JudgeArgs),
    /// Alert rules, alert routes and dashboards for the configured city, with its own limits
    Monitoring(MonitoringArgs),
    /// Brings ClickHouse's schema up to date
    Migrate(MigrateArgs),
    /// Reads the configuration and names every fault at once
    Check(ConfigArgs),
    /// Makes closed windows again with the events that came too late for them
    Heal(HealArgs),
    /// Writes rows once more that ClickHouse has lost
    Rebuild(RebuildArgs),
    /// Takes streams to another log or number of partitions
    Move(MoveArgs),
    /// A stream's log
    #[command(subcommand)]
    Log(LogCommand),
    /// Departments' own payloads
    #[command(subcommand)]
    Feed(FeedCommand),
    /// Departments' tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// The gateway's keys
    #[command(subcommand)]
    Key(KeyCommand),
    /// What was refused: looks at it, and sends it again
    #[command(subcommand)]
    Rejects(RejectsCommand),
}

#[derive(Debug, Subcommand)]
pub enum LogCommand {
    /// Its records as NDJSON, for `compute` and for people; also while the system runs
    Export(LogExportArgs),
}

#[derive(Debug, Subcommand)]
pub enum FeedCommand {
    /// Tries a mapping offline: its events on stdout, what it could not read on stderr
    Test(FeedTestArgs),
}

#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Makes a token, prints it once, and adds its hash to the tokens file
    New(TokenNewArgs),
}

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Where the demo keeps its log and its database; started again on it, it goes on
    #[arg(long, env = "YIPING_DATA_DIR", default_value = "yiping-data")]
    pub data_dir: PathBuf,
    /// Port of the wall on 127.0.0.1 (0: any free one)
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// Which city; kept in the data folder from the first start on
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Simulated seconds a second
    #[arg(long, default_value_t = 1.0)]
    pub speed: f64,
    /// What goes wrong in the city: none, usual or hostile
    #[arg(long, default_value = "usual")]
    pub faults: Faults,
    /// What goes wrong on purpose, so long after the demo's first start on an empty folder, and for how long
    #[arg(long, value_name = "NAME[@OFFSET[+DURATION]]", value_parser = incident, long_help = DEMO_INCIDENTS)]
    pub incident: Vec<PlannedIncident>,
}

macro_rules! incidents {
    ($since:literal) => {
        concat!(
            "What goes wrong on purpose, ",
            $since,
            ", and for how long (@30m+60m when absent); repeatable.\n\n\
            bus-bunching: on 45 routes every second vehicle falls back by 0.7 of the headway\n\
            lot-full: the 3 largest car parks fill up within 8 minutes and stay full\n\
            heating-outage: orders about heating x20 in two districts, long waits, lost calls\n\
            sos-unanswered: an alarm that nobody acknowledges until its end\n\
            feed-dead, feed-dead-parking: nothing is heard of one source of buses, of parking\n\n\
            Such as lot-full, lot-full@10m, lot-full@0s+45m"
        )
    };
}
const DEMO_INCIDENTS: &str = incidents!("so long after the demo's first start on an empty folder");
const SIMULATE_INCIDENTS: &str = incidents!("so long after --start");

/// `NAME[@OFFSET[+DURATION]]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedIncident {
    pub kind: IncidentKind,
    /// From the simulation's start, in ms.
    pub offset: i64,
    /// In ms.
    pub duration: i64,
}

impl PlannedIncident {
    #[must_use]
    pub fn after(self, start: TimeMs) -> Incident {
        let from = start.plus(self.offset);
        Incident { kind: self.kind, from, to: from.plus(self.duration) }
    }
}

#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// The TOML file; every key also as YIPING_SECTION__KEY
    #[arg(long, env = "YIPING_CONFIG")]
    pub config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct RunArgs {
    /// all, or some of: gateway pull bus parking hotline elder watch wall (see `yiping targets`)
    #[arg(long, required = true, value_delimiter = ',', value_parser = target)]
    pub target: Vec<String>,
    #[command(flatten)]
    pub config: ConfigArgs,
}

#[derive(Debug, Args)]
pub struct SimulateArgs {
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// RFC 3339, with offset
    #[arg(long, value_parser = time)]
    pub start: TimeMs,
    /// 90s, 10m, 24h
    #[arg(long, value_parser = duration)]
    pub duration: i64,
    #[arg(long, value_delimiter = ',', default_values_t = Stream::ALL)]
    pub streams: Vec<Stream>,
    /// Multiplies the numbers of vehicles, lots and calls
    #[arg(long, default_value_t = 1.0)]
    pub scale: f64,
    /// none, usual or hostile
    #[arg(long, default_value = "none")]
    pub faults: Faults,
    /// What goes wrong on purpose, so long after --start, and for how long
    #[arg(long, value_name = "NAME[@OFFSET[+DURATION]]", value_parser = incident, long_help = SIMULATE_INCIDENTS)]
    pub incident: Vec<PlannedIncident>,
    /// Also tells, half a day after --start, the work orders of before that are open or not yet due
    #[arg(long)]
    pub opening: bool,
    /// A file, or - for stdout
    #[arg(long, default_value = "-")]
    pub out: PathBuf,
    /// The city profile's folder; the built-in Weihai when absent
    #[arg(long)]
    pub profile: Option<PathBuf>,
}

/// How a department's rows are read.
#[derive(Debug, Args)]
pub struct FeedArgs {
    /// ndjson, json, csv, gtfs-rt or gtfs-rt-json
    #[arg(long, default_value = "ndjson")]
    pub format: yiping_feed::Format,
    /// utf-8 or gb18030
    #[arg(long, default_value = "utf-8")]
    pub encoding: yiping_feed::Encoding,
    /// A jq file that makes events of rows; NDJSON of events needs none
    #[arg(long)]
    pub map: Option<PathBuf>,
    /// Names of the columns of a CSV file that has no header row
    #[arg(long, value_delimiter = ',')]
    pub columns: Option<Vec<String>>,
    /// The feed's name, part of the ids made from content; the map's file name when absent
    #[arg(long)]
    pub name: Option<String>,
    /// The `source` of events whose map names none
    #[arg(long)]
    pub source: Option<String>,
    /// Zone of times without an offset, and of the time in poll files' names (UTC when absent)
    #[arg(long)]
    pub zone: Option<String>,
}

#[derive(Debug, Args)]
pub struct ReplayArgs {
    #[arg(long)]
    pub stream: Stream,
    #[command(flatten)]
    pub feed: FeedArgs,
    /// Data seconds a second, or max
    #[arg(long, default_value = "max")]
    pub speed: yiping_feed::Speed,
    /// How far the stream's time goes on after the newest event: 24h makes every window of the data final; none where live
    /// events follow, which would be late until then [default: 24h]
    #[arg(long, value_parser = settle)]
    pub settle: Option<Settle>,
    /// The gateway's address; from the data folder's endpoints.json when absent
    #[arg(long)]
    pub to: Option<String>,
    /// A token with the right set_received (better: YIPING_TOKEN); from endpoints.json when absent
    #[arg(long, env = "YIPING_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// The running system's data folder
    #[arg(long, env = "YIPING_DATA_DIR", default_value = "yiping-data")]
    pub data_dir: PathBuf,
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
}

/// What a replay tells of the time after its data.
#[derive(Debug, Clone, Copy)]
pub enum Settle {
    Nothing,
    Ms(i64),
}

#[derive(Debug, Args)]
pub struct ComputeArgs {
    #[arg(long)]
    pub stream: Stream,
    #[command(flatten)]
    pub config: ConfigArgs,
    /// How many partitions events are spread over; the records of an export (yiping log export) stay in their own
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub partitions: u32,
    /// Only these, such as 1h,day,now
    #[arg(long, value_delimiter = ',')]
    pub spans: Option<Vec<Span>>,
    /// A file, or - for stdout
    #[arg(long)]
    pub out: PathBuf,
    /// NDJSON of events, or of one log's export
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub struct JudgeArgs {
    #[command(flatten)]
    pub config: ConfigArgs,
    /// A file, or - for stdout
    #[arg(long, default_value = "-")]
    pub out: PathBuf,
    /// Rows of `compute`, of any streams
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub struct MonitoringArgs {
    #[command(flatten)]
    pub config: ConfigArgs,
    /// A folder such as deploy: prometheus, alertmanager, grafana and runbooks in it are written anew
    #[arg(long)]
    pub out: PathBuf,
}

/// Each partition in its order, one after the other; the records that were there when it began.
#[derive(Debug, Args)]
pub struct HealArgs {
    #[arg(long)]
    pub stream: Stream,
    /// Windows that overlap the time from here (RFC 3339, with offset) …
    #[arg(long, value_parser = time)]
    pub from: TimeMs,
    /// … to here, as far as the service doesn't revise them any more
    #[arg(long, value_parser = time)]
    pub to: TimeMs,
    #[command(flatten)]
    pub config: ConfigArgs,
}

#[derive(Debug, Args)]
pub struct RebuildArgs {
    #[arg(long)]
    pub stream: Stream,
    /// Windows that end after this (RFC 3339, with offset)
    #[arg(long, value_parser = time)]
    pub from: TimeMs,
    #[command(flatten)]
    pub config: ConfigArgs,
}

#[derive(Debug, Args)]
pub struct MoveArgs {
    /// One or more, such as bus,parking; their services must not run
    #[arg(long, value_delimiter = ',', required = true)]
    pub stream: Vec<Stream>,
    /// The log that they are on: embedded:DIR or kafka://host:port,…
    #[arg(long)]
    pub from: String,
    /// The log to take them to; the same one where its topics have got more partitions
    #[arg(long)]
    pub to: String,
    /// Of the topics there; as many as there are, or as before, when absent
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub partitions: Option<u32>,
    #[command(flatten)]
    pub config: ConfigArgs,
}

#[derive(Debug, Args)]
pub struct LogExportArgs {
    #[arg(long)]
    pub stream: Stream,
    /// Only records with this log time or a later one (`receivedtime`, else the append time); RFC 3339, with offset
    #[arg(long, value_parser = time)]
    pub from: Option<TimeMs>,
    /// Only records with a log time before this
    #[arg(long, value_parser = time)]
    pub to: Option<TimeMs>,
    /// Another log than the configured one: embedded:DIR or kafka://host:port,…
    #[arg(long)]
    pub log_url: Option<String>,
    /// A file, or - for stdout
    #[arg(long, default_value = "-")]
    pub out: PathBuf,
    #[command(flatten)]
    pub config: ConfigArgs,
}

#[derive(Debug, Args)]
pub struct FeedTestArgs {
    #[command(flatten)]
    pub feed: FeedArgs,
    /// A feed of the settings, [feeds.NAME]: its format, map, code tables and so on instead of the arguments above
    #[arg(long = "feed", value_name = "NAME", conflicts_with_all = ["map", "columns", "name", "source", "zone"])]
    pub of_settings: Option<String>,
    #[command(flatten)]
    pub config: ConfigArgs,
    pub file: PathBuf,
}

#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// Only says what an empty ClickHouse would get, as SQL
    #[arg(long)]
    pub print: bool,
    #[command(flatten)]
    pub config: ConfigArgs,
}

#[derive(Debug, Args)]
pub struct TokenNewArgs {
    /// The department's name; a token of that name is replaced
    #[arg(long)]
    pub name: String,
    #[arg(long, value_delimiter = ',', required = true)]
    pub streams: Vec<Stream>,
    /// The sources it may send as; * stands for any text
    #[arg(long, value_delimiter = ',', default_value = "*")]
    pub sources: Vec<String>,
    /// set_received: bring one's own receivedtime, and ticks (replay, simulator); replay: send rejects again
    #[arg(long, value_delimiter = ',')]
    pub rights: Vec<String>,
    /// Until when it is valid, RFC 3339 with offset; for ever when absent
    #[arg(long, value_parser = time)]
    pub expires: Option<TimeMs>,
    /// So many events a second may it send on average, some seconds ahead; any number when absent
    #[arg(long)]
    pub events_per_s: Option<std::num::NonZeroU32>,
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// The name of a target; an unknown one lists the valid ones.
fn target(name: &str) -> Result<String, String> {
    crate::targets::parts(&[name.to_owned()]).map(|_| name.to_owned()).map_err(|error| error.to_string())
}

fn time(text: &str) -> Result<TimeMs, String> {
    TimeMs::parse(text).map_err(|error| format!("{error} (such as 2026-11-20T08:00:00+08:00)"))
}

/// `90s`, `10m`, `24h`, `7d` in ms.
fn duration(text: &str) -> Result<i64, String> {
    let wrong = || format!("'{text}' is no duration like 90s, 10m or 24h");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let factor = match unit {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => return Err(wrong()),
    };
    let count: i64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| wrong())?;
    count.checked_mul(factor).filter(|ms| *ms > 0).ok_or_else(wrong)
}

fn settle(text: &str) -> Result<Settle, String> {
    match text {
        "none" => Ok(Settle::Nothing),
        _ => duration(text).map(Settle::Ms).map_err(|error| format!("{error}, or none")),
    }
}

/// `lot-full`, `lot-full@10m`, `lot-full@0s+45m`.
fn incident(text: &str) -> Result<PlannedIncident, String> {
    let (name, rest) = text.split_once('@').map_or((text, None), |(name, rest)| (name, Some(rest)));
    let kind = name.parse::<IncidentKind>().map_err(|error| error.to_string())?;
    let (offset, length) = match rest.map(|rest| rest.split_once('+').unwrap_or((rest, "60m"))) {
        Some(("0s" | "0m" | "0h", length)) => (0, length),
        Some((offset, length)) => (duration(offset)?, length),
        None => (30 * 60_000, "60m"),
    };
    Ok(PlannedIncident { kind, offset, duration: duration(length)? })
}
