//! The settings: one TOML file, every key also as `YIPING_SECTION__KEY`, and defaults that run.
//!
//! Reading is in `read.rs`, judging in `check.rs`; both collect every fault, so that a person fixes a file once and not
//! line by line. This page must not read files or the environment.

mod check;
mod feeds;
mod read;

pub use feeds::{Done, Feed, Overlap, Pull};
pub use read::variable;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Topics that are kept for so many hours at most, whatever the others are: what was refused, and what nobody has judged yet, may hold
/// anything (I11).
const SHORT_LIVED: [(&str, u32); 5] = [
    ("city.rejects", 7 * 24),
    ("city.in.bus", 24),
    ("city.in.parking", 24),
    ("city.in.hotline", 24),
    ("city.in.elder", 24),
];

/// All settings of one process. A section a file section.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub data_dir: DataDir,
    pub log: Log,
    pub clickhouse: ClickHouse,
    pub wall: Wall,
    pub gateway: Gateway,
    pub admin: Admin,
    pub city: City,
    pub streams: Streams,
    pub store: Store,
    /// Departments' own payloads, by the name in `POST /v1/feeds/NAME`.
    pub feeds: BTreeMap<String, Feed>,
    pub pull: Puller,
}

/// Where everything that must survive a restart lies, unless a key says otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DataDir(pub PathBuf);

/// The partitioned log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `embedded:DIR` or `kafka://host:port,…`; absent: embedded, in `data_dir/log`.
    pub url: Option<String>,
    /// Partitions of a topic that is created by us.
    pub partitions: u32,
    /// How long the embedded log keeps records, hours.
    pub retention_hours: u32,
    /// How much the embedded log keeps, bytes; absent: the log's own default.
    pub retention_bytes: Option<u64>,
    /// Copies of a Kafka topic that is created by us; absent: the broker's default.
    pub replication_factor: Option<u16>,
    /// librdkafka's own keys: `security.protocol`, `sasl.username`, …; a key `NAME_file` reads NAME's value from a file.
    #[serde(with = "read::dotted")]
    pub kafka: BTreeMap<String, String>,
}

/// The ClickHouse that holds the rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClickHouse {
    /// `embedded:DIR` or `http://host:port`; absent: embedded, in `data_dir/clickhouse`.
    pub url: Option<String>,
    /// Port of the embedded server's HTTP protocol; 0 = any free one.
    pub http_port: u16,
    /// Port of the embedded server's native protocol; 0 = any free one.
    pub tcp_port: u16,
    /// The user that writes.
    pub user: String,
    pub password: Option<Secret>,
    pub password_file: Option<PathBuf>,
    /// The cluster, as `remote_servers` of ClickHouse's own settings names it: tables get copies on all its nodes, and the rows of
    /// windows are spread over its shards. Absent: one server.
    pub cluster: Option<String>,
    pub keep_days: KeepDays,
}

/// How long the rows of windows are kept, in days after a window's end; absent: for ever. Those of calendar days always are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeepDays {
    /// Of the spans 1m and 5m.
    pub short: Option<u32>,
    /// Of the spans 15m to 24h, and of what is true now.
    pub long: Option<u32>,
}

/// The operations centre's screen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wall {
    pub listen: SocketAddr,
    /// The token that readers bring where `listen` is beyond loopback; absent: `data_dir/wall-token`, made at the first start.
    pub token_file: Option<PathBuf>,
    /// Visitors are in the room: no screen is told where an SOS case is.
    pub visitors: bool,
    /// Admin addresses of all instances of `elder` that run elsewhere: they tell open SOS cases also while ClickHouse is down.
    pub elder: Vec<String>,
    /// Alertmanager's address: its alerts about the system itself are shown among the warnings.
    pub alertmanager: Option<String>,
    pub tianditu: Tianditu,
}

/// 天地图's tiles under the map; none when neither is set.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tianditu {
    /// The city's token (tk), of the kind for servers.
    pub token_file: Option<PathBuf>,
    /// Another node than the national one, with `{z}`, `{x}`, `{y}` and, where it wants one, `{token}`: tiles of 256 pixels in Web Mercator.
    pub url: Option<String>,
}

impl Tianditu {
    /// The national node's plain map, without names: those would be too small to be read from where a wall is read.
    const NATIONAL: &str = "https://t0.tianditu.gov.cn/vec_w/wmts?SERVICE=WMTS&REQUEST=GetTile&VERSION=1.0.0&LAYER=vec&STYLE=default\
        &TILEMATRIXSET=w&FORMAT=tiles&TILEMATRIX={z}&TILEROW={y}&TILECOL={x}&tk={token}";

    /// Where tiles come from; None: nowhere.
    pub fn address(&self) -> Option<&str> {
        self.url.as_deref().or(self.token_file.as_ref().map(|_| Self::NATIONAL))
    }
}

