//! Where strings were before: in chains that are filled on the way, or in links that are ahead.

use super::settings::Settings;
use crate::search::ahead::Ahead;
use crate::search::chain::{Chain, ORIGIN};
use crate::search::links::{START, Strings};

/// Strings of three bytes, with zlib's hash.
#[derive(Clone)]
pub(super) struct Threes {
    shift: u32,
    mask: usize,
}

impl Threes {
    pub(super) fn new(hash_bits: u32) -> Self {
        Self {
            shift: hash_bits.div_ceil(3),
            mask: (1 << hash_bits) - 1,
        }
    }
}

impl Strings for Threes {
    const MIN: u16 = 3;
    const SECOND: u16 = 4;
    /// zlib refuses a short match from far away only after the search.
    const NEAR: u16 = u16::MAX;

    #[inline]
    fn hash(&self, bytes: u32) -> usize {
        let [a, b, c, _] = bytes.to_le_bytes().map(usize::from);
        ((a << (2 * self.shift)) ^ (b << self.shift) ^ c) & self.mask
    }

    #[inline]
    fn part(bytes: u32) -> u32 {
        bytes & 0xff_ffff
    }
}

/// Entries for zlib's largest hash.
pub(super) const THREES: usize = 1 << 16;

/// The tables; the levels that enter every string have links.
#[derive(Clone)]
pub(super) enum Search {
    Chain(Threes, Chain),
    Links(Ahead<Threes, THREES>),
}

impl Search {
    pub(super) fn new(settings: Settings) -> Self {
        let strings = Threes::new(settings.hash_bits());
        if settings.is_lazy() {
            return Self::Links(Ahead::new(strings));
        }
        Self::Chain(strings, Chain::new(settings.hash_bits()))
    }

    /// The first position: zeros in the tables are out of its reach.
    pub(super) fn origin(&self) -> u32 {
        match self {
            Self::Chain(..) => ORIGIN,
            Self::Links(_) => START.into(),
        }
    }
}
