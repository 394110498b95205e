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

use crate::tables::Tables;
use crate::timetable::Timetable;
use jaq_core::data::HasLut;
use jaq_core::load::parse::Def;
use jaq_core::load::{Arena, File, Loader};
use jaq_core::native::{Fun, bome, run, v};
use jaq_core::{Compiler, Ctx, Cv, DataT, Filter, Lut, ValR, Vars};
use jaq_json::{Error, Val};
use jaq_std::ValT as _;
use jiff::Timestamp;
use jiff::civil::DateTime;
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

/// Of jaq: what native functions reach while a map runs.
struct Data;

struct Scope<'a> {
    lut: &'a Lut<Data>,
    means: &'a Means,
    changeovers: Cell<u32>,
    unknown: RefCell<Option<UnknownCode>>,
}

/// What a code table has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownCode {
    pub table: String,
    pub code: String,
}

impl DataT for Data {
    type V<'a> = Val;
    type Data<'a> = &'a Scope<'a>;
}

impl<'a> HasLut<'a, Data> for &'a Scope<'a> {
    fn lut(&self) -> &'a Lut<Data> {
        self.lut
    }
}

/// What stands for the values that [`Mapping::run_at`] hands in, in its order.
const VARIABLES: [&str; 3] = ["$tables", "$zone", "$polled"];

/// More objects than this from one row are a map gone wild, not a feed.
const MAX_EVENTS_PER_ROW: usize = 100_000;

/// Functions that look at the machine, the day or the outside: each fails when called.
const IMPURE: [(&str, usize); 5] = [("now", 0), ("env", 0), ("localtime", 0), ("strflocaltime", 1), ("halt", 1)];

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
    #[error("the map failed: {0}")]
    Run(String),
    #[error("the table {:?} has no code {:?}", .0.table, .0.code)]
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
        let modules = Loader::new(definitions())
            .load(&arena, File { code, path: () })
            .map_err(|errors| MapError::Compile(describe_load(code, errors)))?;
        let filter = Compiler::default().with_funs(functions()).with_global_vars(VARIABLES).compile(modules).map_err(
            |errors| {
                let unknown = errors.into_iter().flat_map(|(_, faults)| faults);
                let texts = unknown.map(|(name, kind)| format!("unknown {} {name}", kind.as_str()));
                MapError::Compile(texts.collect::<Vec<_>>().join("; "))
            },
        )?;
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
                Ok(error) => match scope.unknown.take() {
                    Some(unknown) => MapError::UnknownCode(unknown),
                    None => MapError::Run(error.to_string()),
                },
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

/// jaq's `tonumber` makes nothing of a blank text, without an error, so that a blank field would make its event vanish,
/// and two numbers of "1 2". Here one text is one number or the map fails.
const STRICT: &str = r#"
    def tonumber: if isnumber then . else
      [fromjson] | if length == 1 and (.[0] | isnumber) then .[0] else error("a text that is no number") end
    end;
"#;

fn definitions() -> impl Iterator<Item = Def<&'static str>> {
    let all = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let strict = jaq_core::load::parse(STRICT, |parser| parser.defs()).unwrap_or_default();
    all.filter(|def| def.name != "tonumber").chain(strict)
}

fn functions() -> impl Iterator<Item = Fun<Data>> {
    let all = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
    let pure = all.filter(|(name, ..): &Fun<Data>| IMPURE.iter().all(|(impure, _)| impure != name));
    pure.chain(impure()).chain(times())
}

/// The impure names stay known, since the standard definitions mention some of them.
fn impure() -> impl Iterator<Item = Fun<Data>> {
    fn refuse<'a, D: for<'b> DataT<V<'b> = Val>>(_: Cv<'a, D>) -> jaq_core::ValXs<'a, Val> {
        bome(Err(Error::str("a map gives the same events on any day and machine: no clock, no environment, no halt")))
    }
    IMPURE.into_iter().map(|(name, arguments)| run::<Data>((name, v(arguments), |cv| refuse(cv))))
}

fn times() -> impl Iterator<Item = Fun<Data>> {
    // Arguments come off the stack last one first.
    [
        run::<Data>(("to_rfc3339", v(0), |cv| {
            let scope = *cv.0.data();
            let zone = scope.means.zone.clone().ok_or_else(|| Error::str("to_rfc3339 without a zone needs the feed's"));
            bome(zone.and_then(|zone| rfc3339(scope, &cv.1, &zone, None)))
        })),
        run::<Data>(("to_rfc3339", v(1), |mut cv| {
            let zone = cv.0.pop_var();
            let scope = *cv.0.data();
            bome(zone_of(&zone).and_then(|zone| rfc3339(scope, &cv.1, &zone, None)))
        })),
        run::<Data>(("to_rfc3339", v(2), |mut cv| {
            let format = cv.0.pop_var();
            let zone = cv.0.pop_var();
            let scope = *cv.0.data();
            bome(zone_of(&zone).and_then(|zone| rfc3339(scope, &cv.1, &zone, Some(&format))))
        })),
        run::<Data>(("lookup", v(1), |mut cv| {
            let table = cv.0.pop_var();
            bome(lookup(cv.0.data(), &cv.1, &table))
        })),
        run::<Data>(("trip", v(0), |cv| bome(trip(cv.0.data(), &cv.1)))),
        run::<Data>(("scheduled", v(2), |mut cv| {
            let date = cv.0.pop_var();
            let sequence = cv.0.pop_var();
            bome(scheduled(cv.0.data(), &cv.1, &sequence, &date))
        })),
    ]
    .into_iter()
}

