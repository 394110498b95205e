//! The gateway's HTTP door, as the puller sees it.

use std::path::PathBuf;

use async_trait::async_trait;
use yiping_feed::{Origin, Poster, Refusal, Verdict};

use crate::failure::{Failure, Reason};

#[async_trait]
pub trait Door: Send {
    /// Offers events, one a line. An answer means that each of them is durable, or refused: what is refused is not kept,
    /// for its row is to be offered next.
    async fn events(&mut self, lines: &str, origin: &Origin<'_>) -> Result<Verdict, Failure>;

    /// Offers rows of which the map makes no event, or one that is refused, one a line, so that they are kept as rejects.
    async fn rows(&mut self, lines: &str, origin: &Origin<'_>) -> Result<Verdict, Failure>;
}

/// `POST /v1/events` and `POST /v1/feeds/NAME`, with the feed's token.
pub struct Gateway {
    url: String,
    feed: String,
    token_file: PathBuf,
    token: String,
    posters: Option<(Poster, Poster)>,
}

impl Gateway {
    pub fn new(url: &str, feed: &str, token_file: PathBuf) -> Self {
        Self { url: url.to_owned(), feed: feed.to_owned(), token_file, token: String::new(), posters: None }
    }

    /// What posts with the token as its file has it now.
    fn posters(&mut self) -> Result<&mut (Poster, Poster), Failure> {
        let wrong = |why: String| Failure::new(Reason::Settings, why);
        let file = self.token_file.display();
        let token = std::fs::read_to_string(&self.token_file).map_err(|e| wrong(format!("token_file {file}: {e}")))?;
        if token.trim().is_empty() {
            return Err(wrong(format!("token_file {file} is empty: `yiping token new … > {file}` fills it")));
        }
        if token.trim() != self.token {
            self.posters = None;
            token.trim().clone_into(&mut self.token);
        }
        let made = match self.posters.take() {
            Some(made) => made,
            None => {
                let events = Poster::of_rows_events(&self.url, &self.token);
                let rows = Poster::of_rows(&self.url, &self.feed, &self.token);
                let both = events.and_then(|events| Ok((events, rows?)));
                both.map_err(|error| wrong(format!("{error:#}")))?
            }
        };
        Ok(self.posters.insert(made))
    }
}

#[async_trait]
impl Door for Gateway {
    async fn events(&mut self, lines: &str, origin: &Origin<'_>) -> Result<Verdict, Failure> {
        let url = self.url.clone();
        let verdict = self.posters()?.0.offer(lines, origin).await.map_err(|refusal| failed(&url, refusal))?;
        // what the token may not send is not lost: it waits for a token that may
        let no_right = verdict.rejected.iter().find(|r| NO_RIGHT.contains(&r.code.as_str()));
        match no_right {
            Some(rejected) => {
                let message = format!("the gateway at {url}: {}: {}", rejected.code, rejected.message);
                Err(Failure::new(Reason::GatewayRefused, message))
            }
            None => Ok(verdict),
        }
    }

    async fn rows(&mut self, lines: &str, origin: &Origin<'_>) -> Result<Verdict, Failure> {
        let url = self.url.clone();
        match self.posters()?.1.offer(lines, origin).await {
            Ok(verdict) => Ok(verdict),
            // not one of them is JSON: they were kept
            Err(Refusal::Never { status: 400, .. }) => Ok(Verdict::default()),
            Err(Refusal::Never { status: 404, .. }) => {
                let name = &self.feed;
                let why = format!(
                    "the gateway at {url} has no [feeds.{name}]: it needs the same feeds in its settings to keep rows that are refused"
                );
                Err(Failure::new(Reason::GatewayRefused, why))
            }
            Err(refusal) => Err(failed(&url, refusal)),
        }
    }
}

/// Rejects for which the token is to blame.
const NO_RIGHT: [&str; 3] = ["wrong_stream", "wrong_source", "not_allowed"];

fn failed(url: &str, refusal: Refusal) -> Failure {
    let message = format!("the gateway at {url}: {refusal}");
    match refusal {
        Refusal::Later { wait, .. } => {
            Failure { retry_after: Some(wait), ..Failure::new(Reason::GatewayAway, message) }
        }
        Refusal::Never { .. } => Failure::new(Reason::GatewayRefused, message),
    }
}
