//! One request → the events in it, each with its index. What an event is, is not asked here, and nothing is known of HTTP.

use serde_json::value::RawValue;
use yiping_event::{Code, Reject};

/// How a body holds events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `application/cloudevents+json`
    One,
    /// `application/cloudevents-batch+json`
    Array,
    /// `application/x-ndjson`
    Lines,
}

/// The content types that `POST /v1/events` takes.
pub const FORMS: [(&str, Form); 3] = [
    ("application/cloudevents+json", Form::One),
    ("application/cloudevents-batch+json", Form::Array),
    ("application/x-ndjson", Form::Lines),
];

/// More events than fit as real ones into a largest body: only a body of nothing but faults has more, and each fault costs
/// a record.
pub const MAX_EVENTS: usize = 65_536;

/// An event is objects within objects: its members are two deep. What is nested deeper than this is no event, and whoever reads it
/// later may not be made for it.
pub const MAX_DEPTH: usize = 64;

/// Refuses what is nested too deeply, before anything reads it.
pub fn check_depth(event: &[u8]) -> Result<(), Reject> {
    // without so many brackets it can't be: a count is some nanoseconds, and nearly always the end of it
    let opens = |byte: &&u8| matches!(byte, b'{' | b'[');
    if event.iter().filter(opens).count() <= MAX_DEPTH || depth(event) <= MAX_DEPTH {
        return Ok(());
    }
    Err(Reject::new(Code::BadJson, "", format!("nested more than {MAX_DEPTH} deep")))
}

/// How deep objects and arrays are nested; brackets within texts don't count.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_text, mut escaped) = (0_usize, 0, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// One event's bytes. For lines, the index is the line's number from 0, so that blank lines don't shift it.
#[derive(Debug, PartialEq, Eq)]
pub struct Item<'a> {
    pub index: usize,
    pub bytes: &'a [u8],
}

impl Form {
    /// The events of a body; a fault says why the body as a whole can't be taken apart.
    pub fn split(self, body: &[u8]) -> Result<Vec<Item<'_>>, String> {
        let items: Vec<_> = match self {
            Self::One => vec![Item { index: 0, bytes: body }],
            Self::Array => {
                let text =
                    str::from_utf8(body).map_err(|fault| format!("not UTF-8 from byte {} on", fault.valid_up_to()))?;
                let events: Vec<&RawValue> = serde_json::from_str(text)
                    .map_err(|fault| format!("not a JSON array: line {}, column {}", fault.line(), fault.column()))?;
                events
                    .into_iter()
                    .enumerate()
                    .map(|(index, event)| Item { index, bytes: event.get().as_bytes() })
                    .collect()
            }
            Self::Lines => body
                .split(|byte| *byte == b'\n')
                .enumerate()
                .map(|(index, line)| Item { index, bytes: line.trim_ascii() })
                .filter(|item| !item.bytes.is_empty())
                .take(MAX_EVENTS + 1)
                .collect(),
        };
        if items.len() > MAX_EVENTS {
            return Err(format!("a body may have {MAX_EVENTS} events"));
        }
        if items.iter().all(|item| item.bytes.trim_ascii().is_empty()) {
            return Err("there is no event in the body".into());
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_and_carriage_returns_are_no_events_and_shift_no_index() {
        let items = Form::Lines.split(b"{}\r\n\n  \n[1]\n").unwrap();
        assert_eq!(items, [Item { index: 0, bytes: b"{}" }, Item { index: 3, bytes: b"[1]" }]);
    }

    #[test]
    fn an_array_keeps_each_elements_own_bytes() {
        let items = Form::Array.split(b" [ {\"a\": 1.0} , 2 ] ").unwrap();
        assert_eq!(items, [Item { index: 0, bytes: b"{\"a\": 1.0}" }, Item { index: 1, bytes: b"2" }]);
    }

    #[test]
    fn only_what_is_really_nested_is_deep() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(check_depth(nested(MAX_DEPTH).as_bytes()), Ok(()));
        assert!(check_depth(nested(MAX_DEPTH + 1).as_bytes()).is_err());
        assert_eq!(check_depth("[1],".repeat(1_000).as_bytes()), Ok(()));
        assert_eq!(check_depth(format!(r#"{{"a":"\"{}"}}"#, "[".repeat(1_000)).as_bytes()), Ok(()));
        assert!(check_depth(format!(r#"{{"a":"\"","b":{}"#, nested(MAX_DEPTH)).as_bytes()).is_err());
        assert!(check_depth("{\"a\":".repeat(10_000).as_bytes()).is_err());
    }

    #[test]
    fn a_body_without_an_event_is_said_to_be_one() {
        for (form, body) in [(Form::One, " "), (Form::Array, "[]"), (Form::Lines, "\n\n"), (Form::Array, "{}")] {
            assert!(form.split(body.as_bytes()).is_err(), "{form:?} {body:?}");
        }
    }
}
