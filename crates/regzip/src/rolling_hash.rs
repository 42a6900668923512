//! The running hash by which `pigz --rsyncable` ends blocks.

/// A block ends where the low bits of the hash are these.
const MASK: u16 = (1 << 12) - 1;
const HIT: u16 = MASK >> 1;

/// The hash of the last bytes.
#[derive(Clone, Copy)]
pub(crate) struct RollingHash(u16);

impl Default for RollingHash {
    fn default() -> Self {
        Self(HIT)
    }
}

impl RollingHash {
    /// Adds a byte; whether a piece ends after it.
    #[inline]
    pub(crate) fn roll(&mut self, byte: u8) -> bool {
        self.0 = ((self.0 << 1) ^ u16::from(byte)) & MASK;
        self.0 == HIT
    }
}
