//! klauspost's encoder, as a recipe names it.

use std::fmt::{Display, Formatter};

use super::huffman_only::HuffmanOnly;
use super::lazy::Lazy;
use super::restart::Restart;
use super::stream::Stream;
use super::version::Version;
use crate::checkpoint::{Checkpoint, Limits, PieceLimits};
use crate::clues::{Clues, Header};
use crate::descriptor::{Descriptor, Rank};
use crate::encode::Encode;
use crate::error::{Error, Result};
use crate::varint::Fields;

/// `github.com/klauspost/compress/flate`, levels -2 and 1 to 9 (before 1.14.0 up to 6); the
/// latest version is also Go's own encoder from 1.27 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Klauspost {
    /// The level.
    pub level: i8,
    /// The version.
    pub version: Version,
}

/// The default level, at which nearly all is written.
const DEFAULT: i8 = 5;

/// The most widespread versions.
const WIDESPREAD: [Version; 3] = [
    Version::From1_15_10,
    Version::From1_18_2,
    Version::From1_10_2,
];

/// The versions that write a level otherwise than those before them: the most widespread, then the latest first.
pub(super) fn versions(level: i8) -> Vec<Version> {
    let others = Version::all().filter(|version| !WIDESPREAD.contains(version));
    let all = WIDESPREAD.into_iter().chain(others);
    all.filter(|version| version.knows(level) && version.changes(level))
        .collect()
}

impl Display for Klauspost {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let level = self.level;
        match self.version {
            Version::From1_18_2 => write!(
                f,
                "Go compress/flate >=1.27 or klauspost >=1.18.2, level {level}"
            ),
            version => write!(f, "{}, level {level}", version.describe(level)),
        }
    }
}

/// Reads a level and a version.
pub(super) fn get_level(fields: &mut Fields<'_>) -> Result<(i8, Version)> {
    let level = fields.byte()? as i8;
    let version = Version::from_byte(fields.byte()?);
    let version = version.ok_or(Error::BadRecipe("unknown version of an encoder"))?;
    if version.knows(level) {
        Ok((level, version))
    } else {
        Err(Error::BadRecipe("unknown level"))
    }
}

/// The levels with their ranks, those of each other level after the default one.
pub(super) fn level_rank(clues: &Clues) -> Vec<(Rank, i8)> {
    let (default, others) = match clues.header {
        Header::GoZeroTime => (0, 1),
        Header::UnknownSystem => (3, 5),
        Header::KnownSystem => (5, 6),
        Header::FastZlib | Header::Other => return Vec::new(),
    };
    let levels = clues.levels.iter().map(|&level| level as i8);
    let levels = levels.filter(|&level| level != DEFAULT).chain([-2]);
    let mut list = vec![(Rank(default, 0), DEFAULT)];
    list.extend((0..).zip(levels).map(|(n, level)| (Rank(others, n), level)));
    list
}

impl Klauspost {
    /// Starts the encoder of the level so that it can start over with every block.
    pub(super) fn start_block(self) -> Box<dyn Restart> {
        match self.level {
            -2 => Box::new(HuffmanOnly::new(self.version)),
            7..=9 => Box::new(Lazy::new(self.level, self.version)),
            level => Box::new(Stream::new(level, self.version)),
        }
    }

    /// Go's encoder from 1.27 on; its level 0 is stored blocks.
    fn of_go(clues: &Clues) -> Vec<(Rank, Self)> {
        let rank = match clues.header {
            Header::UnknownSystem | Header::FastZlib => Rank(1, 0),
            Header::Other => Rank(2, 0),
            Header::GoZeroTime | Header::KnownSystem => return Vec::new(),
        };
        let version = Version::From1_18_2;
        let levels = clues.levels.iter().map(|&level| level as i8);
        let with = |level| (rank, Self { level, version });
        levels.chain([-2]).map(with).collect()
    }
}

impl Descriptor for Klauspost {
    const NUMBER: u8 = 2;
    type Opening = Self;

    fn put(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.level as u8, self.version as u8]);
    }

    fn get(fields: &mut Fields<'_>) -> Result<Self> {
        let (level, version) = get_level(fields)?;
        Ok(Self { level, version })
    }

    /// Go's, and for each level the versions that write it otherwise than those before them.
    fn candidates(clues: &Clues) -> Vec<(Rank, Self)> {
        let mut list = Self::of_go(clues);
        for (rank, level) in level_rank(clues) {
            let alone = versions(level).into_iter();
            let alone = alone.filter(|version| !version.only_with_dictionaries());
            list.extend(alone.map(|version| (rank, Self { level, version })));
        }
        list
    }

    fn start(self) -> Box<dyn Encode> {
        self.start_block()
    }

    fn resume(self, checkpoint: &Checkpoint, history: &[u8]) -> Box<dyn Encode> {
        match self.level {
            -2 => Box::new(HuffmanOnly::new(self.version).resume(checkpoint)),
            level => Box::new(Stream::new(level, self.version).resume(checkpoint, history)),
        }
    }

    /// Levels 7 to 9 take no checkpoints: they work on complete windows, so that what they write before a
    /// position takes up to 64 KiB of content after it, where others take a few bytes.
    fn limits(self) -> Option<Limits> {
        let limits = match self.level {
            -2 => PieceLimits::independent(0),
            1..=6 => PieceLimits::with_history(),
            _ => return None,
        };
        Some(Limits::Piece(PieceLimits {
            open: true,
            ..limits
        }))
    }
}
