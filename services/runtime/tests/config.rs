//! Settings as a person writes them, and what they are told when something is wrong.

#![allow(clippy::unwrap_used, reason = "a test that panics fails, as it should")]

use std::path::PathBuf;
use std::time::Duration;

use yiping_runtime::config::{Config, Overlap, Ticks};

fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("city.toml");
    std::fs::write(&path, text).unwrap();
    (dir, path)
}

#[test]
fn the_defaults_run() {
    let config = Config::load_with(None, []).unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(config.wall.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.log_url(), "embedded:yiping-data/log");
    assert_eq!(config.clickhouse_url(), "embedded:yiping-data/clickhouse");
    assert_eq!(config.streams.get("hotline").unwrap().lateness, Duration::from_secs(86_400));
}

#[test]
fn the_environment_goes_before_the_file_and_the_file_before_the_defaults() {
    let (_dir, path) = file(
        r#"
        data_dir = "/srv/yiping"
        [wall]
        listen = "0.0.0.0:80"
        [gateway]
        listen = "0.0.0.0:81"
        [streams.bus]
        out_of_order = 7
        lateness = "2h"
        ticks = "clock"
        "#,
    );
    let vars = env(&[
        ("YIPING_WALL__LISTEN", "127.0.0.1:0"),
        ("YIPING_LIBCHDB", "/x.so"),
        ("YIPING_DATA_DIR", "/tmp/y"),
        ("HOME", "/"),
    ]);
    let config = Config::load_with(Some(&path), vars).unwrap();
    assert_eq!(config.wall.listen.port(), 0);
    assert_eq!(config.gateway.listen.port(), 81);
    assert_eq!(config.log_url(), "embedded:/tmp/y/log");
    assert_eq!(config.streams.bus.out_of_order, Duration::from_secs(7));
    assert_eq!(config.streams.bus.lateness, Duration::from_secs(7200));
    assert_eq!(config.streams.bus.ticks, Ticks::Clock);
    assert_eq!(config.streams.bus.max_skew, Duration::from_secs(60));
}

#[test]
fn every_fault_is_named_at_once_with_its_key_and_its_place() {
    let (_dir, path) = file(
        r#"
        [wall]
        listen = "nowhere"
        colour = "red"
        [gatway]
        listen = "0.0.0.0:81"
        [log]
        url = "redis://x"
        partitions = 0
        [streams.elder]
        lateness = "soon"
        [city]
        profile = "/no/such/folder"
        "#,
    );
    let error = Config::load_with(Some(&path), env(&[("YIPING_ADMIN__LISTEN", "9600"), ("YIPING_STORE__FLUSH", "1h")]))
        .unwrap_err();
    let text = error.to_string();
    let place = path.display();
    for line in [
        format!("{place}: wall.listen: "),
        format!("{place}: wall.colour: unknown key; in [wall] there are alertmanager, elder, listen"),
        format!("{place}: gatway: unknown key; here there are admin, city, clickhouse"),
        format!("{place}: log.url: \"redis://x\" is neither embedded:DIR nor kafka://"),
        format!("{place}: log.partitions: 0 is outside 1 to 1024"),
        format!("{place}: streams.elder.lateness: expected a length of time"),
        format!("{place}: city.profile: there is no folder /no/such/folder"),
        "YIPING_ADMIN__LISTEN: admin.listen: ".into(),
        "YIPING_STORE__FLUSH: store.flush: 3600s is outside".into(),
    ] {
        assert!(text.contains(&line), "{line}\nis not in\n{text}");
    }
    assert_eq!(error.0.len(), 9, "{text}");
}

#[test]
fn a_file_that_is_no_toml_and_a_file_that_is_missing_are_named() {
    let (_dir, path) = file("[wall\nlisten");
    let error = Config::load_with(Some(&path), env(&[("YIPING_WALL__LISTEN", "x")])).unwrap_err();
    assert_eq!(error.0.len(), 2, "{error}");
    assert!(error.to_string().contains("city.toml"), "{error}");
    let error = Config::load_with(Some("/no/such.toml".as_ref()), []).unwrap_err();
    assert!(error.to_string().contains("/no/such.toml: can't be read"), "{error}");
}

