//! How texts are written: UTF-8, or GB18030 as offices write.

use super::NotAsSaid;
use std::io::{self, Read};
use std::str::FromStr;

use anyhow::{Result, bail};
use encoding_rs_io::DecodeReaderBytesBuilder;

/// So much of a text is looked at before it is taken for what it is said to be.
const BEGINNING: u64 = 1 << 16;
const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

/// How a text file's characters are written. A byte order mark at its beginning is read over, and goes before what is said here.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub enum Encoding {
    #[default]
    Utf8,
    /// Also GBK and GB 2312, which are parts of it.
    Gb18030,
}

impl Encoding {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Gb18030 => "gb18030",
        }
    }

    /// The text as UTF-8. What is no GB18030 is U+FFFD in it; what is no UTF-8 comes through as it is.
    ///
    /// # Errors
    /// It can't be read, or is said to be GB18030 and begins as only UTF-8 does: nearly all of that would pass for other characters.
    pub(super) fn decode(self, mut reader: impl Read + 'static) -> Result<impl Read> {
        let mut beginning = Vec::new();
        let of = match self {
            Self::Utf8 => None,
            Self::Gb18030 => {
                reader.by_ref().take(BEGINNING).read_to_end(&mut beginning)?;
                let is_marked = beginning.starts_with(UTF8_MARK);
                if !is_marked && is_utf8(&beginning) {
                    bail!(NotAsSaid("it is UTF-8, not GB18030 (encoding)".to_owned()));
                }
                (!is_marked).then_some(encoding_rs::GB18030)
            }
        };
        let whole = io::Cursor::new(beginning).chain(reader);
        Ok(DecodeReaderBytesBuilder::new()
            .encoding(of)
            .bom_override(true)
            .utf8_passthru(true)
            .strip_bom(true)
            .build(whole))
    }

    /// Why a row of such a text is none.
    pub(super) fn fault(self, text: &str) -> Option<String> {
        (self == Self::Gb18030 && text.contains(char::REPLACEMENT_CHARACTER)).then(|| "it is not GB18030".to_owned())
    }
}

impl FromStr for Encoding {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" => Ok(Self::Utf8),
            "gb18030" | "gbk" | "gb2312" => Ok(Self::Gb18030),
            _ => Err(format!("unknown encoding {text}; there are utf-8, gb18030")),
        }
    }
}

/// Whether bytes are surely UTF-8 and not GB18030: they are, and have two characters of three bytes or more. Those would be three rare
/// characters in GB18030; two bytes alone may be either (通 in GB18030 is a letter in UTF-8). The last character may be cut.
fn is_utf8(bytes: &[u8]) -> bool {
    let valid = match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(fault) if fault.error_len().is_none() => str::from_utf8(&bytes[..fault.valid_up_to()]).unwrap_or_default(),
        Err(_) => return false,
    };
    valid.chars().filter(|c| c.len_utf8() > 2).nth(1).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: Vec<u8>) -> Result<String> {
        let mut text = String::new();
        Encoding::Gb18030.decode(io::Cursor::new(bytes))?.read_to_string(&mut text)?;
        Ok(text)
    }

    fn gb18030(text: &str) -> Vec<u8> {
        encoding_rs::GB18030.encode(text).0.into_owned()
    }

    #[test]
    fn a_text_in_utf8_that_is_said_to_be_gb18030_is_refused_and_not_misread() {
        // what a reader that believes it would make of it
        assert_eq!(encoding_rs::GB18030.decode("正常".as_bytes()).0, "姝ｅ父");
        for text in ["正常", "lot,state\nP1,正常\n"] {
            assert!(decoded(text.into()).unwrap_err().to_string().contains("UTF-8"), "{text}");
        }
        // cut within a character
        let long = "停车场".repeat(BEGINNING as usize);
        assert!(decoded(long.into()).is_err());
    }

    #[test]
    fn gb18030_is_read_also_where_it_could_be_a_letter_of_utf8_and_so_are_plain_letters() {
        for text in ["联通", "lot,n\nP1,2\n", "车场,状态\nP1,正常\n", ""] {
            assert_eq!(decoded(gb18030(text)).unwrap(), text);
        }
        assert!(str::from_utf8(&gb18030("通通通")).is_ok());
        assert_eq!(decoded(gb18030("通通通")).unwrap(), "通通通");
    }

    #[test]
    fn a_byte_order_mark_goes_before_what_is_said() {
        assert_eq!(decoded("\u{feff}正常".into()).unwrap(), "正常");
    }
}
