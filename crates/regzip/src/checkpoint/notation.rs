//! Checkpoints as bytes of a recipe.

use super::fix::Fix;
use super::limits::{Limits, PieceLimits, WindowLimits};
use super::state::{
    Checkpoint, MAX_HISTORY, MIN_SPACING, OpenBlock, PieceState, State, WindowState,
};
use crate::coding::huffman::{CAPACITY, capacity_used};
use crate::coding::token::{DISTANCES, LITERALS, MAX_MATCH};
use crate::error::{Error, Result};
use crate::varint::{self, Fields};

impl Checkpoint {
    /// Appends the checkpoint; positions are relative to the one before.
    pub(crate) fn put(&self, out: &mut Vec<u8>, before: Option<&Self>) {
        let (plain, bits) = before.map_or((0, 0), |b| (b.plain, b.bits));
        varint::put(out, self.plain - plain);
        varint::put(out, self.bits - bits);
        if !self.bits.is_multiple_of(8) {
            out.push(self.partial);
        }
        out.extend_from_slice(&self.rest_crc.to_le_bytes());
        match &self.state {
            State::Window(s) => {
                out.push(s.warm_up << 1 | u8::from(s.pending));
                varint::put(out, u64::from(s.back));
                if s.pending {
                    varint::put(out, u64::from(s.length));
                    varint::put(out, u64::from(s.distance));
                }
            }
            State::Piece(s) => {
                varint::put(out, u64::from(s.back) << 1 | u64::from(s.open.is_some()));
                if s.back > 0 {
                    Fix::put_all(&s.fixes, out);
                }
                if let Some(open) = &s.open {
                    varint::put(
                        out,
                        u64::from(open.header) << 1 | u64::from(open.literals_only),
                    );
                    put_lengths(out, &open.literals);
                    put_lengths(out, &open.distances);
                }
            }
        }
    }

    /// Reads what [`Checkpoint::put`] wrote.
    pub(crate) fn get(
        fields: &mut Fields<'_>,
        limits: &Limits,
        before: Option<&Self>,
    ) -> Result<Self> {
        let bad = Error::BadRecipe("impossible checkpoint");
        let (plain, bits) = before.map_or((0, 0), |b| (b.plain, b.bits));
        let step = fields.number()?;
        if step < MIN_SPACING {
            return Err(bad);
        }
        let far = Error::BadRecipe("checkpoint after the end");
        let Some((plain, bits)) = plain
            .checked_add(step)
            .zip(bits.checked_add(fields.number()?))
        else {
            return Err(far);
        };
        let mut partial = 0;
        if !bits.is_multiple_of(8) {
            partial = fields.byte()?;
            if partial >> (bits % 8) != 0 {
                return Err(bad);
            }
        }
        let rest_crc = fields.u32()?;
        let checkpoint = Self {
            plain,
            bits,
            partial,
            state: get_state(fields, limits, plain)?,
            rest_crc,
        };
        if limits.history(&checkpoint) > MAX_HISTORY {
            return Err(bad);
        }
        Ok(checkpoint)
    }
}

fn get_state(fields: &mut Fields<'_>, limits: &Limits, plain: u64) -> Result<State> {
    match limits {
        Limits::Window(limits) => get_window(fields, limits, plain).map(State::Window),
        Limits::Piece(limits) => get_piece(fields, limits, plain).map(State::Piece),
    }
}

fn get_piece(fields: &mut Fields<'_>, limits: &PieceLimits, plain: u64) -> Result<PieceState> {
    let field = fields.number()?;
    let (back, open) = (field >> 1, field & 1 != 0);
    let possible = back <= plain && limits.back.contains(&back);
    if !possible || (open && !limits.open) {
        return Err(Error::BadRecipe("impossible checkpoint"));
    }
    Ok(PieceState {
        back: back as u32,
        fixes: if back > 0 {
            Fix::get_all(fields)?
        } else {
            Vec::new()
        },
        open: if open { Some(get_open(fields)?) } else { None },
    })
}

fn get_window(fields: &mut Fields<'_>, limits: &WindowLimits, plain: u64) -> Result<WindowState> {
    let flags = fields.byte()?;
    let (warm_up, pending) = (flags >> 1, flags & 1 != 0);
    if warm_up > limits.warm_up || (pending && !limits.pending) {
        return Err(Error::BadRecipe("impossible checkpoint"));
    }
    let back = fields.number()?;
    let (length, distance) = if pending {
        (fields.number()?, fields.number()?)
    } else {
        (0, 0)
    };
    let window = limits.window as u64;
    let enough = plain >= back.saturating_add(u64::from(warm_up) * window);
    if !(1..=2 * window).contains(&back) || !enough {
        return Err(Error::BadRecipe("impossible checkpoint"));
    }
    let shortest = limits.shortest_match;
    // The match begins one byte before the position, inside the window.
    let matched = (shortest..=MAX_MATCH as u64).contains(&length)
        && (1..=window.min(back - 1)).contains(&distance);
    let none = length == shortest - 1 && distance == 0;
    if pending && !matched && !none {
        return Err(Error::BadRecipe("impossible checkpoint"));
    }
    Ok(WindowState {
        back: back as u32,
        pending,
        length: length as u16,
        distance: distance as u16,
        warm_up,
    })
}

fn get_open(fields: &mut Fields<'_>) -> Result<Box<OpenBlock>> {
    let bad = Error::BadRecipe("impossible checkpoint");
    let header = fields.number()?;
    let mut open = Box::new(OpenBlock {
        header: u16::try_from(header >> 1).map_err(|_| bad)?,
        literals_only: header & 1 != 0,
        literals: [0; LITERALS],
        distances: [0; DISTANCES],
    });
    get_lengths(fields, &mut open.literals)?;
    get_lengths(fields, &mut open.distances)?;
    let taken = capacity_used(&open.literals).max(capacity_used(&open.distances));
    if open.header == 0 || taken > CAPACITY {
        return Err(Error::BadRecipe("impossible checkpoint"));
    }
    Ok(open)
}

/// Runs of equal code lengths: the length in the low four bits, the run above it.
fn put_lengths(out: &mut Vec<u8>, lengths: &[u8]) {
    for run in lengths.chunk_by(|a, b| a == b) {
        varint::put(out, (run.len() as u64 - 1) << 4 | u64::from(run[0]));
    }
}

fn get_lengths(fields: &mut Fields<'_>, lengths: &mut [u8]) -> Result<()> {
    let mut at = 0;
    let mut before = None;
    while at < lengths.len() {
        let run = fields.number()?;
        let (length, end) = ((run & 15) as u8, (run >> 4).saturating_add(at as u64 + 1));
        if end > lengths.len() as u64 || before == Some(length) {
            return Err(Error::BadRecipe("impossible checkpoint"));
        }
        lengths[at..end as usize].fill(length);
        before = Some(length);
        at = end as usize;
    }
    Ok(())
}
