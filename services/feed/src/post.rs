//! Batches go to a gateway's `POST /v1/events` as NDJSON. What can pass (429, 502–504, a connection that breaks) is
//! tried again, as slowly as `Retry-After` says; ids make a repeat harmless. What can't is an error with the gateway's
//! own words.

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
#[derive(Debug, Deserialize)]
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

impl Poster {
    /// `patience`: how long one batch may be put off before the replay gives up.
    pub fn new(gateway: &str, token: &str, gzip: bool, patience: Duration) -> Result<Self> {
        // An `Err` says that the process has a provider already: just as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().timeout(REQUEST_TIMEOUT).build().context("can't make an HTTP client")?;
        let url = format!("{}/v1/events", gateway.trim_end_matches('/'));
        Ok(Self { client, url, token: token.into(), gzip, patience, answers: BTreeMap::new() })
    }

    pub async fn send(&mut self, lines: String) -> Result<Verdict> {
        let body = if self.gzip { zipped(&lines)? } else { lines.into_bytes() };
        let give_up = Instant::now() + self.patience;
        loop {
            let (why, wait) = match self.post(body.clone()).await {
                Ok(response) => {
                    let status = response.status();
                    *self.answers.entry(status.as_u16()).or_default() += 1;
                    match status {
                        // 422: all of them rejected; the body is the same.
                        StatusCode::OK | StatusCode::ACCEPTED | StatusCode::UNPROCESSABLE_ENTITY => {
                            return response.json().await.context("the gateway's answer can't be read");
                        }
                        StatusCode::TOO_MANY_REQUESTS
                        | StatusCode::BAD_GATEWAY
                        | StatusCode::SERVICE_UNAVAILABLE
                        | StatusCode::GATEWAY_TIMEOUT => (format!("it answers {status}"), retry_after(&response)),
                        _ => {
                            let words = response.text().await.unwrap_or_default();
                            bail!("the gateway at {} answers {status}: {}", self.url, words.trim());
                        }
                    }
                }
                Err(e) => {
                    *self.answers.entry(0).or_default() += 1;
                    (format!("{:#}", anyhow::Error::from(e)), Duration::from_secs(1))
                }
            };
            if Instant::now() + wait > give_up {
                bail!("the gateway at {} takes nothing for {:?}: {why}", self.url, self.patience);
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn post(&self, body: Vec<u8>) -> reqwest::Result<Response> {
        let mut request = self.client.post(&self.url).header(CONTENT_TYPE, "application/x-ndjson").body(body);
        if !self.token.is_empty() {
            request = request.header(AUTHORIZATION, format!("Bearer {}", self.token));
        }
        if self.gzip {
            request = request.header(CONTENT_ENCODING, "gzip");
        }
        request.send().await
    }
}

fn retry_after(response: &Response) -> Duration {
    let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    Duration::from_secs(seconds.unwrap_or(1)).min(LONGEST_WAIT)
}

fn zipped(lines: &str) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(lines.as_bytes())?;
    Ok(encoder.finish()?)
}
