//! The schema on a cluster of ClickHouse: the same statements, run on every node, with engines that keep copies.
//!
//! Every node has all of every table, by replication, but for the one that grows: the rows of windows are spread over the shards, so
//! that a row's identity lives on one of them, and `city.metric_rows` asks them all. So every view reads as on one machine: what it
//! joins the rows with is on each shard.

/// The table that is spread; its part on a shard is `city.metric_rows_shard`.
const SPREAD: &str = "metric_rows";
/// Where a row goes: by its series, so by part of its identity.
const SERIES: &str = "cityHash64(metric, level, span, key)";
/// A part that a replica fetched from another is on the disk too.
const SYNCED: &str = "fsync_part_directory = 1";
const SYNCED_FETCHES: &str = "fsync_part_directory = 1, min_compressed_bytes_to_fsync_after_fetch = 1";

/// What an insert asks for: a majority of the copies has it, on the shard where it belongs, before it is acknowledged.
pub(crate) const INSERT: [(&str, &str); 2] = [("insert_quorum", "auto"), ("distributed_foreground_insert", "1")];

/// A statement of the schema as one or two for the whole cluster. Of each statement that there is a test sees that it was understood.
pub(crate) fn spread(statement: &str, cluster: &str) -> Vec<String> {
    let on = format!("ON CLUSTER '{cluster}'");
    let named = |beginning: &str| {
        let rest = statement.strip_prefix(beginning)?;
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        Some(rest.split_at(end))
    };
    if let Some((table, rest)) = named("CREATE TABLE IF NOT EXISTS city.") {
        let create = "CREATE TABLE IF NOT EXISTS city.";
        if table != SPREAD {
            return vec![format!("{create}{table} {on}{}", replicated(rest, table, false))];
        }
        let own = format!("{create}{table}_shard {on}{}", replicated(rest, table, true));
        let engine = format!("Distributed('{cluster}', 'city', '{table}_shard', {SERIES})");
        return vec![own, format!("{create}{table} {on} AS city.{table}_shard ENGINE = {engine}")];
    }
    if let Some((table, rest)) = named("ALTER TABLE city.") {
        // of a table that is spread the columns' codecs are the shards' matter, and how long rows stay wholly
        let own = format!("ALTER TABLE city.{table}{} {on}{rest}", if table == SPREAD { "_shard" } else { "" });
        let all = (table == SPREAD && rest.contains(" COLUMN "))
            .then(|| format!("ALTER TABLE city.{table} {on}{}", rest.replace(" CODEC(ZSTD)", "")));
        return [Some(own), all].into_iter().flatten().collect();
    }
    if let Some((view, rest)) = named("CREATE OR REPLACE VIEW city.") {
        return vec![format!("CREATE OR REPLACE VIEW city.{view} {on}{rest}")];
    }
    if let Some((database, rest)) = named("CREATE DATABASE IF NOT EXISTS ") {
        return vec![format!("CREATE DATABASE IF NOT EXISTS {database} {on}{rest}")];
    }
    vec![statement.to_owned()]
}

/// A table's columns and engine, with an engine that keeps copies: on all nodes, or on those of a shard.
fn replicated(definition: &str, table: &str, of_shard: bool) -> String {
    let (path, replica) = if of_shard { ("{shard}", "{replica}") } else { ("all", "{shard}-{replica}") };
    let place = format!("'/clickhouse/tables/yiping/{path}/{table}', '{replica}'");
    let mut text = definition.replace(SYNCED, SYNCED_FETCHES);
    for engine in ["ReplacingMergeTree", "MergeTree"] {
        let plain = format!("ENGINE = {engine}");
        if let Some(at) = text.find(&plain) {
            let end = at + plain.len();
            let rest = match text[end..].strip_prefix('(') {
                Some(arguments) => format!(", {arguments}"),
                None => format!("){}", &text[end..]),
            };
            text = format!("{}ENGINE = Replicated{engine}({place}{rest}", &text[..at]);
            break;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_its_copies_on_every_node() {
        let made = spread(
            "CREATE TABLE IF NOT EXISTS city.late_rows\n(\n    minute DateTime\n)\nENGINE = ReplacingMergeTree(revision)\nORDER BY minute\n\
             SETTINGS fsync_after_insert = 1, fsync_part_directory = 1",
            "weihai",
        );
        assert_eq!(
            made,
            ["CREATE TABLE IF NOT EXISTS city.late_rows ON CLUSTER 'weihai'\n(\n    minute DateTime\n)\n\
              ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/yiping/all/late_rows', '{shard}-{replica}', revision)\n\
              ORDER BY minute\nSETTINGS fsync_after_insert = 1, fsync_part_directory = 1, \
              min_compressed_bytes_to_fsync_after_fetch = 1"]
        );
        let plain =
            spread("CREATE TABLE IF NOT EXISTS city.rejects (a String) ENGINE = ReplacingMergeTree\nORDER BY a", "w");
        assert!(
            plain[0].contains("MergeTree('/clickhouse/tables/yiping/all/rejects', '{shard}-{replica}')\nORDER BY"),
            "{plain:?}"
        );
    }

    #[test]
    fn the_rows_of_windows_are_spread_by_their_series() {
        let made = spread(
            "CREATE TABLE IF NOT EXISTS city.metric_rows (n Int64) ENGINE = ReplacingMergeTree(revision) ORDER BY n",
            "weihai",
        );
        assert_eq!(
            made,
            [
                "CREATE TABLE IF NOT EXISTS city.metric_rows_shard ON CLUSTER 'weihai' (n Int64) ENGINE = \
                 ReplicatedReplacingMergeTree('/clickhouse/tables/yiping/{shard}/metric_rows', '{replica}', revision) ORDER BY n",
                "CREATE TABLE IF NOT EXISTS city.metric_rows ON CLUSTER 'weihai' AS city.metric_rows_shard ENGINE = \
                 Distributed('weihai', 'city', 'metric_rows_shard', cityHash64(metric, level, span, key))",
            ]
        );
        let made = spread("ALTER TABLE city.metric_rows ADD COLUMN IF NOT EXISTS b Int64 CODEC(ZSTD) AFTER n", "w");
        assert_eq!(
            made,
            [
                "ALTER TABLE city.metric_rows_shard ON CLUSTER 'w' ADD COLUMN IF NOT EXISTS b Int64 CODEC(ZSTD) AFTER n",
                "ALTER TABLE city.metric_rows ON CLUSTER 'w' ADD COLUMN IF NOT EXISTS b Int64 AFTER n",
            ]
        );
    }
}
