//! What comes in, and what is refused, on the whole way.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{System, eventually, http};

fn position(n: usize) -> String {
    // one vehicle each, so that nothing is a duplicate or out of order
    json!({
        "specversion": "1.0", "id": format!("p-{n}"), "source": "test/bus", "type": "city.bus.position",
        "time": "2026-11-20T02:00:00Z", "receivedtime": "2026-11-20T02:00:01Z",
        "data": {"vehicle_id": format!("V{n}"), "route_id": "12", "direction": 0, "lon": 122.1, "lat": 37.5},
    })
    .to_string()
}

#[test]
fn one_malformed_line_of_ten_thousand_costs_that_line_only() {
    let dir = tempfile::tempdir().unwrap();
    let system = System::start(dir.path(), &[]);
    let token = format!("Bearer {}", system.token());
    let mut lines: Vec<String> = (0..10_000).map(position).collect();
    lines[4_321] = r#"{"specversion":"1.0","id":"broken","source":"test/bus","type":"city.bus.position""#.to_owned();
    let headers = [("Authorization", token.as_str()), ("Content-Type", "application/x-ndjson")];
    let (status, body) =
        http("POST", &format!("{}/v1/events", system.gateway()), &headers, lines.join("\n").as_bytes());
    let answer: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, &answer["accepted"]), (202, &json!(9_999)), "{answer}");
    assert_eq!(answer["rejected"][0]["index"], 4_321);
    assert_eq!(answer["rejected"][0]["code"], "bad_json");
    eventually(Duration::from_secs(20), "the reject in city.rejects", || {
        let rows = system.query("SELECT code, source, message FROM city.rejects");
        (rows.len() == 1 && rows[0]["code"] == "bad_json").then_some(())
    });
    eventually(Duration::from_secs(20), "the others to be stored", || {
        let rows = system.query("SELECT sum(accepted) AS n FROM city.stream_status WHERE stream = 'bus'");
        (rows[0]["n"] == 9_999).then_some(())
    });
}
