//! What may come from outside, given to what reads it: each function takes any bytes and panics where a promise is broken. The gateway's
//! tests replay the corpus through them (services/gateway/tests/suite/corpus.rs).

use yiping_event::{Code, Event, TYPES, decode};
use yiping_feed::{Encoding, Format, ReadOptions, rows_of};

use super::Form;

/// An event as it is sent: it is read and written again without loss, or refused without a word of what stood in it.
pub fn envelope(bytes: &[u8]) {
    match decode(bytes) {
        Ok(event) => written_again(&event),
        Err(reject) => {
            assert!(reject.pointer.is_empty() || reject.pointer.starts_with('/'), "{reject:?}");
            assert!(!reject.message.is_empty() && reject.message.len() < 1_000, "{reject:?}");
            assert!(
                matches!(reject.code, Code::BadJson | Code::BadEnvelope | Code::UnknownType | Code::BadData),
                "{reject:?}"
            );
        }
    }
}

/// The data of each type: the first byte chooses the type, the others are its data.
pub fn data(bytes: &[u8]) {
    let Some((which, data)) = bytes.split_first() else { return };
    let Ok(data) = str::from_utf8(data) else { return };
    let name = TYPES[usize::from(*which) % TYPES.len()].name;
    let event = format!(
        r#"{{"specversion":"1.0","id":"a","source":"/fuzz","type":"{name}","time":"2026-11-20T10:41:07Z","data":{data}}}"#
    );
    envelope(event.as_bytes());
}

fn written_again(event: &Event<'_>) {
    let json = event.to_json();
    let again = decode(json.as_bytes()).unwrap_or_else(|reject| panic!("{reject:?}: {json}"));
    assert_eq!(&again, event);
    assert_eq!(again.to_json(), json);
}

/// A body of lines or an array: every event is there once, in its order, as its own bytes.
pub fn lines(bytes: &[u8]) {
    let wanted: Vec<(usize, &[u8])> = bytes
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
        .collect();
    if let Ok(items) = Form::Lines.split(bytes) {
        assert_eq!(items.iter().map(|item| (item.index, item.bytes)).collect::<Vec<_>>(), wanted);
    } else {
        assert!(wanted.is_empty());
    }
    let values = serde_json::from_slice::<Vec<serde_json::Value>>(bytes);
    match (Form::Array.split(bytes), values) {
        // (a value nested deeper than serde_json's 128 is an element all the same)
        (Ok(items), Ok(values)) => {
            assert_eq!(items.len(), values.len());
            for (item, value) in items.iter().zip(values) {
                assert_eq!(serde_json::from_slice::<serde_json::Value>(item.bytes).ok(), Some(value));
            }
        }
        (Err(_), Ok(values)) => assert!(values.is_empty()),
        (_, Err(_)) => {}
    }
    if let Ok(items) = Form::One.split(bytes) {
        assert_eq!(items[0].bytes, bytes);
    }
}

/// A department's payload in any format: rows that are JSON, and faults with their number.
pub fn rows(bytes: &[u8]) {
    for format in Format::ALL {
        for encoding in [Encoding::Utf8, Encoding::Gb18030] {
            let options = ReadOptions { encoding, ..ReadOptions::new(format) };
            let Ok(rows) = rows_of(bytes.to_vec(), &options) else { continue };
            for row in rows {
                match row {
                    Ok(row) => assert!(!row.value.to_string().is_empty()),
                    Err(fault) => assert!(fault.number > 0),
                }
            }
        }
    }
}
