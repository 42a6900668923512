//! Numbers and text in bytes that come from outside: every read is checked.

use crate::limits::MAX_FIELD;

/// The number of `N` bytes at `at`, as an array; `None` beyond the end.
pub(crate) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// The order of bytes in a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Little,
    Big,
}

impl Order {
    pub(crate) fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        array(bytes, at).map(|number| match self {
            Self::Little => u16::from_le_bytes(number),
            Self::Big => u16::from_be_bytes(number),
        })
    }

    pub(crate) fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        array(bytes, at).map(|number| match self {
            Self::Little => u32::from_le_bytes(number),
            Self::Big => u32::from_be_bytes(number),
        })
    }

    pub(crate) fn u64(self, bytes: &[u8], at: usize) -> Option<u64> {
        array(bytes, at).map(|number| match self {
            Self::Little => u64::from_le_bytes(number),
            Self::Big => u64::from_be_bytes(number),
        })
    }

    /// A pointer of four or eight bytes.
    pub(crate) fn pointer(self, bytes: &[u8], at: usize, size: usize) -> Option<u64> {
        match size {
            4 => self.u32(bytes, at).map(u64::from),
            8 => self.u64(bytes, at),
            _ => None,
        }
    }
}

/// `length` bytes at `at`; `None` beyond the end.
pub(crate) fn slice(bytes: &[u8], at: u64, length: u64) -> Option<&[u8]> {
    let start = usize::try_from(at).ok()?;
    let end = usize::try_from(at.checked_add(length)?).ok()?;
    bytes.get(start..end)
}

/// Text of a field: what is not UTF-8 is replaced, and no more than [`MAX_FIELD`] bytes are kept.
pub(crate) fn field(bytes: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_FIELD)]).into_owned();
    if bytes.len() > MAX_FIELD {
        text.push('…');
    }
    text
}

/// The text before the first zero byte.
pub(crate) fn until_zero(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|&byte| byte == 0);
    &bytes[..end.unwrap_or(bytes.len())]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_read_beyond_the_end() {
        assert_eq!(Order::Little.u32(&[1, 0, 0, 0], 0), Some(1));
        assert_eq!(Order::Big.u16(&[1, 0], 0), Some(256));
        assert_eq!(Order::Little.u32(&[1, 0, 0], 0), None);
        assert_eq!(Order::Little.u64(&[0; 8], usize::MAX), None);
        assert_eq!(slice(b"abc", 1, 2), Some(&b"bc"[..]));
        assert_eq!(slice(b"abc", u64::MAX, 2), None);
        assert_eq!(slice(b"abc", 2, 2), None);
    }

    #[test]
    fn long_fields_are_cut() {
        let text = field(&[b'a'; MAX_FIELD + 1]);
        assert_eq!(text.chars().count(), MAX_FIELD + 1);
        assert!(text.ends_with('…'));
    }
}
