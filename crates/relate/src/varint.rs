//! Variable-length integers: seven bits a byte, least significant first.

/// The longest form of a 64-bit integer, in bytes.
pub(crate) const MAX_LEN: usize = 10;

/// Appends `value`.
pub(crate) fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// How many bytes `value` takes.
pub(crate) fn len(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// Reads an integer from the front of `bytes`: the value and how many bytes it takes. `None` if it is cut
/// short or longer than [`MAX_LEN`].
#[inline]
pub(crate) fn get(bytes: &[u8]) -> Option<(u64, usize)> {
    match bytes.first() {
        Some(&byte) if byte < 0x80 => Some((u64::from(byte), 1)),
        _ => get_longer(bytes),
    }
}

fn get_longer(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0;
    for (index, &byte) in bytes.iter().take(MAX_LEN).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index).min(63);
        if byte < 0x80 {
            return Some((value, index + 1));
        }
    }
    None
}

/// Maps small negative and positive numbers to small numbers.
pub(crate) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The inverse of [`zigzag`].
pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn integers_come_back(value: u64) {
            let mut out = Vec::new();
            put(&mut out, value);
            prop_assert_eq!(len(value), out.len());
            prop_assert_eq!(get(&out), Some((value, out.len())));
            prop_assert_eq!(zigzag(unzigzag(value)), value);
        }
    }

    #[test]
    fn an_integer_cut_short_is_refused() {
        assert_eq!(get(&[0x80]), None);
        assert_eq!(get(&[0xff; 11]), None);
    }
}
