//! Hashes. How levels 1 to 3 hash differs between versions.

use super::behaviour::{Behaviour, FastHash};
use crate::search::matching::{load32, load64};

/// A product whose high bits are the hash.
#[derive(Clone, Copy)]
pub(super) struct Hasher {
    factor: u64,
    /// Drops the bytes that are not hashed.
    shift: u32,
}

const FOUR: u64 = 2_654_435_761;
const FOUR_AS_SNAPPY: u64 = 0x1e35_a7bd;
const FIVE: u64 = 889_523_592_379;

impl Hasher {
    /// Of level 1, 2 or 3.
    pub(super) fn new(level: i8, behaviour: &Behaviour) -> Self {
        let (factor, shift) = match (behaviour.fast_hash, level) {
            (FastHash::Five, _) => (FIVE, 24),
            (_, 2) | (FastHash::FourWide, 3) => (FOUR, 32),
            _ => (FOUR_AS_SNAPPY, 32),
        };
        Self { factor, shift }
    }

    /// So many bits of hash.
    #[inline]
    pub(super) fn hash(self, bytes: u64, bits: u32) -> usize {
        ((bytes << self.shift).wrapping_mul(self.factor) >> (64 - bits)) as usize
    }

    /// Bytes that have to follow where a position is entered at the end of a block.
    pub(super) fn needs(self) -> usize {
        if self.shift == 32 { 4 } else { 8 }
    }

    /// At least the bytes that are hashed.
    #[inline]
    pub(super) fn load(self, buffer: &[u8], at: usize) -> u64 {
        if self.shift == 32 {
            u64::from(load32(buffer, at))
        } else {
            load64(buffer, at)
        }
    }
}

/// Hash of the low four bytes, for levels 4 to 9.
#[inline]
pub(super) fn hash4(bytes: u64, bits: u32) -> usize {
    ((bytes as u32).wrapping_mul(2_654_435_761) >> (32 - bits)) as usize
}

/// Hash of the low seven bytes, for levels 4 to 6.
#[inline]
pub(super) fn hash7(bytes: u64, bits: u32) -> usize {
    ((bytes << 8).wrapping_mul(58_295_818_150_454_627) >> (64 - bits)) as usize
}
