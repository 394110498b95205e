//! `yiping rejects list|show|replay`, and `yiping key new`: what was refused, as the log has it, opened by whoever has the secret key.

mod door;

use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::json;
use yiping_event::TimeMs;
use yiping_gateway::{
    KEPT_BYTES, KeptReject, Part, Pseudonyms, REJECTS_TOPIC, RejectId, RejectRecord, ReplayItem, SealSecret,
    kept_rejects, legible, masked, public_path,
};
use yiping_log::Log;
use yiping_runtime::{Config, Endpoints, clock::unix_ms};

use self::door::Door;
use super::output;
use crate::cli::{KeyKind, KeyNewArgs, RejectsListArgs, RejectsReplayArgs, RejectsShowArgs, RejectsWanted};
use crate::keys::seal_secret;

/// A request holds so many bytes of rejects, so that with base64 and all it stays far below the smallest usual limit of a body.
const REQUEST_BYTES: usize = 1 << 20;

/// The settings that looking at rejects takes.
const NEEDED: [&str; 3] = ["data_dir", "log", "gateway.tokens"];

pub fn key_new(args: KeyNewArgs) -> anyhow::Result<()> {
    let config = Config::load_part(args.config.config.as_deref(), &["data_dir", "gateway.pseudonym_key"])?;
    let in_data = |name: &str| config.data_dir.0.join(name);
    match args.kind {
        KeyKind::Pseudonyms => {
            let path = args.out.unwrap_or_else(|| config.pseudonym_key_path());
            let made = Pseudonyms::make(&path)?;
            eprintln!(
                "made {} (pseudonyms begin with p{}): give every gateway of the city the same",
                path.display(),
                made.key_id()
            );
        }
        KeyKind::Rejects => {
            let path = args.out.unwrap_or_else(|| in_data("rejects.key"));
            SealSecret::new()?.save(&path)?;
            let public = public_path(&path);
            eprintln!("made {} for the gateway, and {} for who may read rejects", public.display(), path.display());
        }
    }
    Ok(())
}

pub async fn rejects_list(args: RejectsListArgs) -> anyhow::Result<()> {
    let config = Config::load_part(args.config.config.as_deref(), &NEEDED)?;
    let log = open(&config).await?;
    let mut kept = read(&*log, |_, reject| args.wanted.has(reject)).await?;
    kept.drain(..kept.len().saturating_sub(args.limit));
    output(Path::new("-"), |out| {
        if args.json {
            for kept in &kept {
                writeln!(out, "{}", listed(kept))?;
            }
            return Ok(());
        }
        writeln!(
            out,
            "{:<10} {:<24} {:<13} {:<20} {:<16} {:<24} {:<9} what",
            "reject", "time", "code", "token", "feed", "source", "state"
        )?;
        for KeptReject { at, reject, replayed } in &kept {
            let state = state(reject, *replayed);
            let at = at.to_string();
            let RejectRecord { time, code, token, feed, source, file, row, pointer, message, .. } = reject;
            let feed = feed.as_deref().unwrap_or("-");
            let time = time.to_string();
            let row = row.map(|row| format!("row {row}:"));
            let file = file.as_deref().unwrap_or_default();
            let what = [file, row.as_deref().unwrap_or_default(), pointer, message];
            let what = what.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
            writeln!(out, "{at:<10} {time:<24} {code:<13} {token:<20} {feed:<16} {source:<24} {state:<9} {what}")?;
        }
        Ok(())
    })
}

fn listed(KeptReject { at, reject, replayed }: &KeptReject) -> serde_json::Value {
    let mut line = json!(RejectRecord { sealed: String::new(), accepted: Vec::new(), ..reject.clone() });
    line["reject"] = at.to_string().into();
    line["state"] = state(reject, *replayed).into();
    line["replayed"] = json!(replayed.map(|time| time.to_string()));
    line
}

/// Whether it can be sent again.
fn state(reject: &RejectRecord, replayed: Option<TimeMs>) -> &'static str {
    match (replayed, reject.part) {
        (Some(_), _) => "accepted",
        (None, Part::Nothing) => "with row", // another reject of its row has the bytes
        (None, _) if reject.bytes_len > KEPT_BYTES => "cut",
        (None, _) => "open",
    }
}

