//! The tripwire: what looks like a person's mobile number, identity number or licence plate doesn't come in (I11), in whichever text
//! it stands.
//!
//! - **Mobile number**: 11 digits that begin with 13 to 19, alone or after 86.
//! - **Identity number**: 17 digits and a check character (GB 11643-1999: weights 2^(18−i) mod 11), with a date that there is. One of
//!   some 20,000 other numbers of 18 digits looks like one, too.
//! - **Plate** (GA 36-2018): a province's character, a letter, then five or six letters and digits.
//!
//! Single blanks or dashes between digits, also Chinese ones, don't hide a number. Each stands by itself: more digits make it part of something else (an order's number), and so do more than four letters right
//! before and behind it (a hash); fewer don't hide it (`M13…`, `tel13…`). A UUID is nothing else than that.
//! Full-width digits and letters count as plain ones.
//!
//! Whoever has to write down what a stranger named (a file, a source) asks here, too: [`mask`].

use std::ops::Range;

use crate::reject::{Code, Reject};

/// What a text seems to tell of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    Phone,
    IdNumber,
    Plate,
}

impl Finding {
    fn as_str(self) -> &'static str {
        match self {
            Finding::Phone => "a mobile number",
            Finding::IdNumber => "an identity number",
            Finding::Plate => "a licence plate",
        }
    }
}

const PROVINCES: &str = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼";
const MOBILE_DIGITS: usize = 11;
const ID_CHARS: usize = 18;
/// What people put between groups of digits. Dots are not among them: versions, addresses and amounts have those.
const BLANKS: [char; 9] = [' ', '-', '\u{a0}', '‐', '‑', '–', '—', '−', '\u{3000}'];
/// So many letters around a number don't make it part of something else. (With one more, a hash of 16 hex digits could be a number.)
const MOST_LETTERS: usize = 4;
/// Where a UUID's dashes stand.
const UUID_DASHES: [usize; 4] = [8, 13, 18, 23];
const UUID_CHARS: usize = 36;

/// The first finding in an event as it would go into the log, and where. Texts only: a longitude may have as many digits.
pub fn refuse(json: &str) -> Result<(), Reject> {
    if !is_suspicious(json.as_bytes()) {
        return Ok(());
    }
    let Ok(event) = serde_json::from_str::<serde_json::Value>(json) else {
        return Ok(()); // it was written by us
    };
    match first(&event, "") {
        Some((pointer, finding)) => {
            let message = format!("looks like {}: leave it out, or send a pseudonym", finding.as_str());
            Err(Reject::new(Code::PersonalData, pointer, message))
        }
        None => Ok(()),
    }
}

fn first(value: &serde_json::Value, pointer: &str) -> Option<(String, Finding)> {
    match value {
        serde_json::Value::String(text) => find(text).map(|finding| (pointer.to_owned(), finding)),
        serde_json::Value::Object(members) => {
            members.iter().find_map(|(name, value)| first(value, &format!("{pointer}/{name}")))
        }
        serde_json::Value::Array(items) => {
            (0..).zip(items).find_map(|(at, value): (usize, _)| first(value, &format!("{pointer}/{at}")))
        }
        _ => None,
    }
}

/// What a text seems to hold.
pub fn find(text: &str) -> Option<Finding> {
    if !is_suspicious(text.as_bytes()) {
        return None;
    }
    findings(&signs(text.as_bytes())).next().map(|(_, finding)| finding)
}

/// Bytes with a star for every byte of a finding. What is no UTF-8 is read byte by byte: its digits are digits in GB18030, too.
pub fn mask(bytes: &[u8]) -> Vec<u8> {
    let mut masked = bytes.to_vec();
    if is_suspicious(bytes) {
        let signs = signs(bytes);
        for (range, _) in findings(&signs) {
            masked[signs[range.start].from..signs[range.end - 1].to].fill(b'*');
        }
    }
    masked
}

/// Whether a closer look is worth it; nearly never, and this is asked of every event.
fn is_suspicious(bytes: &[u8]) -> bool {
    if bytes.is_ascii() { has_long_number(bytes) } else { is_suspicious_text(bytes) }
}

/// Whether as many digits as a number has follow each other, blanks and dashes between them. In steps of as many bytes: what is shorter
/// isn't worth a look at each.
fn has_long_number(ascii: &[u8]) -> bool {
    let fits = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b' ' | b'-');
    let mut at = MOBILE_DIGITS - 1;
    while let Some(byte) = ascii.get(at) {
        if fits(byte) {
            let from = ascii[..at].iter().rposition(|byte| !fits(byte)).map_or(0, |before| before + 1);
            let to = ascii[at..].iter().position(|byte| !fits(byte)).map_or(ascii.len(), |length| at + length);
            if ascii[from..to].iter().filter(|byte| byte.is_ascii_digit()).count() >= MOBILE_DIGITS {
                return true;
            }
            at = to;
        }
        at += MOBILE_DIGITS;
    }
    false
}

