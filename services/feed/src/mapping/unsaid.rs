//! What went wrong with a row, without what stood in it: for answers, logs and tables, where no value of a sender's belongs.

use super::{MapError, UnknownCode};
use yiping_event::personal;

/// A code of a table is told as long as it looks like one.
const MOST_CODE_CHARS: usize = 40;
/// What jaq says a value can't be used as.
const TYPES: [&str; 9] = [
    "boolean",
    "integer",
    "number",
    "string",
    "array",
    "object",
    "iterable (array or object)",
    "rangeable (array or string)",
    "UTF-8",
];
/// What our own functions say; nothing of a row stands in it.
const OURS: [&str; 5] = [
    "a text that is no number",
    "to_rfc3339 without a zone needs the feed's",
    "the feed has no timetable",
    "a stop's sequence is a number from 0 on",
    "a map gives the same events on any day and machine: no clock, no environment, no halt",
];
/// With what our function that reads times begins.
pub(super) const NO_TIME: &str = "to_rfc3339: ";

impl MapError {
    /// The fault, and nothing that a row has brought.
    #[must_use]
    pub fn without_values(&self) -> String {
        match self {
            Self::Missing(member) => format!("the map gave an event without {member}"),
            Self::BadTime { member, .. } => format!("the map gave a {member} that is no RFC 3339 time with offset"),
            Self::NotAnObject(_) => "the map gave something that is no object".to_owned(),
            Self::OtherStream { wanted, found } => {
                format!("the map gave an event of {found}; this feed is of {wanted}")
            }
            Self::UnknownCode(UnknownCode { table, code })
                if code.chars().count() <= MOST_CODE_CHARS && personal::find(code).is_none() =>
            {
                format!("the table {table:?} has no code {code:?}")
            }
            Self::UnknownCode(UnknownCode { table, .. }) => format!("the table {table:?} has no such code"),
            Self::TooMany => "the map gave too many events".to_owned(),
            Self::Run(words) => format!("the map failed on this row: {}", of_run(words)),
            Self::Read(_) | Self::Compile(_) | Self::Table(_) => "the map can't be used".to_owned(),
        }
    }
}

fn of_run(words: &str) -> String {
    let wanted = || TYPES.iter().find(|name| words.ends_with(&format!(" as {name}")));
    if let Some(ours) = OURS.iter().find(|ours| words == **ours) {
        (*ours).to_owned()
    } else if words.starts_with(NO_TIME) {
        "to_rfc3339 got a text that is no such time".to_owned()
    } else if let Some(name) = wanted().filter(|_| words.starts_with("cannot use ")) {
        // (of a table: its header has other names than the map, or is written in another encoding than the feed's)
        if words.starts_with("cannot use null ") {
            format!(
                "nothing stands where a {name} is needed: are the columns' names and the encoding those of the feed?"
            )
        } else {
            format!("a value is no {name}")
        }
    } else if words.starts_with("cannot calculate ") {
        "a calculation got values that don't go together (a text, or null, for a number?)".to_owned()
    } else if words.starts_with("cannot index ") {
        "a member was taken of a value that has none".to_owned()
    } else {
        "`yiping feed test` shows with what".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use crate::Mapping;
    use serde_json::json;

    #[test]
    fn a_fault_says_what_was_wrong_and_not_what_stood_there() {
        let row = json!({"tel": "电话13800138000", "n": {"secret": 1}});
        for (map, said) in [
            ("{a: (.tel | tonumber)}", "no number"),
            ("{a: (.tel | tonumber? // error(.))}", "`yiping feed test`"),
            ("{a: (.tel - 1)}", "calculation"),
            ("{a: .tel.b}", "has none"),
            ("{a: (.n | ascii_downcase)}", "is no string"),
            ("{a: (.tel | to_rfc3339(\"UTC\"))}", "no such time"),
            ("{a: (.tel | to_rfc3339)}", "needs the feed's"),
            ("{a: (.other | ascii_downcase)}", "columns' names"),
            (".tel", "no object"),
        ] {
            let fault = Mapping::compile(map).unwrap().run(&row).unwrap_err().without_values();
            assert!(fault.contains(said), "{map}: {fault}");
            assert!(!["138", "电话", "secret"].iter().any(|value| fault.contains(value)), "{map}: {fault}");
        }
    }
}
