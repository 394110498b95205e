//! A department's jq map, compiled once: one row in, any number of objects out. It knows nothing of envelopes or files.
//!
//! A map is pure: the same row gives the same events on any machine, on any day (I1, and the content ids of I7 rest on
//! it). So what would make it differ (`now`, `localtime`, `env` and the like) compiles, and fails when it is called.
//!
//! Beside jq's own functions a map has
//! - `to_rfc3339($zone)`: the input is a local date and time (`"2016-10-04 07:59:42"`, also with `T`), or seconds since
//!   1970; the output is RFC 3339 with that zone's offset (`"2016-10-04T07:59:42+01:00"`). A text that carries its own
//!   offset keeps its instant.
//! - `to_rfc3339($zone; $format)`: the same for a text in a strptime format (`"%d/%m/%Y %H:%M"`).
//! - `to_rfc3339`: the same in the feed's zone, which is `$zone` (null where none is said).
//! - `lookup($table)`: what one of the feed's code tables says of the input; a code that it has not is an error that
//!   names it. `$tables.NAME` is the table itself.
//! - `trip`: of the input, a trip's id, what the feed's timetable says: `{route_id, direction_id}`.
//! - `scheduled($sequence; $date)`: when the input, a trip, is due at a stop on a service day (`"20261120"`), RFC 3339:
//!   `{stop_id, arrival, departure}`, null where the timetable has no time.
//! - `$polled`: when a pulled payload was asked for, in seconds since 1970; null for any other. Only for payloads that
//!   have no time of their own: each poll makes new events of them.
//!
//! Local time is ambiguous in the hour that a clock change repeats: the **first** of the two is taken, always, as RFC
//! 5545 does. In the hour that a change leaves out, the time moves on by the hour left out. Either is told:
//! [`Made::changeovers`].

mod functions;
mod named;
mod unsaid;

use crate::tables::Tables;
use crate::timetable::Timetable;
use functions::{Data, Scope};
use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Filter, Vars};
use jaq_json::{Error, Val};
use jaq_std::ValT as _;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::path::Path;
use yiping_event::{Stream, TimeMs};

/// What a map can refer to beside its row.
#[derive(Default)]
pub struct Means {
    /// The zone of local times.
    pub zone: Option<TimeZone>,
    pub tables: Tables,
    pub timetable: Option<Timetable>,
}

/// What a code table has not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the table {table:?} has no code {code:?}")]
pub struct UnknownCode {
    pub table: String,
    pub code: String,
}

pub(crate) use functions::of_local;

/// What stands for the values that [`Mapping::run_at`] hands in, in its order.
const VARIABLES: [&str; 3] = ["$tables", "$zone", "$polled"];

/// More objects than this from one row are a map gone wild, not a feed.
const MAX_EVENTS_PER_ROW: usize = 100_000;

/// A compiled map. Cheap to run, free to share between threads.
pub struct Mapping {
    filter: Filter<Data>,
    means: Means,
}

/// What a map made of one row.
#[derive(Debug, Default, PartialEq)]
pub struct Made {
    /// Nothing, one object or several, in the map's order.
    pub outputs: Vec<Value>,
    /// Local times of the row that a clock change made ambiguous, or left out.
    pub changeovers: u32,
}

const _: () = {
    const fn shared_between_threads<T: Send + Sync>() {}
    shared_between_threads::<Mapping>();
};

#[derive(Debug, thiserror::Error)]
pub enum MapError {
    #[error("the map can't be read: {0}")]
    Read(#[from] std::io::Error),
    #[error("the map is no valid jq: {0}")]
    Compile(String),
    #[error("{0}")]
    Table(String),
    #[error("the map failed: {0}")]
    Run(String),
    #[error("{0}")]
    UnknownCode(UnknownCode),
    #[error("the map gave {0}, not an object")]
    NotAnObject(String),
    #[error("the map gave more than {MAX_EVENTS_PER_ROW} events for one row")]
    TooMany,
    #[error("the event has no {0}")]
    Missing(&'static str),
    #[error(
        "the event's {member} {text:?} is no RFC 3339 time with offset (the feed's `zone` gives local times theirs)"
    )]
    BadTime { member: &'static str, text: String },
    #[error("the event is of {found}, and the feed of {wanted}")]
    OtherStream { wanted: Stream, found: Stream },
}

impl Mapping {
    /// Compiles a map that has nothing but its rows; the error says where it is wrong.
    pub fn compile(code: &str) -> Result<Self, MapError> {
        Self::compile_with(code, Means::default())
    }

