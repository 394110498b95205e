//! The child's private configuration: nothing is read from the working folder or from /etc.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{Credentials, EmbeddedError, credentials::write_private};

/// What `yiping_reader` may read: the contract's views, and the tables under them (views run with the caller's rights). Not the
/// checkpoints, which hold state that nobody reads by hand.
const READABLE: [&str; 34] = [
    "metrics",
    "metrics_latest",
    "metrics_days",
    "window_sums",
    "metrics_merged",
    "metrics_latest_merged",
    "generations",
    "configs",
    "bus_latest",
    "parking_latest",
    "orders_open",
    "sos_open",
    "stream_status",
    "source_status",
    "breaches",
    "breach_rows",
    "watch_states",
    "rejects",
    "metric_rows",
    "metric_latest_rows",
    "latest_marks",
    "latest_sums",
    "latest_reached",
    "stream_watermarks",
    "unhealed",
    "late_rows",
    "healed_rows",
    "metric_defs",
    "metric_constants",
    "expected_sources",
    "live_rows",
    "status_rows",
    "source_rows",
    "migrations",
];

/// Writes config.xml and users.xml into the data folder; returns the path of the first.
pub(super) fn write(
    data_dir: &Path,
    http_port: u16,
    tcp_port: u16,
    writer: &Credentials,
    reader: &Credentials,
) -> Result<PathBuf, EmbeddedError> {
    let users_path = data_dir.join("users.xml");
    let config_path = data_dir.join("config.xml");
    write_private(&users_path, &users(writer, reader))?;
    write_private(&config_path, &config(&users_path, http_port, tcp_port))?;
    Ok(config_path)
}

/// Memory and threads for a machine of two cores on which the services run too; no log tables, whose merges never sleep.
fn config(users_path: &Path, http_port: u16, tcp_port: u16) -> String {
    let users_path = escaped(&users_path.to_string_lossy());
    format!(
        "<clickhouse>
  <listen_host>127.0.0.1</listen_host>
  <http_port>{http_port}</http_port>
  <tcp_port>{tcp_port}</tcp_port>
  <users_config>{users_path}</users_config>
  <default_profile>default</default_profile>
  <access_control_improvements>
    <settings_constraints_replace_previous>true</settings_constraints_replace_previous>
  </access_control_improvements>
  <max_server_memory_usage>2000000000</max_server_memory_usage>
  <mark_cache_size>134217728</mark_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <background_pool_size>2</background_pool_size>
  <background_merges_mutations_concurrency_ratio>2</background_merges_mutations_concurrency_ratio>
  <background_schedule_pool_size>4</background_schedule_pool_size>
  <background_common_pool_size>2</background_common_pool_size>
  <background_move_pool_size>1</background_move_pool_size>
  <background_fetches_pool_size>1</background_fetches_pool_size>
  <background_buffer_flush_schedule_pool_size>1</background_buffer_flush_schedule_pool_size>
  <background_message_broker_schedule_pool_size>1</background_message_broker_schedule_pool_size>
  <background_distributed_schedule_pool_size>1</background_distributed_schedule_pool_size>
  <memory_worker_period_ms>1000</memory_worker_period_ms>
  <asynchronous_metrics_update_period_s>60</asynchronous_metrics_update_period_s>
  <merge_tree>
    <number_of_free_entries_in_pool_to_lower_max_size_of_merge>1</number_of_free_entries_in_pool_to_lower_max_size_of_merge>
    <number_of_free_entries_in_pool_to_execute_mutation>1</number_of_free_entries_in_pool_to_execute_mutation>
    <number_of_free_entries_in_pool_to_execute_optimize_entire_partition>1</number_of_free_entries_in_pool_to_execute_optimize_entire_partition>
  </merge_tree>
</clickhouse>
"
    )
}

/// The library's own session logs in as `default`, without a password, so `default` can't have one. It may do nothing but
/// open the listeners, and one session at a time: the library's own, which never ends, is that one.
fn users(writer: &Credentials, reader: &Credentials) -> String {
    let reads: String =
        READABLE.iter().map(|table| format!("        <query>GRANT SELECT ON city.{table}</query>\n")).collect();
    format!(
        "<clickhouse>
  <profiles>
    <default/>
    <locked>
      <max_sessions_for_user>1</max_sessions_for_user>
    </locked>
    <writer>
      <max_memory_usage>1200000000</max_memory_usage>
    </writer>
    <reader>
      <readonly>1</readonly>
      <max_execution_time>30</max_execution_time>
      <max_memory_usage>800000000</max_memory_usage>
      <max_threads>2</max_threads>
      <constraints>
        <max_execution_time><changeable_in_readonly/><min>1</min><max>120</max></max_execution_time>
      </constraints>
    </reader>
  </profiles>
  <quotas><default/></quotas>
  <users>
    <default>
      <no_password/>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>locked</profile>
      <quota>default</quota>
      <grants>
        <query>GRANT SYSTEM LISTEN ON *.*</query>
        <query>GRANT SELECT ON system.numbers</query>
      </grants>
    </default>
    <{writer}>
      <password_sha256_hex>{writer_hash}</password_sha256_hex>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>writer</profile>
      <quota>default</quota>
      <grants>
        <query>GRANT CREATE DATABASE, CREATE TABLE, CREATE VIEW, DROP VIEW, ALTER, INSERT, SELECT ON city.*</query>
        <query>GRANT DROP TABLE ON city._tmp_replace_*</query>
        <query>GRANT TABLE ENGINE ON *</query>
      </grants>
    </{writer}>
    <{reader}>
      <password_sha256_hex>{reader_hash}</password_sha256_hex>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>reader</profile>
      <quota>default</quota>
      <grants>
{reads}        <query>GRANT SELECT ON system.parts</query>
        <query>GRANT SELECT ON system.disks</query>
      </grants>
    </{reader}>
  </users>
</clickhouse>
",
        writer = writer.user,
        reader = reader.user,
        writer_hash = hex::encode(Sha256::digest(&writer.password)),
        reader_hash = hex::encode(Sha256::digest(&reader.password)),
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
