//! `yiping log export`, beside a running system and on what it left.

use std::process::Output;

use serde_json::{Value, json};

use crate::harness::{System, http};

const SETTINGS: [(&str, &str); 1] = [("YIPING_LOG__PARTITIONS", "3")];

fn export(system: &System, arguments: &[&str]) -> Output {
    system.yiping().args(["log", "export", "--stream", "parking"]).args(arguments).output().unwrap()
}

fn records(out: &Output) -> Vec<Value> {
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_log_is_exported_while_the_system_runs_and_after_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut system = System::start(dir.path(), &SETTINGS);
    let token = format!("Bearer {}", system.token());
    let events: Vec<String> = (0..6)
        .map(|n| {
            json!({
                "specversion": "1.0", "id": format!("e{n}"), "source": "test/lots", "type": "city.parking.entry",
                "time": format!("2026-11-20T02:0{n}:00.000Z"), "receivedtime": format!("2026-11-20T02:0{n}:01.000Z"),
                "data": {"lot_id": format!("lot-{n}"), "session_id": "s"},
            })
            .to_string()
        })
        .collect();
    let headers = [("Authorization", &*token), ("Content-Type", "application/x-ndjson")];
    assert_eq!(http("POST", &format!("{}/v1/events", system.gateway()), &headers, events.join("\n").as_bytes()).0, 202);

    let out = export(&system, &[]);
    let all = records(&out);
    let kind = |record: &Value| record["event"]["type"].as_str().unwrap().to_owned();
    let settings: Vec<&Value> = all.iter().filter(|record| kind(record) == "city.config").collect();
    assert_eq!(
        settings.iter().map(|record| &record["partition"]).collect::<Vec<_>>(),
        [0, 1, 2],
        "settings are records too"
    );
    let told = String::from_utf8_lossy(&out.stderr).to_string();
    assert!(told.contains(&format!("read {0} of {0} records, written {0}", all.len())), "{told}");
    for (n, event) in events.iter().enumerate() {
        let record = all.iter().find(|record| record["event"]["id"] == format!("e{n}")).unwrap();
        assert_eq!(record["key"], format!("lot-{n}"));
        assert_eq!(record["logtime"], format!("2026-11-20T02:0{n}:01.000Z"));
        assert!(record["appendtime"].as_str().unwrap() > "2026-11-20T02:06:00.000Z", "the log's own time is today's");
        let mut event: Value = serde_json::from_str(event).unwrap();
        // (a stay is known under a pseudonym)
        event["data"]["session_id"] = record["event"]["data"]["session_id"].clone();
        assert_eq!(record["event"], event);
    }

    // what is received from 02:01:01 on and before 02:03:01; whatever has no log time but the log's own is later
    let some = records(&export(&system, &["--from", "2026-11-20T02:01:01Z", "--to", "2026-11-20T10:03:01+08:00"]));
    let mut ids: Vec<&str> = some.iter().map(|record| record["event"]["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["e1", "e2"]);

    system.kill();
    let url = format!("embedded:{}", dir.path().join("log").display());
    let file = dir.path().join("parking.ndjson");
    let left = export(&system, &["--log-url", &url, "--out", file.to_str().unwrap()]);
    assert!(left.status.success() && left.stdout.is_empty());
    let left: Vec<Value> =
        std::fs::read_to_string(&file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(all.iter().all(|record| left.contains(record)), "what the killed system left is not what it had");

    let nowhere = dir.path().join("nowhere");
    let wrong = export(&system, &["--log-url", &format!("embedded:{}", nowhere.display())]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("there is no log in"));
    assert!(!nowhere.exists(), "looking for a log made one");
}
