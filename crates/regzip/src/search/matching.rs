//! Loads, comparisons and tables that match finders share.

/// Four bytes at `at`, little-endian; zero when they are not all there.
#[inline]
pub(crate) fn load32(buffer: &[u8], at: usize) -> u32 {
    buffer
        .get(at..at + 4)
        .and_then(|b| b.try_into().ok())
        .map_or(0, u32::from_le_bytes)
}

/// Eight bytes at `at`, little-endian; zero when they are not all there.
#[inline]
pub(crate) fn load64(buffer: &[u8], at: usize) -> u64 {
    buffer
        .get(at..at + 8)
        .and_then(|b| b.try_into().ok())
        .map_or(0, u64::from_le_bytes)
}

/// How many bytes from `a` and from `b` (the later one) on are equal, `limit` at most.
///
/// `b + limit` must lie inside the buffer.
#[inline]
pub(crate) fn common_prefix(buffer: &[u8], a: usize, b: usize, limit: usize) -> usize {
    let mut n = 0;
    while n + 8 <= limit {
        let diff = load64(buffer, a + n) ^ load64(buffer, b + n);
        if diff != 0 {
            return n + (diff.trailing_zeros() / 8) as usize;
        }
        n += 8;
    }
    while n < limit && buffer[a + n] == buffer[b + n] {
        n += 1;
    }
    n
}

/// An array that the system fills when it is touched.
#[allow(
    clippy::unnecessary_box_returns,
    reason = "it is too large for the stack"
)]
pub(crate) fn zeros<T: Clone + Default, const N: usize>() -> Box<[T; N]> {
    let Ok(array) = vec![T::default(); N].into_boxed_slice().try_into() else {
        unreachable!("the length is N");
    };
    array
}