#[test]
fn two_listeners_on_one_port_are_a_fault_unless_the_port_is_any() {
    let error = Config::load_with(None, env(&[("YIPING_GATEWAY__LISTEN", "127.0.0.1:8080")])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "1 fault in the configuration\n  YIPING_GATEWAY__LISTEN: gateway.listen: port 8080 is also wall.listen's"
    );
    let any = [("YIPING_GATEWAY__LISTEN", "127.0.0.1:0"), ("YIPING_WALL__LISTEN", "127.0.0.1:0")];
    assert!(Config::load_with(None, env(&any)).is_ok());
}

#[test]
fn librdkafkas_own_keys_pass_through_dotted_or_nested() {
    let (dir, path) = file(
        "[log]\nurl = \"kafka://a:9092,b:9092\"\nretention_hours = 48\nreplication_factor = 3\n[log.kafka]\n\"security.protocol\" = \"SASL_SSL\"\nssl.endpoint = true\nlinger_x = 5\n",
    );
    let secret = dir.path().join("kafka-password");
    std::fs::write(&secret, "007\n").unwrap();
    let secret = secret.display().to_string();
    let vars =
        env(&[("YIPING_LOG__KAFKA__SASL__USERNAME", "0042"), ("YIPING_LOG__KAFKA__SASL__PASSWORD_FILE", &secret)]);
    let options = Config::load_with(Some(&path), vars).unwrap().log_options();
    assert_eq!(options["kafka.security.protocol"], "SASL_SSL");
    assert_eq!(options["kafka.ssl.endpoint"], "true");
    assert_eq!(options["kafka.linger_x"], "5");
    assert_eq!(options["kafka.sasl.username"], "0042");
    assert_eq!(options["kafka.sasl.password"], "007");
    assert!(!options.contains_key("kafka.sasl.password_file"));
    assert_eq!((&*options["retention.hours"], &*options["replication.factor"]), ("48", "3"));
    assert!(!options.contains_key("retention.bytes"), "the log's own default");
}

#[test]
fn a_secret_comes_from_the_environment_or_a_file_and_is_never_shown() {
    let config = Config::load_with(None, env(&[("YIPING_CLICKHOUSE__PASSWORD", "0123")])).unwrap();
    assert_eq!(config.clickhouse.password.as_ref().unwrap().expose(), "0123");
    assert!(!format!("{config:?}").contains("0123"));
    let (_dir, path) = file("hunter2\n");
    let path = path.display().to_string();
    let config = Config::load_with(None, env(&[("YIPING_CLICKHOUSE__PASSWORD_FILE", &path)])).unwrap();
    assert_eq!(config.clickhouse.password.unwrap().expose(), "hunter2");
    let error = Config::load_with(None, env(&[("YIPING_CLICKHOUSE__PASSWORD_FILE", "/no/file")])).unwrap_err();
    assert!(error.to_string().contains("clickhouse.password_file: /no/file can't be read"), "{error}");
}

#[test]
fn a_cluster_has_a_plain_name_and_is_not_the_embedded_clickhouse() {
    let faults = |text: &str| {
        let (_dir, path) = file(text);
        Config::load_with(Some(&path), env(&[])).unwrap_err().to_string()
    };
    assert!(
        faults("[clickhouse]\ncluster = \"yiping\"\n").contains("clickhouse.cluster: the embedded ClickHouse is none")
    );
    let named = faults("[clickhouse]\nurl = \"http://db:8123\"\ncluster = \"a'b\"\n");
    assert!(named.contains("clickhouse.cluster: \"a'b\" is no name"), "{named}");
}