    /// Compiles a map.
    pub fn compile_with(code: &str, means: Means) -> Result<Self, MapError> {
        let arena = Arena::default();
        let modules = Loader::new(functions::definitions())
            .load(&arena, File { code, path: () })
            .map_err(|errors| MapError::Compile(describe_load(code, errors)))?;
        let filter = Compiler::default()
            .with_funs(functions::functions())
            .with_global_vars(VARIABLES)
            .compile(modules)
            .map_err(|errors| {
                let unknown = errors.into_iter().flat_map(|(_, faults)| faults);
                let texts = unknown.map(|(name, kind)| format!("unknown {} {name}", kind.as_str()));
                MapError::Compile(texts.collect::<Vec<_>>().join("; "))
            })?;
        named::tables(code).iter().try_for_each(|name| means.tables.get(name).map(|_| ())).map_err(MapError::Table)?;
        Ok(Self { filter, means })
    }

    /// Compiles the map in a file.
    pub fn load(path: &Path) -> Result<Self, MapError> {
        Self::load_with(path, Means::default())
    }

    /// Compiles the map in a file.
    pub fn load_with(path: &Path, means: Means) -> Result<Self, MapError> {
        Self::compile_with(&std::fs::read_to_string(path)?, means)
    }

    /// What the map makes of one row: nothing, one object or several, in its order.
    pub fn run(&self, row: &Value) -> Result<Vec<Value>, MapError> {
        self.run_at(row, None).map(|made| made.outputs)
    }

    /// The same of a row that was asked for at a time.
    pub fn run_at(&self, row: &Value, polled: Option<TimeMs>) -> Result<Made, MapError> {
        let input = Val::deserialize(row).map_err(|e| MapError::Run(e.to_string()))?;
        let zone = self.means.zone.as_ref().and_then(TimeZone::iana_name);
        let zone = zone.map_or(Val::Null, |name| Val::from(name.to_owned()));
        let polled = polled.map_or(Val::Null, |time| Val::from(time.0 as f64 / 1_000.0));
        let variables = [self.means.tables.all(), zone, polled];
        let scope =
            Scope { lut: &self.filter.lut, means: &self.means, changeovers: Cell::new(0), unknown: RefCell::default() };
        let context = Ctx::<Data>::new(&scope, Vars::new(variables));
        let mut outputs = Vec::new();
        for output in self.filter.id.run((context, input)) {
            let value = output.map_err(|e| match e.get_err() {
                Ok(error) => {
                    let said = words(error);
                    // (a map may have caught an unknown code, and failed of something else)
                    match scope.unknown.take().filter(|unknown| unknown.to_string() == said) {
                        Some(unknown) => MapError::UnknownCode(unknown),
                        None => MapError::Run(said),
                    }
                }
                Err(_) => MapError::Run("it halted".into()),
            })?;
            if outputs.len() == MAX_EVENTS_PER_ROW {
                return Err(MapError::TooMany);
            }
            outputs.push(to_json(&value)?);
        }
        Ok(Made { outputs, changeovers: scope.changeovers.get() })
    }
}

/// jaq's values are a superset of JSON (bytes, NaN, keys that are no strings): what is not JSON is refused here.
fn to_json(value: &Val) -> Result<Value, MapError> {
    let text = value.to_string();
    match serde_json::from_str(&text) {
        Ok(object @ Value::Object(_)) => Ok(object),
        _ => Err(MapError::NotAnObject(text.chars().take(80).collect())),
    }
}

/// What an error says; jaq shows a text as JSON.
fn words(error: Error) -> String {
    let value = error.into_val();
    match value.as_utf8_bytes() {
        Some(text) => String::from_utf8_lossy(text).into_owned(),
        None => value.to_string(),
    }
}

fn describe_load(code: &str, errors: jaq_core::load::Errors<&str, ()>) -> String {
    use jaq_core::load::Error as Load;
    let at = |part: &str| {
        // A part that is not inside the code (an end of file) has no line of its own.
        let end = code.as_ptr() as usize + code.len();
        let start = part.as_ptr() as usize;
        let offset =
            if (code.as_ptr() as usize..=end).contains(&start) { start - code.as_ptr() as usize } else { code.len() };
        let line = code.as_bytes()[..offset].iter().filter(|b| **b == b'\n').count() + 1;
        format!("line {line} at {:?}", part.chars().take(20).collect::<String>())
    };
    let mut texts = Vec::new();
    for (_, error) in errors {
        match error {
            Load::Io(faults) => texts.extend(faults.into_iter().map(|(name, why)| format!("{name}: {why}"))),
            Load::Lex(faults) => {
                texts.extend(
                    faults.into_iter().map(|(wanted, part)| format!("{}: expected {}", at(part), wanted.as_str())),
                );
            }
            Load::Parse(faults) => {
                texts.extend(
                    faults.into_iter().map(|(wanted, part)| format!("{}: expected {}", at(part), wanted.as_str())),
                );
            }
        }
    }
    texts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, json};

