//! What was learned about references: where targets went that the copies do not tell right.

/// How many references are remembered.
const SLOTS: usize = 1 << 20;

/// A table of fixed size from a position in the bases to its target in the new content. A newer entry may take the
/// place of an older one.
pub(crate) struct Exceptions {
    slots: Vec<(u64, u64)>,
}

/// A key that no position has.
const EMPTY: u64 = u64::MAX;

impl Exceptions {
    pub(crate) fn new() -> Self {
        Self {
            slots: vec![(EMPTY, 0); SLOTS],
        }
    }

    fn slot(key: u64) -> usize {
        (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 44) as usize
    }

    pub(crate) fn get(&self, key: u64) -> Option<u64> {
        let (found, value) = self.slots[Self::slot(key)];
        (found == key).then_some(value)
    }

    pub(crate) fn set(&mut self, key: u64, value: u64) {
        self.slots[Self::slot(key)] = (key, value);
    }
}
