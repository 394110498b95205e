//! A blob of each format is kept in `tests/formats`: a stream's state after the same 25 minutes of a small city. Whatever the format,
//! it is the same state: time moved on for more than a day closes the same windows with the same figures.

use yiping_catalogue::Catalogue;
use yiping_event::{Stream, TimeMs};
use yiping_runner::checkpoint::{machine, parts};
use yiping_window::{Domain, Machine, MetricSpec, Output, Row, checkpoint};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

fn blob(format: u16, stream: Stream) -> Vec<(String, Vec<u8>)> {
    let path = format!("{}/tests/formats/{format}-{stream}.parts.zst", env!("CARGO_MANIFEST_DIR"));
    let bytes = zstd::decode_all(std::fs::File::open(path).unwrap()).unwrap();
    let (_offset, parts): (u64, Vec<(String, Vec<u8>)>) = postcard::from_bytes(&bytes).unwrap();
    parts
}

/// What the blob's state makes of a day without events.
fn aftermath<D: Domain>(format: u16, stream: Stream) -> Vec<Row> {
    let specs: Vec<MetricSpec> = Catalogue::builtin().unwrap().specs(stream, None);
    let mut machine = machine::<D>(stream, &specs, &blob(format, stream)).map_err(|error| error.0).unwrap();
    let mut out = Output::default();
    let time = machine.time().unwrap();
    for minutes in 1..=25 * 60 {
        machine.advance(TimeMs(time.0 + minutes * 60_000), 1_000_000, &mut out);
    }
    assert!(machine.time().unwrap().0 > time.0 + DAY_MS);
    out.rows
}

fn the_same_state_in_every_format<D: Domain>(stream: Stream) {
    let newest = aftermath::<D>(checkpoint::FORMAT, stream);
    assert!(newest.len() > 100, "a state that says little: {} rows", newest.len());
    for format in 1..checkpoint::FORMAT {
        assert_eq!(aftermath::<D>(format, stream), newest, "format {format} of {stream}");
    }
}

#[test]
fn i4_state_of_every_format_is_read() {
    the_same_state_in_every_format::<yiping_bus::Bus>(Stream::Bus);
    the_same_state_in_every_format::<yiping_parking::Parking>(Stream::Parking);
    the_same_state_in_every_format::<yiping_hotline::Hotline>(Stream::Hotline);
    the_same_state_in_every_format::<yiping_elder::Elder>(Stream::Elder);
}

#[test]
fn i4_state_of_an_unknown_format_is_refused_with_its_number() {
    let mut parts = blob(checkpoint::FORMAT, Stream::Elder);
    parts[0].0 = "core/99".to_owned();
    let specs = Catalogue::builtin().unwrap().specs(Stream::Elder, None);
    let error = machine::<yiping_elder::Elder>(Stream::Elder, &specs, &parts).err().unwrap();
    assert!(error.0.contains("format 99"), "{}", error.0);
}

/// Makes the blobs of this build's format from the events that the others were made from: `FORMATS_FROM=events.ndjson`.
#[test]
fn blobs_of_the_newest_format_are_made_on_demand() {
    let Ok(events) = std::env::var("FORMATS_FROM") else { return };
    let events = std::fs::read_to_string(events).unwrap();
    make::<yiping_bus::Bus>(Stream::Bus, &events);
    make::<yiping_parking::Parking>(Stream::Parking, &events);
    make::<yiping_hotline::Hotline>(Stream::Hotline, &events);
    make::<yiping_elder::Elder>(Stream::Elder, &events);
}

fn make<D: Domain>(stream: Stream, events: &str) {
    let settings = yiping_window::Settings {
        out_of_order_ms: 5_000,
        lateness_ms: 600_000,
        max_skew_ms: 60_000,
        zone: "Asia/Shanghai".into(),
        profile: yiping_city::City::weihai().text(),
    };
    let specs = Catalogue::builtin().unwrap().specs(stream, None);
    let mut machine = Machine::<D>::new(stream, &specs, settings).unwrap();
    let mut offset = 0;
    for line in events.lines() {
        let Ok(event) = yiping_event::decode(line.as_bytes()) else { continue };
        if event.stream() == Some(stream) {
            let append = event.received.map(|time| TimeMs(time.0 + 3));
            let input = yiping_window::Input { offset, append, payload: line.as_bytes() };
            machine.apply(input, &mut Output::default());
            offset += 1;
        }
    }
    let bytes = postcard::to_stdvec(&(offset, parts(&machine).unwrap())).unwrap();
    let path = format!("{}/tests/formats/{}-{stream}.parts.zst", env!("CARGO_MANIFEST_DIR"), checkpoint::FORMAT);
    std::fs::write(path, zstd::bulk::compress(&bytes, 19).unwrap()).unwrap();
}
