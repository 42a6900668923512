//! Places inside a member from which an encoder can go on without having seen all that came before.
//!
//! An encoder's future depends on little of its past: the window, which strings of it are in the
//! search tables, and a few numbers. A checkpoint carries the numbers; the tables are filled again
//! from the plain bytes before it. Whether that gives the same tables is compared when the
//! checkpoint is taken.

use std::ops::RangeInclusive;

use crate::bits::BitWriter;
use crate::encoder::Encoder;
use crate::error::{Error, Result};
use crate::huffman::{Code, ROOM, canonical, room_taken};
use crate::token::{DISTANCES, LITERALS, MAX_MATCH, WINDOW};
use crate::varint::{self, Fields};

mod beside;
mod mend;
#[cfg(test)]
mod tests;

pub(crate) use beside::{Beside, search_with_checkpoint};
pub(crate) use mend::Mend;

/// Checkpoints are further apart than this: each costs the bytes before it once more.
pub(crate) const MIN_SPACING: u64 = 1 << 16;
/// The most plain bytes before a checkpoint that an encoder may ask for.
pub(crate) const MAX_HISTORY: usize = 1 << 20;
/// Plain bytes after a checkpoint that complete the output before it.
pub(crate) const OVERSHOOT: usize = 1 << 10;

/// A place from which an encoder can go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// The plain position that the encoder stands at.
    pub(crate) plain: u64,
    /// Bits of the deflate stream so far.
    pub(crate) bits: u64,
    /// The last `bits % 8` bits, which do not fill a byte yet.
    pub(crate) partial: u8,
    pub(crate) state: State,
    /// CRC-32 of the stream from the byte with the partial bits to its end; 0 until the stream is complete.
    pub(crate) rest_crc: u32,
}

/// What an encoder must be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// For encoders with a sliding window, at the start of a block.
    Window(WindowState),
    /// For encoders that work on pieces of a fixed size, at the start of one.
    Piece(PieceState),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct WindowState {
    /// Bytes from the window's start to the position.
    pub(crate) back: u32,
    /// The byte before the position is in no token yet.
    pub(crate) pending: bool,
    /// The match found at that byte, as the encoder keeps it.
    pub(crate) length: u16,
    pub(crate) distance: u16,
    /// Windows that are searched again, where filling the tables is not enough.
    pub(crate) warm: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct PieceState {
    /// Bytes before the position that the encoder holds, if its pieces refer to earlier ones. The last
    /// window of them is searched again.
    pub(crate) back: u32,
    /// What is still wrong in the tables after that.
    pub(crate) mends: Vec<Mend>,
    /// The block that is still open, whose codes the next piece may use.
    pub(crate) open: Option<Box<OpenBlock>>,
}

/// The codes of a block that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OpenBlock {
    /// Bits that its header took.
    pub(crate) header: u16,
    pub(crate) literals_only: bool,
    pub(crate) literals: [u8; LITERALS],
    pub(crate) distances: [u8; DISTANCES],
}

impl Checkpoint {
    /// A checkpoint at what `bits` holds now; `bits` counts from what was drained last.
    pub(crate) fn new(plain: u64, bits: &BitWriter, state: State) -> Self {
        Self {
            plain,
            bits: bits.position(),
            partial: bits.partial(),
            state,
            rest_crc: 0,
        }
    }

    /// A writer that goes on in the middle of a byte.
    pub(crate) fn writer(&self) -> BitWriter {
        BitWriter::resume(self.partial, (self.bits % 8) as u32)
    }

    /// Plain bytes before the checkpoint that the encoder wants to see again.
    pub(crate) fn history(&self, encoder: Encoder) -> usize {
        let before = match &self.state {
            State::Window(s) => s.back as usize + self.again(encoder),
            State::Piece(s) => encoder.dictionary() + s.back as usize,
        };
        before.min(usize::try_from(self.plain).unwrap_or(usize::MAX))
    }

    /// Plain bytes before the checkpoint that the encoder searches again.
    pub(crate) fn again(&self, encoder: Encoder) -> usize {
        match &self.state {
            State::Window(s) => usize::from(s.warm) * encoder.window(),
            State::Piece(s) => WINDOW.min(s.back as usize),
        }
    }

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
                out.push(s.warm << 1 | u8::from(s.pending));
                varint::put(out, u64::from(s.back));
                if s.pending {
                    varint::put(out, u64::from(s.length));
                    varint::put(out, u64::from(s.distance));
                }
            }
            State::Piece(s) => {
                varint::put(out, u64::from(s.back) << 1 | u64::from(s.open.is_some()));
                if s.back > 0 {
                    Mend::put_all(&s.mends, out);
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
        encoder: Encoder,
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
            state: get_state(fields, encoder, plain)?,
            rest_crc,
        };
        if checkpoint.history(encoder) > MAX_HISTORY {
            return Err(bad);
        }
        Ok(checkpoint)
    }
}

