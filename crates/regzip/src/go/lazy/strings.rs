//! The strings that levels 4 to 9 look up, and how hard they try.

use crate::search::links::Strings;

/// How hard a lazy level tries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    /// Looks further only while the current match is shorter than this.
    pub(super) lazy: usize,
    /// A match this long ends the search.
    pub(super) nice: usize,
    /// How many candidates a search may look at.
    pub(super) chain: u16,
}

pub(super) const fn effort(level: u8) -> Effort {
    let (lazy, nice, chain) = match level {
        4 => (4, 16, 16),
        5 => (16, 32, 32),
        7 => (32, 128, 256),
        8 => (128, 258, 1024),
        9 => (258, 258, 4096),
        _ => (16, 128, 128),
    };
    Effort { lazy, nice, chain }
}

/// Strings of four bytes.
#[derive(Clone)]
pub(super) struct Fours;

/// Entries for their hashes.
pub(super) const FOURS: usize = 1 << 17;

impl Strings for Fours {
    const MIN: u16 = 4;
    const SECOND: u16 = 5;
    const NEAR: u16 = 4096;

    #[inline]
    fn hash(&self, bytes: u32) -> usize {
        const SHIFT: u32 = u32::BITS - FOURS.trailing_zeros();
        (bytes.swap_bytes().wrapping_mul(0x1e35_a7bd) >> SHIFT) as usize
    }

    #[inline]
    fn part(bytes: u32) -> u32 {
        bytes
    }
}
