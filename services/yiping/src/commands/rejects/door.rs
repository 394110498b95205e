//! The gateway's door for rejects, from outside: a list goes in, what became of each comes back.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use yiping_event::{Stream, TimeMs};
use yiping_gateway::{NewToken, ReplayItem, Replayed, Right, new_token};
use yiping_runtime::{Config, Endpoints, clock::unix_ms};

/// A batch may be put off so long.
const PATIENCE: Duration = Duration::from_secs(60);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// A token that is made for one replay is valid so long, ms.
const TOKEN_MS: i64 = 3_600_000;

pub struct Door {
    client: Client,
    url: String,
    token: String,
    _own: Option<Own>,
}

/// A token that is made for one replay, and is no more when that is over, however it ends. (One that is killed leaves it, for an hour at
/// most, and the next replay's takes its place.)
struct Own {
    made: NewToken,
    path: PathBuf,
}

impl Drop for Own {
    fn drop(&mut self) {
        if let Err(error) = self.made.take_back(&self.path) {
            tracing::warn!(%error, "the replay's own token stays until it expires");
        }
    }
}

impl Door {
    /// `to`, or the gateway that runs with these settings; `token`, or one made for this.
    pub fn of(config: &Config, to: Option<String>, token: Option<String>) -> anyhow::Result<Self> {
        let running = || Endpoints::read(&config.data_dir.0).ok()?.gateway;
        let to = to.or_else(running).context("no gateway runs with these settings: say --to")?;
        let own = if token.is_none() { Some(made(config)?) } else { None };
        let token = token.or_else(|| own.as_ref().map(|own| own.made.secret.clone())).unwrap_or_default();
        // (an `Err` says that the process has a provider already)
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().timeout(REQUEST_TIMEOUT).build().context("can't make an HTTP client")?;
        Ok(Self { client, url: format!("{}/v1/rejects/replay", to.trim_end_matches('/')), token, _own: own })
    }

    /// Sends a list, again while the gateway is busy or away: what was taken without an answer is told as accepted, for ids count once.
    pub async fn send(&self, batch: &[ReplayItem]) -> anyhow::Result<Vec<Replayed>> {
        #[derive(Deserialize)]
        struct Answer {
            replayed: Vec<Replayed>,
        }
        let body = serde_json::to_vec(batch)?;
        let give_up = Instant::now() + PATIENCE;
        loop {
            let request = self.client.post(&self.url).bearer_auth(&self.token).header(CONTENT_TYPE, "application/json");
            let (why, wait) = match request.body(body.clone()).send().await {
                Ok(answer) if answer.status() == StatusCode::ACCEPTED => {
                    let Answer { replayed } = answer.json().await.context("the gateway's answer can't be read")?;
                    return Ok(replayed);
                }
                Ok(answer) => {
                    let status = answer.status();
                    let wait = answer.headers().get(RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse().ok());
                    let words = answer.text().await.unwrap_or_default();
                    let Some(seconds) = wait else { bail!("{} answers {status}: {}", self.url, words.trim()) };
                    (format!("it answers {status}"), Duration::from_secs(seconds))
                }
                Err(error) => (format!("{:#}", anyhow::Error::from(error)), Duration::from_secs(1)),
            };
            if Instant::now() + wait > give_up {
                bail!("{} takes nothing for {PATIENCE:?}: {why}", self.url);
            }
            tokio::time::sleep(wait).await;
        }
    }
}

/// A token for an hour, in the place of the one that another replay made.
fn made(config: &Config) -> anyhow::Result<Own> {
    let rights = [Right::Replay].into();
    let mut made = new_token("rejects-replay", Stream::ALL.to_vec(), vec!["*".to_owned()], rights)?;
    made.token.expires = Some(TimeMs(unix_ms() + TOKEN_MS));
    let path = config.tokens_path();
    made.save(&path)?;
    Ok(Own { made, path })
}
