//! The commands that do one thing and end.

mod bench;
mod compute;
mod feed;
mod judge;
mod log;
mod monitoring;
mod rejects;
mod simulate;
mod upkeep;

use std::io::Write;

use anyhow::Context;
use yiping_gateway::{Right, new_token};
use yiping_runtime::{Config, ConfigErrors, clock::unix_ms, config::Fault};

use crate::{
    assembly,
    cli::{ConfigArgs, MigrateArgs, TokenNewArgs},
    clickhouse,
    targets::TARGETS,
};

pub use bench::bench;
pub use compute::compute;
pub use feed::{feed_test, replay};
pub use judge::judge;
pub use log::log_export;
pub use monitoring::monitoring;
pub use rejects::{key_new, rejects_list, rejects_replay, rejects_show};
pub use simulate::simulate;
pub use upkeep::{heal, rebuild, relocate};

/// How `bench` counts once more what must have come out.
pub mod counting {
    pub use super::bench::{Count, Counts, Expected, Figure, Found, Times, differences};
}

pub fn targets() -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for target in &TARGETS {
        writeln!(out, "{:<8} {:<62} needs {}", target.name, target.does, target.needs().join(", "))?;
    }
    Ok(())
}

pub fn check(args: ConfigArgs) -> anyhow::Result<()> {
    let catalogue = yiping_catalogue::Catalogue::builtin()?;
    let config = Config::load_judged(args.config.as_deref(), |config| {
        let rules = || anyhow::Ok(yiping_watch::Rules::new(&catalogue, &assembly::city(config)?)?);
        let city = rules().err().map(|error| Fault {
            key: "city.profile".to_owned(),
            origin: String::new(),
            message: format!("{error:#}"),
        });
        let feeds = crate::feeds::doors(config).err().map(|ConfigErrors(faults)| faults);
        city.into_iter().chain(feeds.into_iter().flatten()).collect()
    })?;
    // (looked for at each poll: what is missing then is that feed's failure, and nobody else's)
    for missing in config.feeds.iter().flat_map(|(name, feed)| missing(name, feed)) {
        eprintln!("not there yet: {missing}");
    }
    writeln!(std::io::stdout(), "the configuration is good")?;
    Ok(())
}

/// The files and the folder that a pulled feed will look for, and wouldn't find now.
fn missing(name: &str, feed: &yiping_runtime::config::Feed) -> Vec<String> {
    let Some(pull) = &feed.pull else { return Vec::new() };
    let wanted = [
        ("token_file", &pull.token_file),
        ("database_url_file", &pull.database_url_file),
        ("headers_file", &pull.headers_file),
        ("folder", &pull.folder),
    ];
    let missing =
        wanted.into_iter().filter_map(|(key, path)| Some((key, path.as_ref().filter(|path| !path.exists())?)));
    missing.map(|(key, path)| format!("feeds.{name}.pull.{key}: {}", path.display())).collect()
}

pub async fn migrate(args: MigrateArgs) -> anyhow::Result<()> {
    let config = Config::load(args.config.config.as_deref())?;
    config.check()?;
    if !args.print {
        return clickhouse::migrate_once(&config).await;
    }
    let mut out = std::io::stdout().lock();
    for statement in clickhouse::schema(&config)? {
        writeln!(out, "{statement};\n")?;
    }
    Ok(())
}

pub fn token_new(args: TokenNewArgs) -> anyhow::Result<()> {
    let config = Config::load_part(args.config.config.as_deref(), &["data_dir", "gateway.tokens"])?;
    let rights = args.rights.iter().map(|name| right(name)).collect::<anyhow::Result<_>>()?;
    if let Some(expires) = args.expires.filter(|expires| expires.0 <= unix_ms()) {
        anyhow::bail!("--expires {expires} is over: nobody could use this token");
    }
    let mut made = new_token(args.name, args.streams, args.sources, rights)?;
    (made.token.expires, made.token.events_per_s) = (args.expires, args.events_per_s);
    let path = config.tokens_path();
    made.save(&path).with_context(|| format!("adding the token to {}", path.display()))?;
    eprintln!("this is the only time the token is shown; its hash is in {}", path.display());
    writeln!(std::io::stdout(), "{}", made.secret)?;
    Ok(())
}

fn right(name: &str) -> anyhow::Result<Right> {
    match name {
        "set_received" => Ok(Right::SetReceived),
        "replay" => Ok(Right::Replay),
        other => anyhow::bail!("unknown right '{other}'; there are: set_received, replay"),
    }
}

/// Runs `write` on the file, or on stdout for `-`.
fn output(path: &std::path::Path, write: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let ended = if path.as_os_str() == "-" {
        let mut out = std::io::BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
        write(&mut out).and_then(|()| Ok(out.flush()?))
    } else {
        let file = std::fs::File::create(path).with_context(|| format!("creating {}", path.display()))?;
        let mut out = std::io::BufWriter::with_capacity(1 << 16, file);
        write(&mut out).and_then(|()| Ok(out.flush()?))
    };
    match ended {
        // a reader that has seen enough (`| head`) is no failure
        Err(error)
            if error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe) =>
        {
            Ok(())
        }
        ended => ended,
    }
}
