//! What tens of thousands of devices cost (I9): bytes of a checkpoint, and panes of the board.

#![allow(clippy::unwrap_used, reason = "a test that can't go on may panic")]

use yiping_catalogue::Catalogue;
use yiping_city::City;
use yiping_elder::Elder;
use yiping_event::{Stream, TimeMs};
use yiping_window::{Input, Machine, Output, Settings, checkpoint};

const DEVICES: i64 = 3_000;
const HOUR_MS: i64 = 3_600_000;
const START: i64 = 1_795_161_600_000; // 2026-11-20T16:00+08:00
const DISTRICTS: [&str; 3] = ["环翠区", "荣成市", "文登区"];

#[test]
fn i9_devices_take_so_many_bytes_and_panes() {
    let settings = Settings {
        out_of_order_ms: 5_000,
        lateness_ms: 24 * HOUR_MS,
        max_skew_ms: 60_000,
        zone: "Asia/Shanghai".into(),
        profile: City::weihai().text(),
    };
    let specs = Catalogue::builtin().unwrap().specs(Stream::Elder, None);
    let mut machine = Machine::<Elder>::new(Stream::Elder, &specs, settings).unwrap();
    let empty = checkpoint::write(machine.state().0).unwrap().len();
    let mut out = Output::default();
    // each hour in its own second; one of 20 falls silent in the course of the second day
    for hour in 0..30 {
        for device in 0..DEVICES {
            if device % 20 == 0 && hour >= 24 + device % 6 {
                continue;
            }
            let time = TimeMs(START + hour * HOUR_MS + device * HOUR_MS / DEVICES);
            let district = DISTRICTS[device as usize % 3];
            let event = format!(
                r#"{{"specversion":"1.0","id":"{device}-{hour}","source":"test","type":"city.elder.heartbeat","time":"{time}","data":{{"device_id":"D{device:05}","district":"{district}"}}}}"#
            );
            machine.apply(Input { offset: 0, append: None, payload: event.as_bytes() }, &mut out);
            out.rows.clear();
        }
    }
    let core = machine.state().0;
    let bytes = (checkpoint::write(core).unwrap().len() - empty) as f64 / DEVICES as f64;
    let panes = core.board.panes();
    println!("{DEVICES} devices: {bytes:.0} bytes each of a checkpoint, {panes} panes in all");
    assert!(bytes < 400.0, "{bytes}");
    // Ahead lie an hour's minutes at each of two distances for the devices that are heard of, and those of the devices that have
    // fallen silent (at most 6 hours' minutes); behind, the panes within the lateness in which something changed. City and three
    // districts
    assert!(panes < 4 * (2 * 60 + 2 * 6 * 60 + 6 * 60), "{panes}");
}
