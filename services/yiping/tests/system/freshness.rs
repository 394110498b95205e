//! I10, and the demo as a new user sees it.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::harness::{ENDS_WITHIN, children_of, eventually, http};

/// Every metric and span of the catalogue's first twelve, at city level.
const FIGURES: [(&str, &str); 21] = [
    ("bus.online_ratio", "now"),
    ("bus.on_time_ratio", "1h"),
    ("bus.on_time_ratio", "day"),
    ("bus.speed_kmh", "15m"),
    ("parking.free_spaces", "now"),
    ("parking.occupancy_ratio", "15m"),
    ("parking.occupancy_ratio", "1h"),
    ("parking.occupancy_ratio", "day"),
    ("parking.violations", "1h"),
    ("hotline.calls", "5m"),
    ("hotline.calls", "1h"),
    ("hotline.calls", "day"),
    ("hotline.connect_ratio", "30m"),
    ("hotline.connect_ratio", "24h"),
    ("hotline.wait_p95_s", "30m"),
    ("elder.calls", "30m"),
    ("elder.calls", "1h"),
    ("elder.calls", "day"),
    ("elder.sos_open", "now"),
    ("elder.sos_ack_60s_ratio", "24h"),
    ("elder.sos_ack_60s_ratio", "day"),
];

/// A source is silent after four times of what is expected of it. Weihai's are, after two minutes; here it is 40 s.
const EXPECTED_S: &str = "expected_s = 10";

/// Weihai, with sources of which more is expected.
fn profile(dir: &Path) -> PathBuf {
    let weihai = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/cities/weihai");
    let profile = dir.join("profile");
    std::fs::create_dir(&profile).unwrap();
    for file in std::fs::read_dir(weihai).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), profile.join(file.file_name())).unwrap();
    }
    let text = std::fs::read_to_string(profile.join("city.toml")).unwrap();
    let line = |line: &str| if line.starts_with("expected_s = ") { EXPECTED_S } else { line }.to_owned() + "\n";
    std::fs::write(profile.join("city.toml"), text.lines().map(line).collect::<String>()).unwrap();
    profile
}

struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_demo_shows_every_figure_tells_a_silent_feed_and_ends_with_its_children() {
    let dir = tempfile::tempdir().unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_yiping"))
        .args(["demo", "--port", "0", "--data-dir"])
        .arg(dir.path())
        .env("YIPING_CITY__PROFILE", profile(dir.path()))
        .env("YIPING_GATEWAY__LISTEN", "127.0.0.1:0")
        .env("YIPING_ADMIN__LISTEN", "127.0.0.1:0")
        .env("YIPING_CLICKHOUSE__HTTP_PORT", "0")
        .env("YIPING_CLICKHOUSE__TCP_PORT", "0")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut demo = Demo(child);
    let endpoints: Value = eventually(Duration::from_secs(120), "endpoints.json", || {
        let text = std::fs::read_to_string(dir.path().join("endpoints.json")).ok()?;
        serde_json::from_str(&text).ok()
    });
    let address = |name: &str| endpoints[name].as_str().unwrap().to_owned();
    let (wall, admin) = (address("wall"), address("admin"));
    let snapshot = || -> Option<Value> {
        let (status, body) = http("GET", &format!("{wall}/api/snapshot"), &[], b"");
        (status == 200).then(|| serde_json::from_slice(&body).unwrap())
    };
    eventually(Duration::from_secs(120), "every figure at city level", || {
        let snapshot = snapshot()?;
        let rows = snapshot["metrics"].as_array()?;
        FIGURES
            .iter()
            .all(|(metric, span)| {
                rows.iter().any(|row| row["metric"] == *metric && row["span"] == *span && row["level"] == "city")
            })
            .then_some(())
    });
    let state = |stream: &str, wanted: &str| {
        eventually(Duration::from_secs(180), &format!("{stream} to be {wanted}"), || {
            (snapshot()?["streams"][stream]["state"] == wanted).then_some(())
        });
    };
    for stream in ["bus", "parking", "hotline", "elder"] {
        state(stream, "fresh");
    }
    let (status, page) = http("GET", &format!("{wall}/"), &[], b"");
    assert_eq!(status, 200);
    assert!(String::from_utf8_lossy(&page).contains("<html"));

    // the feed stops, ticks go on: the card must not look fresh because time moves
    assert_eq!(http("POST", &format!("{admin}/demo/feeds/hotline/stop"), &[], b"").0, 204);
    let watermark =
        |snapshot: &Value| snapshot["streams"]["hotline"]["watermark"].as_str().unwrap_or_default().to_owned();
    let before = watermark(&snapshot().unwrap());
    state("hotline", "silent");
    assert!(watermark(&snapshot().unwrap()) > before, "ticks go on");
    assert_eq!(snapshot().unwrap()["streams"]["elder"]["state"], "fresh", "the others are not concerned");
    assert_eq!(http("POST", &format!("{admin}/demo/feeds/hotline/start"), &[], b"").0, 204);
    state("hotline", "fresh");

    let children = children_of(demo.0.id());
    assert!(!children.is_empty(), "the embedded ClickHouse is a child");
    let begin = Instant::now();
    assert!(Command::new("kill").args(["-INT", &demo.0.id().to_string()]).status().unwrap().success());
    assert!(demo.0.wait().unwrap().success());
    assert!(begin.elapsed() < ENDS_WITHIN, "the end took {:?}", begin.elapsed());
    for child in children {
        eventually(Duration::from_secs(5), "the children's end", || (!alive(child)).then_some(()));
    }
}

fn alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}
