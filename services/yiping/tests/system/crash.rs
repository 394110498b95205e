//! I3, I4: whatever dies when, the published figures are those of the complete log.

use std::{process::Stdio, time::Duration};

use crate::harness::{System, assert_same, compute, eventually, simulated, within};

/// A city of a tenth for an hour and a half over a day's end, with the usual faults.
const STORY: [&str; 10] =
    ["--seed", "7", "--start", "2026-11-20T22:45:00+08:00", "--duration", "90m", "--scale", "0.1", "--faults", "usual"];
/// Past every window of the story; a replay settles a day after its newest event.
const AFTER: &str = "2026-11-21T16:05:00Z";
/// What is too late is judged against the time of its own partition, so it may fall differently with one partition and with three;
/// what is late within the lateness may not. Checkpoints are frequent, so that the kills fall between them.
const SETTINGS: [(&str, &str); 4] = [
    ("YIPING_STORE__CHECKPOINT", "1s"),
    ("YIPING_LOG__PARTITIONS", "3"),
    ("YIPING_STREAMS__BUS__LATENESS", "24h"),
    ("YIPING_STREAMS__PARKING__LATENESS", "24h"),
];
const STREAMS: [&str; 4] = ["bus", "parking", "hotline", "elder"];

#[test]
fn i4_a_killed_system_goes_on_without_a_gap_or_a_double_count() {
    killed_in_every_stream(&SETTINGS);
}

#[test]
fn i4_a_killed_system_goes_on_with_kafka_as_its_log() {
    let Ok(brokers) = std::env::var("KAFKA_BROKERS") else {
        eprintln!("skipped: KAFKA_BROKERS is not set (tests/kafka/start brings a broker)");
        return;
    };
    let url = format!("kafka://{brokers}");
    let mut settings = SETTINGS.to_vec();
    settings.push(("YIPING_LOG__URL", &url));
    killed_in_every_stream(&settings);
}

fn killed_in_every_stream(settings: &[(&str, &str)]) {
    let dir = tempfile::tempdir().unwrap();
    let story = simulated(dir.path(), &STORY);
    let mut system = System::start(dir.path(), settings);
    let token = system.token();
    for (round, stream) in STREAMS.into_iter().enumerate() {
        let mut replay = system
            .yiping()
            .args(["replay", "--stream", stream, "--to", &system.gateway(), "--token", &token])
            .arg(&story)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // in the middle of it, at another place with each stream
        let some = 500 * (round + 1);
        eventually(Duration::from_secs(60), "some events to be stored", || {
            let sql = format!("SELECT sum(accepted) AS n FROM city.stream_status WHERE stream = '{stream}'");
            let stored = system.query(&sql)[0]["n"].as_u64().unwrap() >= some as u64;
            (stored || replay.try_wait().unwrap().is_some()).then_some(())
        });
        system.kill();
        system.start_again();
        assert!(replay.wait().unwrap().success(), "{}", system.said());
    }
    for stream in STREAMS {
        system.settled(stream, AFTER);
        let offline = compute(stream, &story, settings);
        assert!(offline.len() > 100, "a story without figures: {stream}");
        let live = system.figures(stream, &within(&offline));
        assert_same(&live, &offline);
    }
    let doubles = "SELECT count() AS n FROM (SELECT count() AS c FROM city.metrics \
                   GROUP BY metric, level, key, span, window_start HAVING c > 1)";
    assert_eq!(system.query(doubles)[0]["n"], 0);
    system.interrupt();
}