#[test]
fn tianditu_is_off_until_it_has_a_token_or_a_node_and_the_two_fit_each_other() {
    let read = |text: &str| {
        let (_dir, path) = file(text);
        Config::load_with(Some(&path), env(&[])).map_err(|error| error.to_string())
    };
    assert_eq!(read("").unwrap().wall.tianditu.address(), None);
    let token = tempfile::NamedTempFile::new().unwrap();
    let of = |url: &str| format!("[wall.tianditu]\ntoken_file = {:?}\n{url}", token.path());
    let national = read(&of("")).unwrap().wall.tianditu.address().unwrap().to_owned();
    assert!(national.starts_with("https://t0.tianditu.gov.cn/") && !national.contains(' '), "{national}");
    for part in ["{z}", "{x}", "{y}", "{token}"] {
        assert_eq!(national.matches(part).count(), 1, "{part} in {national}");
    }
    let own = read("[wall.tianditu]\nurl = \"http://node/{z}/{y}/{x}\"\n").unwrap();
    assert_eq!(own.wall.tianditu.address(), Some("http://node/{z}/{y}/{x}"));
    for (text, told) in [
        ("[wall.tianditu]\nurl = \"http://node/{z}/{x}\"\n".to_owned(), "wall.tianditu.url"),
        ("[wall.tianditu]\nurl = \"ftp://node/{z}/{x}/{y}\"\n".to_owned(), "wall.tianditu.url"),
        ("[wall.tianditu]\nurl = \"http://node/{z}/{x}/{y}?{token}\"\n".to_owned(), "both or neither"),
        (of("url = \"http://node/{z}/{x}/{y}\"\n"), "both or neither"),
        ("[wall.tianditu]\ntoken_file = \"/no/file\"\n".to_owned(), "there is no file /no/file"),
    ] {
        let faults = read(&text).unwrap_err();
        assert!(faults.contains(told), "{text}: {faults}");
    }
}