fn is_suspicious_text(bytes: &[u8]) -> bool {
    let (mut digits, mut over) = (0, 0);
    for (at, &byte) in bytes.iter().enumerate() {
        if over > 0 {
            over -= 1; // of a blank of several bytes
            continue;
        }
        match byte {
            b'0'..=b'9' => digits += 1,
            b' ' | b'-' => {}
            0xc2 | 0xe2 | 0xe3 if digits > 0 => match blank_length(&bytes[at..]) {
                Some(length) => over = length - 1,
                None => digits = 0,
            },
            0xef if bytes.get(at + 1) == Some(&0xbc) => return true, // full-width
            0xe4..=0xe9 if bytes.get(at + 3).is_some_and(u8::is_ascii_alphabetic) => {
                return true;
            }
            b'W' | b'w' if matches!(bytes[at..], [_, b'J' | b'j', 0xe4..=0xe9, ..]) => return true,
            _ => digits = 0,
        }
        if digits >= MOBILE_DIGITS {
            return true;
        }
    }
    false
}

/// Of the blank that a text begins with, in bytes.
fn blank_length(bytes: &[u8]) -> Option<usize> {
    let begins = |blank: &char| bytes.starts_with(blank.encode_utf8(&mut [0; 4]).as_bytes());
    BLANKS.iter().find(|blank| begins(blank)).map(|blank| blank.len_utf8())
}

/// A character, upper-case and not full-width, and the bytes that it had.
#[derive(Clone, Copy)]
struct Sign {
    from: usize,
    to: usize,
    char: char,
}

fn signs(bytes: &[u8]) -> Vec<Sign> {
    let plain = |char: char| match char {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(char as u32 - 0xfee0).unwrap_or(char),
        char => char,
    };
    let sign = |from: usize, length: usize, char: char| Sign {
        from,
        to: from + length,
        char: plain(char).to_ascii_uppercase(),
    };
    match str::from_utf8(bytes) {
        Ok(text) => text.char_indices().map(|(at, char)| sign(at, char.len_utf8(), char)).collect(),
        // cut within a character
        Err(fault) if fault.error_len().is_none() => signs(&bytes[..fault.valid_up_to()]),
        Err(_) => bytes.iter().enumerate().map(|(at, &byte)| sign(at, 1, byte.into())).collect(),
    }
}

/// All findings, in their order, as ranges of signs.
fn findings(signs: &[Sign]) -> impl Iterator<Item = (Range<usize>, Finding)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < signs.len() {
            let rest = &signs[at..];
            let begins_word = at == 0 || !signs[at - 1].char.is_ascii_alphanumeric();
            if begins_word && is_uuid(rest) {
                at += UUID_CHARS;
                continue;
            }
            let number = letters_before(&signs[..at])
                .map(|letters| MOST_LETTERS - letters)
                .and_then(|letters| id_number(rest, letters).or_else(|| phone(rest, letters)));
            // (a plate's character is no letter of anything before it)
            if let Some((length, finding)) = number.or_else(|| plate(rest)) {
                let range = at..at + length;
                at += length;
                return Some((range, finding));
            }
            at += 1;
        }
        None
    })
}

/// How many letters, and nothing else of the same word, stand right before something; none if too many do for it to stand by itself.
fn letters_before(before: &[Sign]) -> Option<usize> {
    let is_part = |sign: &&Sign| sign.char.is_ascii_alphanumeric();
    let letters = before.iter().rev().take(MOST_LETTERS + 1).take_while(is_part);
    letters
        .map(|sign| sign.char.is_ascii_alphabetic())
        .try_fold(0, |count, is_letter| (is_letter && count < MOST_LETTERS).then_some(count + 1))
}

/// Whether nothing goes on behind it but so many letters at most.
fn ends(rest: &[Sign], letters: usize) -> bool {
    let behind = rest.iter().take(letters).take_while(|sign| sign.char.is_ascii_alphabetic()).count();
    !rest.get(behind).is_some_and(|sign| sign.char.is_ascii_alphanumeric())
}

fn is_uuid(signs: &[Sign]) -> bool {
    let fits = |(at, sign): (usize, &Sign)| match sign.char {
        '-' => UUID_DASHES.contains(&at),
        char => char.is_ascii_hexdigit() && !UUID_DASHES.contains(&at),
    };
    signs.get(..UUID_CHARS).is_some_and(|own| own.iter().enumerate().all(fits)) && ends(&signs[UUID_CHARS..], 0)
}

