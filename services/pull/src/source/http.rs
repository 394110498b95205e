//! A payload behind an HTTP address. A conditional GET asks for it only if it changed since what was taken last; the answer has
//! a limit in time and bytes, and redirects stay with the same host, for the headers may hold a key.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{
    ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, RETRY_AFTER,
};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, Response, StatusCode};
use yiping_runtime::config::Pull;

use super::{Fetched, Payload, Source};
use crate::failure::{Failure, Reason};

/// Redirects that one request follows.
const REDIRECTS: usize = 3;

pub struct Http {
    client: Client,
    url: String,
    /// Whom logs may name: the rest of the address may hold a key.
    host: String,
    headers_file: Option<PathBuf>,
    max_bytes: usize,
    /// What the answer that was taken last, and the one that was fetched last, are known by.
    taken: Version,
    fetched: Version,
}

/// What an answer may be asked for by.
#[derive(Debug, Clone, Default)]
struct Version {
    etag: Option<HeaderValue>,
    modified: Option<HeaderValue>,
}

impl Http {
    pub fn new(url: &str, pull: &Pull) -> anyhow::Result<Self> {
        // An `Err` says that the process has a provider already: just as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .timeout(pull.timeout)
            .redirect(Policy::custom(same_host))
            .user_agent(concat!("yiping/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self {
            client,
            url: url.to_owned(),
            host: host(url),
            headers_file: pull.headers_file.clone(),
            max_bytes: pull.max_bytes,
            taken: Version::default(),
            fetched: Version::default(),
        })
    }

    /// The headers of the operator's file, read each time: a key may be renewed.
    fn headers(&self) -> Result<HeaderMap, Failure> {
        let Some(path) = &self.headers_file else { return Ok(HeaderMap::new()) };
        let wrong = |why: String| Failure::new(Reason::Settings, format!("headers_file {}: {why}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let mut headers = HeaderMap::new();
        for (line, number) in
            text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty() && !line.starts_with('#'))
        {
            let parsed = line.split_once(':').and_then(|(name, value)| {
                let mut value = HeaderValue::from_str(value.trim()).ok()?;
                value.set_sensitive(true);
                Some((name.trim().parse::<HeaderName>().ok()?, value))
            });
            let (name, value) = parsed.ok_or_else(|| wrong(format!("line {number} is no \"Name: value\"")))?;
            headers.append(name, value);
        }
        Ok(headers)
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, Failure> {
        let too_large = || {
            let most = self.max_bytes;
            Failure::new(Reason::TooLarge, format!("the answer has more than {most} bytes (max_bytes)"))
        };
        let said = usize::try_from(response.content_length().unwrap_or(0)).unwrap_or(usize::MAX);
        if said > self.max_bytes {
            return Err(too_large());
        }
        let mut body = Vec::with_capacity(said);
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > self.max_bytes {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// The host of an address, with its port where that isn't the usual one.
fn host(url: &str) -> String {
    let Ok(url) = reqwest::Url::parse(url) else { return "url".to_owned() };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}{port}", url.host_str().unwrap_or_default())
}

#[async_trait]
impl Source for Http {
    async fn fetch(&mut self) -> Result<Fetched, Failure> {
        let got = self.get().await;
        got.map_err(|failure| Failure { message: format!("{}: {}", self.host, failure.message), ..failure })
    }

    async fn taken(&mut self) -> Result<(), Failure> {
        self.taken = std::mem::take(&mut self.fetched);
        Ok(())
    }
}

impl Http {
    async fn get(&mut self) -> Result<Fetched, Failure> {
        let mut request = self.client.get(&self.url).headers(self.headers()?);
        if let Some(etag) = &self.taken.etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        if let Some(modified) = &self.taken.modified {
            request = request.header(IF_MODIFIED_SINCE, modified);
        }
        let response = request.send().await.map_err(failed)?;
        match response.status() {
            StatusCode::NOT_MODIFIED => Ok(Fetched::Nothing),
            StatusCode::OK => {
                let header = |name| response.headers().get(name).cloned();
                self.fetched = Version { etag: header(ETAG), modified: header(LAST_MODIFIED) };
                let payload = Payload::Bytes(self.body(response).await?);
                Ok(Fetched::Something { payload, more: false })
            }
            status => {
                let retry_after = retry_after(response.headers(), jiff::Timestamp::now());
                let failure = Failure::new(Reason::Status, format!("the source answers {status}"));
                Err(Failure { retry_after, ..failure })
            }
        }
    }
}

/// Follows a redirect that stays with the host, or leads from http to https there.
fn same_host(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let first = attempt.previous().first();
    let same = first.is_some_and(|first| {
        let next = attempt.url();
        let port = |url: &reqwest::Url| url.port_or_known_default();
        let to_tls = first.scheme() == "http" && next.scheme() == "https";
        first.host_str() == next.host_str() && (to_tls || first.scheme() == next.scheme() && port(first) == port(next))
    });
    if !same {
        attempt.error("it leads to another host")
    } else if attempt.previous().len() > REDIRECTS {
        attempt.error("there are too many")
    } else {
        attempt.follow()
    }
}

fn failed(error: reqwest::Error) -> Failure {
    let reason = if error.is_timeout() {
        Reason::Timeout
    } else if error.is_redirect() {
        Reason::Redirect
    } else {
        Reason::Connect
    };
    // (an address may hold a key)
    Failure::new(reason, format!("{:#}", anyhow::Error::from(error.without_url())))
}

/// Seconds, or a date.
fn retry_after(headers: &HeaderMap, now: jiff::Timestamp) -> Option<Duration> {
    static DATE: DateTimeParser = DateTimeParser::new();
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => DATE.parse_timestamp(text).ok()?.duration_since(now).try_into().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let wait = |text: &str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            retry_after(&headers, "2026-11-20T08:00:00Z".parse().unwrap())
        };
        assert_eq!(wait("120"), Some(Duration::from_secs(120)));
        assert_eq!(wait("Fri, 20 Nov 2026 08:00:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(wait("Fri, 20 Nov 2026 07:00:30 GMT"), None);
        assert_eq!(wait("soon"), None);
    }
}