pub async fn rejects_show(args: RejectsShowArgs) -> anyhow::Result<()> {
    let config = Config::load_part(args.config.config.as_deref(), &NEEDED)?;
    let secret = seal_secret(&config, args.key.as_deref())?;
    let log = open(&config).await?;
    let found = read(&*log, |at, _| at == args.reject).await?;
    let kept =
        found.first().with_context(|| format!("there is no reject {}; `yiping rejects list` has them", args.reject))?;
    let mut about = listed(kept);
    if kept.reject.part == Part::Nothing {
        writeln!(std::io::stdout(), "{about:#}")?;
        bail!(
            "its bytes are with the first reject of the same row (token {}, index {})",
            kept.reject.token,
            kept.reject.index
        );
    }
    let bytes = open_reject(&secret, &kept.reject)?;
    note_access(&config, "show", args.unmask, &[kept.at])?;
    about["sent"] = if args.unmask { legible(&bytes) } else { masked(&bytes) }.into();
    writeln!(std::io::stdout(), "{about:#}")?;
    Ok(())
}

pub async fn rejects_replay(args: RejectsReplayArgs) -> anyhow::Result<()> {
    let config = Config::load_part(args.config.config.as_deref(), &NEEDED)?;
    let secret = seal_secret(&config, args.key.as_deref())?;
    let log = open(&config).await?;
    let asked = |at: RejectId| args.reject.is_empty() || args.reject.contains(&at);
    let kept = read(&*log, |at, reject| asked(at) && args.wanted.has(reject) && reject.part != Part::Nothing).await?;
    let mut tally = Tally::default();
    let mut items = Vec::new();
    for KeptReject { at, reject, replayed } in &kept {
        match (replayed, open_reject(&secret, reject)) {
            (Some(time), _) => {
                tally.before += 1;
                eprintln!("{at}: already accepted, {time}");
            }
            (None, _) if reject.bytes_len > KEPT_BYTES => {
                tally.cut += 1;
                eprintln!(
                    "{at}: only the first {KEPT_BYTES} of {} bytes are kept: its sender has to send it again",
                    reject.bytes_len
                );
            }
            (None, Ok(bytes)) => items.push((*at, ReplayItem::of(*at, reject, &bytes))),
            (None, Err(error)) => {
                tally.kept_out += 1;
                eprintln!("{at}: {error}");
            }
        }
    }
    if !items.is_empty() {
        note_access(&config, "replay", false, &items.iter().map(|(at, _)| *at).collect::<Vec<_>>())?;
        let door = Door::of(&config, args.to, args.send_as)?;
        for batch in batches(items) {
            for told in door.send(&batch).await? {
                match told.rejected.first() {
                    Some(why) if told.accepted == 0 => {
                        tally.rejected += 1;
                        eprintln!("{}: refused again: {} {} {}", told.reject, why.code, why.pointer, why.message);
                    }
                    _ => {
                        tally.accepted += 1;
                        tally.events += told.accepted;
                        tally.refused_events += told.rejected.len() as u64;
                    }
                }
            }
        }
    }
    if tally.rejected > 0 {
        let of_feeds = kept.iter().filter_map(|kept| kept.reject.feed.as_deref()).collect();
        newer_maps(&config, of_feeds).iter().for_each(|hint| eprintln!("{hint}"));
    }
    writeln!(std::io::stdout(), "{}", tally.line())?;
    let failed = tally.failed(!args.reject.is_empty());
    if failed > 0 {
        bail!("{failed} of {} could not be sent again", kept.len());
    }
    Ok(())
}

/// What to do where a feed's map was changed after the gateway of these settings had read it.
fn newer_maps(config: &Config, feeds: BTreeSet<&str>) -> Vec<String> {
    let Ok(since) = Endpoints::since(&config.data_dir.0) else { return Vec::new() };
    let is_newer = |path: &Path| path.metadata().and_then(|file| file.modified()).is_ok_and(|changed| changed > since);
    let maps = feeds.into_iter().filter_map(|name| Some((name, config.feeds.get(name)?.map.as_deref()?)));
    let newer = maps.filter(|(_, map)| is_newer(map));
    newer
        .map(|(name, map)| {
            format!(
                "the map of {name} is newer than the running gateway, which reads it at its start: restart it ({})",
                map.display()
            )
        })
        .collect()
}

