//! `yiping check`: what is wrong with settings is told at once.

use std::process::Command;

#[test]
fn every_feed_that_cant_be_used_is_named_with_its_setting_and_the_exit_code_is_78() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let map = file("broken.jq", "{type: ");
    let good = file("good.jq", "{type: \"city.parking.snapshot\"}");
    let settings = file(
        "yiping.toml",
        &format!(
            "[feeds.a]\nformat = \"xls\"\n[feeds.b]\nencoding = \"latin1\"\n[feeds.c]\nmap = {map:?}\n[feeds.d]\nmap = {good:?}\n"
        ),
    );
    let checked = Command::new(env!("CARGO_BIN_EXE_yiping")).args(["check", "--config", &settings]).output().unwrap();
    let told = String::from_utf8_lossy(&checked.stderr);
    assert_eq!(checked.status.code(), Some(78), "{told}");
    for fault in ["3 faults", "feeds.a.format: unknown format xls", "feeds.b.encoding: ", "feeds.c.map: "] {
        assert!(told.contains(fault), "{fault} is not in {told}");
    }
}
