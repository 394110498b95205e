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

#[test]
fn a_token_and_a_key_are_made_also_where_other_settings_are_wrong_or_wait_for_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let (settings, tokens, key) = (path("yiping.toml"), path("tokens.toml"), path("pseudonym.key"));
    let text = format!(
        "data_dir = {:?}\n[gateway]\ntokens = {tokens:?}\npseudonym_key = {key:?}\n[wall]\nlisten = \"?\"\n[feeds.a]\nmap = \"none.jq\"\n",
        path("data")
    );
    std::fs::write(&settings, text).unwrap();
    let run = |arguments: &[&str]| {
        let made = Command::new(env!("CARGO_BIN_EXE_yiping")).args(arguments).arg("--config").arg(&settings).output();
        let made = made.unwrap();
        assert!(made.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&made.stderr));
    };
    run(&["token", "new", "--name", "a", "--streams", "bus"]);
    run(&["key", "new", "--for", "pseudonyms"]);
    assert!(tokens.is_file() && key.is_file());
}
