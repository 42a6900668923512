//! What all encoders have in common, and the list of them.

mod words;

use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::go::fast::Fast;
use crate::go::lazy::Lazy;
use crate::go::simple::Simple;
use crate::klauspost::pgzip::{Pgzip, TAIL};
use crate::klauspost::stream;
use crate::klauspost::version::Version;
use crate::stored::Stored;
use crate::token::Token;
use crate::varint::{self, Fields};
use crate::zlib::deflate::{Deflate, Family, Settings, Strategy};
use crate::zlib::pigz::{Cut, DICTIONARY, Pigz};

/// A replayed encoder: plain bytes go in by `write`, compressed bytes collect in `output`.
pub(crate) trait Encode: Send {
    /// Takes plain bytes. How they are cut into calls makes no difference.
    fn write(&mut self, data: &[u8]);
    /// The original writer ended a write here, and that may make a difference.
    fn boundary(&mut self) {}
    /// A sync flush.
    fn flush(&mut self);
    /// A flush after which nothing before is referred to, where the encoder knows such.
    fn full_flush(&mut self) {
        self.flush();
    }
    /// Plain positions, latest first, at which a write that ended there would have mattered.
    fn sensitive(&self) -> Vec<u64> {
        Vec::new()
    }
    /// The end of the content.
    fn finish(&mut self);
    /// Asks for a checkpoint at the first good place from the plain position `after` on; an encoder that
    /// gives none does not listen.
    fn want_checkpoint(&mut self, _after: u64) {}
    /// The checkpoint, if it was taken since the last call; its bits count from what was drained
    /// last from the output.
    fn checkpoint(&mut self) -> Option<Checkpoint> {
        None
    }
    /// Tokens of the block at work that are decided, if no write's end could have changed them.
    fn tokens(&self) -> Option<&[Token]> {
        None
    }
    /// Compressed bytes so far, for the caller to drain.
    fn output(&mut self) -> &mut Vec<u8>;
}

/// An encoder with its settings, as a recipe names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encoder {
    /// Go's `compress/flate` up to 1.26, levels -2 to 9 (-1 is 6).
    Go {
        /// The level.
        level: i8,
    },
    /// `github.com/klauspost/compress/flate`, levels -2 and 1 to 9 (before 1.14.0 up to 6); the
    /// latest version is also Go's own encoder from 1.27 on.
    Klauspost {
        /// The level.
        level: i8,
        /// The version.
        version: Version,
    },
    /// `github.com/klauspost/pgzip` with that encoder.
    Pgzip {
        /// The level.
        level: i8,
        /// The version of klauspost/compress.
        version: Version,
        /// Bytes in a block.
        block_size: u32,
    },
    /// zlib 1.2 and 1.3, levels 1 to 9.
    Zlib {
        /// The level.
        level: u8,
        /// The window's size as a power of two, 9 to 15.
        window_bits: u8,
        /// zlib's `memLevel`, 1 to 9.
        mem_level: u8,
        /// The strategy.
        strategy: Strategy,
    },
    /// pigz, levels 1 to 9, with zlib on blocks.
    Pigz {
        /// The level.
        level: u8,
        /// Bytes in a block.
        block_size: u32,
        /// Blocks do not refer to the one before (`-i`).
        independent: bool,
        /// The content says where blocks end (`-R`).
        rsyncable: bool,
    },
    /// Stored blocks only; the recipe lists their ends.
    Stored {
        /// An empty block of fixed codes ends the stream, as Go's from 1.27 on and klauspost's do;
        /// otherwise its last stored block does.
        fixed_end: bool,
    },
    /// GNU gzip 1.x, levels 1 to 9, which is not zlib.
    GnuGzip {
        /// The level.
        level: u8,
    },
    /// `BusyBox`'s gzip, which is an early GNU gzip, levels 4 to 9; 6 if it was built without levels.
    BusyBox {
        /// The level.
        level: u8,
        /// 13 to 15: how large it was built.
        hash_bits: u8,
    },
}

