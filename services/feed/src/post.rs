//! Batches go to a gateway as NDJSON: events to `POST /v1/events`, rows to a feed's `POST /v1/feeds/NAME`. What can pass
//! (429, 502–504, a connection that breaks) may be tried again, as slowly as `Retry-After` says; ids make a repeat
//! harmless. What can't is an error with the gateway's own words.

use anyhow::{Context, Result, bail};
use flate2::{Compression, write::GzEncoder};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};
use yiping_event::TimeMs;

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

/// Where a batch's lines are from: what their rejects tell a person to look for.
#[derive(Debug, Default)]
pub struct Origin<'a> {
    pub file: Option<&'a str>,
    /// The number of each line's row; empty where rows have none that anybody could look for.
    pub rows: Vec<u64>,
    /// Of rows: when their source was asked for them, which a map finds in `$polled`.
    pub polled: Option<TimeMs>,
}

/// Of a batch: its file's name, percent-encoded UTF-8.
pub const FILE_HEADER: &str = "yiping-file";
/// Of a batch: its rows' numbers, line by line: `2-501,503`.
pub const ROWS_HEADER: &str = "yiping-rows";
/// Of a batch of a feed's rows: when their source was asked for them, RFC 3339.
pub const POLLED_HEADER: &str = "yiping-polled";

impl Origin<'_> {
    fn headers(&self) -> impl Iterator<Item = (&'static str, String)> {
        let file = self.file.map(|name| (FILE_HEADER, utf8_percent_encode(name, NON_ALPHANUMERIC).to_string()));
        let rows = (!self.rows.is_empty()).then(|| (ROWS_HEADER, ranges(&self.rows)));
        let polled = self.polled.map(|polled| (POLLED_HEADER, polled.to_string()));
        file.into_iter().chain(rows).chain(polled)
    }
}

/// `2-501,503` of 2, 3, … 501, 503.
fn ranges(numbers: &[u64]) -> String {
    let ranges = numbers.chunk_by(|one, next| one + 1 == *next).map(|range| match range {
        [first, .., last] => format!("{first}-{last}"),
        range => range.iter().map(u64::to_string).collect(),
    });
    ranges.collect::<Vec<_>>().join(",")
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

    /// Sends events of rows that whoever sends them still has: what is refused is answered and not kept, for the row is to be.
    pub fn of_rows_events(gateway: &str, token: &str) -> Result<Self> {
        let url = format!("{}/v1/events?keep_rejects=false", gateway.trim_end_matches('/'));
        Self::to(url, token, false, Duration::ZERO)
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
            match self.offer(&lines, &Origin::default()).await {
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
    pub async fn offer(&mut self, lines: &str, origin: &Origin<'_>) -> Result<Verdict, Refusal> {
        let response = match self.post(lines, origin).await {
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

    async fn post(&self, lines: &str, origin: &Origin<'_>) -> Result<Response> {
        let body = if self.gzip { zipped(lines)? } else { lines.as_bytes().to_vec() };
        let mut request = self.client.post(&self.url).header(CONTENT_TYPE, "application/x-ndjson").body(body);
        if !self.token.is_empty() {
            request = request.header(AUTHORIZATION, format!("Bearer {}", self.token));
        }
        for (name, value) in origin.headers() {
            request = request.header(name, value);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_as_ranges_and_a_row_of_several_events_as_often() {
        assert_eq!(ranges(&[2, 3, 4, 9, 11, 11, 12]), "2-4,9,11,11-12");
        let origin = Origin { file: Some("车场 1.csv"), rows: vec![7], polled: Some(TimeMs(1_500)) };
        let told: Vec<_> = origin.headers().collect();
        let file = (FILE_HEADER, "%E8%BD%A6%E5%9C%BA%201%2Ecsv".to_owned());
        let polled = (POLLED_HEADER, "1970-01-01T00:00:01.500Z".to_owned());
        assert_eq!(told, [file, (ROWS_HEADER, "7".to_owned()), polled]);
        assert_eq!(Origin::default().headers().count(), 0);
    }
}
