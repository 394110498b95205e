//! From a file and the environment to a `Config`, keeping every fault.
//!
//! figment merges and remembers where a value came from; each leaf is then tried on its own over the defaults, so that
//! one bad value doesn't hide the next.

use std::path::Path;

use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use serde::Deserialize;

use super::{Config, ConfigErrors, Fault, Secret};

const PREFIX: &str = "YIPING_";
/// Keys that may be set by the environment although they stand in no section.
const TOP_LEVEL: [&str; 1] = ["data_dir"];
/// Below this, keys are another program's (librdkafka's): any name will do, values are texts.
const FOREIGN: &str = "log.kafka";

impl Config {
    /// Reads the file (if one is named) and the process's environment over the defaults, then checks the whole.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigErrors> {
        Self::load_with(path, std::env::vars())
    }

    /// As [`Config::load`], with the environment given.
    pub fn load_with(path: Option<&Path>, env: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigErrors> {
        let mut faults = Vec::new();
        let defaults = Figment::from(Serialized::defaults(Self::default()));
        let mut given = Figment::new();
        if let Some(path) = path {
            match std::fs::read_to_string(path) {
                Ok(text) => given = given.merge(File { name: path.display().to_string(), toml: Toml::string(&text) }),
                Err(error) => faults.push(Fault {
                    key: String::new(),
                    origin: path.display().to_string(),
                    message: format!("can't be read: {error}"),
                }),
            }
        }
        given = given.merge(EnvVars(env.into_iter().filter_map(env_key).collect()));

        let known = match defaults.extract::<Value>() {
            Ok(known) => known,
            Err(error) => return Err(ConfigErrors(vec![whole(&error)])),
        };
        // A file that isn't TOML leaves the environment and the defaults to be judged.
        let tree = given.extract::<Value>().unwrap_or_else(|error| {
            faults.extend(error.into_iter().map(|error| whole(&error)));
            Value::from(Dict::new())
        });

        let mut good = defaults.clone();
        let mut leaves = Vec::new();
        walk(&tree, &known, "", &given, &mut leaves, &mut faults);
        for (key, value) in leaves {
            let tried = good.clone().merge((key.as_str(), value));
            match tried.extract::<Self>() {
                Ok(_) => good = tried,
                Err(error) => {
                    let message = error.into_iter().map(|e| e.kind.to_string()).collect::<Vec<_>>().join("; ");
                    faults.push(Fault { origin: origin(&given, &key), key, message });
                }
            }
        }
        let mut config = good.extract::<Self>().map_err(|error| ConfigErrors(vec![whole(&error)]))?;
        config.read_secrets(&given, &mut faults);
        if let Err(ConfigErrors(found)) = config.check() {
            faults.extend(found.into_iter().map(|fault| Fault { origin: origin(&given, &fault.key), ..fault }));
        }
        if faults.is_empty() { Ok(config) } else { Err(ConfigErrors(faults)) }
    }

    /// Replaces every `…_file` by the secret in the file.
    fn read_secrets(&mut self, given: &Figment, faults: &mut Vec<Fault>) {
        let mut read = |key: String, path: &Path| match std::fs::read_to_string(path) {
            Ok(text) => Some(text.trim_end_matches(['\r', '\n']).to_owned()),
            Err(error) => {
                let message = format!("{} can't be read: {error}", path.display());
                faults.push(Fault { origin: origin(given, &key), key, message });
                None
            }
        };
        if let Some(path) = self.clickhouse.password_file.clone() {
            self.clickhouse.password = read("clickhouse.password_file".into(), &path).map(Secret::new);
        }
        let files: Vec<_> = self.log.kafka.keys().filter(|name| name.ends_with("_file")).cloned().collect();
        for name in files {
            let Some(path) = self.log.kafka.remove(&name) else { continue };
            if let Some(value) = read(format!("{FOREIGN}.{name}"), Path::new(&path)) {
                self.log.kafka.insert(name.trim_end_matches("_file").to_owned(), value);
            }
        }
    }
}

/// Collects the leaves of `tree`, and the keys that `known` has not.
fn walk(tree: &Value, known: &Value, at: &str, given: &Figment, leaves: &mut Vec<(String, Value)>, faults: &mut Vec<Fault>) {
    let (Some(dict), Some(names)) = (tree.as_dict(), known.as_dict()) else { return };
    for (name, value) in dict {
        let key = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        match names.get(name) {
            None => {
                let valid = names.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                let place = if at.is_empty() { "here".to_owned() } else { format!("in [{at}]") };
                faults.push(Fault {
                    origin: origin(given, &key),
                    message: format!("unknown key; {place} there are {valid}"),
                    key,
                });
            }
            Some(below) if below.as_dict().is_some() && value.as_dict().is_some() && key != FOREIGN => {
                walk(value, below, &key, given, leaves, faults);
            }
            Some(_) => leaves.push((key, value.clone())),
        }
    }
}

