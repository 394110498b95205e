//! Lots and floors as they are now (`city.parking_latest`).

use std::collections::BTreeMap;

use serde_json::Value;
use yiping_catalogue::Catalogue;
use yiping_event::Stream;
use yiping_parking::Parking;
use yiping_window::{Input, Machine, Output};

use crate::{
    figures::{Log, settings},
    floor, log, snapshot,
};

/// The live rows that a log leaves: by key, those that are not gone.
fn live(log: &Log) -> BTreeMap<String, Value> {
    let specs = Catalogue::builtin().unwrap().specs(Stream::Parking, None);
    let mut machine = Machine::<Parking>::new(Stream::Parking, &specs, settings(Stream::Parking)).unwrap();
    let mut out = Output::default();
    for (offset, line) in log.lines().iter().enumerate() {
        machine.apply(Input { offset: offset as u64, append: None, payload: line.as_bytes() }, &mut out);
    }
    let mut rows = BTreeMap::new();
    for row in out.live {
        assert_eq!(row.kind, "lot");
        rows.insert(row.key, (!row.gone).then(|| serde_json::from_str(&row.attrs).unwrap()));
    }
    rows.into_iter().filter_map(|(key, attrs)| Some((key, attrs?))).collect()
}

#[test]
fn a_lot_and_each_of_its_floors_have_a_row() {
    let log = log().at("10:00:00", "snapshot", floor("P001", "F1", 50, 10)).at(
        "10:30:00",
        "snapshot",
        floor("P001", "F2", 30, 31),
    );
    let rows = live(&log);
    assert_eq!(rows.keys().collect::<Vec<_>>(), ["P001", "P001/F1", "P001/F2"]);
    let (lot, second) = (&rows["P001"], &rows["P001/F2"]);
    assert_eq!((&lot["free"], &lot["floor"], &lot["district"]), (&40.into(), &Value::Null, &"环翠区".into()));
    assert_eq!((&second["lot_id"], &second["floor"]), (&"P001".into(), &"F2".into()));
    assert_eq!((&second["capacity"], &second["free"], &second["open"]), (&30.into(), &0.into(), &true.into()));
    // 11:00:05: F1 was not heard of for an hour
    let rows = live(&log.clone().tick("11:00:05"));
    assert_eq!(rows.keys().collect::<Vec<_>>(), ["P001", "P001/F2"]);
    // F2 is closed: its spaces are still there, and nobody knows what is taken
    let mut closed = floor("P001", "F2", 30, 12);
    closed["open"] = false.into();
    let shut = live(&log.clone().at("10:40:00", "snapshot", closed));
    let (lot, second) = (&shut["P001"], &shut["P001/F2"]);
    assert_eq!((&lot["capacity"], &lot["free"], &lot["open"]), (&50.into(), &40.into(), &true.into()));
    assert_eq!((&second["capacity"], &second["free"], &second["occupied"]), (&30.into(), &Value::Null, &Value::Null));
    assert_eq!(second["open"], false);
    let mut closed = snapshot("P003", 420, 0);
    closed["open"] = false.into();
    let rows = live(&self::log().at("10:00:00", "snapshot", closed));
    assert_eq!(rows["P003"]["capacity"], 420);
    // counted as a whole: it has no floors any more
    let rows = live(&log.at("10:31:00", "snapshot", snapshot("P001", 80, 20)));
    assert_eq!(rows.keys().collect::<Vec<_>>(), ["P001"]);
    assert_eq!(rows["P001"]["free"], 60);
}