/// What comes in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gateway {
    pub listen: SocketAddr,
    /// The tokens file; absent: `data_dir/tokens.toml`.
    pub tokens: Option<PathBuf>,
    /// The key of pseudonyms, one for all gateways of a city; absent: `data_dir/pseudonym.key`.
    pub pseudonym_key: Option<PathBuf>,
    /// The public key that what is kept of rejects is sealed to; absent: `data_dir/rejects.pub`.
    pub rejects_key: Option<PathBuf>,
    /// Departments' own topics, by stream.
    #[serde(rename = "in")]
    pub inlets: Inlets,
    /// Largest request body, bytes, after decompression too.
    pub max_body_bytes: usize,
    /// Bytes of bodies being worked on at once; beyond it the answer is 429.
    pub max_in_flight_bytes: usize,
    /// How long a body may take to come in.
    #[serde(with = "read::span")]
    pub body_timeout: Duration,
    /// How long the log may take to make a request durable before the answer is 503.
    #[serde(with = "read::span")]
    pub append_timeout: Duration,
    /// Connections at once; a newcomer gets the place of the one that has rested longest.
    pub max_connections: usize,
    /// How long a connection may rest: before its first request, between two, and while a request's head comes in.
    #[serde(with = "read::span")]
    pub idle_timeout: Duration,
    pub tls: GatewayTls,
}

/// TLS for what comes in; plain HTTP when neither is set.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GatewayTls {
    /// The certificate with those of its issuers behind it, PEM.
    pub cert: Option<PathBuf>,
    /// Its private key, PEM.
    pub key: Option<PathBuf>,
}

/// The topics `city.in.*`, which departments write to and only the gateway reads.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Inlets {
    pub bus: Inlet,
    pub parking: Inlet,
    pub hotline: Inlet,
    pub elder: Inlet,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Inlet {
    /// The sources that may stand in its events, `*` for any text; empty: the topic is not read.
    pub sources: Vec<String>,
}

impl Inlets {
    /// Those that are read, by the stream's name.
    pub fn read(&self) -> impl Iterator<Item = (&'static str, &Inlet)> {
        let all = [("bus", &self.bus), ("parking", &self.parking), ("hotline", &self.hotline), ("elder", &self.elder)];
        all.into_iter().filter(|(_, inlet)| !inlet.sources.is_empty())
    }
}

/// What fetches the feeds that have a `pull`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Puller {
    /// The gateway's address; absent: the one of this process, else `gateway.listen`.
    pub gateway: Option<String>,
}

/// Metrics, health and readiness of this process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    pub listen: SocketAddr,
}

/// Which city this is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct City {
    /// The profile's folder; absent: the built-in Weihai.
    pub profile: Option<PathBuf>,
}

/// The four streams' ideas of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Streams {
    pub bus: Stream,
    pub parking: Stream,
    pub hotline: Stream,
    pub elder: Stream,
}

/// How one stream treats time. Changing these changes results: the owner writes them to the log as a `config` record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// The watermark is the partition's time less this.
    #[serde(with = "read::span")]
    pub out_of_order: Duration,
    /// How late an event still revises its windows.
    #[serde(with = "read::span")]
    pub lateness: Duration,
    /// How far an event's time may be ahead of its log time before it is quarantined.
    #[serde(with = "read::span")]
    pub max_skew: Duration,
    pub ticks: Ticks,
}

/// What moves time in a partition that is silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ticks {
    /// The owner appends ticks to the log.
    Append,
    /// The owner follows its own clock: for topics that we may not write to; weaker, for a replay can't repeat it.
    Clock,
    /// Nothing does.
    Off,
}

/// How rows reach ClickHouse.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// Longest time that a row waits for its batch.
    #[serde(with = "read::span")]
    pub flush: Duration,
    /// Time between two checkpoints of a partition.
    #[serde(with = "read::span")]
    pub checkpoint: Duration,
    /// Rows not yet stored, a partition, beyond which consumption pauses.
    pub run_ahead: usize,
}

/// A value that logs and error texts never show.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself; the name is long so that a reader notices.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// One thing that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The dotted key, or empty for a file as a whole.
    pub key: String,
    /// The file or the environment variable that says so.
    pub origin: String,
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.origin.is_empty(), self.key.is_empty()) {
            (true, _) => write!(f, "{}: {}", self.key, self.message),
            (false, true) => write!(f, "{}: {}", self.origin, self.message),
            (false, false) => write!(f, "{}: {}: {}", self.origin, self.key, self.message),
        }
    }
}

/// Every fault of the settings, in one go.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors(pub Vec<Fault>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0.len() == 1 { "fault" } else { "faults" };
        write!(f, "{} {plural} in the configuration", self.0.len())?;
        for fault in &self.0 {
            write!(f, "\n  {fault}")?;
        }
        Ok(())
    }
}