/// What became of the rejects that were chosen.
#[derive(Default)]
struct Tally {
    accepted: u64,
    /// What the accepted ones became, and what was refused of whole bodies that can be read now.
    events: u64,
    refused_events: u64,
    before: u64,
    rejected: u64,
    /// Only their beginning is kept.
    cut: u64,
    /// They can't be opened.
    kept_out: u64,
}

impl Tally {
    fn line(&self) -> String {
        let Tally { accepted, events, refused_events, before, rejected, cut, kept_out } = self;
        let not_sent = cut + kept_out;
        let new =
            if *refused_events > 0 { format!(", {refused_events} events of them refused") } else { String::new() };
        format!(
            "accepted {accepted} ({events} events{new}), already accepted {before}, refused again {rejected}, not sent {not_sent}"
        )
    }

    /// How many should have become events and didn't. What is cut never will: that is a failure only where it was asked for by its name,
    /// or a replay of all that is open would never end well.
    fn failed(&self, named: bool) -> u64 {
        self.rejected + self.kept_out + if named { self.cut } else { 0 }
    }
}

/// Lists of items whose bytes fit into a request.
fn batches(items: Vec<(RejectId, ReplayItem)>) -> Vec<Vec<ReplayItem>> {
    let (mut batches, mut size) = (Vec::new(), 0);
    for (_, item) in items {
        if batches.is_empty() || size + item.bytes.len() > REQUEST_BYTES {
            batches.push(Vec::new());
            size = 0;
        }
        size += item.bytes.len();
        if let Some(batch) = batches.last_mut() {
            batch.push(item);
        }
    }
    batches
}

impl RejectsWanted {
    fn has(&self, reject: &RejectRecord) -> bool {
        self.token.as_ref().is_none_or(|token| *token == reject.token)
            && self.source.as_ref().is_none_or(|source| *source == reject.source)
            && (self.feed.is_none() || self.feed == reject.feed)
            && self.code.is_none_or(|code| code == reject.code)
            && self.since.is_none_or(|since| since <= reject.time)
            && self.until.is_none_or(|until| reject.time < until)
    }
}

async fn open(config: &Config) -> anyhow::Result<std::sync::Arc<dyn Log>> {
    let url = config.log_url();
    yiping_log::open_to_read(&url, &config.log_options()).await.with_context(|| format!("opening the log {url}"))
}

async fn read(log: &dyn Log, wanted: impl Fn(RejectId, &RejectRecord) -> bool) -> anyhow::Result<Vec<KeptReject>> {
    kept_rejects(log, wanted).await.with_context(|| format!("reading {REJECTS_TOPIC}"))
}

fn open_reject(secret: &SealSecret, reject: &RejectRecord) -> anyhow::Result<Vec<u8>> {
    secret.open(&reject.sealed).with_context(|| {
        format!(
            "its bytes were sealed to the key {}, this one is {} (--key names another)",
            reject.key,
            secret.key_id()
        )
    })
}

/// Who opened what, and when: personal data may have been in it. A line in `rejects-access.log` in the data folder, before anything is
/// shown or sent.
fn note_access(config: &Config, what: &str, unmasked: bool, opened: &[RejectId]) -> anyhow::Result<()> {
    let path: PathBuf = config.data_dir.0.join("rejects-access.log");
    let names: Vec<String> = opened.iter().map(RejectId::to_string).collect();
    let named = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER"));
    let user = named.or_else(|_| std::fs::metadata("/proc/self").map(|process| format!("uid {}", process.uid())));
    let user = user.unwrap_or_else(|_| "?".to_owned());
    let line = json!({
        "time": TimeMs(unix_ms()).to_string(), "user": user, "command": what, "unmasked": unmasked, "rejects": names,
    });
    let note = || -> std::io::Result<()> {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&path)?;
        writeln!(file, "{line}")?;
        file.sync_all()
    };
    note().with_context(|| format!("noting in {} who opens rejects", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_fails_a_replay_only_where_it_was_asked_for() {
        let cut = Tally { accepted: 3, cut: 2, ..Tally::default() };
        assert_eq!((cut.failed(false), cut.failed(true)), (0, 2));
        let refused = Tally { rejected: 1, kept_out: 4, ..cut };
        assert_eq!((refused.failed(false), refused.failed(true)), (5, 7));
        assert!(refused.line().ends_with("refused again 1, not sent 6"), "{}", refused.line());
    }
}