/// First byte of an encoder in a recipe; 0 stands for no encoder.
const GO: u8 = 1;
const KLAUSPOST: u8 = 2;
const PGZIP: u8 = 3;
const ZLIB: u8 = 4;
const GNU_GZIP: u8 = 5;
const PIGZ: u8 = 6;
const STORED: u8 = 7;
const BUSYBOX: u8 = 8;

/// Larger blocks than this are not taken from a recipe: a block is held in memory.
const MAX_BLOCK: u64 = 1 << 26;
/// Bytes in a block that pgzip takes by itself; before 1.2.2 it was a quarter.
pub(crate) const PGZIP_BLOCK: u32 = 1 << 20;
/// pgzip accepts no blocks as small as their dictionary.
const MIN_BLOCK: u64 = TAIL as u64 + 1;

impl Encoder {
    /// Appends the encoder in the recipe's notation.
    pub(crate) fn put(self, out: &mut Vec<u8>) {
        match self {
            Self::Go { level } => out.extend_from_slice(&[GO, level as u8]),
            Self::Klauspost { level, version } => {
                out.extend_from_slice(&[KLAUSPOST, level as u8, version as u8]);
            }
            Self::GnuGzip { level } => out.extend_from_slice(&[GNU_GZIP, level]),
            Self::BusyBox { level, hash_bits } => {
                out.extend_from_slice(&[BUSYBOX, level, hash_bits]);
            }
            Self::Zlib {
                level,
                window_bits,
                mem_level,
                strategy,
            } => {
                out.extend_from_slice(&[ZLIB, level, window_bits, mem_level, strategy as u8]);
            }
            Self::Pigz {
                level,
                block_size,
                independent,
                rsyncable,
            } => {
                let flags = u8::from(independent) | u8::from(rsyncable) << 1;
                out.extend_from_slice(&[PIGZ, level, flags]);
                varint::put(out, u64::from(block_size));
            }
            Self::Stored { fixed_end } => out.extend_from_slice(&[STORED, u8::from(fixed_end)]),
            Self::Pgzip {
                level,
                version,
                block_size,
            } => {
                out.extend_from_slice(&[PGZIP, level as u8, version as u8]);
                varint::put(out, u64::from(block_size));
            }
        }
    }

    /// Reads what [`Encoder::put`] wrote, after its first byte.
    pub(crate) fn get(kind: u8, fields: &mut Fields<'_>) -> Result<Self> {
        match kind {
            GO => {
                let level = fields.byte()? as i8;
                if !(-2..=9).contains(&level) || level == -1 {
                    return Err(Error::BadRecipe("unknown level"));
                }
                Ok(Self::Go { level })
            }
            KLAUSPOST => {
                let (level, version) = klauspost(fields)?;
                Ok(Self::Klauspost { level, version })
            }
            PGZIP => {
                let (level, version) = klauspost(fields)?;
                let block_size = fields.number()?;
                if !(MIN_BLOCK..=MAX_BLOCK).contains(&block_size) {
                    return Err(Error::BadRecipe("impossible block size"));
                }
                Ok(Self::Pgzip {
                    level,
                    version,
                    block_size: block_size as u32,
                })
            }
            ZLIB => Ok(Self::Zlib {
                level: within(fields.byte()?, 1, 9)?,
                window_bits: within(fields.byte()?, 9, 15)?,
                mem_level: within(fields.byte()?, 1, 9)?,
                strategy: match fields.byte()? {
                    0 => Strategy::Default,
                    1 => Strategy::Filtered,
                    2 => Strategy::HuffmanOnly,
                    3 => Strategy::Rle,
                    4 => Strategy::Fixed,
                    _ => return Err(Error::BadRecipe("unknown strategy")),
                },
            }),
            GNU_GZIP => Ok(Self::GnuGzip {
                level: within(fields.byte()?, 1, 9)?,
            }),
            BUSYBOX => Ok(Self::BusyBox {
                level: within(fields.byte()?, 4, 9)?,
                hash_bits: within(fields.byte()?, 13, 15)?,
            }),
            PIGZ => {
                let level = within(fields.byte()?, 1, 9)?;
                let flags = within(fields.byte()?, 0, 3)?;
                let block_size = fields.number()?;
                if !(DICTIONARY as u64..=MAX_BLOCK).contains(&block_size) {
                    return Err(Error::BadRecipe("impossible block size"));
                }
                Ok(Self::Pigz {
                    level,
                    block_size: block_size as u32,
                    independent: flags & 1 != 0,
                    rsyncable: flags & 2 != 0,
                })
            }
            STORED => Ok(Self::Stored {
                fixed_end: within(fields.byte()?, 0, 1)? == 1,
            }),
            _ => Err(Error::BadRecipe("unknown encoder")),
        }
    }

