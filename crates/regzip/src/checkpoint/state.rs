//! What a checkpoint carries.

use super::fix::Fix;
use crate::coding::bits::BitWriter;
use crate::coding::huffman::{Code, canonical};
use crate::coding::token::{DISTANCES, LITERALS};

/// Checkpoints are at least so many plain bytes apart: each costs the bytes before it once more.
pub(crate) const MIN_SPACING: u64 = 1 << 16;
/// The most plain bytes before a checkpoint that an encoder may need.
pub(crate) const MAX_HISTORY: usize = 1 << 20;
/// Plain bytes after a checkpoint that complete the output before it.
pub(crate) const OVERSHOOT: usize = 1 << 10;

/// A position at which an encoder can resume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// The encoder's position in the plain content.
    pub(crate) plain: u64,
    /// Bits of the deflate stream so far.
    pub(crate) bits: u64,
    /// The last `bits % 8` bits, which do not fill a byte yet.
    pub(crate) partial: u8,
    pub(crate) state: State,
    /// CRC-32 of the stream from the byte with the partial bits to its end; 0 until the stream is complete.
    pub(crate) rest_crc: u32,
}

/// What an encoder needs besides the plain bytes before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// For encoders with a sliding window, at the start of a block.
    Window(WindowState),
    /// For encoders that work on pieces of a fixed size, at the start of one.
    Piece(PieceState),
}

/// The state of an encoder with a sliding window.
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
    pub(crate) warm_up: u8,
}

/// The state of an encoder that works on pieces.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct PieceState {
    /// Bytes before the position that the encoder holds, if its pieces refer to earlier ones. The last
    /// window of them is searched again.
    pub(crate) back: u32,
    /// What is still wrong in the tables after that.
    pub(crate) fixes: Vec<Fix>,
    /// The block that is still open, whose codes the next piece may use.
    pub(crate) open: Option<Box<OpenBlock>>,
}

/// The codes of a block that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OpenBlock {
    /// Bits that its header took.
    pub(crate) header: u16,
    pub(crate) literals_only: bool,
    /// Code lengths.
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

    /// A writer that resumes in the middle of a byte.
    pub(crate) fn writer(&self) -> BitWriter {
        BitWriter::resume(self.partial, (self.bits % 8) as u32)
    }
}

impl WindowState {
    /// Length and distance of the match at the pending byte, if there is one and `after` bytes from the position
    /// on are enough for it.
    pub(crate) fn pending_match(&self, after: usize) -> Option<(usize, usize)> {
        let (length, distance) = (usize::from(self.length), usize::from(self.distance));
        (self.pending && length <= after + 1).then_some((length, distance))
    }
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

    /// The codes for literals and lengths, and those for distances.
    pub(crate) fn codes(&self) -> ([Code; LITERALS], [Code; DISTANCES]) {
        (canonical(&self.literals), canonical(&self.distances))
    }
}
