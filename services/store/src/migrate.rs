//! Brings ClickHouse's schema up to date, and the catalogue's and the profile's rows with it. Every statement of
//! `schemas/clickhouse` may run again; a file runs when its text is not on record, so two processes that migrate at
//! once do no harm.

use std::{collections::HashMap, hash::Hash};

use clickhouse::{Row, RowOwned, RowRead, RowWrite};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{DerivedDef, ExpectedSource, MetricConstant, MetricDef, Result, Store, StoreError, cluster, keep};

const FILES: [(&str, &str); 4] = [
    ("001_tables", include_str!("../../../schemas/clickhouse/001_tables.sql")),
    ("002_metrics", include_str!("../../../schemas/clickhouse/002_metrics.sql")),
    ("003_metrics_latest", include_str!("../../../schemas/clickhouse/003_metrics_latest.sql")),
    ("004_live", include_str!("../../../schemas/clickhouse/004_live.sql")),
];
/// What the files call `@published`.
const PUBLISHED: &str = include_str!("../../../schemas/clickhouse/published.sql");
/// Where `@derived(…)` finds merged rows of all windows.
const HISTORY: &str = "city.metrics_merged";
/// What the files call `@joined`.
const JOINED: &str = include_str!("../../../schemas/clickhouse/joined.sql");

const RECORD: &str = "CREATE DATABASE IF NOT EXISTS city;
CREATE TABLE IF NOT EXISTS city.migrations (name String, checksum String, \
     applied_at DateTime64(3, 'UTC') DEFAULT now64(3)) ENGINE = MergeTree ORDER BY (name, applied_at)";

impl Store {
    /// Creates and updates tables and views, then the rows that come from the catalogue and the profile. Idempotent: a second
    /// run with the same arguments writes nothing.
    pub async fn migrate(
        &self,
        defs: &[MetricDef],
        derived: &[DerivedDef],
        constants: &[MetricConstant],
        sources: &[ExpectedSource],
    ) -> Result<()> {
        for (number, statement) in statements(RECORD).into_iter().enumerate() {
            self.run("000_record", number + 1, &statement).await?;
        }
        let applied: HashMap<String, String> = self
            .client()
            .query("SELECT name, argMax(checksum, applied_at) FROM city.migrations GROUP BY name")
            .fetch_all::<(String, String)>()
            .await?
            .into_iter()
            .collect();
        for (name, text) in FILES {
            let text = filled(text, derived);
            let checksum = hex::encode(Sha256::digest(&text));
            if applied.get(name) == Some(&checksum) {
                continue;
            }
            for (number, statement) in statements(&text).into_iter().enumerate() {
                self.run(name, number + 1, &statement).await?;
            }
            self.note(name, &checksum).await?;
            tracing::info!(name, "schema brought up to date");
        }
        self.keep(applied.get(keep::NAME).map(String::as_str)).await?;
        self.settle("metric_defs", defs.iter().map(DefRow::from).collect(), |_| None).await?;
        let gone = |row: &ConstantRow| row.den.is_some().then(|| ConstantRow { den: None, ..row.clone() });
        self.settle("metric_constants", constants.iter().map(ConstantRow::from).collect(), gone).await?;
        let gone =
            |row: &ExpectedRow| row.expected_s.is_some().then(|| ExpectedRow { expected_s: None, ..row.clone() });
        self.settle("expected_sources", sources.iter().map(ExpectedRow::from).collect(), gone).await
    }

    async fn note(&self, name: &str, checksum: &str) -> Result<()> {
        let record = "INSERT INTO city.migrations (name, checksum) VALUES (?, ?)";
        Ok(self.client().query(record).bind(name).bind(checksum).execute().await?)
    }

    /// Tells ClickHouse how long to keep rows, where it was told something else before.
    async fn keep(&self, told: Option<&str>) -> Result<()> {
        let wanted = self.options().keep.statement();
        let statement = wanted.as_deref().unwrap_or(keep::FOR_EVER);
        if told.unwrap_or(keep::FOR_EVER) != statement {
            self.run(keep::NAME, 1, statement).await?;
            self.note(keep::NAME, statement).await?;
            tracing::info!(statement, "how long rows are kept has changed");
        }
        Ok(())
    }

