//! What was sent, as text: for whoever looks for what was wrong with it.

use yiping_event::personal;

/// What was sent, for a person to look at: with stars for findings and for every other digit, too. Bytes that are no UTF-8 are taken for
/// GB18030, which is what departments write that don't write UTF-8.
#[must_use]
pub fn masked(bytes: &[u8]) -> String {
    let text = legible(bytes);
    let masked = personal::mask(text.as_bytes());
    String::from_utf8_lossy(&masked).chars().map(|char| if char.is_numeric() { '*' } else { char }).collect()
}

/// What was sent, as it is.
#[must_use]
pub fn legible(bytes: &[u8]) -> String {
    match str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        // cut within a character
        Err(fault) if fault.error_len().is_none() => String::from_utf8_lossy(bytes).into_owned(),
        Err(_) => encoding_rs::GB18030.decode_without_bom_handling(bytes).0.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_has_no_digit_however_it_was_written() {
        let text = "{\"tel\": \"\\u0031\\u0033８００\", \"n\": 42, \"车\": \"鲁KABCD1\"}";
        let shown = masked(text.as_bytes());
        assert!(!shown.contains(|char: char| char.is_numeric()) && !shown.contains("ABCD"), "{shown}");
        assert!(shown.contains("tel") && shown.contains('车'), "{shown}");
        let (bytes, ..) = encoding_rs::GB18030.encode("电话13800138000");
        assert_eq!((masked(&bytes), legible(&bytes)), ("电话***********".into(), "电话13800138000".into()));
    }
}
