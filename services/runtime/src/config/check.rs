//! What can be wrong with settings that read well: ranges, addresses that clash, files that are not there.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::{Config, ConfigErrors, Fault};

mod feeds;

/// The collected faults of one check.
struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, key: impl Into<String>, message: impl Into<String>) {
        self.0.push(Fault { key: key.into(), origin: String::new(), message: message.into() });
    }

    fn range<T: PartialOrd + std::fmt::Display>(&mut self, key: &str, value: T, least: T, most: T) {
        if value < least || value > most {
            self.add(key, format!("{value} is outside {least} to {most}"));
        }
    }

    fn span(&mut self, key: String, value: Duration, least: Duration, most: Duration) {
        if value < least || value > most {
            self.add(key, format!("{value:?} is outside {least:?} to {most:?}"));
        }
    }
}

impl Config {
    /// Judges the settings as a whole and names every fault. Binds nothing and writes nothing.
    pub fn check(&self) -> Result<(), ConfigErrors> {
        let mut faults = Faults(Vec::new());
        self.check_addresses(&mut faults);
        self.check_ranges(&mut faults);
        self.check_files(&mut faults);
        if faults.0.is_empty() { Ok(()) } else { Err(ConfigErrors(faults.0)) }
    }

    fn check_addresses(&self, faults: &mut Faults) {
        let mut taken = BTreeMap::new();
        let listens = [
            ("wall.listen", self.wall.listen.port()),
            ("gateway.listen", self.gateway.listen.port()),
            ("admin.listen", self.admin.listen.port()),
        ];
        let embedded = self.clickhouse_url().starts_with("embedded:");
        let served =
            [("clickhouse.http_port", self.clickhouse.http_port), ("clickhouse.tcp_port", self.clickhouse.tcp_port)];
        for (key, port) in listens.into_iter().chain(served.into_iter().filter(|_| embedded)) {
            if port == 0 {
                continue;
            }
            if let Some(other) = taken.insert(port, key) {
                faults.add(key, format!("port {port} is also {other}'s"));
            }
        }
        let log = self.log_url();
        match log.split_once(':') {
            Some(("memory", _)) => {}
            Some(("embedded", dir)) if !dir.is_empty() => {}
            Some(("kafka", rest)) if brokers(rest) => {}
            _ => faults.add("log.url", format!("{log:?} is neither embedded:DIR nor kafka://host:port,…")),
        }
        if let Some(address) = self.wall.alertmanager.as_deref().filter(|address| !is_http(address)) {
            faults.add("wall.alertmanager", format!("{address:?} is no address like http://127.0.0.1:9093"));
        }
        for address in self.wall.elder.iter().filter(|address| !is_http(address)) {
            faults.add("wall.elder", format!("{address:?} is no admin address like http://elder-1:9600"));
        }
        if let Some(url) = &self.wall.tianditu.url {
            let http = is_http(url) || url.starts_with("https://");
            if !http || ["{z}", "{x}", "{y}"].iter().any(|part| !url.contains(part)) {
                faults.add(
                    "wall.tianditu.url",
                    format!("{url:?} is no address of http with {{z}}, {{x}} and {{y}} in it"),
                );
            }
            if url.contains("{token}") != self.wall.tianditu.token_file.is_some() {
                faults.add(
                    "wall.tianditu.url",
                    "{token} stands for what is in wall.tianditu.token_file: both or neither",
                );
            }
        }
        let clickhouse = self.clickhouse_url();
        match clickhouse.split_once(':') {
            Some(("embedded", dir)) if !dir.is_empty() => {}
            Some(("http" | "https", rest)) if rest.len() > 2 && rest.starts_with("//") => {}
            _ => faults.add("clickhouse.url", format!("{clickhouse:?} is neither embedded:DIR nor http://host:port")),
        }
        if let Some(cluster) = &self.clickhouse.cluster {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            if cluster.is_empty() || !cluster.chars().all(plain) {
                faults.add("clickhouse.cluster", format!("{cluster:?} is no name of letters, digits, _ and -"));
            }
            if clickhouse.starts_with("embedded:") {
                faults.add(
                    "clickhouse.cluster",
                    "the embedded ClickHouse is none: clickhouse.url names a node of the cluster",
                );
            }
        }
    }

