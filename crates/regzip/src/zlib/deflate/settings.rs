//! The encoders' settings, and how hard their levels try.

use crate::checkpoint::{Limits, WindowLimits};
use crate::coding::token::MAX_MATCH;

pub(super) const MIN_MATCH: usize = 3;
/// Bytes ahead that a search wants to see.
pub(super) const LOOKAHEAD: usize = MAX_MATCH + MIN_MATCH + 1;

/// Which of the three programs, and what may be set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) level: u8,
    pub(crate) family: Family,
    pub(crate) window_bits: u8,
    pub(crate) mem_level: u8,
    pub(crate) strategy: Strategy,
}

/// The three programs that this code replays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Zlib,
    /// GNU gzip, from which zlib came: it ends blocks by its own rules, and looks beyond the end.
    Gnu,
    /// `BusyBox`, which took GNU gzip's at an early time; so many bits has its hash.
    BusyBox {
        hash_bits: u8,
    },
}

impl Settings {
    /// zlib at a level, with everything else as it is by default.
    pub(crate) const fn zlib(level: u8) -> Self {
        Self {
            level,
            family: Family::Zlib,
            window_bits: 15,
            mem_level: 8,
            strategy: Strategy::Default,
        }
    }

    /// What checkpoints may contain.
    pub(crate) fn limits(self) -> Limits {
        Limits::Window(WindowLimits {
            window: 1 << self.window_bits,
            shortest_match: MIN_MATCH as u64,
            warm_up: if self.enters_all() { 0 } else { 4 },
            pending: self.is_lazy(),
        })
    }

    /// Whether it is one of the two gzips.
    pub(super) fn is_gzip(self) -> bool {
        self.family != Family::Zlib
    }

    pub(super) fn hash_bits(self) -> u32 {
        match self.family {
            Family::Zlib => u32::from(self.mem_level) + 7,
            Family::Gnu => 15,
            Family::BusyBox { hash_bits } => hash_bits.into(),
        }
    }

    /// Tokens in a full block.
    pub(super) fn max_tokens(self) -> usize {
        match self.family {
            Family::Zlib => (1 << (self.mem_level + 6)) - 1,
            Family::Gnu | Family::BusyBox { .. } => (1 << self.hash_bits()) - 1,
        }
    }

    /// Bytes ahead below which the encoder reads more input, when the window may slide.
    pub(super) fn least_lookahead(self) -> usize {
        match self.strategy {
            Strategy::HuffmanOnly => 1,
            Strategy::Rle => MAX_MATCH + 1,
            _ => LOOKAHEAD,
        }
    }

    /// Whether matches are looked for only among runs of one byte, or not at all.
    pub(super) fn without_chains(self) -> bool {
        matches!(self.strategy, Strategy::HuffmanOnly | Strategy::Rle)
    }

    /// Whether every string is entered in its chain.
    pub(super) fn enters_all(self) -> bool {
        self.level > 3 || self.without_chains()
    }

    /// Whether a match waits for a better one at the next byte.
    pub(super) fn is_lazy(self) -> bool {
        self.level > 3 && !self.without_chains()
    }
}

/// zlib's strategies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// Matches as they are found.
    Default,
    /// Short matches are not used: for small numbers that are nearly random.
    Filtered,
    /// No matches.
    HuffmanOnly,
    /// Runs of one byte only.
    Rle,
    /// Fixed codes only.
    Fixed,
}

#[derive(Clone, Copy)]
pub(super) struct Effort {
    pub(super) good: usize,
    pub(super) lazy: usize,
    pub(super) nice: usize,
    pub(super) chain: u32,
}

pub(super) const fn effort(level: u8) -> Effort {
    let (good, lazy, nice, chain) = match level {
        0 | 1 => (4, 4, 8, 4),
        2 => (4, 5, 16, 8),
        3 => (4, 6, 32, 32),
        4 => (4, 4, 16, 16),
        5 => (8, 16, 32, 32),
        7 => (8, 32, 128, 256),
        8 => (32, 128, 258, 1024),
        9 => (32, 258, 258, 4096),
        _ => (8, 16, 128, 128),
    };
    Effort {
        good,
        lazy,
        nice,
        chain,
    }
}