    /// Whether the encoder leaves a flush mark of its own accord at the plain position `at`, after
    /// the last mark at `before`.
    pub(crate) fn marks(self, at: u64, before: u64) -> bool {
        match self {
            Self::Pgzip { block_size, .. } => at - before == u64::from(block_size),
            Self::Pigz {
                block_size,
                rsyncable: false,
                ..
            } => at.is_multiple_of(u64::from(block_size)),
            Self::Pigz { .. } | Self::Stored { .. } => true,
            _ => false,
        }
    }

    /// An encoder that writes the same up to the end of the first block, without waiting for it, and the
    /// plain bytes in that block.
    pub(crate) fn opening(self) -> Option<(Self, u64)> {
        match self {
            Self::Pgzip {
                level,
                version,
                block_size,
            } => Some((Self::Klauspost { level, version }, u64::from(block_size))),
            Self::Pigz {
                level,
                block_size,
                rsyncable: false,
                ..
            } => {
                let same = Self::Zlib {
                    level,
                    window_bits: 15,
                    mem_level: 8,
                    strategy: Strategy::Default,
                };
                Some((same, u64::from(block_size)))
            }
            _ => None,
        }
    }

    /// Whether the encoder differs from one with the usual, larger blocks in nothing but their size,
    /// which does not show in content of this length.
    pub(crate) fn has_unusual_blocks(self, plain_len: u64) -> bool {
        match self {
            Self::Pgzip { block_size, .. } => {
                block_size < PGZIP_BLOCK && plain_len < u64::from(block_size)
            }
            _ => false,
        }
    }

    /// Whether a full flush differs from a sync flush.
    pub(crate) fn flushes_fully(self) -> bool {
        matches!(self, Self::Zlib { .. })
    }

    /// Whether the encoder flushes before it ends the stream.
    pub(crate) fn flushes_at_the_end(self) -> bool {
        matches!(self, Self::Pgzip { .. })
    }

    /// Starts the encoder.
    pub(crate) fn start(self) -> Box<dyn Encode> {
        match self {
            Self::Go { level } => match level {
                -2 => Box::new(Simple::new(true)),
                0 => Box::new(Simple::new(false)),
                1 => Box::new(Fast::new()),
                2..=9 => Box::new(Lazy::new(level as u8)),
                _ => Box::new(Lazy::new(6)),
            },
            Self::Klauspost { level, version } => stream::start(level, version),
            Self::Zlib { .. } | Self::GnuGzip { .. } | Self::BusyBox { .. } => {
                Box::new(Deflate::new(self.settings()))
            }
            Self::Pigz { .. } => Box::new(self.pigz()),
            Self::Stored { fixed_end } => Box::new(Stored::new(fixed_end)),
            Self::Pgzip {
                level,
                version,
                block_size,
            } => {
                let stream = stream::start(level, version);
                Box::new(Pgzip::new(stream, block_size as usize))
            }
        }
    }