    fn check_ranges(&self, faults: &mut Faults) {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        const SECOND: Duration = Duration::from_secs(1);
        faults.range("log.partitions", self.log.partitions, 1, 1024);
        faults.range("log.retention_hours", self.log.retention_hours, 1, 24 * 366 * 10);
        faults.range("log.retention_bytes", self.log.retention_bytes.unwrap_or(u64::MAX), 64 << 20, u64::MAX);
        faults.range("log.replication_factor", self.log.replication_factor.unwrap_or(1), 1, 15);
        let keep = self.clickhouse.keep_days;
        for (key, days) in [("clickhouse.keep_days.short", keep.short), ("clickhouse.keep_days.long", keep.long)] {
            // what is usual at an hour is asked of the four weeks before
            faults.range(key, days.unwrap_or(u32::MAX), 35, u32::MAX);
        }
        if keep.long.is_some_and(|long| keep.short.is_none_or(|short| short > long)) {
            faults.add("clickhouse.keep_days.long", "would be deleted before clickhouse.keep_days.short");
        }
        faults.range("gateway.max_body_bytes", self.gateway.max_body_bytes, 1024, 256 << 20);
        faults.range("store.run_ahead", self.store.run_ahead, 1_000, 100_000_000);
        if self.gateway.max_in_flight_bytes < self.gateway.max_body_bytes {
            faults.add(
                "gateway.max_in_flight_bytes",
                "is less than gateway.max_body_bytes: a largest body could never enter",
            );
        }
        faults.span("gateway.append_timeout".into(), self.gateway.append_timeout, SECOND / 10, SECOND * 60);
        faults.span("gateway.body_timeout".into(), self.gateway.body_timeout, SECOND, SECOND * 600);
        faults.range("gateway.max_connections", self.gateway.max_connections, 16, 1_000_000);
        faults.span("gateway.idle_timeout".into(), self.gateway.idle_timeout, SECOND, SECOND * 3600);
        faults.span("store.flush".into(), self.store.flush, SECOND / 100, SECOND * 60);
        faults.span("store.checkpoint".into(), self.store.checkpoint, SECOND, DAY);
        for (name, stream) in self.streams.named() {
            faults.span(format!("streams.{name}.out_of_order"), stream.out_of_order, Duration::ZERO, SECOND * 3600);
            faults.span(format!("streams.{name}.lateness"), stream.lateness, stream.out_of_order, DAY * 31);
            faults.span(format!("streams.{name}.max_skew"), stream.max_skew, Duration::ZERO, DAY);
        }
    }

    fn check_files(&self, faults: &mut Faults) {
        if let Some(profile) = self.city.profile.as_deref().filter(|dir| !dir.is_dir()) {
            faults.add("city.profile", format!("there is no folder {}", profile.display()));
        }
        if let Some(tokens) = self.gateway.tokens.as_deref().filter(|file| !file.is_file()) {
            faults
                .add("gateway.tokens", format!("there is no file {}; `yiping token new` makes one", tokens.display()));
        }
        if let Some(token) = self.wall.tianditu.token_file.as_deref().filter(|file| !file.is_file()) {
            faults.add("wall.tianditu.token_file", format!("there is no file {}", token.display()));
        }
        let tls = &self.gateway.tls;
        for (key, own, other) in [("gateway.tls.cert", &tls.cert, &tls.key), ("gateway.tls.key", &tls.key, &tls.cert)] {
            match own {
                Some(file) if !file.is_file() => faults.add(key, format!("there is no file {}", file.display())),
                None if other.is_some() => faults.add(key, "is missing: TLS needs a certificate and its key"),
                _ => {}
            }
        }
        let keys = [("pseudonym_key", &self.gateway.pseudonym_key), ("rejects_key", &self.gateway.rejects_key)];
        for (name, path) in keys {
            if let Some(path) = path.as_deref().filter(|file| !file.is_file()) {
                let message = format!("there is no file {}; `yiping key new` makes one", path.display());
                faults.add(format!("gateway.{name}"), message);
            }
        }
        for (name, feed) in &self.feeds {
            feeds::check(name, feed, faults);
        }
        if self.data_dir.0 == Path::new("") || self.data_dir.0.is_file() {
            faults.add("data_dir", format!("{:?} is no folder", self.data_dir.0.display().to_string()));
        }
    }
}

fn is_http(address: &str) -> bool {
    address.strip_prefix("http://").is_some_and(|rest| !rest.is_empty())
}

fn brokers(rest: &str) -> bool {
    rest.strip_prefix("//").is_some_and(|list| {
        list.split(',').all(|broker| {
            broker
                .rsplit_once(':')
                .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|p| p > 0))
        })
    })
}
