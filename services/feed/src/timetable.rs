//! A static GTFS timetable, as far as maps of GTFS-Realtime need it: which route and direction a trip has, and when it is due at its
//! stops. A folder with `agency.txt`, `trips.txt` and `stop_times.txt` (the archive, unpacked).
//!
//! Times in `stop_times.txt` count from "noon minus 12 h" of the service day and may pass 24:00:00, so that a day of a clock
//! change has no gap. Stops without a time of their own have none here: nothing is interpolated.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

pub struct Timetable {
    zone: TimeZone,
    trips: HashMap<String, Trip>,
}

pub(crate) struct Trip {
    pub route_id: String,
    pub direction: u8,
    stops: BTreeMap<u32, Stop>,
}

pub(crate) struct Due<'a> {
    pub stop_id: &'a str,
    pub arrival: Option<Timestamp>,
    pub departure: Option<Timestamp>,
}

struct Stop {
    stop_id: String,
    /// Seconds from the service day's beginning.
    arrival_s: Option<i32>,
    departure_s: Option<i32>,
}

#[derive(Debug, thiserror::Error)]
#[error("{file}: {message}")]
pub struct TimetableError {
    file: &'static str,
    message: String,
}

type Record = HashMap<String, String>;

impl Timetable {
    pub fn load(folder: &Path) -> Result<Self, TimetableError> {
        let mut zone = None;
        each(folder, "agency.txt", &mut |agency: Record| {
            let name = field(&agency, "agency_timezone")?;
            let found = TimeZone::get(name).map_err(|error| error.to_string())?;
            zone.get_or_insert(found);
            Ok(())
        })?;
        let zone = zone.ok_or(TimetableError { file: "agency.txt", message: "names no agency".into() })?;
        let mut trips = HashMap::new();
        each(folder, "trips.txt", &mut |trip: Record| {
            let route_id = field(&trip, "route_id")?.to_owned();
            let direction = trip.get("direction_id").map_or("", String::as_str).parse().unwrap_or(0);
            trips.insert(field(&trip, "trip_id")?.to_owned(), Trip { route_id, direction, stops: BTreeMap::new() });
            Ok(())
        })?;
        each(folder, "stop_times.txt", &mut |stop: Record| {
            let id = field(&stop, "trip_id")?;
            let trip = trips.get_mut(id).ok_or_else(|| format!("the trip {id:?} is not in trips.txt"))?;
            let sequence = field(&stop, "stop_sequence")?;
            let sequence = sequence.parse().map_err(|_| format!("stop_sequence {sequence:?} is no number"))?;
            let due = Stop {
                stop_id: field(&stop, "stop_id")?.to_owned(),
                arrival_s: seconds(stop.get("arrival_time"))?,
                departure_s: seconds(stop.get("departure_time"))?,
            };
            trip.stops.insert(sequence, due);
            Ok(())
        })?;
        Ok(Self { zone, trips })
    }

    pub(crate) fn trip(&self, id: &str) -> Option<&Trip> {
        self.trips.get(id)
    }

    pub(crate) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The beginning of a service day (`20261120`).
    fn day(&self, date: &str) -> Result<Timestamp, String> {
        let wrong = |error: jiff::Error| format!("{date:?} is no service day such as 20261120: {error}");
        let noon = Date::strptime("%Y%m%d", date).map_err(wrong)?.to_datetime(Time::constant(12, 0, 0, 0));
        let noon = noon.to_zoned(self.zone.clone()).map_err(wrong)?.timestamp();
        noon.checked_sub(SignedDuration::from_hours(12)).map_err(wrong)
    }

    /// When a trip is due at one of its stops on a service day.
    pub(crate) fn due(&self, trip: &str, sequence: u32, date: &str) -> Result<Due<'_>, String> {
        let found = self.trip(trip).ok_or_else(|| format!("the timetable has no trip {trip:?}"))?;
        let stop = found.stops.get(&sequence).ok_or_else(|| format!("the trip {trip:?} has no stop {sequence}"))?;
        let day = self.day(date)?;
        let at = |seconds: Option<i32>| {
            let seconds = seconds.map(|s| day.checked_add(SignedDuration::from_secs(s.into())));
            seconds.transpose().map_err(|error| error.to_string())
        };
        Ok(Due { stop_id: &stop.stop_id, arrival: at(stop.arrival_s)?, departure: at(stop.departure_s)? })
    }
}