/// `letters`: how many may stand behind it.
fn phone(signs: &[Sign], letters: usize) -> Option<(usize, Finding)> {
    // where the country's code is written, it is part of the number
    let begins = |text: &str| signs.len() > text.len() && signs.iter().zip(text.chars()).all(|(a, b)| a.char == b);
    let prefix = ["0086", "86"].into_iter().find(|prefix| begins(prefix)).map_or(0, str::len);
    [prefix, 0].into_iter().find_map(|prefix| {
        let blank = usize::from(prefix > 0 && is_blank(signs.get(prefix)?));
        let length = mobile(&signs[prefix + blank..], letters)?;
        Some((prefix + blank + length, Finding::Phone))
    })
}

fn is_blank(sign: &Sign) -> bool {
    BLANKS.contains(&sign.char)
}

/// The length of a mobile number.
fn mobile(signs: &[Sign], letters: usize) -> Option<usize> {
    let (mut digits, mut at) = (0, 0);
    while digits < MOBILE_DIGITS {
        let sign = signs.get(at)?;
        let fits = match digits {
            0 => sign.char == '1',
            1 => ('3'..='9').contains(&sign.char),
            _ => sign.char.is_ascii_digit(),
        };
        if fits {
            digits += 1;
        } else if digits == 0 || !is_blank(sign) || is_blank(&signs[at - 1]) {
            return None;
        }
        at += 1;
    }
    // a longer row of digits is another number
    let goes_on =
        signs.get(at).is_some_and(is_blank) && signs.get(at + 1).is_some_and(|sign| sign.char.is_ascii_digit());
    (ends(&signs[at..], letters) && !goes_on).then_some(at)
}

fn id_number(signs: &[Sign], letters: usize) -> Option<(usize, Finding)> {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    const CHECK: [char; 11] = ['1', '0', 'X', '9', '8', '7', '6', '5', '4', '3', '2'];
    let (mut own, mut at) = (['0'; ID_CHARS], 0);
    for (place, char) in own.iter_mut().enumerate() {
        if place > 0 && signs.get(at).is_some_and(is_blank) {
            at += 1;
        }
        *char = signs.get(at)?.char;
        at += 1;
    }
    let mut digits = [0; 17];
    for (digit, char) in digits.iter_mut().zip(own) {
        *digit = char.to_digit(10)?;
    }
    let number = |range: Range<usize>| digits[range].iter().fold(0, |number, digit| number * 10 + digit);
    let is_date = (1900..2100).contains(&number(6..10))
        && (1..=12).contains(&number(10..12))
        && (1..=31).contains(&number(12..14));
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(digit, weight)| digit * weight).sum();
    let is_checked = own[17] == CHECK[(sum % 11) as usize];
    (is_date && is_checked && ends(&signs[at..], letters)).then_some((at, Finding::IdNumber))
}

fn is_plate_dot(sign: &Sign) -> bool {
    matches!(sign.char, '·' | '•' | '.' | '-' | ' ')
}

