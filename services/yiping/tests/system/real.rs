//! Real feeds through the gateway, log, windows and ClickHouse, against independent computations from the files themselves.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use crate::harness::{Figures, System, assert_same, figures};

fn data() -> Option<PathBuf> {
    let folder = std::env::var_os("YIPING_REAL_DATA").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: YIPING_REAL_DATA is not set");
    }
    folder
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn replay(system: &System, arguments: &[&str], map: &str, files: &[PathBuf]) {
    let token = system.token();
    let out = system
        .yiping()
        .args(["replay", "--to", &system.gateway(), "--token", &token, "--map"])
        .arg(root().join("deploy/cities/examples").join(map))
        .args(arguments)
        .args(files)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{said}");
    eprintln!("{}", said.rsplit('\r').next().unwrap_or_default());
}

/// What a script of tests/real computes from the files.
fn independent(script: &str, arguments: &[&str], input: &Path) -> Figures {
    let rows = tempfile::NamedTempFile::new().unwrap();
    let out = Command::new("python3")
        .arg(root().join("tests/real").join(script))
        .args(arguments)
        .arg("--out")
        .args([rows.path(), input])
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = std::fs::read_to_string(rows.path()).unwrap();
    figures(text.lines().map(|line| serde_json::from_str(line).unwrap()))
}

fn profile(name: &str) -> String {
    root().join("deploy/cities/examples").join(name).to_str().unwrap().to_owned()
}

/// The system says what the script says, and nothing else, of the windows chosen (a condition in SQL).
fn assert_says(system: &System, stream: &str, told: &Figures, chosen: &str) {
    assert!(told.len() > 1_000, "the script told next to nothing");
    let kinds: BTreeSet<_> = told.keys().map(|id| (id.0.as_str(), id.1.as_str(), id.3.as_str())).collect();
    let mut live = Figures::new();
    for (metric, level, span) in kinds {
        // one kind at a time: a reader's memory is limited
        let kind = format!("metric = '{metric}' AND level = '{level}' AND span = '{span}'");
        live.extend(system.figures(stream, &format!("{kind} AND {chosen}")));
    }
    assert_same(&live, told);
}

#[test]
fn birminghams_car_parks_fill_as_the_file_says() {
    let Some(data) = data() else { return };
    let dir = tempfile::tempdir().unwrap();
    let system = System::start(dir.path(), &[("YIPING_CITY__PROFILE", &profile("birmingham"))]);
    // its last ten days: every lot has some ten figures a minute (tests/real/run takes all of it, offline)
    let whole = std::fs::read_to_string(data.join("parking-birmingham-2016.csv")).unwrap();
    let chosen = whole.lines().enumerate().filter(|(at, line)| *at == 0 || line.contains(",2016-12-1"));
    let file = dir.path().join("parking-birmingham-2016.csv");
    std::fs::write(&file, chosen.map(|(_, line)| format!("{line}\n")).collect::<String>()).unwrap();
    let arguments = ["--stream", "parking", "--format", "csv"];
    replay(&system, &arguments, "birmingham-parking.jq", std::slice::from_ref(&file));
    system.settled("parking", "2016-12-20T12:00:00Z");
    let counted =
        system.query("SELECT sum(accepted) AS accepted, sum(duplicates) AS duplicates FROM city.stream_status");
    // 4,811 rows, 5 of them repeats
    assert_eq!((counted[0]["accepted"].as_u64(), counted[0]["duplicates"].as_u64()), (Some(4_806), Some(5)));
    // --beyond: a lot's last state goes on in the running system, for an hour
    let told = independent("birmingham.py", &["--spans", "1h,day", "--beyond"], &file);
    assert_says(&system, "parking", &told, "toMinute(window_start) = 0");
}

#[test]
fn aucklands_departures_are_as_punctual_as_the_polls_say() {
    let Some(data) = data() else { return };
    let dir = tempfile::tempdir().unwrap();
    let system = System::start(dir.path(), &[("YIPING_CITY__PROFILE", &profile("auckland"))]);
    let folder = data.join("bus-auckland-2016");
    let mut polls: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    polls.sort();
    assert_eq!(polls.len(), 10);
    let arguments = ["--stream", "bus", "--format", "gtfs-rt-json", "--zone", "Pacific/Auckland"];
    replay(&system, &arguments, "auckland-trip-updates.jq", &polls);
    system.settled("bus", "2016-05-19T12:00:00Z");
    assert_says(&system, "bus", &independent("auckland.py", &[], &folder), "1");
}