    /// Goes on from a checkpoint, after the bytes before it that it asks for.
    pub(crate) fn resume(self, checkpoint: &Checkpoint, history: &[u8]) -> Box<dyn Encode> {
        match self {
            Self::Go { level } => match level {
                -2 => Box::new(Simple::resume(true, checkpoint)),
                0 => Box::new(Simple::resume(false, checkpoint)),
                1 => Box::new(Fast::resume(checkpoint, history)),
                _ => Box::new(Lazy::resume(level as u8, checkpoint, history)),
            },
            Self::Klauspost { level, version } => {
                stream::resume(level, version, checkpoint, history)
            }
            Self::Zlib { .. } | Self::GnuGzip { .. } | Self::BusyBox { .. } => {
                Box::new(Deflate::resume(self.settings(), checkpoint, history))
            }
            Self::Pigz { .. } => Box::new(self.pigz().resume(checkpoint, history)),
            Self::Stored { fixed_end } => Box::new(Stored::resume(fixed_end, checkpoint)),
            Self::Pgzip {
                level,
                version,
                block_size,
            } => {
                let new = Pgzip::new(stream::start(level, version), block_size as usize);
                Box::new(new.resume(checkpoint, history))
            }
        }
    }

    fn pigz(self) -> Pigz {
        let cut = match self {
            Self::Pigz {
                block_size,
                independent,
                rsyncable,
                ..
            } => Cut {
                block_size: block_size as usize,
                independent,
                rsyncable,
            },
            _ => Cut {
                block_size: DICTIONARY,
                independent: false,
                rsyncable: false,
            },
        };
        Pigz::new(self.settings(), cut)
    }

    /// What zlib's port is told; the defaults for encoders that are none.
    pub(crate) fn settings(self) -> Settings {
        let defaults = Settings {
            level: 6,
            family: Family::Zlib,
            window_bits: 15,
            mem_level: 8,
            strategy: Strategy::Default,
        };
        match self {
            Self::Zlib {
                level,
                window_bits,
                mem_level,
                strategy,
            } => Settings {
                level,
                window_bits,
                mem_level,
                strategy,
                ..defaults
            },
            Self::Pigz { level, .. } => Settings { level, ..defaults },
            Self::GnuGzip { level } => Settings {
                level,
                family: Family::Gnu,
                ..defaults
            },
            Self::BusyBox { level, hash_bits } => Settings {
                level,
                family: Family::BusyBox { hash_bits },
                ..defaults
            },
            _ => defaults,
        }
    }

    /// Whether the encoder slides a window and ends its blocks where it likes; others work on
    /// pieces of a fixed size.
    pub(crate) fn is_windowed(self) -> bool {
        match self {
            Self::Go { level } => level >= 2,
            Self::Zlib { .. } | Self::GnuGzip { .. } | Self::BusyBox { .. } => true,
            _ => false,
        }
    }

    /// The shortest match that an encoder with a window looks for.
    pub(crate) fn shortest_match(self) -> u64 {
        match self {
            Self::Go { .. } => 4,
            _ => 3,
        }
    }

    /// Whether a rebuild can start inside a stream.
    pub(crate) fn gives_checkpoints(self) -> bool {
        match self {
            Self::Klauspost { level, .. } => stream::gives_checkpoints(level),
            Self::Pigz { rsyncable, .. } => !rsyncable,
            _ => true,
        }
    }

    /// Bytes of the window.
    pub(crate) fn window(self) -> usize {
        1 << self.settings().window_bits
    }

    /// Bytes before a block that the block refers to.
    pub(crate) fn dictionary(self) -> usize {
        match self {
            Self::Pgzip { .. } => TAIL,
            Self::Pigz {
                independent: false, ..
            } => DICTIONARY,
            _ => 0,
        }
    }
}

fn within(value: u8, low: u8, high: u8) -> Result<u8> {
    if (low..=high).contains(&value) {
        Ok(value)
    } else {
        Err(Error::BadRecipe("out of range"))
    }
}

fn klauspost(fields: &mut Fields<'_>) -> Result<(i8, Version)> {
    let level = fields.byte()? as i8;
    let version = Version::from_byte(fields.byte()?)
        .ok_or(Error::BadRecipe("unknown version of an encoder"))?;
    if version.knows(level) {
        Ok((level, version))
    } else {
        Err(Error::BadRecipe("unknown level"))
    }
}