fn each(
    folder: &Path,
    file: &'static str,
    take: &mut dyn FnMut(Record) -> Result<(), String>,
) -> Result<(), TimetableError> {
    let fault = |message: String| TimetableError { file, message };
    let reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(folder.join(file));
    let mut reader = reader.map_err(|error| fault(error.to_string()))?;
    // (a header is the first line)
    for (record, line) in reader.deserialize::<Record>().zip(2..) {
        let record = record.map_err(|error| fault(error.to_string()))?;
        take(record).map_err(|message| fault(format!("line {line}: {message}")))?;
    }
    Ok(())
}

fn field<'a>(record: &'a Record, name: &str) -> Result<&'a str, String> {
    // (a byte order mark clings to the first name)
    let found = record.get(name).or_else(|| record.get(&format!("\u{feff}{name}")));
    found.map(String::as_str).filter(|text| !text.is_empty()).ok_or_else(|| format!("has no {name}"))
}

/// `25:10:00` as seconds; blank is none.
fn seconds(text: Option<&String>) -> Result<Option<i32>, String> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let parts: Vec<i32> = text.split(':').map_while(|part| part.parse().ok()).collect();
    match parts[..] {
        [h @ 0..=99, m @ 0..=59, s @ 0..=59] => Ok(Some(h * 3_600 + m * 60 + s)),
        _ => Err(format!("{text:?} is no time such as 25:10:00")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::{MapError, Mapping, Means};

    fn folder(zone: &str, stop_times: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("agency.txt", &format!("\u{feff}agency_timezone,agency_name\n{zone},\"Buses, Ltd\"\n"));
        write("trips.txt", "route_id,service_id,trip_id,direction_id\n12,w,T1,1\n13,w,T2,\n");
        write("stop_times.txt", &format!("trip_id,arrival_time,departure_time,stop_id,stop_sequence\n{stop_times}"));
        folder
    }

    #[test]
    fn a_trip_that_the_timetable_has_not_is_named() {
        let folder = folder("Asia/Shanghai", "");
        let means = Means { timetable: Some(Timetable::load(folder.path()).unwrap()), ..Means::default() };
        let map = Mapping::compile_with("{a: (.a | trip)}", means).unwrap();
        let fault = map.run(&serde_json::json!({"a": "T9"})).unwrap_err();
        assert_eq!(fault.to_string(), "the table \"timetable\" has no code \"T9\"");
        assert!(matches!(fault, MapError::UnknownCode(_)));
    }

    #[test]
    fn a_service_day_may_pass_midnight_and_a_clock_change() {
        let folder = folder("Europe/London", "T1, 1:00:00,01:00:30,A,1\nT1,25:10:00,25:10:00,B,2\nT1,,,C,3\n");
        let timetable = Timetable::load(folder.path()).unwrap();
        let trip = timetable.trip("T1").unwrap();
        assert_eq!((trip.route_id.as_str(), trip.direction, timetable.trip("T2").unwrap().direction), ("12", 1, 0));
        let due = |sequence, date| {
            let due = timetable.due("T1", sequence, date).unwrap();
            (due.stop_id.to_owned(), due.arrival.map(|t| t.to_string()), due.departure.map(|t| t.to_string()))
        };
        let at = |text: &str| Some(text.to_owned());
        assert_eq!(due(1, "20160701"), ("A".into(), at("2016-07-01T00:00:00Z"), at("2016-07-01T00:00:30Z")));
        assert_eq!(due(2, "20160701"), ("B".into(), at("2016-07-02T00:10:00Z"), at("2016-07-02T00:10:00Z")));
        // the clock went forward at 01:00 UTC: the service day begins 12 h before noon, at 23:00 the day before
        assert_eq!(due(1, "20160327").1, at("2016-03-27T00:00:00Z"));
        assert_eq!(due(3, "20160701"), ("C".into(), None, None));
        assert!(timetable.due("T1", 9, "20160701").err().unwrap().contains("no stop 9"));
        assert!(timetable.due("T9", 1, "20160701").err().unwrap().contains("\"T9\""));
        assert!(timetable.due("T1", 1, "2016-07-01").is_err());
    }

    #[test]
    fn what_is_wrong_with_a_timetable_is_said_with_its_file_and_row() {
        let fault = |rows: &str| Timetable::load(folder("Europe/London", rows).path()).err().unwrap().to_string();
        assert_eq!(
            fault("T1,9:00:00,9:60:00,A,1\n"),
            "stop_times.txt: line 2: \"9:60:00\" is no time such as 25:10:00"
        );
        assert!(fault("T7,9:00:00,9:00:00,A,1\n").contains("\"T7\" is not in trips.txt"));
        assert!(
            Timetable::load(folder("Mars/Base", "").path())
                .err()
                .unwrap()
                .to_string()
                .starts_with("agency.txt: line 2")
        );
    }
}
