//! Snapshots, and those that cannot be.

use yiping_parking::Parking;

use crate::{log, snapshot};

#[test]
fn violations_count_what_cannot_be() {
    let mut unknown = snapshot("X9", 10, 11);
    unknown["district"] = "经开区".into();
    let figures = log()
        .at("10:00:00", "snapshot", snapshot("P001", 100, 101)) // too many
        .at("10:01:00", "snapshot", snapshot("P001", 100, -1)) // too few
        .at("10:02:00", "snapshot", snapshot("P001", 100, 100)) // full
        .at("10:03:00", "snapshot", snapshot("P001", 100, 0)) // empty
        .at("10:04:00", "snapshot", unknown)
        .at("10:05:00", "snapshot", snapshot("X8", 10, 11))
        .figures::<Parking>();
    let count = |level, key| figures.get("parking.violations", level, key, "1h", "11:00:00");
    assert_eq!(count("lot", "P001"), Some((Some(2.0), 2.0, 1.0, 2)));
    assert_eq!(count("district", "环翠区"), Some((Some(2.0), 2.0, 1.0, 2)));
    // a lot that the profile doesn't know is where its snapshot says, else elsewhere
    assert_eq!(
        (count("district", "经开区"), count("district", "其他")),
        (Some((Some(1.0), 1.0, 1.0, 1)), Some((Some(1.0), 1.0, 1.0, 1)))
    );
    assert_eq!(count("city", "city"), Some((Some(4.0), 4.0, 1.0, 4)));
    // [10:01, 11:01) has lost the first one
    assert_eq!(figures.value("parking.violations", "lot", "P001", "1h", "11:01:00"), Some(1.0));
}

#[test]
fn snapshots_count_all_of_them_at_the_levels_of_violations() {
    let log = log()
        .at("10:00:00", "snapshot", snapshot("P001", 100, 40))
        .at("10:20:00", "snapshot", snapshot("P001", 100, 140))
        .at("10:30:00", "snapshot", snapshot("P003", 100, 40))
        .at("10:40:00", "snapshot", snapshot("P245", 100, 40));
    let figures = log.clone().figures::<Parking>();
    let count = |level, key| figures.get("parking.snapshots", level, key, "1h", "11:00:00");
    assert_eq!(count("lot", "P001"), Some((Some(2.0), 2.0, 1.0, 2)));
    assert_eq!(count("district", "环翠区"), Some((Some(3.0), 3.0, 1.0, 3)));
    assert_eq!(count("city", "city"), Some((Some(4.0), 4.0, 1.0, 4)));
    // one that comes late: [10:00, 11:00) has it
    let figures = log.at("10:10:00", "snapshot", snapshot("P001", 100, 41)).figures::<Parking>();
    assert_eq!(figures.value("parking.snapshots", "lot", "P001", "1h", "11:00:00"), Some(3.0));
}
