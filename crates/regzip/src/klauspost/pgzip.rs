//! pgzip, as a recipe names it.

use std::fmt::{Display, Formatter};

use super::descriptor::{Klauspost, get_level, level_rank, versions};
use super::version::Version;
use crate::checkpoint::{Checkpoint, Limits, PieceLimits};
use crate::clues::Clues;
use crate::descriptor::{Descriptor, Rank, block_size};
use crate::encode::Encode;
use crate::error::Result;
use crate::varint::{self, Fields};
use writer::{TAIL, Writer};

mod writer;

/// `github.com/klauspost/pgzip` with klauspost's encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pgzip {
    /// The level.
    pub level: i8,
    /// The version of klauspost/compress.
    pub version: Version,
    /// Bytes in a block.
    pub block_size: u32,
}

/// Bytes in a block by default; before pgzip 1.2.2 it was a quarter.
const USUAL_BLOCK: u32 = 1 << 20;

impl Display for Pgzip {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let (level, block_size) = (self.level, self.block_size);
        let version = self.version.describe(level);
        write!(
            f,
            "pgzip with {version}, level {level}, blocks of {block_size}"
        )
    }
}

impl Pgzip {
    fn alone(self) -> Klauspost {
        Klauspost {
            level: self.level,
            version: self.version,
        }
    }

    fn writer(self) -> Writer {
        Writer::new(self.alone().start_block(), self.block_size as usize)
    }
}

impl Descriptor for Pgzip {
    const NUMBER: u8 = 3;
    type Opening = Klauspost;

    fn put(self, out: &mut Vec<u8>) {
        self.alone().put(out);
        varint::put(out, u64::from(self.block_size));
    }

    /// pgzip accepts no blocks as small as their dictionary.
    fn get(fields: &mut Fields<'_>) -> Result<Self> {
        let (level, version) = get_level(fields)?;
        Ok(Self {
            level,
            version,
            block_size: block_size(fields, TAIL + 1)?,
        })
    }

    fn candidates(clues: &Clues) -> Vec<(Rank, Self)> {
        // The smaller first: larger blocks that were flushed at the right positions look the same.
        let sizes = [USUAL_BLOCK / 4, USUAL_BLOCK];
        let mut list = Vec::new();
        for (rank, level) in level_rank(clues) {
            for block_size in sizes {
                let with = |version| Self {
                    level,
                    version,
                    block_size,
                };
                list.extend(versions(level).into_iter().map(|v| (rank, with(v))));
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

    fn limits(self) -> Option<Limits> {
        Some(Limits::Piece(PieceLimits::independent(TAIL)))
    }

    fn opening(self) -> Option<(Klauspost, u64)> {
        Some((self.alone(), u64::from(self.block_size)))
    }

    fn marks(self, at: u64, before: u64) -> bool {
        at - before == u64::from(self.block_size)
    }

    fn has_unusual_blocks(self, plain_len: u64) -> bool {
        self.block_size < USUAL_BLOCK && plain_len < u64::from(self.block_size)
    }

    fn flushes_at_the_end(self) -> bool {
        true
    }
}
