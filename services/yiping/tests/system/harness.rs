//! Starting, killing and asking a running system, and comparing its figures with an offline run's.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

/// A figure's identity: metric, level, key, span, window start.
pub type Id = (String, String, String, String, String);

/// What an interrupted system may take to its end, on a machine that does other things, too.
pub const ENDS_WITHIN: Duration = Duration::from_secs(20);

/// What is compared: numerator, denominator, n, value.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    pub numerator: f64,
    pub denominator: f64,
    /// `None`: the independent scripts tell numerators and denominators only.
    pub n: Option<i64>,
    pub value: Option<f64>,
    /// Which record the figure is of (I3). Compared where both sides had the same log: [`assert_same_revisions`].
    pub revision: Option<u64>,
}

pub type Figures = BTreeMap<Id, Figure>;

/// A system under test. Killed when dropped.
pub struct System {
    pub dir: PathBuf,
    child: Option<Child>,
    settings: Vec<(String, String)>,
    pub endpoints: Value,
}

impl System {
    /// `yiping run --target all` on free ports in `dir`; `settings` are further YIPING_… variables.
    pub fn start(dir: &Path, settings: &[(&str, &str)]) -> System {
        let mut all: Vec<(String, String)> = [
            ("YIPING_DATA_DIR", dir.to_str().unwrap()),
            ("YIPING_WALL__LISTEN", "127.0.0.1:0"),
            ("YIPING_GATEWAY__LISTEN", "127.0.0.1:0"),
            ("YIPING_ADMIN__LISTEN", "127.0.0.1:0"),
            ("YIPING_CLICKHOUSE__HTTP_PORT", "0"),
            ("YIPING_CLICKHOUSE__TCP_PORT", "0"),
        ]
        .into_iter()
        .chain(settings.iter().copied())
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
        let mut system =
            System { dir: dir.to_owned(), child: None, settings: std::mem::take(&mut all), endpoints: Value::Null };
        if settings.iter().any(|(_, value)| value.starts_with("kafka:")) {
            // on Kafka a person makes it, for all gateways
            let made = system.yiping().args(["key", "new", "--for", "pseudonyms"]).status().unwrap();
            assert!(made.success());
        }
        system.start_again();
        // a restart must find the senders where they left it
        let port = |endpoint: &Value| endpoint.as_str().unwrap().trim_start_matches("http://").to_owned();
        system.set("YIPING_GATEWAY__LISTEN", &port(&system.endpoints["gateway"].clone()));
        system
    }

    fn set(&mut self, key: &str, value: &str) {
        self.settings.retain(|(known, _)| known != key);
        self.settings.push((key.to_owned(), value.to_owned()));
    }

