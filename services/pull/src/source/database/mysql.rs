//! MySQL and MariaDB, by the protocol's text form, in which every value comes as the server writes it: numbers become numbers, JSON
//! becomes JSON, a TIMESTAMP gets its Z (the session is in UTC), a DATETIME its T and no offset, bytes that are no text
//! hexadecimal digits.

use std::str::FromStr;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use serde_json::{Map, Value};
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlRow};
use sqlx::{AssertSqlSafe, Column, ConnectOptions, Executor, Row, SqlSafeStr, Statement, TypeInfo};
use yiping_runtime::config::Overlap;

use super::{Connection, Kind, Page, Question, Read, no_overlap};

pub struct MySql {
    connection: MySqlConnection,
    query: String,
    /// The cursor's column, quoted.
    column: String,
    kind: Kind,
}

pub async fn open(url: &str, question: &Question) -> Result<MySql, sqlx::Error> {
    let mut connection = MySqlConnectOptions::from_str(url)?.timezone(Some("+00:00".to_owned())).connect().await?;
    sqlx::raw_sql("SET SESSION TRANSACTION READ ONLY").execute(&mut connection).await?;
    let column = format!("`{}`", question.cursor.replace('`', "``"));
    let described = format!("SELECT t.{column} FROM ({}) AS t", question.query);
    let described = connection.prepare(AssertSqlSafe(described).into_sql_str()).await?;
    let type_name = described.columns().first().map(|c| c.type_info().name().to_owned()).unwrap_or_default();
    let kind = match class(&type_name) {
        Class::Number => Kind::Number,
        Class::Local | Class::Instant => Kind::Time,
        Class::Text if type_name == "DATE" => Kind::Time,
        Class::Text => Kind::Text,
        _ => return Err(sqlx::Error::InvalidArgument(format!("a column of {type_name} can't be the cursor"))),
    };
    Ok(MySql { connection, query: question.query.clone(), column, kind })
}

#[async_trait]
impl Connection for MySql {
    fn kind(&self) -> Kind {
        self.kind
    }

    async fn page(&mut self, page: Page<'_>) -> Result<Vec<Read>, sqlx::Error> {
        let Self { connection, query, column, kind } = self;
        let from = page.from.map(|value| literal(value, *kind)).transpose()?;
        let wanted = match (from, page.back, *kind) {
            (None, ..) => format!("t.{column} IS NOT NULL"),
            (Some(from), None, _) => format!("t.{column} >= {from}"),
            (Some(from), Some(Overlap::Values(n)), Kind::Number) => format!("t.{column} >= {from} - {n}"),
            (Some(from), Some(Overlap::Time(span)), Kind::Time) => {
                format!("t.{column} >= {from} - INTERVAL {} MICROSECOND", span.as_micros())
            }
            (Some(_), Some(_), kind) => return Err(no_overlap(kind)),
        };
        // (the cursor stands last: its name may also be one of the row's)
        let limit = page.limit;
        let sql =
            format!("SELECT t.*, t.{column} FROM ({query}) AS t WHERE {wanted} ORDER BY t.{column} LIMIT {limit}");
        let rows: Vec<MySqlRow> = sqlx::raw_sql(AssertSqlSafe(sql)).fetch(&mut *connection).try_collect().await?;
        rows.iter().map(read).collect()
    }
}

/// A cursor's value as it may stand in a query: digits, or bytes that can't be anything else.
fn literal(value: &str, kind: Kind) -> Result<String, sqlx::Error> {
    let quoted = || format!("_utf8mb4 x'{}'", hex::encode(value));
    match kind {
        Kind::Number => {
            let digits = value.strip_prefix('-').unwrap_or(value);
            let is_number = digits.starts_with(|c: char| c.is_ascii_digit())
                && digits.chars().all(|c| c.is_ascii_digit() || c == '.');
            let wrong = || sqlx::Error::InvalidArgument(format!("the cursor is a number, and {value:?} is none"));
            is_number.then(|| value.to_owned()).ok_or_else(wrong)
        }
        Kind::Time => Ok(format!("CAST({} AS DATETIME(6))", quoted())),
        Kind::Text => Ok(quoted()),
    }
}

