//! What was learned about references: where targets went that the copies do not tell right.

/// How many references are remembered at least and at most, as powers of two.
const BITS: std::ops::RangeInclusive<u32> = 10..=20;

/// A table of fixed size from a position in the bases to its target in the new content. A newer entry may take the
/// place of an older one.
pub(crate) struct Exceptions {
    slots: Vec<(u64, u64)>,
    /// Which slots are used: small enough for the processor's cache, which the slots are not.
    used: Vec<u64>,
    bits: u32,
}

/// A key that no position has.
const EMPTY: u64 = u64::MAX;

impl Exceptions {
    /// A table for a content of `len` bytes: one slot for every 64 of them.
    pub(crate) fn new(len: u64) -> Self {
        let bits = (len / 64).max(1).ilog2() + 1;
        let bits = bits.clamp(*BITS.start(), *BITS.end());
        Self {
            slots: vec![(EMPTY, 0); 1 << bits],
            used: vec![0; (1 << bits) / 64],
            bits,
        }
    }

    fn slot(&self, key: u64) -> usize {
        (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - self.bits)) as usize
    }

    pub(crate) fn get(&self, key: u64) -> Option<u64> {
        let slot = self.slot(key);
        if self.used[slot / 64] & 1 << (slot % 64) == 0 {
            return None;
        }
        let (found, value) = self.slots[slot];
        (found == key).then_some(value)
    }

    pub(crate) fn set(&mut self, key: u64, value: u64) {
        let slot = self.slot(key);
        self.slots[slot] = (key, value);
        self.used[slot / 64] |= 1 << (slot % 64);
    }
}
