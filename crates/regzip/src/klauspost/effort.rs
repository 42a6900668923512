//! How hard levels 7 to 9 try, and by what they choose among matches.

use super::behaviour::LazyRule;

/// How hard a level tries.
#[derive(Clone, Copy)]
pub(super) struct Effort {
    /// A match this long is not compared with one at the next position.
    pub(super) lazy: usize,
    /// A match this long ends the search.
    pub(super) nice: usize,
    /// How many candidates a search may look at.
    pub(super) chain: i32,
    pub(super) scale: Scale,
}

/// What a match has to gain to be better than another.
#[derive(Clone, Copy)]
pub(super) enum Scale {
    /// It is longer.
    Length,
    /// It saves bits, at so many for a byte, against the bits of its distance.
    Entropy,
    /// It saves bits against the codes that its bytes would have as literals.
    Codes {
        /// More than this has to be saved.
        least: i32,
        /// What a match costs besides its extra bits.
        cost: i32,
    },
}

impl Effort {
    pub(super) fn new(level: i8, rule: LazyRule) -> Self {
        let (lazy, nice, chain) = match (level, rule) {
            (7, LazyRule::ByEntropy) => (10, 12, 16),
            (7, _) => (12, 16, 24),
            (8, LazyRule::ByEntropy) => (24, 32, 64),
            (8, _) => (30, 40, 64),
            _ => (258, 258, 1024),
        };
        let scale = match (level, rule) {
            (_, LazyRule::ByEntropy) => Scale::Entropy,
            (7 | 8, _) => Scale::Length,
            (_, LazyRule::ByCodes) => Scale::Codes { least: 0, cost: 6 },
            _ => Scale::Codes { least: 4, cost: 3 },
        };
        Self {
            lazy,
            nice,
            chain,
            scale,
        }
    }

    /// What the first match has to gain more than.
    pub(super) fn least_gain(&self, bits_a_byte: i32) -> i32 {
        match self.scale {
            Scale::Length => 0,
            Scale::Entropy => 4 * bits_a_byte - 12,
            Scale::Codes { least, .. } => least,
        }
    }
}