#[test]
fn rows_stay_at_least_as_long_as_figures_look_back_and_long_windows_no_shorter_than_short_ones() {
    let faults = |text: &str| {
        let (_dir, path) = file(text);
        Config::load_with(Some(&path), env(&[])).err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert_eq!(faults("[clickhouse.keep_days]\nshort = 35\nlong = 400\n"), "");
    assert_eq!(faults("[clickhouse.keep_days]\nshort = 35\n"), "");
    assert!(faults("[clickhouse.keep_days]\nshort = 28\n").contains("clickhouse.keep_days.short: 28 is outside 35"));
    for text in ["long = 400", "short = 400\nlong = 100"] {
        let found = faults(&format!("[clickhouse.keep_days]\n{text}\n"));
        assert!(found.contains("clickhouse.keep_days.long: would be deleted before"), "{text}: {found}");
    }
}

/// Of what is shipped only files of the machine that it is for may be missing here.
#[test]
fn the_settings_that_are_shipped_are_settings() {
    let deploy = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy");
    let example = std::fs::read_to_string(deploy.join("yiping.example.toml")).unwrap();
    let map = std::fs::read_to_string(deploy.join("k8s/base/configmap.yaml")).unwrap();
    let (_, map) = map.split_once("  yiping.toml: |\n").unwrap();
    let map: String = map.lines().map(|line| format!("{}\n", line.strip_prefix("    ").unwrap())).collect();
    for (text, some) in [(example, "[gateway]"), (map, "[wall]")] {
        assert!(text.contains(some), "{text}");
        let (_dir, path) = file(&text);
        let faults = Config::load_with(Some(&path), env(&[])).err().map(|error| error.to_string()).unwrap_or_default();
        let wrong: Vec<&str> = faults
            .lines()
            .skip(1)
            .filter(|line| !["there is no", "can't be read"].iter().any(|missing| line.contains(missing)))
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
    let (_dir, twice) = file("[wall]\nvisitors = true\nvisitors = true\n");
    let error = Config::load_with(Some(&twice), env(&[])).unwrap_err().to_string();
    assert!(error.contains("duplicate"), "what stands twice would be seen: {error}");
}

#[test]
fn feeds_have_names_of_the_operators_own_and_known_keys() {
    let dir = tempfile::tempdir().unwrap();
    let map = dir.path().join("lots.jq");
    std::fs::write(&map, ".").unwrap();
    let path = dir.path().join("yiping.toml");
    let feed = format!("[feeds.lots]\nformat = \"csv\"\nencoding = \"gb18030\"\nmap = {map:?}\n");
    std::fs::write(&path, &feed).unwrap();
    let config = Config::load_with(Some(&path), env(&[("YIPING_FEEDS__LOTS__SOURCE", "town/lots")])).unwrap();
    let lots = &config.feeds["lots"];
    assert_eq!((lots.format.as_str(), lots.encoding.as_str()), ("csv", "gb18030"));
    assert_eq!((lots.map.as_deref(), lots.source.as_deref()), (Some(map.as_path()), Some("town/lots")));

    std::fs::write(&path, feed + "colums = [\"a\"]\n[feeds.\"a b\"]\nmap = \"nowhere.jq\"\n").unwrap();
    let faults = Config::load_with(Some(&path), env(&[])).unwrap_err().to_string();
    let nowhere = format!("there is no file {}", dir.path().join("nowhere.jq").display());
    for told in ["feeds.lots.colums", "columns", "letters, digits", &nowhere] {
        assert!(faults.contains(told), "{told} is not in {faults}");
    }
}

#[test]
fn a_feeds_paths_are_relative_to_the_file_that_says_them() {
    let (dir, path) = file(
        "[feeds.lots]\nmap = \"maps/lots.jq\"\ntables.status = \"status.csv\"\ntimetable = \"gtfs\"\nstream = \"parking\"\n\
         pull = { folder = \"inbox\", token_file = \"lots-token\" }\n\
         [feeds.live.pull]\nheaders_file = \"headers\"\ntoken_file = \"/run/secrets/live\"\n\
         [feeds.rows.pull]\ndatabase_url_file = \"rows-db\"\n",
    );
    let in_dir = |name: &str| dir.path().join(name);
    std::fs::create_dir_all(in_dir("maps")).unwrap();
    std::fs::create_dir_all(in_dir("gtfs")).unwrap();
    for name in ["maps/lots.jq", "status.csv"] {
        std::fs::write(in_dir(name), "").unwrap();
    }
    let feeds = Config::load_part(Some(&path), &["feeds"]).unwrap().feeds;
    let lots = &feeds["lots"];
    assert_eq!((lots.map.as_ref(), lots.timetable.as_ref()), (Some(&in_dir("maps/lots.jq")), Some(&in_dir("gtfs"))));
    assert_eq!(lots.tables["status"], in_dir("status.csv"));
    let pull = |name: &str| feeds[name].pull.clone().unwrap();
    assert_eq!((pull("lots").folder, pull("lots").token_file), (Some(in_dir("inbox")), Some(in_dir("lots-token"))));
    assert_eq!(
        (pull("live").headers_file, pull("live").token_file),
        (Some(in_dir("headers")), Some("/run/secrets/live".into()))
    );
    assert_eq!(pull("rows").database_url_file, Some(in_dir("rows-db")));
    // what the environment says stands in no file
    let env = env(&[("YIPING_FEEDS__LOTS__PULL__FOLDER", "/srv"), ("YIPING_FEEDS__LOTS__SOURCE", "a")]);
    std::fs::write(&path, "[feeds.lots]\nstream = \"parking\"\npull = { token_file = \"t\" }\n").unwrap();
    let lots = Config::load_with(Some(&path), env).unwrap().feeds["lots"].pull.clone().unwrap();
    assert_eq!((lots.folder, lots.token_file), (Some("/srv".into()), Some(in_dir("t"))));
}

#[test]
fn a_command_that_needs_a_part_of_the_settings_minds_no_fault_of_others() {
    let (_dir, path) =
        file("data_dir = \"here\"\nlogs = 1\n[gateway]\ntokens = \"nowhere.toml\"\n[wall]\nlisten = \"?\"\n");
    let part = |keys: &[&str]| Config::load_part(Some(&path), keys);
    let config = part(&["data_dir", "gateway.tokens"]).unwrap();
    assert_eq!(config.tokens_path().to_str(), Some("nowhere.toml"));
    assert!(part(&["wall"]).unwrap_err().to_string().contains("wall.listen"));
    // a file that can't be read says nothing of any of them
    std::fs::write(&path, "data_dir = ").unwrap();
    assert!(part(&["data_dir"]).is_err());
}

#[test]
fn a_pulled_feed_is_read_from_file_and_environment_and_every_fault_in_it_is_named() {
    let (dir, path) = file(
        "[feeds.lots]\nstream = \"parking\"\nzone = \"Asia/Shanghai\"\ndatum = \"gcj02\"\n\
         pull = { database_url_file = \"URL\", query = \"SELECT 1\", cursor = \"id\", overlap = \"10m\", token_file = \"URL\" }\n\
         [feeds.lots.tables]\nstatus = \"URL\"\n",
    );
    let url = dir.path().join("url");
    std::fs::write(&url, "").unwrap();
    let text = std::fs::read_to_string(&path).unwrap().replace("URL", url.to_str().unwrap());
    std::fs::write(&path, text).unwrap();
    let config = Config::load_with(Some(&path), env(&[("YIPING_FEEDS__LOTS__PULL__EVERY", "2500ms")])).unwrap();
    let lots = &config.feeds["lots"];
    let pull = lots.pull.as_ref().unwrap();
    assert_eq!((pull.every.as_millis(), pull.overlap), (2_500, Some(Overlap::Time(Duration::from_secs(600)))));
    assert_eq!((&lots.tables["status"], lots.expected_s()), (&url, Some(3)), "a poll every 2.5 s is expected within 3");
    let values = Config::load_with(Some(&path), env(&[("YIPING_FEEDS__LOTS__PULL__OVERLAP", "500")])).unwrap();
    assert_eq!(values.feeds["lots"].pull.as_ref().unwrap().overlap, Some(Overlap::Values(500)));

    let faulty = "[feeds.lots]\nstream = \"trams\"\nzone = \"Mars/Base\"\ndatum = \"bd09\"\nexpected_s = 0\n\
                  tables = { a = \"missing.csv\" }\n\
                  [feeds.lots.pull]\nurl = \"ftp://x\"\nfolder = \"/nowhere\"\nevery = \"1ms\"\n\
                  [feeds.open]\npull = { url = \"http://x\", evry = 3 }\n\
                  [feeds.table]\npull = { database_url_file = \"/nowhere\", query = \"SELECT 1; DROP\" }\n";
    std::fs::write(&path, faulty).unwrap();
    let faults = Config::load_with(Some(&path), env(&[])).unwrap_err().to_string();
    for told in [
        "\"trams\" is none of bus, parking",
        "no zone \"Mars/Base\"",
        "\"bd09\" is none of wgs84",
        "feeds.lots.expected_s: 0 is outside",
        "feeds.lots.tables.a: there is no file ",
        "one of url, database_url_file, folder",
        "feeds.lots.pull.url: is no http://",
        "feeds.lots.pull.every: 1ms is outside",
        "feeds.lots.pull.token_file: a pulled feed has a token",
        "feeds.open.pull",
        "evry",
        "feeds.table.pull: a database has a query, and a cursor",
        "without a semicolon",
        "feeds.table.stream: a pulled feed says its stream",
    ] {
        assert!(faults.contains(told), "{told} is not in {faults}");
    }
    // a department's folder that is away is that feed's failure, and stops nobody else
    assert!(!faults.contains("/nowhere"), "{faults}");
}
