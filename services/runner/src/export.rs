//! Records of a log as lines of JSON (`yiping log export`), and back: with partition, offset and append time, so that offline
//! everything falls as it did live: ticks, settings, and what is late.

use std::borrow::Cow;

use anyhow::Context;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::value::RawValue;
use yiping_event::{TimeMs, time};
use yiping_log::{Offset, Partition, Record};

/// A line, written and read. The record's bytes are `event` where they are a JSON object, else `payload_base64`.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    partition: Partition,
    offset: Offset,
    /// `receivedtime` of the event, else the append time.
    #[serde(with = "time::rfc3339")]
    logtime: TimeMs,
    #[serde(with = "time::rfc3339")]
    appendtime: TimeMs,
    #[serde(borrow)]
    key: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    event: Option<&'a RawValue>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    payload_base64: Option<Cow<'a, str>>,
}

/// What tells a line of an export from an event: the one has an append time, the other a `specversion`.
#[derive(Deserialize)]
struct Probe {
    appendtime: Option<IgnoredAny>,
    specversion: Option<IgnoredAny>,
}

/// A record as an export tells it.
#[derive(Debug, PartialEq, Eq)]
pub struct Exported<'a> {
    pub partition: Partition,
    pub offset: Offset,
    pub append: TimeMs,
    pub payload: Cow<'a, [u8]>,
}

/// The record's log time: the `receivedtime` that it carries, else when the log took it in.
#[must_use]
pub fn log_time(record: &Record) -> TimeMs {
    #[derive(Deserialize)]
    struct Received {
        #[serde(default, with = "time::rfc3339::option")]
        receivedtime: Option<TimeMs>,
    }
    let event = is_object(&record.payload).then(|| serde_json::from_slice::<Received>(&record.payload).ok()).flatten();
    event.and_then(|event| event.receivedtime).unwrap_or(TimeMs(record.append_ms))
}

/// serde would also read a struct from an array.
fn is_object(json: &[u8]) -> bool {
    json.trim_ascii_start().starts_with(b"{")
}

/// A record as one line, with its end.
///
/// # Errors
/// None that a record can cause: serde's own.
pub fn export_line(partition: Partition, record: &Record, log_time: TimeMs) -> anyhow::Result<Vec<u8>> {
    // valid JSON has line ends only between its tokens, where a blank says the same
    let flat: Vec<u8> =
        record.payload.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect();
    let event = serde_json::from_slice::<&RawValue>(&flat).ok().filter(|_| is_object(&flat));
    let line = Line {
        partition,
        offset: record.offset,
        logtime: log_time,
        appendtime: TimeMs(record.append_ms),
        key: record.key.as_deref().map(String::from_utf8_lossy),
        event,
        payload_base64: event.is_none().then(|| BASE64_STANDARD.encode(&record.payload).into()),
    };
    let mut text = serde_json::to_vec(&line)?;
    text.push(b'\n');
    Ok(text)
}

/// Reads a line of an export; `None` where it is none (an event, or no JSON at all).
///
/// # Errors
/// When it is one, and says too little or too much.
pub fn exported(line: &[u8]) -> anyhow::Result<Option<Exported<'_>>> {
    const MARK: &[u8] = b"\"appendtime\"";
    if !is_object(line) || !line.windows(MARK.len()).any(|bytes| bytes == MARK) {
        return Ok(None);
    }
    match serde_json::from_slice::<Probe>(line) {
        Ok(Probe { appendtime: Some(_), specversion: None }) => {}
        _ => return Ok(None),
    }
    let line: Line<'_> = serde_json::from_slice(line)?;
    let payload = match (line.event, line.payload_base64) {
        (Some(event), None) => Cow::Borrowed(event.get().as_bytes()),
        (None, Some(text)) => Cow::Owned(BASE64_STANDARD.decode(&*text).context("payload_base64")?),
        _ => anyhow::bail!("it needs either event or payload_base64"),
    };
    Ok(Some(Exported { partition: line.partition, offset: line.offset, append: line.appendtime, payload }))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn record(payload: &[u8]) -> Record {
        let (key, payload) = (Some(Bytes::from_static("环翠".as_bytes())), Bytes::copy_from_slice(payload));
        Record { offset: 7, append_ms: 1_763_600_000_123, key, payload }
    }

    fn there_and_back(payload: &[u8]) -> (String, Vec<u8>) {
        let record = record(payload);
        let line = export_line(2, &record, log_time(&record)).unwrap();
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1, "one line a record");
        let back = exported(&line).unwrap().unwrap();
        assert_eq!((back.partition, back.offset, back.append), (2, 7, TimeMs(1_763_600_000_123)));
        (String::from_utf8(line.clone()).unwrap(), back.payload.to_vec())
    }

    #[test]
    fn an_event_comes_back_byte_for_byte() {
        let event = r#"{"id":"1", "n":1.50, "n":1e2,"receivedtime":"2025-11-20T01:00:00Z","t":"\u4e00一"}"#;
        let (line, back) = there_and_back(event.as_bytes());
        assert_eq!(back, event.as_bytes());
        assert!(
            line.contains(
                r#""logtime":"2025-11-20T01:00:00.000Z","appendtime":"2025-11-20T00:53:20.123Z","key":"环翠""#
            ),
            "{line}"
        );
    }

    #[test]
    fn what_is_no_json_object_comes_back_too() {
        for bytes in [&b"{\"id\":"[..], b"[1]", b"\xff\x00\n", b"", b"12"] {
            let (line, back) = there_and_back(bytes);
            assert_eq!(back, bytes);
            assert!(line.contains("payload_base64") && !line.contains("\"event\""), "{line}");
        }
    }

    #[test]
    fn line_ends_within_an_event_become_blanks() {
        let (_, back) = there_and_back(b"{\r\n  \"id\":\n\"a\\nb\"}\n");
        assert_eq!(back, b"{    \"id\": \"a\\nb\"}");
    }

    #[test]
    fn a_record_without_times_of_its_own_has_the_logs() {
        for bytes in [&b"{}"[..], b"no json", br#"{"receivedtime":"yesterday"}"#, br#"{"receivedtime":null}"#] {
            assert_eq!(log_time(&record(bytes)), TimeMs(1_763_600_000_123));
        }
    }

    #[test]
    fn events_are_no_lines_of_an_export_and_a_broken_line_is_told() {
        let event = br#"{"specversion":"1.0","id":"1","appendtime":"2025-11-20T00:53:20Z","partition":1,"offset":2}"#;
        assert_eq!(exported(event).unwrap(), None);
        assert_eq!(exported(br#"{"id":"#).unwrap(), None);
        for broken in [
            &br#"{"appendtime":"2025-11-20T00:53:20Z","partition":1}"#[..],
            br#"{"partition":1,"offset":2,"logtime":"2025-11-20T00:53:20Z","appendtime":"2025-11-20T00:53:20Z","key":null}"#,
        ] {
            exported(broken).unwrap_err();
        }
    }
}