fn lookup(scope: &Scope<'_>, code: &Val, table: &Val) -> ValR<Val> {
    // a code may have come as a number
    let code = match text(code) {
        Ok(text) => text.trim().to_owned(),
        Err(_) => code.to_string(),
    };
    let table = text(table)?;
    let Some(found) = scope.means.tables.get(table).map_err(Error::str)?.get(&code) else {
        let unknown = UnknownCode { table: table.to_owned(), code };
        let error = Error::str(format_args!("the table {table:?} has no code {:?}", unknown.code));
        scope.unknown.replace(Some(unknown));
        return Err(error);
    };
    Val::deserialize(found).map_err(Error::str)
}

fn timetable<'a>(scope: &Scope<'a>) -> Result<&'a Timetable, Error> {
    scope.means.timetable.as_ref().ok_or_else(|| Error::str("the feed has no timetable"))
}

fn trip(scope: &Scope<'_>, id: &Val) -> ValR<Val> {
    let id = text(id)?;
    let trip =
        timetable(scope)?.trip(id).ok_or_else(|| Error::str(format_args!("the timetable has no trip {id:?}")))?;
    let found = serde_json::json!({ "route_id": trip.route_id, "direction_id": trip.direction });
    Val::deserialize(&found).map_err(Error::str)
}

fn scheduled(scope: &Scope<'_>, trip: &Val, sequence: &Val, date: &Val) -> ValR<Val> {
    let number = sequence.as_isize().and_then(|n| u32::try_from(n).ok());
    let number = number.ok_or_else(|| Error::str("a stop's sequence is a number from 0 on"))?;
    let timetable = timetable(scope)?;
    let due = timetable.due(text(trip)?, number, text(date)?).map_err(Error::str)?;
    let zone = timetable.zone();
    let time = |at: Option<Timestamp>| at.map(|at| at.display_with_offset(zone.to_offset(at)).to_string());
    let found =
        serde_json::json!({ "stop_id": due.stop_id, "arrival": time(due.arrival), "departure": time(due.departure) });
    Val::deserialize(&found).map_err(Error::str)
}

fn zone_of(name: &Val) -> Result<TimeZone, Error> {
    TimeZone::get(text(name)?).map_err(Error::str)
}

fn rfc3339(scope: &Scope<'_>, input: &Val, zone: &TimeZone, format: Option<&Val>) -> ValR<Val> {
    if let (Some(seconds), None) = (input.as_f64(), format) {
        let milliseconds = match input.as_isize() {
            Some(whole) => whole as i64 * 1000,
            None => (seconds * 1000.0).round() as i64,
        };
        let instant = Timestamp::from_millisecond(milliseconds).map_err(Error::str)?;
        return Ok(stamp(instant, zone));
    }
    let input = text(input)?.trim();
    let local = match format {
        Some(format) => DateTime::strptime(text(format)?, input),
        None => match input.parse::<Timestamp>() {
            Ok(instant) => return Ok(stamp(instant, zone)),
            Err(_) => input.parse(),
        },
    };
    let (instant, changeover) = local.and_then(|local| of_local(local, zone)).map_err(Error::str)?;
    scope.changeovers.set(scope.changeovers.get() + u32::from(changeover));
    Ok(stamp(instant, zone))
}

/// The instant of a local time, and whether a clock change made it ambiguous or left it out.
pub(crate) fn of_local(local: DateTime, zone: &TimeZone) -> Result<(Timestamp, bool), jiff::Error> {
    let reading = zone.to_ambiguous_timestamp(local);
    let changeover = reading.is_ambiguous();
    Ok((reading.compatible()?, changeover))
}

fn stamp(instant: Timestamp, zone: &TimeZone) -> Val {
    Val::from(instant.display_with_offset(zone.to_offset(instant)).to_string())
}

fn text(value: &Val) -> Result<&str, Error> {
    let bytes = value.as_utf8_bytes().ok_or_else(|| Error::typ(value.clone(), "string"))?;
    std::str::from_utf8(bytes).map_err(Error::str)
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
    use serde_json::json;

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
        assert!(fault(r#"{a: (.a | lookup("stati"))}"#).contains(r#"no table "stati"; the feed has status"#));
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