    /// Starts the process (again) and waits until it says that it is ready.
    pub fn start_again(&mut self) {
        let _ = std::fs::remove_file(self.dir.join("endpoints.json"));
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.dir.join("stderr.log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_yiping"))
            .args(["run", "--target", "all"])
            .envs(self.settings.iter().map(|(key, value)| (key, value)))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        self.endpoints = eventually(Duration::from_secs(120), "endpoints.json", || {
            self.assert_alive();
            let text = std::fs::read_to_string(self.dir.join("endpoints.json")).ok()?;
            serde_json::from_str(&text).ok()
        });
        let admin = self.endpoints["admin"].as_str().unwrap().to_owned();
        eventually(Duration::from_secs(60), "readiness", || {
            self.assert_alive();
            (http("GET", &format!("{admin}/readyz"), &[], b"").0 == 200).then_some(())
        });
    }

    fn assert_alive(&self) {
        // a process that has ended leaves its words in stderr.log
        let id = self.child.as_ref().unwrap().id();
        let state = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        assert!(!state.is_empty() && !state.contains(") Z "), "the system ended: {}", self.said());
    }

    pub fn said(&self) -> String {
        std::fs::read_to_string(self.dir.join("stderr.log")).unwrap_or_default()
    }

    /// The service's process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// The embedded ClickHouse's process, while there is one.
    pub fn clickhouse_pid(&self) -> Option<u32> {
        children_of(self.pid()).into_iter().find(|pid| {
            std::fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| line.split(|byte| *byte == 0).any(|argument| argument == b"__clickhouse"))
        })
    }

    /// `kill -9`: nothing is flushed, nobody is told.
    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// SIGINT, and its end in time: it drains for at most 5 s, then ClickHouse ends, and other systems run beside it.
    pub fn interrupt(&mut self) {
        let mut child = self.child.take().unwrap();
        let begin = Instant::now();
        let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(status.success());
        assert!(child.wait().unwrap().success(), "{}", self.said());
        assert!(begin.elapsed() < ENDS_WITHIN, "ending took {:?}", begin.elapsed());
    }

    pub fn gateway(&self) -> String {
        self.endpoints["gateway"].as_str().unwrap().to_owned()
    }

    /// A token for everything, with the right to bring its own times.
    pub fn token(&self) -> String {
        let out = self
            .yiping()
            .args([
                "token",
                "new",
                "--name",
                "test",
                "--streams",
                "bus,parking,hotline,elder",
                "--rights",
                "set_received",
            ])
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    }

    /// The binary with this system's settings.
    pub fn yiping(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_yiping"));
        command.envs(self.settings.iter().map(|(key, value)| (key, value)));
        command
    }

    /// Rows of a query as JSON objects, by the reader user.
    pub fn query(&self, sql: &str) -> Vec<Value> {
        self.try_query(sql).unwrap_or_else(|(status, body)| panic!("{sql}: {status} {body}"))
    }

    /// The same, where ClickHouse may be away; else the status and what it said.
    pub fn try_query(&self, sql: &str) -> Result<Vec<Value>, (u16, String)> {
        let url = self.endpoints["clickhouse"].as_str().unwrap();
        let reader = &self.endpoints["reader"];
        let headers = [
            ("X-ClickHouse-User", reader["user"].as_str().unwrap()),
            ("X-ClickHouse-Key", reader["password"].as_str().unwrap()),
        ];
        let sql = format!("{sql} FORMAT JSONEachRow");
        let (status, body) =
            http("POST", &format!("{url}/?output_format_json_quote_64bit_integers=0"), &headers, sql.as_bytes());
        let body = String::from_utf8(body).unwrap();
        if status != 200 {
            return Err((status, body));
        }
        Ok(body.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    /// Waits until everything that is in the log is stored, and time has passed `until` (RFC 3339) in every partition of a stream.
    pub fn settled(&self, stream: &str, until: &str) {
        eventually(Duration::from_secs(120), "all windows to close", || {
            // a partition that nothing is stored of yet has no row: it has not settled
            let sql = format!(
                "SELECT countIf(watermark >= parseDateTime64BestEffort('{until}', 3)) = \
                 (SELECT max(partitions) FROM city.generations WHERE stream = '{stream}') AS settled \
                 FROM city.stream_status WHERE stream = '{stream}'"
            );
            (self.query(&sql)[0]["settled"] == 1).then_some(())
        });
    }

    /// The published final figures of a stream.
    pub fn figures(&self, stream: &str, condition: &str) -> Figures {
        let sql = format!(
            "SELECT metric, level, key, span, formatDateTime(window_start, '%FT%T.%f') AS start, numerator, denominator, n, value, revision \
             FROM city.metrics WHERE stream = '{stream}' AND is_final AND ({condition})"
        );
        let rows = self.query(&sql).into_iter().map(|mut row| {
            // ClickHouse gives microseconds; offline rows have ms and a Z
            let start = row["start"].as_str().unwrap();
            row["window_start"] = format!("{}Z", &start[..start.len() - 3]).into();
            row
        });
        figures(rows)
    }
}

impl Drop for System {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Rows as comparable figures. A window with nothing in it (emptied, or never there) is the same as no row.
pub fn figures(rows: impl Iterator<Item = Value>) -> Figures {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let number = |row: &Value, name: &str| row[name].as_f64().unwrap();
    rows.map(|row| {
        let id = (
            text(&row, "metric"),
            text(&row, "level"),
            text(&row, "key"),
            text(&row, "span"),
            text(&row, "window_start"),
        );
        let figure = Figure {
            numerator: number(&row, "numerator"),
            denominator: number(&row, "denominator"),
            n: row["n"].as_i64(),
            value: row["value"].as_f64(),
            revision: row["revision"].as_u64(),
        };
        (id, figure)
    })
    .filter(|(_, figure)| figure.numerator != 0.0 || figure.denominator > 1.0 || figure.n != Some(0))
    .collect()
}

/// `yiping compute` over a file, with the system's settings.
pub fn compute(stream: &str, file: &Path, settings: &[(&str, &str)]) -> Figures {
    figures(computed(stream, file, settings).into_iter())
}

/// The rows that `yiping compute` makes of a file.
pub fn computed(stream: &str, file: &Path, settings: &[(&str, &str)]) -> Vec<Value> {
    let out = Command::new(env!("CARGO_BIN_EXE_yiping"))
        .args(["compute", "--stream", stream, "--out", "-"])
        .envs(settings.iter().copied())
        .arg(file)
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    eprintln!("compute {stream}: {}", String::from_utf8_lossy(&out.stderr).trim());
    let text = String::from_utf8(out.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A restriction to the windows that an offline run makes: those of each span up to its last.
pub fn within(figures: &Figures) -> String {
    let mut last: BTreeMap<&str, &str> = BTreeMap::new();
    for (_, _, _, span, start) in figures.keys() {
        let newest = last.entry(span).or_insert(start);
        *newest = (*newest).max(start);
    }
    let parts: Vec<String> = last
        .into_iter()
        .map(|(span, start)| format!("(span = '{span}' AND window_start <= parseDateTime64BestEffort('{start}', 3))"))
        .collect();
    parts.join(" OR ")
}

/// The figures that two sides don't agree on.
pub fn differences<'a>(live: &'a Figures, offline: &'a Figures) -> Vec<&'a Id> {
    let close = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-12 * a.abs().max(b.abs()),
        (a, b) => a == b,
    };
    let differs = |id: &&Id| match (live.get(*id), offline.get(*id)) {
        (Some(a), Some(b)) => {
            let told = a.n.is_some() && b.n.is_some();
            (a.numerator, a.denominator) != (b.numerator, b.denominator)
                || told && (a.n != b.n || !close(a.value, b.value))
        }
        _ => true,
    };
    let mut ids: Vec<&Id> = live.keys().chain(offline.keys()).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.retain(differs);
    ids
}

/// Fails with the first differences, in words.
pub fn assert_same(live: &Figures, offline: &Figures) {
    let wrong = differences(live, offline);
    let mut kinds: BTreeMap<(&str, &str, &str), usize> = BTreeMap::new();
    for (metric, level, _, span, _) in &wrong {
        *kinds.entry((metric, level, span)).or_default() += 1;
    }
    let shown: Vec<String> = wrong
        .iter()
        .take(12)
        .map(|id| format!("\n{id:?}\n  live    {:?}\n  offline {:?}", live.get(*id), offline.get(*id)))
        .collect();
    assert!(wrong.is_empty(), "{} of {} figures differ: {kinds:?}{}", wrong.len(), live.len(), shown.concat());
    eprintln!("{} figures equal", live.len());
}

/// Fails where two figures that are the same were not made by the same record: something was written that the log does not say.
pub fn assert_same_revisions(live: &Figures, offline: &Figures) {
    let differ =
        |id: &&Id| live.get(*id).map(|figure| figure.revision) != offline.get(*id).map(|figure| figure.revision);
    let wrong: Vec<&Id> = live.keys().filter(differ).collect();
    let shown: Vec<String> = wrong
        .iter()
        .take(12)
        .map(|id| format!("\n{id:?}\n  live {:?}\n  offline {:?}", live[*id], offline.get(*id)))
        .collect();
    assert!(wrong.is_empty(), "{} of {} revisions differ: {}", wrong.len(), live.len(), shown.concat());
}

pub fn children_of(parent: u32) -> Vec<u32> {
    let out = Command::new("ps").args(["-o", "pid=", "--ppid", &parent.to_string()]).output().unwrap();
    String::from_utf8_lossy(&out.stdout).split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// Sends a signal by its name, to a process that the test started.
pub fn signal(pid: u32, name: &str) {
    let sent =
        Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).stderr(Stdio::null()).status().unwrap();
    assert!(sent.success(), "no process {pid} to send {name} to");
}

/// Waits for a condition; the limit is there to end a test that can't pass, not to time one that can.
pub fn eventually<T>(limit: Duration, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(begin.elapsed() < limit, "waited {limit:?} for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// One request. (status, body); status 0: no answer.
pub fn http(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, Vec<u8>) {
    let mut command = Command::new("curl");
    command.args(["-sS", "-m", "60", "-X", method, "--data-binary", "@-", "-o", "-", "-w", "\n%{http_code}"]);
    for (name, value) in headers {
        command.args(["-H", &format!("{name}: {value}")]);
    }
    let mut child =
        command.arg(url).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), body).unwrap();
    let mut out = child.wait_with_output().unwrap().stdout;
    let cut = out.iter().rposition(|byte| *byte == b'\n').unwrap();
    let status = String::from_utf8_lossy(&out[cut + 1..]).parse().unwrap_or(0);
    out.truncate(cut);
    (status, out)
}

/// What the simulator writes, in a file.
pub fn simulated(dir: &Path, arguments: &[&str]) -> PathBuf {
    let file = dir.join("city.ndjson");
    let status =
        Command::new(env!("CARGO_BIN_EXE_yiping")).arg("simulate").args(arguments).arg("--out").arg(&file).status();
    assert!(status.unwrap().success());
    file
}
