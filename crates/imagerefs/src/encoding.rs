//! From bytes to UTF-8 and back: PowerShell writes lists and manifests as UTF-16.

use std::borrow::Cow;

use crate::error::{FindError, Reason};

/// Most bytes that are looked at where no byte order mark names the encoding.
const SAMPLE: usize = 64;

/// How a text is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Utf8,
    /// UTF-16, low byte first.
    Utf16Le,
    /// UTF-16, high byte first.
    Utf16Be,
}

impl Encoding {
    /// By the byte order mark; without one, by zero bytes where ASCII has them.
    fn of(bytes: &[u8]) -> Self {
        match bytes {
            // UTF-32 begins with the mark of UTF-16; it is refused for its zero bytes.
            [0xff, 0xfe, 0, 0, ..] => Self::Utf8,
            [0xff, 0xfe, ..] => Self::Utf16Le,
            [0xfe, 0xff, ..] => Self::Utf16Be,
            _ => Self::guess(bytes),
        }
    }

    fn guess(bytes: &[u8]) -> Self {
        let sample = &bytes[..bytes.len().min(SAMPLE) & !1];
        let zero = |first| sample.iter().skip(first).step_by(2).all(|&byte| byte == 0);
        let some = |first| sample.iter().skip(first).step_by(2).all(|&byte| byte != 0);
        if sample.is_empty() {
            Self::Utf8
        } else if some(0) && zero(1) {
            Self::Utf16Le
        } else if zero(0) && some(1) {
            Self::Utf16Be
        } else {
            Self::Utf8
        }
    }

    fn unit(self, pair: [u8; 2]) -> u16 {
        match self {
            Self::Utf16Be => u16::from_be_bytes(pair),
            Self::Utf8 | Self::Utf16Le => u16::from_le_bytes(pair),
        }
    }
}

/// The bytes of a text as UTF-8, and how they were stored. A byte order mark stays.
///
/// # Errors
/// If UTF-16 is cut off or has half of a surrogate pair. Whether other bytes are UTF-8 is not checked here.
pub(crate) fn decode<'t>(
    bytes: &'t [u8],
    name: &str,
) -> Result<(Cow<'t, [u8]>, Encoding), FindError> {
    let encoding = Encoding::of(bytes);
    if encoding == Encoding::Utf8 {
        return Ok((Cow::Borrowed(bytes), encoding));
    }
    let mut out = String::with_capacity(bytes.len() / 2);
    let fail = |out: &str| {
        let line = out.matches('\n').count() + 1;
        let column = out.chars().rev().take_while(|&c| c != '\n').count() + 1;
        FindError::new(name, (line, column), "", Reason::NotUtf16)
    };
    let pairs = bytes.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return Err(fail(""));
    }
    let units = pairs.map(|pair| encoding.unit([pair[0], pair[1]]));
    for unit in char::decode_utf16(units) {
        out.push(unit.map_err(|_| fail(&out))?);
    }
    Ok((Cow::Owned(out.into_bytes()), encoding))
}

/// UTF-8 text stored as `encoding`.
pub(crate) fn encode(text: Vec<u8>, encoding: Encoding) -> Vec<u8> {
    if encoding == Encoding::Utf8 {
        return text;
    }
    let text = String::from_utf8_lossy(&text);
    let units = text.encode_utf16();
    let bytes = units.flat_map(|unit| match encoding {
        Encoding::Utf16Be => unit.to_be_bytes(),
        Encoding::Utf8 | Encoding::Utf16Le => unit.to_le_bytes(),
    });
    bytes.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn utf16(text: &str, encoding: Encoding) -> Vec<u8> {
        encode(text.as_bytes().to_vec(), encoding)
    }

    #[test]
    fn utf16_is_read_and_written_with_and_without_a_mark() {
        for encoding in [Encoding::Utf16Le, Encoding::Utf16Be] {
            for text in ["\u{feff}a: é 𝄞\r\n", "quay.io/a/b:1\n"] {
                let bytes = utf16(text, encoding);
                let (decoded, found) = decode(&bytes, "t").unwrap();
                assert_eq!(
                    (decoded.as_ref(), found),
                    (text.as_bytes(), encoding),
                    "{text}"
                );
                assert_eq!(encode(decoded.into_owned(), found), bytes);
            }
        }
    }

    #[test]
    fn other_bytes_stay_what_they_are() {
        for bytes in [
            &b""[..],
            b"a",
            b"a\0\0b",
            b"\0\0\0\0",
            "é".as_bytes(),
            b"\xff\xfe\0\0a\0\0\0",
        ] {
            let (decoded, found) = decode(bytes, "t").unwrap();
            assert_eq!((decoded.as_ref(), found), (bytes, Encoding::Utf8));
        }
    }

    #[test]
    fn broken_utf16_is_refused_at_its_line() {
        let mut bytes = utf16("\u{feff}a\nbc", Encoding::Utf16Le);
        bytes.extend([0x00, 0xd8]);
        let error = decode(&bytes, "t").unwrap_err();
        assert_eq!((error.line, error.column), (2, 3), "{error}");
        bytes.pop();
        assert!(
            decode(&bytes, "t")
                .unwrap_err()
                .to_string()
                .contains("UTF-16")
        );
    }
}
