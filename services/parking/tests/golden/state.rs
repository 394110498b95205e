//! What is kept of lots and sessions, and for how long (I9).

use serde_json::json;
use yiping_catalogue::Catalogue;
use yiping_event::Stream;
use yiping_parking::Parking;
use yiping_window::{Input, Machine, Output};

use crate::{
    figures::{Log, settings},
    log, session, snapshot,
};

/// How many bytes a checkpoint of the state after a log has, by its own account of names and numbers.
fn bytes(log: &Log) -> usize {
    let specs = Catalogue::builtin().unwrap().specs(Stream::Parking, None);
    let mut machine = Machine::<Parking>::new(Stream::Parking, &specs, settings(Stream::Parking)).unwrap();
    for (offset, line) in log.lines().iter().enumerate() {
        machine.apply(Input { offset: offset as u64, append: None, payload: line.as_bytes() }, &mut Output::default());
    }
    postcard::to_stdvec(machine.state().0).unwrap().len()
}

/// A thousand sessions that begin, and end if they do, at ten o'clock.
fn thousand(ended: bool, owing: bool) -> Log {
    let mut log = log();
    for number in 0..1_000 {
        let id = format!("s{number}");
        log = log.at("10:00:00", "entry", session("P001", &id));
        if ended {
            log = log.at("10:00:00", "exit", session("P001", &id));
        }
        if owing {
            let credit = json!({"lot_id": "P001", "session_id": id, "event": "left_unpaid", "amount_fen": 1});
            log = log.at("10:00:00", "credit", credit);
        }
    }
    log
}

#[test]
fn i9_sessions_are_forgotten_when_nothing_can_come_of_them() {
    let after = |log: Log, time: &str| bytes(&log.at(time, "snapshot", snapshot("P001", 100, 40)));
    let nothing = after(log(), "12:10:00");
    // ended at 10:00, an hour behind the horizon at 12:00:05 (the rest is the day's panes and names)
    let (kept, forgotten) = (after(thousand(true, false), "11:00:00"), after(thousand(true, false), "12:10:00"));
    println!("{kept} bytes with 1,000 sessions and their steps, {forgotten} without, {nothing} with none ever");
    assert!(kept > forgotten + 30_000, "{kept} {forgotten}");
    assert!(forgotten < nothing + 1_000, "{forgotten} {nothing}");
    // open ones are waited for, up to a week; what is owed is never forgotten
    let open = after(thousand(false, false), "26T10:00:00");
    let gone = after(thousand(false, false), "27T11:10:00");
    let owed = after(thousand(true, true), "30T10:00:00");
    println!("{open} bytes with 1,000 open ones, {owed} with 1,000 that owe, {gone} after a week");
    assert!(open > nothing + 30_000 && owed > nothing + 30_000, "{open} {owed}");
    assert!(gone < nothing + 1_000, "{gone} {nothing}");
}
