//! PostgreSQL. It makes the JSON itself, so that every type it has comes as it writes it: numbers as numbers, times in ISO 8601 (with
//! an offset where they have one), NULL as null.

use std::str::FromStr;

use async_trait::async_trait;
use serde_json::Value;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Column, ConnectOptions, Executor, Row, SqlSafeStr, Statement, TypeInfo};
use yiping_runtime::config::Overlap;

use super::{Connection, Kind, Page, Question, Read, no_overlap};

pub struct Postgres {
    connection: PgConnection,
    query: String,
    /// The cursor's column, quoted, and its type.
    column: String,
    type_name: String,
    kind: Kind,
}

pub async fn open(url: &str, question: &Question) -> Result<Postgres, sqlx::Error> {
    let options = PgConnectOptions::from_str(url)?.application_name("yiping").options([
        ("default_transaction_read_only", "on"),
        // so that the cursor's texts compare, and are read back as what they were
        ("timezone", "UTC"),
        ("datestyle", "ISO"),
    ]);
    let mut connection = options.connect().await?;
    let column = format!("\"{}\"", question.cursor.replace('"', "\"\""));
    let described = format!("SELECT t.{column} FROM ({}) AS t", question.query);
    let described = connection.prepare(AssertSqlSafe(described).into_sql_str()).await?;
    let type_name = described.columns().first().map(|c| c.type_info().name().to_owned()).unwrap_or_default();
    let kind = match type_name.as_str() {
        "INT2" | "INT4" | "INT8" | "NUMERIC" | "FLOAT4" | "FLOAT8" => Kind::Number,
        "TIMESTAMP" | "TIMESTAMPTZ" | "DATE" => Kind::Time,
        "TEXT" | "VARCHAR" | "CHAR" | "UUID" => Kind::Text,
        other => return Err(sqlx::Error::InvalidArgument(format!("a column of {other} can't be the cursor"))),
    };
    Ok(Postgres { connection, query: question.query.clone(), column, type_name, kind })
}

#[async_trait]
impl Connection for Postgres {
    fn kind(&self) -> Kind {
        self.kind
    }

    async fn page(&mut self, page: Page<'_>) -> Result<Vec<Read>, sqlx::Error> {
        let Self { connection, query, column, type_name, kind } = self;
        // (the value goes as a parameter; what is written into the query is ours, or a number)
        let from = match page.from {
            Some(_) => format!("CAST(CAST($1 AS text) AS {type_name})"),
            None => String::new(),
        };
        let wanted = match (page.from, page.back, *kind) {
            (None, ..) => format!("t.{column} IS NOT NULL"),
            (Some(_), None, _) => format!("t.{column} >= {from}"),
            (Some(_), Some(Overlap::Values(n)), Kind::Number) => format!("t.{column} >= {from} - {n}"),
            (Some(_), Some(Overlap::Time(span)), Kind::Time) => {
                format!("t.{column} >= {from} - interval '{} milliseconds'", span.as_millis())
            }
            (Some(_), Some(_), kind) => return Err(no_overlap(kind)),
        };
        let sql = format!(
            "SELECT row_to_json(t)::text, t.{column}::text FROM ({query}) AS t WHERE {wanted} ORDER BY t.{column} LIMIT {}",
            page.limit
        );
        let mut question = sqlx::query(AssertSqlSafe(sql));
        if let Some(from) = page.from {
            question = question.bind(from.to_owned());
        }
        let rows = question.fetch_all(&mut *connection).await?;
        let read = |row: sqlx::postgres::PgRow| {
            let json: String = row.try_get(0)?;
            let row_value: Value = serde_json::from_str(&json).map_err(|error| sqlx::Error::Decode(error.into()))?;
            Ok(Read { row: row_value, cursor: row.try_get(1)? })
        };
        rows.into_iter().map(read).collect()
    }
}
