//! Positions inside a member at which an encoder can resume without having seen all that came before.
//!
//! An encoder's future depends on little of its past: the window, which strings of it are in the
//! search tables, and a few numbers. A checkpoint carries the numbers; the tables are filled again
//! from the plain bytes before it. Whether that gives the same tables is compared when the
//! checkpoint is taken.

mod compare;
mod fix;
mod limits;
mod notation;
mod slot;
mod state;

pub(crate) use compare::{Resume, search_with_checkpoint};
pub(crate) use fix::Fix;
pub(crate) use limits::{Limits, PieceLimits, WindowLimits};
pub(crate) use slot::{Progress, Slot};
pub(crate) use state::{
    Checkpoint, MIN_SPACING, OVERSHOOT, OpenBlock, PieceState, State, WindowState,
};