    async fn run(&self, name: &'static str, statement: usize, sql: &str) -> Result<()> {
        for sql in self.spread(sql) {
            let done = self.client().query_raw(&sql).execute().await;
            done.map_err(|source| StoreError::Migration { name, statement, source })?;
        }
        Ok(())
    }

    /// A statement as it is run: on a cluster for all its nodes.
    fn spread(&self, sql: &str) -> Vec<String> {
        match &self.options().cluster {
            Some(cluster) => cluster::spread(sql, cluster),
            None => vec![sql.to_owned()],
        }
    }

    /// All statements that [`Store::migrate`] runs on a ClickHouse that is empty, for whoever wants to read them first.
    pub fn schema(&self, derived: &[DerivedDef]) -> Vec<String> {
        let files = FILES.iter().map(|(_, text)| filled(text, derived));
        std::iter::once(RECORD.to_owned())
            .chain(files)
            .flat_map(|text| statements(&text))
            .chain(self.options().keep.statement())
            .flat_map(|statement| self.spread(&statement))
            .collect()
    }

    /// Makes a small table say `wanted`: writes the rows that differ, and `gone(row)` for those that are no longer wanted.
    async fn settle<R: Settled>(&self, table: &str, wanted: Vec<R>, gone: impl Fn(&R) -> Option<R>) -> Result<()> {
        let select = format!("SELECT ?fields FROM city.{table} FINAL");
        let there: Vec<R> = self.client().query(&select).fetch_all().await?;
        let version = there.iter().map(|row| row.version()).max().unwrap_or(0) + 1;
        let there: HashMap<R::Identity, R> = there.into_iter().map(|row| (row.identity(), row)).collect();
        let named: HashMap<R::Identity, R> = wanted.into_iter().map(|row| (row.identity(), row)).collect();
        let mut changed: Vec<R> = there
            .iter()
            .filter(|(identity, _)| !named.contains_key(identity))
            .filter_map(|(_, row)| gone(row))
            .collect();
        changed.extend(
            named
                .into_iter()
                .filter(|(identity, row)| there.get(identity).is_none_or(|old| row.clone().at(old.version()) != *old))
                .map(|(_, row)| row),
        );
        if changed.is_empty() {
            return Ok(());
        }
        let changed: Vec<R> = changed.into_iter().map(|row| row.at(version)).collect();
        self.insert(table, &changed.iter().collect::<Vec<_>>()).await
    }
}

/// A file with what stands in the places of its marks.
fn filled(text: &str, derived: &[DerivedDef]) -> String {
    with_derived(text.replace("@published", PUBLISHED).replace("@joined", JOINED.trim_end()), derived)
}

/// Puts a branch for each derived figure in the place of `@derived(VIEW)`: its rows are counts of rows of that view. A literal name in
/// each branch, so that who asks for one metric doesn't have the others counted.
fn with_derived(mut text: String, derived: &[DerivedDef]) -> String {
    const MARK: &str = "@derived(";
    while let Some(at) = text.find(MARK) {
        let Some(length) = text[at..].find(')') else { break };
        let view = text[at + MARK.len()..at + length].to_owned();
        let branches: Vec<String> = derived.iter().map(|derived| branch(&view, derived)).collect();
        text.replace_range(at..=at + length, branches.join("\n").trim_end());
    }
    text
}

fn branch(view: &str, DerivedDef { metric, of, level, span, when, limit }: &DerivedDef) -> String {
    // the history has one for each full minute; the newest is of the newest window, whenever that ended
    let moments = if view == HISTORY { " AND toStartOfMinute(window_end) = window_end" } else { "" };
    format!(
        "UNION ALL
SELECT
    stream, '{metric}' AS metric, 'city' AS level, 'city' AS key, 'now' AS span, end AS window_start, end AS window_end,
    toNullable(toFloat64(beyond)) AS value, toFloat64(beyond) AS numerator, toFloat64(1) AS denominator, judged AS n,
    final AS is_final, last AS revision, reached AS watermark, holes AS incomplete, too_late AS late
FROM
(
    SELECT
        toString(stream) AS stream, window_end AS end, countIf(value {when} {limit:?}) AS beyond,
        toInt64(countIf(value IS NOT NULL)) AS judged, toBool(min(is_final)) AS final, max(revision) AS last,
        max(watermark) AS reached, toBool(max(incomplete)) AS holes, max(late) AS too_late
    FROM {view}
    WHERE metric = '{of}' AND level = '{level}' AND span = '{span}'{moments}
    GROUP BY stream, window_end
)"
    )
}