    fn one(code: &str, row: Value) -> Result<Value, MapError> {
        Ok(Mapping::compile(code)?.run(&row)?.remove(0))
    }

    fn time(input: Value, call: &str) -> String {
        let made = one(&format!("{{t: (.x | {call})}}"), json!({ "x": input })).unwrap();
        made["t"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_row_may_give_no_event_or_several() {
        let map = Mapping::compile(".list[] | {n: .}").unwrap();
        assert!(map.run(&json!({"list": []})).unwrap().is_empty());
        assert_eq!(map.run(&json!({"list": [1, "二"]})).unwrap(), [json!({"n": 1}), json!({"n": "二"})]);
    }

    #[test]
    fn local_times_get_the_offset_of_their_zone_and_season() {
        let london = "to_rfc3339(\"Europe/London\")";
        assert_eq!(time(json!("2016-10-04 07:59:42"), london), "2016-10-04T07:59:42+01:00");
        assert_eq!(time(json!("2016-10-31T07:59:42"), london), "2016-10-31T07:59:42+00:00");
        assert_eq!(time(json!("2016-10-04T07:59:42Z"), london), "2016-10-04T08:59:42+01:00");
        assert_eq!(time(json!(1_463_601_613), "to_rfc3339(\"Pacific/Auckland\")"), "2016-05-19T08:00:13+12:00");
        assert_eq!(
            time(json!("19/05/2016 08:00"), "to_rfc3339(\"Asia/Shanghai\"; \"%d/%m/%Y %H:%M\")"),
            "2016-05-19T08:00:00+08:00"
        );
    }

    #[test]
    fn the_repeated_hour_of_a_clock_change_is_its_first_and_the_missing_hour_moves_on() {
        let london = "to_rfc3339(\"Europe/London\")";
        assert_eq!(time(json!("2016-10-30 01:30:00"), london), "2016-10-30T01:30:00+01:00");
        assert_eq!(time(json!("2016-03-27 01:30:00"), london), "2016-03-27T02:30:00+01:00");
    }

    #[test]
    fn a_local_time_of_a_clock_change_is_told() {
        let zone = TimeZone::get("Europe/London").unwrap();
        let map =
            Mapping::compile_with("{t: (.x | to_rfc3339), $zone}", Means { zone: Some(zone), ..Means::default() });
        let map = map.unwrap();
        for (local, changeovers) in [("2016-10-30 01:30:00", 1), ("2016-03-27 01:30:00", 1), ("2016-03-27 02:30:00", 0)]
        {
            let made = map.run_at(&json!({ "x": local }), None).unwrap();
            assert_eq!((made.changeovers, &made.outputs[0]["zone"]), (changeovers, &json!("Europe/London")), "{local}");
        }
        assert!(one("{t: (.x | to_rfc3339)}", json!({"x": "2016-10-04 07:59:42"})).is_err(), "no zone was said");
    }

    #[test]
    fn a_code_is_looked_up_and_an_unknown_one_is_an_error_that_names_it() {
        let table = json!({"1": "open", "2": {"n": 3}}).as_object().unwrap().clone();
        let means = || Means { tables: Tables::new([("status".to_owned(), table.clone())].into()), ..Means::default() };
        let map = |code| Mapping::compile_with(code, means()).unwrap();
        let found = map(r#"{a: (.a | lookup("status")), b: $tables.status[.b].n, c: $tables.status[.c]}"#);
        let made = found.run(&json!({"a": 1, "b": "2", "c": "9"})).unwrap();
        assert_eq!(made, [json!({"a": "open", "b": 3, "c": null})]);
        let fault = |code| map(code).run(&json!({"a": "9"})).unwrap_err().to_string();
        assert!(fault(r#"{a: (.a | lookup("status"))}"#).contains(r#"the table "status" has no code "9""#));
        // a table that is not there: found at once where the map names it, else when it is asked for
        for code in [r#"{a: (.a | lookup("stati"))}"#, "{a: $tables.stati}"] {
            let fault = Mapping::compile_with(code, means()).err().unwrap().to_string();
            assert!(fault.contains(r#"no table "stati"; the feed has status"#), "{fault}");
        }
        assert!(fault(r#"{a: (.a | lookup("stat" + "i"))}"#).contains(r#"no table "stati"; the feed has status"#));
    }

    #[test]
    fn an_unknown_code_that_the_map_has_caught_is_not_what_it_fails_of_later() {
        let means = || Means { tables: Tables::new([("status".to_owned(), Map::new())].into()), ..Means::default() };
        let fault = |code| Mapping::compile_with(code, means()).unwrap().run(&json!({"a": "9", "b": ""})).unwrap_err();
        let caught = r#"{a: (try (.a | lookup("status")) catch null), b: (.b | tonumber)}"#;
        assert!(matches!(fault(caught), MapError::Run(said) if !said.contains("status")));
        let thrown = r#"{a: (try (.a | lookup("status")) catch error)}"#;
        assert!(matches!(fault(thrown), MapError::UnknownCode(UnknownCode { code, .. }) if code == "9"));
    }

    #[test]
    fn the_time_of_a_poll_is_there_for_rows_that_were_polled() {
        let map = Mapping::compile("{t: ($polled | if . then todate else null end)}").unwrap();
        assert_eq!(map.run(&json!({})).unwrap(), [json!({ "t": null })]);
        let made = map.run_at(&json!({}), Some(TimeMs(1_463_601_613_000))).unwrap();
        assert_eq!(made.outputs, [json!({"t": "2016-05-18T20:00:13Z"})]);
    }

    #[test]
    fn a_map_that_looks_at_the_clock_or_the_machine_fails() {
        for code in ["{t: now}", "{e: env}", "{t: (0 | localtime)}", "halt"] {
            assert!(matches!(one(code, json!({})), Err(MapError::Run(_))), "{code}");
        }
    }

    #[test]
    fn a_text_is_one_number_or_the_map_fails() {
        let number = |text: &str| one("{n: (.x | tonumber)}", json!({ "x": text })).map(|made| made["n"].clone());
        assert_eq!(number("-12").unwrap(), -12);
        assert_eq!(number("1.5").unwrap(), 1.5);
        for text in ["", " ", "1 2", "null", "NaN\"", "12 cars"] {
            assert!(number(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn faults_name_their_place() {
        let fault = |code| Mapping::compile(code).err().unwrap().to_string();
        assert!(fault(".a |\n{b: }").contains("line 2"), "{}", fault(".a |\n{b: }"));
        assert!(fault("{a: nonsense}").contains("unknown filter nonsense"));
        assert!(one(".x", json!({"x": 5})).unwrap_err().to_string().contains("gave 5, not an object"));
        assert!(one("{t: (.x | to_rfc3339(\"Mars/Base\"))}", json!({"x": "2016-10-04 07:59:42"})).is_err());
        assert!(one("{t: (.x | to_rfc3339(\"UTC\"))}", json!({"x": "yesterday"})).is_err());
    }
}
