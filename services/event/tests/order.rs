//! Keys and turns, as the contract's tables say.

#![expect(clippy::unwrap_used, reason = "a test that panics has said what it has to say")]

use serde_json::{Value, json};
use yiping_event::{Stream, decode, elder, hotline};

fn example(name: &str) -> Value {
    let path = format!("{}/../../schemas/events/examples/{name}/full.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn each_type_has_the_contracts_key() {
    for (name, member) in [
        ("city.bus.position", "vehicle_id"),
        ("city.bus.stop", "route_id"),
        ("city.bus.trip", "route_id"),
        ("city.parking.snapshot", "lot_id"),
        ("city.parking.entry", "lot_id"),
        ("city.parking.exit", "lot_id"),
        ("city.parking.payment", "lot_id"),
        ("city.parking.credit", "lot_id"),
        ("city.hotline.call", "call_id"),
        ("city.hotline.order", "order_id"),
        ("city.hotline.callback", "order_id"),
        ("city.elder.call", "call_id"),
        ("city.elder.sos", "case_id"),
        ("city.elder.order", "order_id"),
        ("city.elder.callback", "order_id"),
        ("city.elder.heartbeat", "device_id"),
        ("city.source.heartbeat", "source_name"),
    ] {
        let event = example(name);
        assert_eq!(decode(event.to_string().as_bytes()).unwrap().key(), event["data"][member], "{name}");
    }
}

#[test]
fn events_of_one_millisecond_take_their_turns_in_the_contracts_order() {
    let rank = |name: &str, word: &str| {
        let mut event = example(name);
        if !word.is_empty() {
            event["data"]["event"] = json!(word);
        }
        decode(event.to_string().as_bytes()).unwrap().rank()
    };
    for stream in [
        &[
            ("city.bus.position", ""),
            ("city.bus.stop", "arrived departed"),
            ("city.bus.trip", "scheduled started finished cancelled"),
        ][..],
        &[
            ("city.parking.snapshot", ""),
            ("city.parking.entry", ""),
            ("city.parking.exit", ""),
            ("city.parking.payment", ""),
            ("city.parking.credit", "left_unpaid settled"),
        ],
        &[
            ("city.hotline.call", "offered answered abandoned ended"),
            (
                "city.hotline.order",
                "created dispatched accepted contacted replied closed returned extended reopened urged",
            ),
            ("city.hotline.callback", ""),
        ],
        &[
            ("city.elder.call", "offered answered abandoned ended"),
            ("city.elder.sos", "raised connected not_connected acknowledged arrived closed false_alarm"),
            ("city.elder.order", "created accepted departed arrived finished no_show cancelled"),
            ("city.elder.callback", ""),
            ("city.elder.heartbeat", ""),
        ],
    ] {
        let ranks: Vec<u8> =
            stream.iter().flat_map(|(name, words)| words.split(' ').map(|word| rank(name, word))).collect();
        assert_eq!(ranks, (0..u8::try_from(ranks.len()).unwrap()).collect::<Vec<_>>(), "{stream:?}");
    }
}

#[test]
fn words_read_back_and_streams_know_their_topics() {
    assert_eq!("hotline".parse(), Ok(Stream::Hotline));
    assert_eq!("tram".parse::<Stream>().unwrap_err().to_string(), "expected one of: bus parking hotline elder");
    assert_eq!(Stream::ALL.map(Stream::topic), ["city.bus", "city.parking", "city.hotline", "city.elder"]);
    assert!(hotline::OrderKind::ALL.into_iter().all(|kind| kind.as_str().parse() == Ok(kind)));
    assert_eq!(elder::SosKind::NotConnected.to_string(), "not_connected");
    assert_eq!(serde_json::from_str::<Stream>("\"elder\"").unwrap(), Stream::Elder);
}