fn read(row: &MySqlRow) -> Result<Read, sqlx::Error> {
    let text = |n: usize| row.try_get_unchecked::<Option<Vec<u8>>, _>(n);
    let columns = row.columns();
    let (last, columns) = columns.split_last().ok_or(sqlx::Error::RowNotFound)?;
    let mut members = Map::new();
    for column in columns {
        let bytes = text(column.ordinal())?;
        members.insert(
            column.name().to_owned(),
            bytes.map_or(Value::Null, |bytes| json(bytes, column.type_info().name())),
        );
    }
    let cursor = text(last.ordinal())?.unwrap_or_default();
    Ok(Read { row: Value::Object(members), cursor: String::from_utf8_lossy(&cursor).into_owned() })
}

/// What kinds of values there are.
enum Class {
    Number,
    Json,
    /// Without a zone.
    Local,
    /// In the session's zone, which is UTC.
    Instant,
    Text,
    Bits,
}

fn class(type_name: &str) -> Class {
    match type_name {
        "BOOLEAN" | "TINYINT" | "SMALLINT" | "MEDIUMINT" | "INT" | "BIGINT" | "TINYINT UNSIGNED"
        | "SMALLINT UNSIGNED" | "MEDIUMINT UNSIGNED" | "INT UNSIGNED" | "BIGINT UNSIGNED" | "FLOAT" | "DOUBLE"
        | "DECIMAL" | "YEAR" => Class::Number,
        "JSON" => Class::Json,
        "DATETIME" => Class::Local,
        "TIMESTAMP" => Class::Instant,
        "BIT" | "GEOMETRY" => Class::Bits,
        _ => Class::Text,
    }
}

fn json(bytes: Vec<u8>, type_name: &str) -> Value {
    let text = match String::from_utf8(bytes) {
        Ok(text) if !matches!(class(type_name), Class::Bits) => text,
        Ok(text) => return hex::encode(text).into(),
        Err(error) => return hex::encode(error.into_bytes()).into(),
    };
    match class(type_name) {
        // (a number that JSON can't have stays a text)
        Class::Number | Class::Json => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        Class::Local => text.replacen(' ', "T", 1).into(),
        Class::Instant => format!("{}Z", text.replacen(' ', "T", 1)).into(),
        Class::Text | Class::Bits => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_can_stand_in_a_query_as_nothing_but_itself() {
        assert_eq!(literal("-12.5", Kind::Number).unwrap(), "-12.5");
        for sly in ["1 OR 1", "1;DROP", "", "-", "x'00'", "1e3"] {
            assert!(literal(sly, Kind::Number).is_err(), "{sly:?}");
        }
        assert_eq!(literal("' OR '", Kind::Text).unwrap(), "_utf8mb4 x'27204f522027'");
        assert!(literal("'", Kind::Time).unwrap().starts_with("CAST(_utf8mb4 x'27'"));
    }

    #[test]
    fn values_are_what_they_are() {
        let made = |text: &str, type_name| json(text.as_bytes().to_vec(), type_name);
        assert_eq!(made("9007199254740993", "BIGINT"), 9_007_199_254_740_993_i64);
        assert_eq!(made("12.50", "DECIMAL"), 12.5);
        assert_eq!(made("007", "VARCHAR"), "007");
        assert_eq!(made("{\"a\":1}", "JSON"), serde_json::json!({"a": 1}));
        assert_eq!(made("2026-11-20 10:00:00.5", "DATETIME"), "2026-11-20T10:00:00.5");
        assert_eq!(made("2026-11-20 02:00:00", "TIMESTAMP"), "2026-11-20T02:00:00Z");
        assert_eq!(json(vec![0xff, 0x01], "VARBINARY"), "ff01");
        assert_eq!(json(vec![1], "BIT"), "01");
    }
}