fn plate(signs: &[Sign]) -> Option<(usize, Finding)> {
    // the armed police's begin with WJ: WJ鲁·12345, WJ鲁1234X
    if let [w, j, rest @ ..] = signs
        && (w.char, j.char) == ('W', 'J')
        && let [province, rest @ ..] = rest
        && PROVINCES.contains(province.char)
    {
        let dot = usize::from(rest.first().is_some_and(is_plate_dot));
        let tail = rest[dot..].iter().take_while(|sign| sign.char.is_ascii_alphanumeric()).count();
        let has_digit = rest[dot..dot + tail].iter().any(|sign| sign.char.is_ascii_digit());
        return (tail == 5 && has_digit).then_some((3 + dot + tail, Finding::Plate));
    }
    let [province, letter, ..] = signs else { return None };
    if !PROVINCES.contains(province.char) || !letter.char.is_ascii_uppercase() {
        return None;
    }
    let mut at = 2 + usize::from(signs.get(2).is_some_and(is_plate_dot));
    let from = at;
    while signs.get(at).is_some_and(|sign| sign.char.is_ascii_alphanumeric()) {
        at += 1;
    }
    let tail = &signs[from..at];
    // 学 挂 警 港 澳 stand for the last one
    let special = signs.get(at).is_some_and(|sign| "学挂警港澳领使".contains(sign.char));
    let length = tail.len() + usize::from(special);
    let has_digit = tail.iter().any(|sign| sign.char.is_ascii_digit());
    (matches!(length, 5 | 6) && has_digit).then_some((at + usize::from(special), Finding::Plate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mobile_number_is_found_however_it_is_written() {
        for text in [
            "13800138000",
            "138 0013 8000",
            "138-0013-8000",
            "+86 138-0013-8000",
            "8613800138000",
            "008613800138000",
            "来电13800138000转接",
            "call-19912345678",
            "１３８００１３８０００",
            "138—0013—8000",
            "电话138　0013　8000",
            "tel:17012345678;",
            "A13887654321", // letters don't hide it
            "wx_M13887654321",
            "13887654321vip",
        ] {
            assert_eq!(find(text), Some(Finding::Phone), "{text}");
        }
    }

    #[test]
    fn numbers_that_are_something_else_pass() {
        for text in [
            "1380013800",       // ten
            "138001380001",     // twelve
            "12800138000",      // no mobile network
            "ORDER13800138000", // five letters
            "GD138001380001",   // an order's number
            "abc13800138000de", // a hash of 16
            "1a13800138000",
            "2026-11-23T06:29:44.123Z",
            "20261123-0013-8000",
            "13912345-6781-4abc-8def-0123456789ab", // UUIDs
            "13912345-678a-4abc-8def-a13812345678",
            "1391-2345-6781-2345",
            "138--00138000",
            "138——0013——8000",
            "138.0013.8000",
            "1795125600000", // ms since 1970
            "WH-0012",
        ] {
            assert_eq!(find(text), None, "{text}");
        }
    }

    #[test]
    fn an_identity_number_has_a_date_and_a_check_character() {
        // the standard's own example: 11010519491231002X. 4·… its weighted sum is 167, 167 mod 11 = 2, which is X
        assert_eq!(find("11010519491231002X"), Some(Finding::IdNumber));
        assert_eq!(find("身份证 11010519491231002x。"), Some(Finding::IdNumber));
        for text in ["SFZ11010519491231002X", "110105 19491231 002X", "110105—19491231—002x"] {
            assert_eq!(find(text), Some(Finding::IdNumber), "{text}");
        }
        for text in ["110105194912310021", "11010519491331002X", "ABCDE11010519491231002X", "11010519491231002X1"] {
            assert_eq!(find(text), None, "{text}");
        }
    }

    #[test]
    fn a_plate_is_found_and_words_are_not() {
        for text in
            ["鲁K12345", "鲁K·D12345", "WJ鲁12345", "车牌wj鲁·1234x", "车牌鲁k·1234学", "京AD12345", "粤Z1234港"]
        {
            assert_eq!(find(text), Some(Finding::Plate), "{text}");
        }
        for text in ["鲁", "鲁K", "鲁KABCDE", "WJ鲁", "WJ鲁123456", "新A区", "云TV频道", "文登区K12345", "鲁K1234567"]
        {
            assert_eq!(find(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_found_is_masked_and_nothing_else() {
        let text = "电话13800138000，车鲁K12345，单号GD2026";
        assert_eq!(mask(text.as_bytes()), "电话***********，车*********，单号GD2026".as_bytes());
        // GB18030: 电 is b5 e7
        assert_eq!(mask(b"\xb5\xe713800138000\xb5\xe7"), b"\xb5\xe7***********\xb5\xe7");
        assert_eq!(mask(b"{\"lon\":122.1"), b"{\"lon\":122.1");
        let cut = "鲁K12345电".as_bytes();
        assert_eq!(mask(&cut[..cut.len() - 1]), ["*********".as_bytes(), &"电".as_bytes()[..2]].concat());
    }

    #[test]
    fn the_short_look_at_plain_text_misses_nothing_that_the_long_one_sees() {
        // every text of these pieces up to seven of them
        const PIECES: [&str; 5] = ["1234", "1234567", "a", " ", "-\"x"];
        for n in 0..5_usize.pow(7) {
            let text: String = (0..7).map(|place| PIECES[n / 5_usize.pow(place) % 5]).collect();
            assert_eq!(has_long_number(text.as_bytes()), is_suspicious_text(text.as_bytes()), "{text:?}");
        }
    }

    #[test]
    fn a_number_of_many_digits_is_no_text() {
        let event = r#"{"id":"a","data":{"lon":122.13800138000,"lat":37.5,"n":13800138000}}"#;
        assert_eq!(refuse(event), Ok(()));
        let reject = refuse(r#"{"id":"a","data":{"n":1,"of":[{"street":"张 138 0013 8000"}]}}"#).unwrap_err();
        assert_eq!((reject.code, reject.pointer.as_str()), (Code::PersonalData, "/data/of/0/street"));
        assert!(!reject.message.contains("138"), "{}", reject.message);
    }
}