impl Config {
    /// The log's address, with the data folder's default.
    pub fn log_url(&self) -> String {
        match &self.log.url {
            Some(url) => url.clone(),
            None => format!("embedded:{}", self.data_dir.0.join("log").display()),
        }
    }

    /// What `yiping_log::open` takes beside the address: `kafka.NAME`, `retention.hours`, `retention.of.TOPIC`, `retention.bytes`,
    /// `replication.factor`.
    pub fn log_options(&self) -> BTreeMap<String, String> {
        let mut options: BTreeMap<String, String> =
            self.log.kafka.iter().map(|(name, value)| (format!("kafka.{name}"), value.clone())).collect();
        options.insert("retention.hours".into(), self.log.retention_hours.to_string());
        for (topic, hours) in SHORT_LIVED {
            let hours = hours.min(self.log.retention_hours);
            options.insert(format!("retention.of.{topic}"), hours.to_string());
        }
        options.extend(self.log.retention_bytes.map(|bytes| ("retention.bytes".into(), bytes.to_string())));
        options.extend(self.log.replication_factor.map(|copies| ("replication.factor".into(), copies.to_string())));
        options
    }

    /// ClickHouse's address, with the data folder's default.
    pub fn clickhouse_url(&self) -> String {
        match &self.clickhouse.url {
            Some(url) => url.clone(),
            None => format!("embedded:{}", self.data_dir.0.join("clickhouse").display()),
        }
    }

    /// The tokens file, with the data folder's default.
    pub fn tokens_path(&self) -> PathBuf {
        self.gateway.tokens.clone().unwrap_or_else(|| self.data_dir.0.join("tokens.toml"))
    }

    /// The file of the token that the wall's readers bring; None where everybody may read, which is on loopback.
    pub fn wall_token_file(&self) -> Option<PathBuf> {
        let beyond = !self.wall.listen.ip().is_loopback();
        self.wall.token_file.clone().or_else(|| beyond.then(|| self.data_dir.0.join("wall-token")))
    }

    /// The key of pseudonyms, with the data folder's default.
    pub fn pseudonym_key_path(&self) -> PathBuf {
        self.gateway.pseudonym_key.clone().unwrap_or_else(|| self.data_dir.0.join("pseudonym.key"))
    }

    /// The public key of rejects, with the data folder's default.
    pub fn rejects_key_path(&self) -> PathBuf {
        self.gateway.rejects_key.clone().unwrap_or_else(|| self.data_dir.0.join("rejects.pub"))
    }
}

impl Streams {
    /// The settings of a stream by its name (`bus parking hotline elder`).
    pub fn get(&self, name: &str) -> Option<&Stream> {
        self.named().into_iter().find(|(stream, _)| *stream == name).map(|(_, settings)| settings)
    }

    pub(crate) fn named(&self) -> [(&'static str, &Stream); 4] {
        [("bus", &self.bus), ("parking", &self.parking), ("hotline", &self.hotline), ("elder", &self.elder)]
    }
}

const fn local(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

impl Default for DataDir {
    fn default() -> Self {
        Self("yiping-data".into())
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            url: None,
            partitions: 4,
            retention_hours: 7 * 24,
            retention_bytes: None,
            replication_factor: None,
            kafka: BTreeMap::new(),
        }
    }
}

impl Default for ClickHouse {
    fn default() -> Self {
        Self {
            url: None,
            http_port: 8123,
            tcp_port: 9000,
            user: "yiping_writer".into(),
            password: None,
            password_file: None,
            cluster: None,
            keep_days: KeepDays::default(),
        }
    }
}

impl Default for Wall {
    fn default() -> Self {
        Self {
            listen: local(8080),
            token_file: None,
            visitors: false,
            elder: Vec::new(),
            alertmanager: None,
            tianditu: Tianditu::default(),
        }
    }
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            listen: local(8081),
            tokens: None,
            pseudonym_key: None,
            rejects_key: None,
            inlets: Inlets::default(),
            max_body_bytes: 8 << 20,
            max_in_flight_bytes: 64 << 20,
            body_timeout: Duration::from_secs(30),
            append_timeout: Duration::from_secs(5),
            max_connections: 4_096,
            idle_timeout: Duration::from_secs(60),
            tls: GatewayTls::default(),
        }
    }
}

impl Default for Admin {
    fn default() -> Self {
        Self { listen: local(9600) }
    }
}

impl Default for Streams {
    fn default() -> Self {
        // Vehicles and lots report within the hour or not at all; case work is typed in up to a day later.
        let with_lateness = |hours: u64| Stream {
            out_of_order: Duration::from_secs(5),
            lateness: Duration::from_secs(hours * 3600),
            max_skew: Duration::from_secs(60),
            ticks: Ticks::Append,
        };
        Self { bus: with_lateness(1), parking: with_lateness(1), hotline: with_lateness(24), elder: with_lateness(24) }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self { flush: Duration::from_secs(1), checkpoint: Duration::from_secs(30), run_ahead: 200_000 }
    }
}
