//! A least-significant-bit-first bit writer over a growing buffer.

/// Collects bits; complete bytes end up in `out`, which the caller drains.
#[derive(Clone, Debug, Default)]
pub(crate) struct BitWriter {
    pub(crate) out: Vec<u8>,
    acc: u64,
    count: u32,
}

impl BitWriter {
    /// Continues after the `count` low bits of `bits`, less than a byte.
    pub(crate) fn resume(bits: u8, count: u32) -> Self {
        Self {
            out: Vec::new(),
            acc: u64::from(bits),
            count,
        }
    }

    /// Bits since `out` was drained last.
    pub(crate) fn position(&self) -> u64 {
        self.out.len() as u64 * 8 + u64::from(self.count)
    }

    /// The bits that do not fill a byte yet.
    pub(crate) fn partial(&self) -> u8 {
        self.acc as u8
    }

    /// Appends the low `count` bits of `bits`; `count` is at most 48 and higher bits are zero.
    #[inline]
    pub(crate) fn put(&mut self, bits: u64, count: u32) {
        self.acc |= bits << self.count;
        self.count += count;
        while self.count >= 8 {
            self.out.push(self.acc as u8);
            self.acc >>= 8;
            self.count -= 8;
        }
    }

    /// Fills the last byte with zero bits.
    pub(crate) fn align(&mut self) {
        if self.count > 0 {
            self.out.push(self.acc as u8);
            self.acc = 0;
            self.count = 0;
        }
    }

    /// Appends bytes; the writer must be aligned.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        debug_assert_eq!(self.count, 0);
        self.out.extend_from_slice(bytes);
    }

    /// Appends one code (bits and count, at most 48 bits) for each item, with wide stores.
    pub(crate) fn put_all<T: Copy>(&mut self, items: &[T], mut code: impl FnMut(T) -> (u64, u32)) {
        for chunk in items.chunks(2048) {
            let mut at = self.out.len();
            self.out.resize(at + chunk.len() * 6 + 16, 0);
            let (mut acc, mut count) = (self.acc, self.count);
            let buffer = self.out.as_mut_slice();
            let mut flush = |bits: u64, n: u32| {
                acc |= bits << count;
                count += n;
                if let Some(slot) = buffer.get_mut(at..at + 8) {
                    slot.copy_from_slice(&acc.to_le_bytes());
                }
                let whole = count >> 3;
                at += whole as usize;
                // At most 63 bits are pending, so that the shift stays below 64.
                acc >>= whole * 8;
                count &= 7;
            };
            let (pairs, rest) = chunk.as_chunks::<2>();
            for &[one, other] in pairs {
                // Most pairs fit in one store.
                let ((bits, n), (more, m)) = (code(one), code(other));
                if n + m <= 56 {
                    flush(bits | more << n, n + m);
                } else {
                    flush(bits, n);
                    flush(more, m);
                }
            }
            for &item in rest {
                let (bits, n) = code(item);
                flush(bits, n);
            }
            self.out.truncate(at);
            self.acc = acc;
            self.count = count;
        }
    }

    /// A stored block's header for `len` bytes, which the caller appends.
    pub(crate) fn stored_header(&mut self, len: u16, last: bool) {
        self.put(u64::from(last), 3);
        self.align();
        self.out.extend_from_slice(&len.to_le_bytes());
        self.out.extend_from_slice(&(!len).to_le_bytes());
    }
}
