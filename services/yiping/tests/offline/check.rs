//! `yiping check`: what is wrong with settings is told at once.

use std::process::Command;

#[test]
fn everything_that_is_wrong_is_named_once_with_its_setting_and_the_exit_code_is_78() {
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
            "[wall]\nvisitors = 1\n[city]\nprofile = \"nowhere\"\n[feeds.a]\nformat = \"xls\"\nencoding = \"latin1\"\nstream = \"trams\"\n\
             tables.lots = \"none.csv\"\nmap = {map:?}\n[feeds.b]\nmap = {map:?}\n[feeds.c]\nmap = {good:?}\n"
        ),
    );
    let checked = Command::new(env!("CARGO_BIN_EXE_yiping")).args(["check", "--config", &settings]).output().unwrap();
    let told = String::from_utf8_lossy(&checked.stderr);
    assert_eq!(checked.status.code(), Some(78), "{told}");
    let of_a = ["format: unknown format xls", "encoding: ", "stream: ", "tables.lots: ", "map: "];
    let faults = of_a.map(|fault| format!("feeds.a.{fault}"));
    let others = ["8 faults", "wall.visitors: ", "city.profile: ", "feeds.b.map: "].map(str::to_owned);
    for fault in faults.iter().chain(&others) {
        assert_eq!(told.matches(fault.as_str()).count(), 1, "{fault} in {told}");
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

#[test]
fn what_a_pulled_feed_will_look_for_and_is_not_there_yet_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (settings, inbox) = (dir.path().join("yiping.toml"), dir.path().join("inbox"));
    let text =
        "[feeds.lots]\nstream = \"parking\"\n[feeds.lots.pull]\nfolder = \"inbox\"\ntoken_file = \"lots-token\"\n";
    std::fs::write(&settings, text).unwrap();
    let told = || {
        let checked = Command::new(env!("CARGO_BIN_EXE_yiping")).args(["check", "--config"]).arg(&settings).output();
        let checked = checked.unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
        let told = String::from_utf8_lossy(&checked.stderr).into_owned();
        ["folder", "token_file"].map(|key| told.contains(&format!("not there yet: feeds.lots.pull.{key}: ")))
    };
    assert_eq!(told(), [true, true]);
    std::fs::create_dir(inbox).unwrap();
    assert_eq!(told(), [false, true]);
}

#[test]
fn a_token_that_nobody_could_use_is_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let made = Command::new(env!("CARGO_BIN_EXE_yiping"))
        .args(["token", "new", "--name", "a", "--streams", "bus", "--expires", "2020-01-01T00:00:00+08:00"])
        .env("YIPING_DATA_DIR", dir.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&made.stderr);
    assert!(!made.status.success() && told.contains("is over"), "{told}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
