//! Logs: lines on stderr, text for people or JSON for machines. Standard output stays free for what a command prints.

use std::io::IsTerminal;
use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(format!("{other:?} is neither text nor json")),
        }
    }
}

/// Starts logging. `filter` (as `RUST_LOG`: `info,yiping_gateway=debug`) goes before `RUST_LOG`, that before `info`.
///
/// # Errors
/// A filter that doesn't parse, or logging that was started before.
pub fn init(format: LogFormat, filter: Option<&str>) -> anyhow::Result<()> {
    let from_env = std::env::var("RUST_LOG").ok().filter(|text| !text.is_empty());
    // librdkafka repeats a broker's absence every few seconds; our own lines say it once.
    let wanted = filter.or(from_env.as_deref()).unwrap_or("info,librdkafka=error");
    let filter = EnvFilter::try_new(wanted).map_err(|error| anyhow::anyhow!("log filter {wanted:?}: {error}"))?;
    let lines = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
    match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).with_target(false).finish().try_init()?,
        LogFormat::Json => lines.json().flatten_event(true).finish().try_init()?,
    }
    Ok(())
}
