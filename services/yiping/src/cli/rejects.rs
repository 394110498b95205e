//! `yiping rejects`, and `yiping key` that makes what opens them.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use yiping_event::TimeMs;

use super::{ConfigArgs, time};

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Makes a key; one that is there is never written over
    New(KeyNewArgs),
}

#[derive(Debug, Subcommand)]
pub enum RejectsCommand {
    /// What was refused and is still kept (7 days), oldest first
    List(RejectsListArgs),
    /// What was sent, masked; needs the secret key
    Show(RejectsShowArgs),
    /// Sends it through the same door again, with the mapping of now; needs the secret key
    Replay(RejectsReplayArgs),
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum KeyKind {
    /// Replaces what names a device or a stay; one for all gateways of a city
    Pseudonyms,
    /// Closes what is kept of rejects (rejects.pub, for the gateway), and opens it (rejects.key)
    Rejects,
}

#[derive(Debug, Args)]
pub struct KeyNewArgs {
    #[arg(long = "for", value_name = "KIND")]
    pub kind: KeyKind,
    /// The secret key's file; in the data folder when absent (pseudonym.key, rejects.key)
    #[arg(long)]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Which rejects.
#[derive(Debug, Args)]
pub struct RejectsWanted {
    /// The token's name that sent it
    #[arg(long)]
    pub token: Option<String>,
    /// The event's source, as far as it could be read
    #[arg(long)]
    pub source: Option<String>,
    /// The feed whose payload it was part of
    #[arg(long)]
    pub feed: Option<String>,
    /// The reason, such as bad_feed
    #[arg(long, value_parser = code)]
    pub code: Option<yiping_event::Code>,
    /// Refused at this time or later (RFC 3339, with offset)
    #[arg(long, value_parser = time)]
    pub since: Option<TimeMs>,
    /// Refused before this
    #[arg(long, value_parser = time)]
    pub until: Option<TimeMs>,
}

#[derive(Debug, Args)]
pub struct RejectsListArgs {
    #[command(flatten)]
    pub wanted: RejectsWanted,
    /// At most so many, the newest
    #[arg(long, default_value_t = 100)]
    pub limit: usize,
    /// As NDJSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub config: ConfigArgs,
}

#[derive(Debug, Args)]
pub struct RejectsShowArgs {
    /// As `yiping rejects list` has it, such as 0-17
    pub reject: yiping_gateway::RejectId,
    /// As it was sent, with whatever stands in it
    #[arg(long)]
    pub unmask: bool,
    /// The secret key; rejects.key in the data folder when absent
    #[arg(long)]
    pub key: Option<PathBuf>,
    #[command(flatten)]
    pub config: ConfigArgs,
}

#[derive(Debug, Args)]
pub struct RejectsReplayArgs {
    #[command(flatten)]
    pub wanted: RejectsWanted,
    /// Only these, such as 0-17
    #[arg(long, value_delimiter = ',')]
    pub reject: Vec<yiping_gateway::RejectId>,
    /// The secret key; rejects.key in the data folder when absent
    #[arg(long)]
    pub key: Option<PathBuf>,
    /// The gateway's address; from the data folder's endpoints.json when absent
    #[arg(long)]
    pub to: Option<String>,
    /// A token with the right replay (better: YIPING_TOKEN); one is made for this replay when absent
    #[arg(long, env = "YIPING_TOKEN", hide_env_values = true)]
    pub send_as: Option<String>,
    #[command(flatten)]
    pub config: ConfigArgs,
}

fn code(text: &str) -> Result<yiping_event::Code, String> {
    text.parse().map_err(|error: yiping_event::UnknownWord| error.to_string())
}
