//! pigz, as a recipe names it.

use std::fmt::{Display, Formatter};

use super::deflate::Settings;
use super::descriptor::Zlib;
use crate::checkpoint::{Checkpoint, Limits, PieceLimits};
use crate::clues::{Clues, Header};
use crate::descriptor::{Descriptor, Rank, block_size, within};
use crate::encode::Encode;
use crate::error::Result;
use crate::varint::{self, Fields};
use writer::{Cut, DICTIONARY, Writer};

mod writer;

/// pigz, levels 1 to 9, with zlib on blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pigz {
    /// The level.
    pub level: u8,
    /// Bytes in a block.
    pub block_size: u32,
    /// Blocks do not refer to the one before (`-i`).
    pub independent: bool,
    /// The content says where blocks end (`-R`).
    pub rsyncable: bool,
}

/// Bytes in a block by default.
const USUAL_BLOCK: u32 = 1 << 17;

impl Display for Pigz {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let kind = if self.independent { "independent " } else { "" };
        let Self {
            level, block_size, ..
        } = self;
        write!(f, "pigz, level {level}, {kind}blocks of {block_size}")?;
        f.write_str(if self.rsyncable { ", rsyncable" } else { "" })
    }
}

impl Pigz {
    fn writer(self) -> Writer {
        let cut = Cut {
            block_size: self.block_size as usize,
            independent: self.independent,
            rsyncable: self.rsyncable,
        };
        Writer::new(Settings::zlib(self.level), cut)
    }
}

impl Descriptor for Pigz {
    const NUMBER: u8 = 6;
    type Opening = Zlib;

    fn put(self, out: &mut Vec<u8>) {
        out.push(self.level);
        out.push(u8::from(self.independent) | u8::from(self.rsyncable) << 1);
        varint::put(out, u64::from(self.block_size));
    }

    fn get(fields: &mut Fields<'_>) -> Result<Self> {
        let level = within(fields, 1, 9)?;
        let flags = within(fields, 0, 3)?;
        Ok(Self {
            level,
            block_size: block_size(fields, DICTIONARY)?,
            independent: flags & 1 != 0,
            rsyncable: flags & 2 != 0,
        })
    }

    /// Blocks as they show, and the usual ones.
    fn candidates(clues: &Clues) -> Vec<(Rank, Self)> {
        if clues.header != Header::KnownSystem {
            return Vec::new();
        }
        let shown = clues.opening.block_size();
        let shown = shown.filter(|&size| size != USUAL_BLOCK);
        let mut blocks = Vec::new();
        if clues.opening.chosen {
            blocks.push((USUAL_BLOCK, true));
        }
        blocks.extend(shown.map(|size| (size, false)));
        blocks.push((USUAL_BLOCK, false));
        let mut list = Vec::new();
        for (block_size, rsyncable) in blocks {
            for independent in [false, true] {
                let with = |&level: &u8| Self {
                    level,
                    block_size,
                    independent,
                    rsyncable,
                };
                list.extend(clues.levels.iter().map(|level| (Rank(1, 0), with(level))));
            }
        }
        list
    }

    fn start(self) -> Box<dyn Encode> {
        Box::new(self.writer())
    }

    fn resume(self, checkpoint: &Checkpoint, history: &[u8]) -> Box<dyn Encode> {
        Box::new(self.writer().resume(checkpoint, history))
    }

    /// With `rsyncable` the end of a block shows only once the next block is there, so that no other thread could
    /// stop there.
    fn limits(self) -> Option<Limits> {
        let dictionary = if self.independent { 0 } else { DICTIONARY };
        let limits = Limits::Piece(PieceLimits::independent(dictionary));
        (!self.rsyncable).then_some(limits)
    }

    fn opening(self) -> Option<(Zlib, u64)> {
        let same = Zlib::with_defaults(self.level);
        (!self.rsyncable).then_some((same, u64::from(self.block_size)))
    }

    fn marks(self, at: u64, _: u64) -> bool {
        self.rsyncable || at.is_multiple_of(u64::from(self.block_size))
    }
}
