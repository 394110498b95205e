//! Members of JSON objects, written straight into the line.

use std::fmt::Write;

use yiping_event::TimeMs;

/// The members of one object, between its braces.
pub(crate) struct Members<'a> {
    text: &'a mut String,
    first: bool,
}

impl<'a> Members<'a> {
    pub(crate) fn new(text: &'a mut String) -> Members<'a> {
        Members { text, first: true }
    }

    fn name(&mut self, name: &'static str) {
        if !self.first {
            self.text.push(',');
        }
        self.first = false;
        self.text.push('"');
        self.text.push_str(name);
        self.text.push_str("\":");
    }

    fn write(&mut self, value: std::fmt::Arguments<'_>) {
        // writing to a String cannot fail
        let _ = self.text.write_fmt(value);
    }

    /// A text of the profile, whatever it holds.
    pub(crate) fn text(&mut self, name: &'static str, value: &str) {
        self.name(name);
        push_text(self.text, value);
    }

    /// An id of our own making: letters, digits and signs that need no escape.
    pub(crate) fn id(&mut self, name: &'static str, value: std::fmt::Arguments<'_>) {
        self.name(name);
        self.text.push('"');
        self.write(value);
        self.text.push('"');
    }

    pub(crate) fn whole(&mut self, name: &'static str, value: i64) {
        self.name(name);
        self.write(format_args!("{value}"));
    }

    /// `value` units of 10^-DIGITS: `decimal::<6>("lon", 122_112_000)` is 122.112000.
    pub(crate) fn decimal<const DIGITS: u32>(&mut self, name: &'static str, value: i64) {
        self.name(name);
        let unit = 10_u64.pow(DIGITS);
        let sign = if value < 0 { "-" } else { "" };
        let size = value.unsigned_abs();
        let width = DIGITS as usize;
        self.write(format_args!("{sign}{}.{:0width$}", size / unit, size % unit));
    }

    pub(crate) fn flag(&mut self, name: &'static str, value: bool) {
        self.name(name);
        self.text.push_str(if value { "true" } else { "false" });
    }

    /// "Asked, and no answer": not the same as a member that is absent.
    pub(crate) fn null(&mut self, name: &'static str) {
        self.name(name);
        self.text.push_str("null");
    }

    pub(crate) fn time(&mut self, name: &'static str, at_ms: i64) {
        self.name(name);
        self.text.push('"');
        push_time(self.text, at_ms);
        self.text.push('"');
    }
}

pub(crate) fn push_time(text: &mut String, at_ms: i64) {
    let _ = write!(text, "{}", TimeMs(at_ms));
}

/// `value` as a JSON string.
pub(crate) fn push_text(text: &mut String, value: &str) {
    if value.bytes().any(|b| b < 0x20 || b == b'"' || b == b'\\') {
        text.push_str(&serde_json::Value::from(value).to_string());
    } else {
        text.push('"');
        text.push_str(value);
        text.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_json_whatever_the_profile_holds() {
        let mut text = "{".to_owned();
        let mut members = Members::new(&mut text);
        members.text("a", "环翠楼 \"P\" \\");
        members.decimal::<6>("b", -122_000_042);
        members.decimal::<3>("c", 12_500);
        members.flag("d", true);
        members.time("e", 1_795_171_267_089);
        members.null("f");
        text.push('}');
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["a"], "环翠楼 \"P\" \\");
        assert_eq!(value["b"], -122.000_042);
        assert_eq!(value["c"], 12.5);
        assert!(value.as_object().unwrap()["f"].is_null());
        assert_eq!(value["e"], "2026-11-20T10:41:07.089Z");
    }
}
