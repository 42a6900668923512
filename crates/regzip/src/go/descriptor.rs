//! Go's encoder up to 1.26, as a recipe names it.

use std::fmt::{Display, Formatter};

use super::fast::Fast;
use super::lazy::Lazy;
use super::simple::Simple;
use crate::checkpoint::{Checkpoint, Limits, PieceLimits, WindowLimits};
use crate::clues::{Clues, Header};
use crate::coding::token::WINDOW;
use crate::descriptor::{Descriptor, Rank};
use crate::encode::Encode;
use crate::error::{Error, Result};
use crate::varint::Fields;

/// Go's `compress/flate` up to 1.26, levels -2 and 0 to 9 (-1 is 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Go {
    /// The level.
    pub level: i8,
}

impl Display for Go {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "Go compress/flate <=1.26, level {}", self.level)
    }
}

impl Descriptor for Go {
    const NUMBER: u8 = 1;
    type Opening = Self;

    fn put(self, out: &mut Vec<u8>) {
        out.push(self.level as u8);
    }

    fn get(fields: &mut Fields<'_>) -> Result<Self> {
        match fields.byte()? as i8 {
            level @ (-2 | 0..=9) => Ok(Self { level }),
            _ => Err(Error::BadRecipe("unknown level")),
        }
    }

    fn candidates(clues: &Clues) -> Vec<(Rank, Self)> {
        let rank = match clues.header {
            Header::UnknownSystem | Header::FastZlib => Rank(0, 0),
            Header::Other => Rank(1, 0),
            Header::GoZeroTime => Rank(2, 0),
            Header::KnownSystem => Rank(4, 0),
        };
        let levels = clues.levels.iter().map(|&level| level as i8);
        let levels = levels.chain([0, -2]);
        levels.map(|level| (rank, Self { level })).collect()
    }

    fn start(self) -> Box<dyn Encode> {
        match self.level {
            -2 => Box::new(Simple::new(true)),
            0 => Box::new(Simple::new(false)),
            1 => Box::new(Fast::new()),
            level => Box::new(Lazy::new(level as u8)),
        }
    }

    fn resume(self, checkpoint: &Checkpoint, history: &[u8]) -> Box<dyn Encode> {
        match self.level {
            -2 => Box::new(Simple::resume(true, checkpoint)),
            0 => Box::new(Simple::resume(false, checkpoint)),
            1 => Box::new(Fast::resume(checkpoint, history)),
            level => Box::new(Lazy::resume(level as u8, checkpoint, history)),
        }
    }

    fn limits(self) -> Option<Limits> {
        Some(match self.level {
            1 => Limits::Piece(PieceLimits::with_history()),
            2.. => Limits::Window(WindowLimits {
                window: WINDOW,
                shortest_match: 4,
                warm_up: if self.level <= 3 { 4 } else { 0 },
                pending: self.level > 3,
            }),
            _ => Limits::Piece(PieceLimits::independent(0)),
        })
    }
}
