//! Turnover.

use yiping_parking::Parking;

use crate::{later, log, session, snapshot, told};

#[test]
fn turnover_is_sessions_begun_for_each_space() {
    let log = log()
        .at("10:00:00", "snapshot", snapshot("P001", 100, 40))
        .at("10:00:00", "entry", session("P001", "s1"))
        .at("10:10:00", "entry", session("P001", "s2"))
        .at("10:20:00", "entry", session("P001", "s3"))
        .at("10:30:00", "entry", session("P001", "s1")) // told again: one session
        .at("10:50:00", "exit", told("P001", "s4", "10:40:00")) // its entry was lost: begun when the exit says
        .at("10:55:00", "exit", session("P001", "s5")) // nobody knows when
        .at("10:30:00", "entry", session("P003", "s1")) // another lot's s1; P003 has 420 spaces by the profile
        .at("11:02:00", "exit", session("P001", "s2"));
    let figures = later(log.clone(), "13:00:00").figures::<Parking>();
    let get = |level, key, span, end| figures.get("parking.turnover", level, key, span, end);
    assert_eq!(get("lot", "P001", "1h", "11:00:00"), Some((Some(0.04), 4.0, 100.0, 4)));
    // [10:10, 11:10) has s2 … s4; [10:11, 11:11) not s2
    assert_eq!(get("lot", "P001", "1h", "11:10:00"), Some((Some(0.03), 3.0, 100.0, 3)));
    assert_eq!(get("lot", "P001", "1h", "11:11:00"), Some((Some(0.02), 2.0, 100.0, 2)));
    assert_eq!(get("lot", "P003", "1h", "11:00:00"), Some((Some(1.0 / 420.0), 1.0, 420.0, 1)));
    assert_eq!(get("district", "环翠区", "1h", "11:00:00"), Some((Some(5.0 / 520.0), 5.0, 520.0, 5)));
    // capacity without entries
    assert_eq!(get("city", "city", "1h", "12:50:00"), Some((Some(0.0), 0.0, 520.0, 0)));
    // P245, of which only snapshots come, has no turnover: its 570 spaces don't count
    assert_eq!(get("city", "city", "day", "21T00:00:00"), Some((Some(5.0 / 520.0), 5.0, 520.0, 5)));
    assert_eq!(get("lot", "P245", "day", "21T00:00:00"), None);
    // an entry that comes late revises what was published
    let figures = log.at("10:05:00", "entry", session("P001", "s6")).figures::<Parking>();
    assert_eq!(figures.value("parking.turnover", "lot", "P001", "1h", "11:00:00"), Some(0.05));
}

#[test]
fn a_beginning_told_too_late_is_left_out_even_by_the_first_event_of_all() {
    // five hours ago, by the first exit that is ever seen; its entry, which comes next, is where it began
    let log = log()
        .at("10:00:00", "exit", told("P001", "s1", "05:00:00"))
        .at("10:00:01", "entry", session("P001", "s1"))
        .at("10:30:00", "snapshot", snapshot("P001", 100, 10));
    let figures = log.figures::<Parking>();
    assert_eq!(figures.get("parking.turnover", "lot", "P001", "1h", "05:30:00"), None);
    assert_eq!(figures.value("parking.turnover", "lot", "P001", "1h", "11:00:00"), Some(0.01));
    assert_eq!(figures.value("parking.turnover", "lot", "P001", "day", "21T00:00:00"), Some(0.01));
}

#[test]
fn a_session_begins_once_where_its_entry_was_seen() {
    // the exit says 10:02; the entry, told late, was at 10:04: [10:03, 11:03) has it
    let log = log()
        .at("10:20:00", "exit", told("P004", "s1", "10:02:00"))
        .at("10:30:00", "snapshot", snapshot("P004", 90, 10))
        .at("10:04:00", "entry", session("P004", "s1"));
    let figures = log.figures::<Parking>();
    let begun = |end| figures.get("parking.turnover", "lot", "P004", "1h", end).map(|figure| figure.1);
    assert_eq!((begun("11:02:00"), begun("11:03:00"), begun("11:04:00")), (Some(1.0), Some(1.0), Some(1.0)));
    assert_eq!(begun("11:05:00"), Some(0.0));
}
