//! A table or view of a database, read by a column that grows. What was read, and is durable in the log, is remembered as that
//! column's value in a file, written after the gateway's 202: a crash reads some rows again, and their ids count once (I7).
//!
//! A query asks for `cursor >= value`, not `>`: several rows may share a value, and one more may come later (two rows of one
//! second). What is read again is recognised, and not sent again.

mod mysql;
mod postgres;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use yiping_runtime::config::{Overlap, Pull};

use super::{Fetched, Payload, Source};
use crate::failure::{Failure, Reason};
use crate::state;

/// Rows that share one value of the cursor are read at once; more than this is no cursor.
const MOST_ROWS: usize = 100_000;

/// How a cursor's values compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Time,
    Text,
}

/// A row, and its cursor as text.
struct Read {
    row: Value,
    cursor: String,
}

/// What is asked of a database.
struct Page<'a> {
    /// Rows from this value of the cursor on; None: all that have one.
    from: Option<&'a str>,
    /// And those so far before it.
    back: Option<Overlap>,
    limit: usize,
}

/// An open connection to one kind of database, for one query.
#[async_trait]
trait Connection: Send {
    fn kind(&self) -> Kind;

    /// Rows in the cursor's order.
    async fn page(&mut self, page: Page<'_>) -> Result<Vec<Read>, sqlx::Error>;
}

/// The query and its cursor, as the settings have them.
#[derive(Clone)]
struct Question {
    query: String,
    cursor: String,
}

/// What is remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    column: String,
    value: String,
}

pub struct Database {
    url_file: PathBuf,
    question: Question,
    timeout: Duration,
    overlap: Option<Overlap>,
    rows: usize,
    remembered: PathBuf,
    /// Everything before it is durable in the log.
    at: Option<String>,
    /// Where the next page begins, within one poll.
    page_from: Option<String>,
    /// What is durable once the last page is.
    reached: Option<String>,
    connection: Option<Box<dyn Connection>>,
}

impl Database {
    pub fn new(url_file: PathBuf, pull: &Pull, remembered: PathBuf) -> anyhow::Result<Self> {
        let cursor = pull.cursor.clone().context("a database has a cursor")?;
        let query = pull.query.clone().context("a database has a query")?;
        let place: Option<Place> = state::load(&remembered)?;
        if let Some(place) = place.as_ref().filter(|place| place.column != cursor) {
            anyhow::bail!(
                "{} knows the column {:?}, not {cursor:?}: remove it to begin anew, or take the old column",
                remembered.display(),
                place.column
            );
        }
        Ok(Self {
            url_file,
            question: Question { query, cursor },
            timeout: pull.timeout,
            overlap: pull.overlap,
            rows: pull.rows,
            remembered,
            at: place.map(|place| place.value).or_else(|| pull.since.clone()),
            page_from: None,
            reached: None,
            connection: None,
        })
    }

    /// One page, over a connection that is there or is made.
    async fn page(&mut self, limit: usize) -> Result<(Vec<Read>, Kind), Failure> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let url = std::fs::read_to_string(&self.url_file).map_err(|error| {
                    let file = self.url_file.display();
                    Failure::new(Reason::Settings, format!("database_url_file {file}: {error}"))
                })?;
                open(url.trim(), &self.question).await?
            }
        };
        // (the overlap is of the first page; the next ones go on from it)
        let page = match &self.page_from {
            Some(from) => Page { from: Some(from), back: None, limit },
            None => Page { from: self.at.as_deref(), back: self.overlap, limit },
        };
        let rows = connection.page(page).await.map_err(failed)?;
        let kind = connection.kind();
        // one that failed, or was given up in the middle, is not used again
        self.connection = Some(connection);
        Ok((rows, kind))
    }

    async fn next(&mut self) -> Result<Fetched, Failure> {
        let mut limit = self.rows;
        loop {
            let (rows, kind) = self.page(limit).await?;
            let full = rows.len() == limit;
            let Some((first, last)) = rows.first().zip(rows.last()) else {
                self.page_from = None;
                return Ok(Fetched::Nothing);
            };
            if full && first.cursor == last.cursor {
                if limit >= MOST_ROWS {
                    let message = format!(
                        "more than {MOST_ROWS} rows have one value of {:?}: it is no column that grows",
                        self.question.cursor
                    );
                    return Err(Failure::new(Reason::Database, message));
                }
                limit = (limit * 2).min(MOST_ROWS);
                continue;
            }
            let newest = last.cursor.clone();
            self.page_from = full.then(|| newest.clone());
            // (the first pages of an overlap lie before what is durable already)
            self.reached = Some(match &self.at {
                Some(at) if !is_later(&newest, at, kind) => at.clone(),
                _ => newest,
            });
            let rows = rows.into_iter().map(|read| read.row).collect();
            return Ok(Fetched::Something { payload: Payload::Rows(rows), more: full });
        }
    }
}

#[async_trait]
impl Source for Database {
    async fn fetch(&mut self) -> Result<Fetched, Failure> {
        let timeout = self.timeout;
        match tokio::time::timeout(timeout, self.next()).await {
            Ok(fetched) => fetched,
            Err(_) => Err(Failure::new(Reason::Timeout, format!("no answer within {timeout:?}"))),
        }
    }

    async fn taken(&mut self) -> Result<(), Failure> {
        let Some(value) = self.reached.take().filter(|value| self.at.as_ref() != Some(value)) else { return Ok(()) };
        let place = Place { column: self.question.cursor.clone(), value };
        state::save(&self.remembered, &place).map_err(|error| Failure::new(Reason::Settings, format!("{error:#}")))?;
        self.at = Some(place.value);
        Ok(())
    }
}

async fn open(url: &str, question: &Question) -> Result<Box<dyn Connection>, Failure> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let scheme = url.split(':').next().unwrap_or_default();
    match scheme {
        "postgres" | "postgresql" => Ok(Box::new(postgres::open(url, question).await.map_err(failed)?)),
        "mysql" | "mariadb" => Ok(Box::new(mysql::open(url, question).await.map_err(failed)?)),
        _ => Err(Failure::new(Reason::Settings, "the database's address begins neither with postgres:// nor mysql://")),
    }
}

fn failed(error: sqlx::Error) -> Failure {
    let reason = match &error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => Reason::Connect,
        sqlx::Error::Configuration(_) => Reason::Settings,
        _ => Reason::Database,
    };
    Failure::new(reason, format!("the database: {error}"))
}

/// Whether a cursor is beyond another. Times are compared as texts: one database writes all of them alike.
fn is_later(value: &str, than: &str, kind: Kind) -> bool {
    match kind {
        Kind::Number => match (value.parse::<i128>(), than.parse::<i128>()) {
            (Ok(value), Ok(than)) => value > than,
            _ => value.parse().unwrap_or(f64::NAN) > than.parse().unwrap_or(f64::NAN),
        },
        Kind::Time | Kind::Text => value > than,
    }
}

/// Why an overlap doesn't go with a cursor.
fn no_overlap(kind: Kind) -> sqlx::Error {
    let wanted = match kind {
        Kind::Number => "a number, such as 1000: this cursor is one",
        Kind::Time => "a length of time, such as \"10m\": this cursor is a time",
        Kind::Text => "left out: this cursor is a text",
    };
    sqlx::Error::InvalidArgument(format!("the overlap must be {wanted}"))
}
