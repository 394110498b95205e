//! What a map may call: jq's own functions, but for those that are not pure, and the feed's: times, code tables, the timetable.

use std::cell::{Cell, RefCell};

use jaq_core::data::HasLut;
use jaq_core::load::parse::Def;
use jaq_core::native::{Fun, bome, run, v};
use jaq_core::{Cv, DataT, Lut, ValR};
use jaq_json::{Error, Val};
use jaq_std::ValT as _;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::unsaid::NO_TIME;
use super::{Means, UnknownCode};
use crate::timetable::Timetable;

/// Of jaq: what native functions reach while a map runs.
pub struct Data;

pub struct Scope<'a> {
    pub lut: &'a Lut<Data>,
    pub means: &'a Means,
    pub changeovers: Cell<u32>,
    pub unknown: RefCell<Option<UnknownCode>>,
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

/// Functions that look at the machine, the day or the outside: each fails when called.
const IMPURE: [(&str, usize); 5] = [("now", 0), ("env", 0), ("localtime", 0), ("strflocaltime", 1), ("halt", 1)];

/// jaq's `tonumber` makes nothing of a blank text, without an error, so that a blank field would make its event vanish,
/// and two numbers of "1 2". Here one text is one number or the map fails.
const STRICT: &str = r#"
    def tonumber: if isnumber then . else
      [try fromjson catch null] | if length == 1 and (.[0] | isnumber) then .[0] else error("a text that is no number") end
    end;
"#;

pub fn definitions() -> impl Iterator<Item = Def<&'static str>> {
    let all = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let strict = jaq_core::load::parse(STRICT, |parser| parser.defs()).unwrap_or_default();
    all.filter(|def| def.name != "tonumber").chain(strict)
}

pub fn functions() -> impl Iterator<Item = Fun<Data>> {
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
        return Err(unknown(scope, table, &code));
    };
    Val::deserialize(found).map_err(Error::str)
}

/// What a table, or the timetable, has not: told by its name, for it is what has to be mended.
fn unknown(scope: &Scope<'_>, table: &str, code: &str) -> Error {
    let unknown = UnknownCode { table: table.to_owned(), code: code.to_owned() };
    let error = Error::str(&unknown);
    scope.unknown.replace(Some(unknown));
    error
}

fn timetable<'a>(scope: &Scope<'a>) -> Result<&'a Timetable, Error> {
    scope.means.timetable.as_ref().ok_or_else(|| Error::str("the feed has no timetable"))
}

fn trip(scope: &Scope<'_>, id: &Val) -> ValR<Val> {
    let id = text(id)?;
    let trip = timetable(scope)?.trip(id).ok_or_else(|| unknown(scope, "timetable", id))?;
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
        let instant = Timestamp::from_millisecond(milliseconds).map_err(no_time)?;
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
    let (instant, changeover) = local.and_then(|local| of_local(local, zone)).map_err(no_time)?;
    scope.changeovers.set(scope.changeovers.get() + u32::from(changeover));
    Ok(stamp(instant, zone))
}

fn no_time(why: jiff::Error) -> Error {
    Error::str(format_args!("{NO_TIME}{why}"))
}

/// The instant of a local time, and whether a clock change made it ambiguous or left it out.
pub fn of_local(local: DateTime, zone: &TimeZone) -> Result<(Timestamp, bool), jiff::Error> {
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
