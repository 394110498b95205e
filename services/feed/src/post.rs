//! Batches go to a gateway as NDJSON: events to `POST /v1/events`, rows to a feed's `POST /v1/feeds/NAME`. What can pass
//! (429, 502–504, a connection that breaks) may be tried again, as slowly as `Retry-After` says; ids make a repeat
//! harmless. What can't is an error with the gateway's own words.

use anyhow::{Context, Result, bail};
use flate2::{Compression, write::GzEncoder};
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};

/// Longest single wait, whatever `Retry-After` asks.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// Where nothing says how long to wait.
const USUAL_WAIT: Duration = Duration::from_secs(1);

pub struct Poster {
    client: Client,
    url: String,
    token: String,
    gzip: bool,
    patience: Duration,
    /// Every answer, by status code; 0: no answer at all.
    pub answers: BTreeMap<u16, u64>,
}

/// The gateway's verdict on one batch.
#[derive(Debug, Default, Deserialize)]
pub struct Verdict {
    #[serde(default)]
    pub accepted: u64,
    #[serde(default)]
    pub rejected: Vec<Rejected>,
}

#[derive(Debug, Deserialize)]
pub struct Rejected {
    /// Position in the batch.
    #[serde(default)]
    pub index: usize,
    #[serde(default)]
    pub code: String,
    #[serde(default)]
    pub pointer: String,
    #[serde(default)]
    pub message: String,
}

/// Why a batch was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It may be another time.
    #[error("{why}")]
    Later { why: String, wait: Duration },
    /// It won't be, unless somebody changes something.
    #[error("it answers {status}: {words}")]
    Never { status: u16, words: String },
}

impl Poster {
    /// Sends events. `patience`: how long [`Poster::send`] lets one batch be put off before it gives up.
    pub fn new(gateway: &str, token: &str, gzip: bool, patience: Duration) -> Result<Self> {
        Self::to(format!("{}/v1/events", gateway.trim_end_matches('/')), token, gzip, patience)
    }

    /// Sends a feed's rows, one JSON value a line, whatever the feed's own format is.
    pub fn of_rows(gateway: &str, feed: &str, token: &str) -> Result<Self> {
        Self::to(format!("{}/v1/feeds/{feed}", gateway.trim_end_matches('/')), token, false, Duration::ZERO)
    }

    fn to(url: String, token: &str, gzip: bool, patience: Duration) -> Result<Self> {
        // An `Err` says that the process has a provider already: just as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().timeout(REQUEST_TIMEOUT).build().context("can't make an HTTP client")?;
        Ok(Self { client, url, token: token.into(), gzip, patience, answers: BTreeMap::new() })
    }

    /// Sends a batch until it is taken or patience ends.
    pub async fn send(&mut self, lines: String) -> Result<Verdict> {
        let give_up = Instant::now() + self.patience;
        loop {
            match self.offer(&lines).await {
                Ok(verdict) => return Ok(verdict),
                Err(Refusal::Later { why, wait }) => {
                    if Instant::now() + wait > give_up {
                        bail!("the gateway at {} takes nothing for {:?}: {why}", self.url, self.patience);
                    }
                    tokio::time::sleep(wait).await;
                }
                Err(never) => bail!("the gateway at {}: {never}", self.url),
            }
        }
    }

    /// Sends a batch once.
    pub async fn offer(&mut self, lines: &str) -> Result<Verdict, Refusal> {
        let response = match self.post(lines).await {
            Ok(response) => response,
            Err(error) => {
                *self.answers.entry(0).or_default() += 1;
                return Err(Refusal::Later { why: format!("{error:#}"), wait: USUAL_WAIT });
            }
        };
        let status = response.status();
        *self.answers.entry(status.as_u16()).or_default() += 1;
        let wait = retry_after(&response);
        let later = |why: String| Refusal::Later { why, wait };
        match status {
            // 422: all of them rejected; the body is the same.
            StatusCode::OK | StatusCode::ACCEPTED | StatusCode::UNPROCESSABLE_ENTITY => {
                // (an answer that breaks off may have been a 202: the same events once more do no harm)
                response.json().await.map_err(|error| later(format!("its answer can't be read: {error}")))
            }
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Err(later(format!("it answers {status}"))),
            _ => {
                let words = response.text().await.unwrap_or_default();
                Err(Refusal::Never { status: status.as_u16(), words: words.trim().to_owned() })
            }
        }
    }

    async fn post(&self, lines: &str) -> Result<Response> {
        let body = if self.gzip { zipped(lines)? } else { lines.as_bytes().to_vec() };
        let mut request = self.client.post(&self.url).header(CONTENT_TYPE, "application/x-ndjson").body(body);
        if !self.token.is_empty() {
            request = request.header(AUTHORIZATION, format!("Bearer {}", self.token));
        }
        if self.gzip {
            request = request.header(CONTENT_ENCODING, "gzip");
        }
        Ok(request.send().await?)
    }
}

fn retry_after(response: &Response) -> Duration {
    let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    seconds.map_or(USUAL_WAIT, Duration::from_secs).min(LONGEST_WAIT)
}

fn zipped(lines: &str) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(lines.as_bytes())?;
    Ok(encoder.finish()?)
}