fn get_state(fields: &mut Fields<'_>, encoder: Encoder, plain: u64) -> Result<State> {
    let limits = Limits::of(encoder);
    if encoder.is_windowed() {
        get_window(fields, encoder, &limits, plain).map(State::Window)
    } else {
        get_piece(fields, &limits, plain).map(State::Piece)
    }
}

fn get_piece(fields: &mut Fields<'_>, limits: &Limits, plain: u64) -> Result<PieceState> {
    let field = fields.number()?;
    let (back, open) = (field >> 1, field & 1 != 0);
    let possible = back <= plain && limits.back.contains(&back);
    if !possible || (open && !limits.open) {
        return Err(Error::BadRecipe("impossible checkpoint"));
    }
    Ok(PieceState {
        back: back as u32,
        mends: if back > 0 {
            Mend::get_all(fields)?
        } else {
            Vec::new()
        },
        open: if open { Some(get_open(fields)?) } else { None },
    })
}

/// What the checkpoints of an encoder can say: all else has been tampered with.
struct Limits {
    /// Windows that are searched again to fill the tables.
    warm: u8,
    /// Whether a byte may be pending, with the match found there.
    pending: bool,
    /// Bytes that an encoder that works on pieces may hold.
    back: RangeInclusive<u64>,
    /// Whether a block may be open.
    open: bool,
}

impl Limits {
    fn of(encoder: Encoder) -> Self {
        const NOTHING: RangeInclusive<u64> = 0..=0;
        const HISTORY: RangeInclusive<u64> = WINDOW as u64..=MAX_HISTORY as u64;
        let (warm, pending, back, open) = match encoder {
            Encoder::Go { level: 1 } => (0, false, HISTORY, false),
            Encoder::Go { level: 2 | 3 } => (4, false, NOTHING, false),
            Encoder::Go { level: 4.. } => (0, true, NOTHING, false),
            Encoder::Klauspost { level: -2, .. } => (0, false, NOTHING, true),
            Encoder::Klauspost { .. } => (0, false, HISTORY, true),
            Encoder::Zlib { .. } | Encoder::GnuGzip { .. } | Encoder::BusyBox { .. } => {
                let settings = encoder.settings();
                let warm = if settings.enters_all() { 0 } else { 4 };
                (warm, settings.is_lazy(), NOTHING, false)
            }
            _ => (0, false, NOTHING, false),
        };
        Self {
            warm,
            pending,
            back,
            open,
        }
    }
}

fn get_window(
    fields: &mut Fields<'_>,
    encoder: Encoder,
    limits: &Limits,
    plain: u64,
) -> Result<WindowState> {
    let flags = fields.byte()?;
    let (warm, pending) = (flags >> 1, flags & 1 != 0);
    if warm > limits.warm || (pending && !limits.pending) {
        return Err(Error::BadRecipe("impossible checkpoint"));
    }
    let back = fields.number()?;
    let (length, distance) = if pending {
        (fields.number()?, fields.number()?)
    } else {
        (0, 0)
    };
    let window = encoder.window() as u64;
    let enough = plain >= back.saturating_add(u64::from(warm) * window);
    if !(1..=2 * window).contains(&back) || !enough {
        return Err(Error::BadRecipe("impossible checkpoint"));
    }
    let shortest = encoder.shortest_match();
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
        warm,
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
    let taken = room_taken(&open.literals).max(room_taken(&open.distances));
    if open.header == 0 || taken > ROOM {
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

impl OpenBlock {
    pub(crate) fn new(
        header: usize,
        literals_only: bool,
        literals: &[Code; LITERALS],
        distances: &[Code; DISTANCES],
    ) -> Self {
        Self {
            header: header as u16,
            literals_only,
            literals: literals.map(|c| c.len),
            distances: distances.map(|c| c.len),
        }
    }

    pub(crate) fn codes(&self) -> ([Code; LITERALS], [Code; DISTANCES]) {
        (canonical(&self.literals), canonical(&self.distances))
    }
}
