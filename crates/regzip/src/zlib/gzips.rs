//! GNU gzip and `BusyBox`'s, as a recipe names them.

use std::fmt::{Display, Formatter};

use super::deflate::{Deflate, Family, Settings};
use crate::checkpoint::{Checkpoint, Limits};
use crate::clues::{Clues, Header};
use crate::descriptor::{Descriptor, Rank, within};
use crate::encode::Encode;
use crate::error::Result;
use crate::varint::Fields;

/// GNU gzip 1.x, levels 1 to 9, which is not zlib.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GnuGzip {
    /// The level.
    pub level: u8,
}

impl Display for GnuGzip {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "GNU gzip, level {}", self.level)
    }
}

impl GnuGzip {
    fn settings(self) -> Settings {
        Settings {
            family: Family::Gnu,
            ..Settings::zlib(self.level)
        }
    }
}

impl Descriptor for GnuGzip {
    const NUMBER: u8 = 5;
    type Opening = Self;

    fn put(self, out: &mut Vec<u8>) {
        out.push(self.level);
    }

    fn get(fields: &mut Fields<'_>) -> Result<Self> {
        let level = within(fields, 1, 9)?;
        Ok(Self { level })
    }

    fn candidates(clues: &Clues) -> Vec<(Rank, Self)> {
        let rank = match clues.header {
            Header::KnownSystem => Rank(0, 0),
            Header::UnknownSystem => Rank(4, 0),
            _ => return Vec::new(),
        };
        let levels = clues.levels.iter();
        levels.map(|&level| (rank, Self { level })).collect()
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
}

/// `BusyBox`'s gzip, which is an early GNU gzip, levels 4 to 9; 6 if it was built without levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BusyBox {
    /// The level.
    pub level: u8,
    /// 13 to 15: how large it was built.
    pub hash_bits: u8,
}

impl Display for BusyBox {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let Self { level, hash_bits } = self;
        write!(f, "BusyBox gzip, level {level}, hash of {hash_bits} bits")
    }
}

impl BusyBox {
    fn settings(self) -> Settings {
        let hash_bits = self.hash_bits;
        Settings {
            family: Family::BusyBox { hash_bits },
            ..Settings::zlib(self.level)
        }
    }
}

impl Descriptor for BusyBox {
    const NUMBER: u8 = 8;
    type Opening = Self;

    fn put(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.level, self.hash_bits]);
    }

    fn get(fields: &mut Fields<'_>) -> Result<Self> {
        Ok(Self {
            level: within(fields, 4, 9)?,
            hash_bits: within(fields, 13, 15)?,
        })
    }

    /// The sizes that it can be built in, or the one that shows: its buffer of tokens has as many entries as its
    /// hash table.
    fn candidates(clues: &Clues) -> Vec<(Rank, Self)> {
        if clues.header != Header::KnownSystem {
            return Vec::new();
        }
        let known = clues.opening.mem_level().map(|level| level + 6);
        let sizes = (13..=15).filter(|&bits| known.is_none_or(|known| known == bits));
        let levels = clues.levels.iter().filter(|&&level| level >= 4);
        let with = |hash_bits| {
            let with = move |&level: &u8| (Rank(2, 0), Self { level, hash_bits });
            levels.clone().map(with)
        };
        sizes.flat_map(with).collect()
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
}