/// Who gave the value of `key`: the file's name or the variable's.
fn origin(given: &Figment, key: &str) -> String {
    let Some(metadata) = given.find_metadata(key) else { return String::new() };
    if metadata.name == EnvVars::NAME {
        return variable(key);
    }
    metadata.name.to_string()
}

/// The environment variable that sets `key`.
pub fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
}

fn whole(error: &figment::Error) -> Fault {
    let origin = error.metadata.as_ref().map(|m| m.name.to_string()).unwrap_or_default();
    Fault { key: error.path.join("."), origin, message: error.kind.to_string().trim().to_owned() }
}

/// `YIPING_SECTION__KEY` as its dotted key; variables without a section (`YIPING_LIBCHDB`) are no settings.
fn env_key((name, value): (String, String)) -> Option<(String, String)> {
    let key = name.strip_prefix(PREFIX)?.to_lowercase();
    (key.contains("__") || TOP_LEVEL.contains(&key.as_str())).then(|| (key.replace("__", "."), value))
}

/// The file, named as the person named it.
struct File<T> {
    name: String,
    toml: T,
}

impl<T: Provider> Provider for File<T> {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }
    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        self.toml.data()
    }
}

/// The environment's settings as dotted key and text.
struct EnvVars(Vec<(String, String)>);

impl EnvVars {
    const NAME: &str = "environment";
}

impl Provider for EnvVars {
    fn metadata(&self) -> Metadata {
        Metadata::named(Self::NAME)
    }
    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut all = Figment::new();
        for (key, text) in &self.0 {
            // A secret of digits only must stay a text, with its zeros.
            let is_text = key.starts_with(FOREIGN) || key.ends_with("password");
            let value = if is_text { Value::from(text.as_str()) } else { text.parse().unwrap_or_else(|never| match never {}) };
            all = all.merge((key.as_str(), value));
        }
        let dict = all.extract::<Value>()?.into_dict().unwrap_or_default();
        Ok(Profile::Default.collect(dict))
    }
}

/// A length of time: `"90s"`, `"24h"`, `"500ms"`, or a number of seconds.
pub(super) mod span {
    use std::time::Duration;

    use jiff::SignedDuration;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        Seconds(u64),
        Text(String),
        Other(super::Value),
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let expected = "a length of time such as \"90s\", \"10m\", \"24h\" or a number of seconds";
        match Given::deserialize(from)? {
            Given::Seconds(seconds) => Ok(Duration::from_secs(seconds)),
            Given::Text(text) => text
                .parse::<SignedDuration>()
                .ok()
                .and_then(|span| Duration::try_from(span).ok())
                .ok_or_else(|| D::Error::custom(format!("{text:?} is not {expected}"))),
            Given::Other(_) => Err(D::Error::custom(format!("not {expected}"))),
        }
    }

    pub fn serialize<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{}ms", span.as_millis()))
    }
}

/// A table of texts whose dotted names may also be written as nested tables.
pub(super) mod dotted {
    use std::collections::BTreeMap;

    use serde::{Deserializer, Serialize, Serializer, de::Error};

    use super::Value;

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
        let mut flat = BTreeMap::new();
        let Value::Dict(_, dict) = <Value as serde::Deserialize>::deserialize(from)? else {
            return Err(D::Error::custom("a table of librdkafka's keys"));
        };
        for (name, value) in dict {
            flatten(name, value, &mut flat).map_err(D::Error::custom)?;
        }
        Ok(flat)
    }

    fn flatten(name: String, value: Value, flat: &mut BTreeMap<String, String>) -> Result<(), String> {
        let text = match value {
            Value::Dict(_, below) => {
                return below.into_iter().try_for_each(|(next, value)| flatten(format!("{name}.{next}"), value, flat));
            }
            Value::String(_, text) => text,
            Value::Bool(_, yes) => yes.to_string(),
            Value::Num(_, number) => match (number.to_i128(), number.to_f64()) {
                (Some(whole), _) => whole.to_string(),
                (None, Some(fraction)) => fraction.to_string(),
                (None, None) => return Err(format!("{name} is no number that librdkafka takes")),
            },
            _ => return Err(format!("{name} must be a text, a number or true or false")),
        };
        flat.insert(name, text);
        Ok(())
    }

    pub fn serialize<S: Serializer>(flat: &BTreeMap<String, String>, to: S) -> Result<S::Ok, S::Error> {
        flat.serialize(to)
    }
}
