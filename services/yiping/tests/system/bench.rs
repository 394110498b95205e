//! `yiping bench` with a ClickHouse of its own: what its views say is what was counted.

use std::process::Command;

use serde_json::Value;

#[test]
fn what_clickhouse_says_is_what_was_counted() {
    let out = Command::new(env!("CARGO_BIN_EXE_yiping"))
        .args(["bench", "--events", "20000", "--partitions", "2", "--log", "embedded", "--store", "clickhouse"])
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let report: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((&report["verified"], report["store"].as_str()), (&Value::Bool(true), Some("clickhouse")));
    assert!(report["windows_verified"].as_u64().unwrap() > 0 && report["store_cpu_s"].is_number(), "{report}");
}
