//! zlib, as a recipe names it.

use std::fmt::{Display, Formatter};

use super::deflate::{Deflate, Settings, Strategy};
use crate::checkpoint::{Checkpoint, Limits};
use crate::clues::{Clues, Header};
use crate::descriptor::{Descriptor, Rank, within};
use crate::encode::Encode;
use crate::error::{Error, Result};
use crate::varint::Fields;

/// zlib 1.2 and 1.3, levels 1 to 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Zlib {
    /// The level.
    pub level: u8,
    /// The window's size as a power of two, 9 to 15.
    pub window_bits: u8,
    /// zlib's `memLevel`, 1 to 9.
    pub mem_level: u8,
    /// The strategy.
    pub strategy: Strategy,
}

impl Display for Zlib {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "zlib, level {}", self.level)?;
        let (window, memory) = (self.window_bits, self.mem_level);
        if (window, memory) != (15, 8) {
            write!(f, ", window {window} bits, memory level {memory}")?;
        }
        match self.strategy {
            Strategy::Default => Ok(()),
            other => write!(f, ", strategy {other:?}"),
        }
    }
}

impl Zlib {
    /// The level with zlib's other settings as they are by default.
    pub(super) const fn with_defaults(level: u8) -> Self {
        Self {
            level,
            window_bits: 15,
            mem_level: 8,
            strategy: Strategy::Default,
        }
    }

    fn settings(self) -> Settings {
        Settings {
            window_bits: self.window_bits,
            mem_level: self.mem_level,
            strategy: self.strategy,
            ..Settings::zlib(self.level)
        }
    }

    /// All levels with the defaults, then with more memory and the other strategies, in groups.
    fn groups(window_bits: u8, levels: &[u8], mem_level: Option<u8>) -> [Vec<Self>; 5] {
        let with = |mem_levels: &[u8], levels: &[u8], strategy| -> Vec<Self> {
            let at = |mem_level| {
                levels.iter().map(move |&level| Self {
                    level,
                    window_bits,
                    mem_level,
                    strategy,
                })
            };
            mem_levels.iter().copied().flat_map(at).collect()
        };
        // Short streams look the same with most.
        let known = mem_level.as_slice();
        let or = |usual: &'static [u8]| if known.is_empty() { usual } else { known };
        [
            with(or(&[8, 9, 7]), levels, Strategy::Default),
            with(or(&[8, 9]), levels, Strategy::Filtered),
            // These are the same at all levels.
            with(or(&[8, 9]), &[6], Strategy::Rle),
            with(or(&[8, 9]), &[6], Strategy::HuffmanOnly),
            with(or(&[8, 9]), levels, Strategy::Fixed),
        ]
    }
}

impl Descriptor for Zlib {
    const NUMBER: u8 = 4;
    type Opening = Self;

    fn put(self, out: &mut Vec<u8>) {
        let strategy = self.strategy as u8;
        out.extend_from_slice(&[self.level, self.window_bits, self.mem_level, strategy]);
    }

    fn get(fields: &mut Fields<'_>) -> Result<Self> {
        Ok(Self {
            level: within(fields, 1, 9)?,
            window_bits: within(fields, 9, 15)?,
            mem_level: within(fields, 1, 9)?,
            strategy: match fields.byte()? {
                0 => Strategy::Default,
                1 => Strategy::Filtered,
                2 => Strategy::HuffmanOnly,
                3 => Strategy::Rle,
                4 => Strategy::Fixed,
                _ => return Err(Error::BadRecipe("unknown strategy")),
            },
        })
    }

    fn candidates(clues: &Clues) -> Vec<(Rank, Self)> {
        let rank = match clues.header {
            Header::Other => 0,
            Header::UnknownSystem | Header::FastZlib => 2,
            Header::GoZeroTime | Header::KnownSystem => 3,
        };
        let groups = |bits| Self::groups(bits, clues.levels, clues.opening.mem_level());
        let mut all = groups(clues.window_bits).to_vec();
        // Writers of pictures state a smaller window than they compressed with.
        if clues.window_bits != 15 {
            all.extend(groups(15));
        }
        let ranked = (0..).zip(all).flat_map(|(group, list)| {
            let ranked = list.into_iter();
            ranked.map(move |encoder| (Rank(rank, group), encoder))
        });
        ranked.collect()
    }

    fn start(self) -> Box<dyn Encode> {
        Box::new(Deflate::new(self.settings()))
    }

    fn resume(self, checkpoint: &Checkpoint, history: &[u8]) -> Box<dyn Encode> {
        Box::new(Deflate::resume(self.settings(), checkpoint, history))
    }

    fn limits(self) -> Option<Limits> {
        Some(self.settings().limits())
    }

    fn flushes_fully(self) -> bool {
        true
    }
}