/// The statements of a file: they end with `;` at the end of a line, comments stand on lines of their own.
fn statements(text: &str) -> Vec<String> {
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
    code.join("\n")
        .split(";\n")
        .map(|part| part.trim().trim_end_matches(';').to_owned())
        .filter(|part| !part.is_empty())
        .collect()
}

/// A row of a small table whose newest version counts.
trait Settled: RowOwned + RowRead + RowWrite + Clone + PartialEq + Sync {
    type Identity: Eq + Hash;
    fn identity(&self) -> Self::Identity;
    fn version(&self) -> u64;
    fn at(self, version: u64) -> Self;
}

#[derive(Debug, Clone, PartialEq, Row, Serialize, Deserialize)]
struct DefRow {
    metric: String,
    stream: String,
    kind: String,
    min_n: i64,
    num_scale: f64,
    den_scale: f64,
    value_scale: f64,
    quantile: f64,
    version: u64,
}

impl From<&MetricDef> for DefRow {
    fn from(def: &MetricDef) -> Self {
        Self {
            metric: def.metric.clone(),
            stream: def.stream.clone(),
            kind: def.kind.as_str().to_owned(),
            min_n: def.min_n,
            num_scale: def.num_scale,
            den_scale: def.den_scale,
            value_scale: def.value_scale,
            quantile: def.quantile,
            version: 0,
        }
    }
}

impl Settled for DefRow {
    type Identity = String;
    fn identity(&self) -> String {
        self.metric.clone()
    }
    fn version(&self) -> u64 {
        self.version
    }
    fn at(self, version: u64) -> Self {
        Self { version, ..self }
    }
}

#[derive(Debug, Clone, PartialEq, Row, Serialize, Deserialize)]
struct ConstantRow {
    metric: String,
    level: String,
    key: String,
    den: Option<i64>,
    version: u64,
}

impl From<&MetricConstant> for ConstantRow {
    fn from(constant: &MetricConstant) -> Self {
        Self {
            metric: constant.metric.clone(),
            level: constant.level.clone(),
            key: constant.key.clone(),
            den: Some(constant.den),
            version: 0,
        }
    }
}

impl Settled for ConstantRow {
    type Identity = (String, String, String);
    fn identity(&self) -> Self::Identity {
        (self.metric.clone(), self.level.clone(), self.key.clone())
    }
    fn version(&self) -> u64 {
        self.version
    }
    fn at(self, version: u64) -> Self {
        Self { version, ..self }
    }
}

#[derive(Debug, Clone, PartialEq, Row, Serialize, Deserialize)]
struct ExpectedRow {
    stream: String,
    source: String,
    expected_s: Option<u32>,
    version: u64,
}

impl From<&ExpectedSource> for ExpectedRow {
    fn from(source: &ExpectedSource) -> Self {
        Self {
            stream: source.stream.clone(),
            source: source.source.clone(),
            expected_s: Some(source.expected_s),
            version: 0,
        }
    }
}

impl Settled for ExpectedRow {
    type Identity = (String, String);
    fn identity(&self) -> Self::Identity {
        (self.stream.clone(), self.source.clone())
    }
    fn version(&self) -> u64 {
        self.version
    }
    fn at(self, version: u64) -> Self {
        Self { version, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_split_at_semicolons_that_end_a_line() {
        let text = "-- a; comment;\nSELECT ';'\n  -- another\n  , 1;\n\nSELECT 2;\n";
        assert_eq!(statements(text), ["SELECT ';'\n  , 1", "SELECT 2"]);
    }
}
