//! From a file and the environment to a `Config`, keeping every fault.
//!
//! figment merges and remembers where a value came from; each leaf is then tried on its own over the defaults, so that
//! one bad value doesn't hide the next.

use std::path::Path;

use super::{Config, ConfigErrors, Fault, Feed, Secret};
use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Map, Num, Value};
use figment::{Figment, Metadata, Profile, Provider};

const PREFIX: &str = "YIPING_";
/// Keys that may be set by the environment although they stand in no section.
const TOP_LEVEL: [&str; 1] = ["data_dir"];
/// Below this, keys are another program's (librdkafka's): any name will do, values are texts.
const FOREIGN: &str = "log.kafka";
/// Below this, names are the operator's own; what stands under each is a [`Feed`].
const FEEDS: &str = "feeds";

impl Config {
    /// Reads the file (if one is named) and the process's environment over the defaults, then checks the whole.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigErrors> {
        Self::load_with(path, std::env::vars())
    }

    /// As [`Config::load`], with whatever else is found wrong with what the settings name: all faults are told at once, each setting's
    /// first one.
    ///
    /// # Errors
    /// Every fault.
    pub fn load_judged(path: Option<&Path>, judge: impl FnOnce(&Self) -> Vec<Fault>) -> Result<Self, ConfigErrors> {
        let (config, mut faults, given) = Self::read(path, std::env::vars())?;
        let found = config.check().err().map(|ConfigErrors(found)| found).unwrap_or_default();
        for fault in found.into_iter().chain(judge(&config)) {
            if !faults.iter().any(|known| known.key == fault.key && !fault.key.is_empty()) {
                faults.push(Fault { origin: given.origin(&fault.key), ..fault });
            }
        }
        if faults.is_empty() { Ok(config) } else { Err(ConfigErrors(faults)) }
    }

    /// The same for a command that needs only some `keys` and what is below them: faults of others are not its business, nor what a
    /// check of the whole would find.
    ///
    /// # Errors
    /// The file can't be read, or the values of `keys` can't.
    pub fn load_part(path: Option<&Path>, keys: &[&str]) -> Result<Self, ConfigErrors> {
        let (config, mut faults, _) = Self::read(path, std::env::vars())?;
        faults.retain(|fault| fault.key.is_empty() || keys.iter().any(|key| is_within(&fault.key, key)));
        if faults.is_empty() { Ok(config) } else { Err(ConfigErrors(faults)) }
    }

    /// As [`Config::load`], with the environment given.
    pub fn load_with(
        path: Option<&Path>,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigErrors> {
        let (config, mut faults, given) = Self::read(path, env)?;
        if let Err(ConfigErrors(found)) = config.check() {
            faults.extend(found.into_iter().map(|fault| Fault { origin: given.origin(&fault.key), ..fault }));
        }
        if faults.is_empty() { Ok(config) } else { Err(ConfigErrors(faults)) }
    }

    /// What can be read, and what can't.
    fn read(
        path: Option<&Path>,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(Self, Vec<Fault>, Given), ConfigErrors> {
        let mut faults = Vec::new();
        let defaults = Figment::from(Serialized::defaults(Self::default()));
        let mut file = Figment::new();
        if let Some(path) = path {
            let name = path.display().to_string();
            match read_toml(path) {
                Ok(mut dict) => {
                    let folder = path.parent().unwrap_or(Path::new(""));
                    dict.values_mut().for_each(|settings| place_feeds(settings, folder));
                    file = file.merge(File { name, dict });
                }
                Err(message) => faults.push(Fault { key: String::new(), origin: name, message }),
            }
        }
        let given = Given { file, env: env.into_iter().filter_map(env_key).collect() };

        let mut known = match defaults.extract::<Value>() {
            Ok(known) => known,
            Err(error) => return Err(ConfigErrors(vec![whole(&error)])),
        };
        let tree = match given.tree() {
            Ok(tree) => tree,
            Err(error) => return Err(ConfigErrors(vec![whole(&error)])),
        };

        if let Err(error) = name_feeds(&mut known, &tree) {
            return Err(ConfigErrors(vec![whole(&error)]));
        }

        let mut good = defaults.clone();
        let mut leaves = Vec::new();
        walk(&tree, &known, "", &given, &mut leaves, &mut faults);
        for (key, value) in leaves {
            let tried = good.clone().merge((key.as_str(), value));
            match tried.extract::<Self>() {
                Ok(_) => good = tried,
                Err(error) => {
                    let message = error.into_iter().map(|e| e.kind.to_string()).collect::<Vec<_>>().join("; ");
                    faults.push(Fault { origin: given.origin(&key), key, message });
                }
            }
        }
        let mut config = good.extract::<Self>().map_err(|error| ConfigErrors(vec![whole(&error)]))?;
        config.read_secrets(&given, &mut faults);
        Ok((config, faults, given))
    }

    /// Replaces every `…_file` by the secret in the file.
    fn read_secrets(&mut self, given: &Given, faults: &mut Vec<Fault>) {
        let mut read = |key: String, path: &Path| match std::fs::read_to_string(path) {
            Ok(text) => Some(text.trim_end_matches(['\r', '\n']).to_owned()),
            Err(error) => {
                let message = format!("{} can't be read: {error}", path.display());
                faults.push(Fault { origin: given.origin(&key), key, message });
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

/// Paths of feeds that are relative are so to the folder of the file that says them: a feed's files lie beside it, wherever the
/// process was started.
fn place_feeds(settings: &mut Dict, folder: &Path) {
    const OWN: [&str; 2] = ["map", "timetable"];
    const PULL: [&str; 4] = ["token_file", "headers_file", "database_url_file", "folder"];
    let place = |value: &mut Value| {
        if let Value::String(_, path) = value {
            *path = folder.join(path.as_str()).to_string_lossy().into_owned();
        }
    };
    let Some(Value::Dict(_, feeds)) = settings.get_mut(FEEDS) else { return };
    for feed in feeds.values_mut() {
        let Value::Dict(_, feed) = feed else { continue };
        OWN.iter().for_each(|key| feed.get_mut(*key).into_iter().for_each(place));
        if let Some(Value::Dict(_, tables)) = feed.get_mut("tables") {
            tables.values_mut().for_each(place);
        }
        if let Some(Value::Dict(_, pull)) = feed.get_mut("pull") {
            PULL.iter().for_each(|key| pull.get_mut(*key).into_iter().for_each(place));
        }
    }
}

/// Makes the feeds that `tree` names known, each with a feed's keys.
fn name_feeds(known: &mut Value, tree: &Value) -> Result<(), Box<figment::Error>> {
    if let (Value::Dict(_, sections), Some(Value::Dict(_, feeds))) = (known, tree.find_ref(FEEDS)) {
        let keys = Figment::from(Serialized::defaults(Feed::default())).extract::<Value>()?;
        let named: Dict = feeds.keys().map(|name| (name.clone(), keys.clone())).collect();
        sections.insert(FEEDS.to_owned(), Value::from(named));
    }
    Ok(())
}

/// Collects the leaves of `tree`, and the keys that `known` has not.
fn walk(
    tree: &Value,
    known: &Value,
    at: &str,
    given: &Given,
    leaves: &mut Vec<(String, Value)>,
    faults: &mut Vec<Fault>,
) {
    let (Some(dict), Some(names)) = (tree.as_dict(), known.as_dict()) else { return };
    for (name, value) in dict {
        let key = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        match names.get(name) {
            None => {
                let valid = names.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                let place = if at.is_empty() { "here".to_owned() } else { format!("in [{at}]") };
                faults.push(Fault {
                    origin: given.origin(&key),
                    message: format!("unknown key; {place} there are {valid}"),
                    key,
                });
            }
            // (a table without keys of its own, such as a feed's code tables, is read as a whole)
            Some(below)
                if below.as_dict().is_some_and(|keys| !keys.is_empty())
                    && value.as_dict().is_some()
                    && key != FOREIGN =>
            {
                walk(value, below, &key, given, leaves, faults);
            }
            Some(_) => leaves.push((key, value.clone())),
        }
    }
}

/// What was given beside the defaults, and by whom.
struct Given {
    file: Figment,
    /// Dotted key and text.
    env: Vec<(String, String)>,
}

impl Given {
    /// All of it, the environment before the file.
    fn tree(&self) -> Result<Value, Box<figment::Error>> {
        let mut all = self.file.clone();
        for (key, text) in &self.env {
            // A secret of digits only must stay a text, with its zeros.
            let is_text = key.starts_with(FOREIGN) || key.ends_with("password");
            let value =
                if is_text { Value::from(text.as_str()) } else { text.parse().unwrap_or_else(|never| match never {}) };
            all = all.merge((key.as_str(), value));
        }
        Ok(all.extract()?)
    }

    /// Who gave the value of `key`, or of what is below it: the variable's name or the file's.
    fn origin(&self, key: &str) -> String {
        match self.env.iter().find(|(given, _)| is_within(given, key)) {
            Some((given, _)) => variable(given),
            None => self.file.find_metadata(key).map(|metadata| metadata.name.to_string()).unwrap_or_default(),
        }
    }
}

/// Whether `key` is `of`, or below it.
fn is_within(key: &str, of: &str) -> bool {
    key.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
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

fn read_toml(path: &Path) -> Result<Map<Profile, Dict>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("can't be read: {error}"))?;
    Toml::string(&text).data().map_err(|error| error.kind.to_string().trim().to_owned())
}

/// The file, named as the person named it.
struct File {
    name: String,
    dict: Map<Profile, Dict>,
}

impl Provider for File {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }
    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(self.dict.clone())
    }
}

/// A number without a fraction, however figment keeps it.
fn whole_number(number: Num) -> Option<i128> {
    number.to_i128().or_else(|| number.to_u128().and_then(|n| i128::try_from(n).ok()))
}

/// A length of time: `"90s"`, `"24h"`, `"500ms"`, or a number of seconds.
pub(super) mod span {
    use std::time::Duration;

    use jiff::SignedDuration;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::Value;

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let span = match <Value as Deserialize>::deserialize(from)? {
            Value::Num(_, seconds) => {
                super::whole_number(seconds).and_then(|s| u64::try_from(s).ok()).map(Duration::from_secs)
            }
            Value::String(_, text) => {
                text.parse::<SignedDuration>().ok().and_then(|span| Duration::try_from(span).ok())
            }
            _ => None,
        };
        span.ok_or_else(|| {
            D::Error::custom("expected a length of time such as \"90s\", \"10m\", \"24h\", or a number of seconds")
        })
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
            Value::Num(_, number) => match (super::whole_number(number), number.to_f64()) {
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
