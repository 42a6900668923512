//! Reading slices: little-endian integers at offsets (`None` beyond the end), names, common prefixes.

pub(crate) fn u8_at(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at).copied()
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let end = at.checked_add(2)?;
    Some(u16::from_le_bytes(bytes.get(at..end)?.try_into().ok()?))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let end = at.checked_add(4)?;
    Some(u32::from_le_bytes(bytes.get(at..end)?.try_into().ok()?))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let end = at.checked_add(8)?;
    Some(u64::from_le_bytes(bytes.get(at..end)?.try_into().ok()?))
}

/// Names are compared up to this length, so that a long one that many refer to takes bounded time.
const MAX_NAME: usize = 2048;

/// The bytes of a name: those before the next zero byte from `at` on, or the first [`MAX_NAME`].
pub(crate) fn name_at(bytes: &[u8], at: usize) -> &[u8] {
    let rest = bytes.get(at..).unwrap_or_default();
    until_zero(&rest[..rest.len().min(MAX_NAME)])
}

/// The bytes before the first zero byte, or all.
pub(crate) fn until_zero(bytes: &[u8]) -> &[u8] {
    let len = bytes.iter().position(|byte| *byte == 0);
    &bytes[..len.unwrap_or(bytes.len())]
}

/// Reads LEB128 integers and fixed-width fields one after the other.
#[derive(Clone, Copy)]
pub(crate) struct Walker<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) at: usize,
}

impl<'a> Walker<'a> {
    pub(crate) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        let byte = u8_at(self.bytes, self.at)?;
        self.at += 1;
        Some(byte)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        let value = u32_at(self.bytes, self.at)?;
        self.at += 4;
        Some(value)
    }

    /// An unsigned or, without its sign, a signed LEB128 integer of at most ten bytes.
    pub(crate) fn leb(&mut self) -> Option<u64> {
        let (value, len) = crate::varint::get(self.bytes.get(self.at..)?)?;
        self.at += len;
        Some(value)
    }

    pub(crate) fn skip(&mut self, count: u64) -> Option<()> {
        let end = self.at.checked_add(usize::try_from(count).ok()?)?;
        if end > self.bytes.len() {
            return None;
        }
        self.at = end;
        Some(())
    }

    /// A string that ends with a zero byte, without it.
    pub(crate) fn string(&mut self) -> Option<&'a [u8]> {
        let string = until_zero(self.bytes.get(self.at..)?);
        let end = self.at + string.len();
        if end >= self.bytes.len() {
            return None;
        }
        self.at = end + 1;
        Some(string)
    }
}

/// How many bytes are equal from the start.
pub(crate) fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let len = a.len().min(b.len());
    let words = a.chunks_exact(8).zip(b.chunks_exact(8));
    for (index, (x, y)) in words.enumerate() {
        let difference = word(x) ^ word(y);
        if difference != 0 {
            return index * 8 + difference.trailing_zeros() as usize / 8;
        }
    }
    let done = len / 8 * 8;
    let rest = a[done..len].iter().zip(&b[done..len]);
    done + rest.take_while(|(x, y)| x == y).count()
}

/// Up to eight bytes as a number.
pub(crate) fn word(bytes: &[u8]) -> u64 {
    if let Ok(bytes) = bytes.try_into() {
        return u64::from_le_bytes(bytes);
    }
    let more = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    bytes.iter().rev().fold(0, more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_bytes_are_counted_over_words_and_rest() {
        assert_eq!(common_prefix(b"0123456789abc", b"0123456789abd"), 12);
        assert_eq!(common_prefix(b"0123x567", b"0123y567"), 4);
        assert_eq!(common_prefix(b"", b"a"), 0);
    }
}
