//! Levels 1 to 6 as a stream: blocks of 65,535 bytes over a common history.

use super::habits::Habits;
use super::lazy::Lazy;
use super::level1::Level1;
use super::level3::Level3;
use super::level4::Level4;
use super::level5::Level5;
use super::level6::Level6;
use super::plain::HuffmanOnly;
use super::tokens::Tokens;
use super::version::Version;
use super::writer::{BlockWriter, Plain};
use crate::bits::BitWriter;
use crate::checkpoint::{Checkpoint, PieceState, SlotMend, State};
use crate::encoder::Encode;
use crate::go::block::MAX_STORED;
use crate::past::Past;
use crate::token::WINDOW;

/// Matches are nearer than this.
pub(crate) const REACH: i64 = WINDOW as i64;
/// Bytes of history before the last window's worth moves to the front.
const HISTORY: usize = MAX_STORED * 5;
/// Positions are rebased from here on.
const REBASE: u32 = 1 << 30;

/// The bytes that matches may refer to, and the count of positions.
#[derive(Clone)]
pub(crate) struct History {
    pub(crate) bytes: Vec<u8>,
    current: u32,
}

impl History {
    fn new() -> Self {
        Self {
            bytes: Vec::with_capacity(HISTORY),
            current: MAX_STORED as u32,
        }
    }

    /// Appends a block; where it starts.
    fn add(&mut self, block: &[u8]) -> usize {
        if self.bytes.len() + block.len() > HISTORY {
            let drop = self.bytes.len() - WINDOW;
            self.bytes.drain(..drop);
            self.current += drop as u32;
        }
        self.bytes.extend_from_slice(block);
        self.bytes.len() - block.len()
    }

    /// How long a new history is after so many whole pieces.
    fn len_after(pieces: u8) -> usize {
        (0..pieces).fold(0, |len, _| {
            let moved = len + MAX_STORED > HISTORY;
            MAX_STORED + if moved { WINDOW } else { len }
        })
    }

    /// Puts all positions so far out of reach.
    fn forget(&mut self) {
        self.current += (WINDOW + self.bytes.len()) as u32;
        self.bytes.clear();
    }

    /// The count of the position at an index.
    #[inline]
    pub(crate) fn absolute(&self, index: usize) -> u32 {
        self.current + index as u32
    }

    /// The index of a position, negative if it is gone.
    #[inline]
    pub(crate) fn relative(&self, at: u32) -> i32 {
        at.wrapping_sub(self.current) as i32
    }
}

/// The index of a candidate if it is near enough to `pos`.
#[inline]
pub(crate) fn near(h: &History, pos: usize, at: u32) -> Option<usize> {
    let from = i64::from(h.relative(at));
    (pos as i64 - from < REACH && from >= 0).then_some(from as usize)
}

/// Hash of the low four bytes.
#[inline]
pub(crate) fn hash4(bytes: u64, bits: u32) -> usize {
    ((bytes as u32).wrapping_mul(2_654_435_761) >> (32 - bits)) as usize
}

/// Hash of the low seven bytes.
#[inline]
pub(crate) fn hash7(bytes: u64, bits: u32) -> usize {
    ((bytes << 8).wrapping_mul(58_295_818_150_454_627) >> (64 - bits)) as usize
}

/// A level's way to find matches.
pub(crate) trait Search: Send {
    /// Adds the tokens of the block that starts at `start` and ends with the history. Without a
    /// match it adds none.
    fn encode(&mut self, history: &History, start: usize, tokens: &mut Tokens);
    /// Lowers all positions in the tables; those up to `oldest` become 0.
    fn rebase(&mut self, by: u32, oldest: u32);
    /// Calls `each` with all positions in the tables, in the same order every time; it may change them.
    fn positions(&mut self, each: &mut dyn FnMut(&mut u32));
}

fn search(level: i8, habits: &Habits) -> Box<dyn Search> {
    match level {
        1 | 2 => Box::new(Level1::new(level, habits)),
        3 => Box::new(Level3::new(habits)),
        4 => Box::new(Level4::new(habits)),
        6 => Box::new(Level6::new(habits)),
        _ => Box::new(Level5::new(habits)),
    }
}

/// An encoder that can start over, as pgzip lets it with every block.
pub(crate) trait Blocks: Encode {
    /// Starts over with `dictionary` as history.
    fn restart(&mut self, dictionary: &[u8]);
    /// Where its output goes.
    fn bits(&self) -> &BitWriter;
}

/// Starts the encoder of a level.
pub(crate) fn start(level: i8, version: Version) -> Box<dyn Blocks> {
    match level {
        -2 => Box::new(HuffmanOnly::new(version)),
        7..=9 => Box::new(Lazy::new(level, version)),
        _ => Box::new(Stream::new(level, version)),
    }
}

/// Whether checkpoints can be taken inside a stream of this level. Levels 7 to 9 give none: they work
/// on whole windows, so that what they write before a place takes up to 64 KiB of content after it,
/// where others take a few bytes. Their pgzip blocks give some, as all do.
pub(crate) fn gives_checkpoints(level: i8) -> bool {
    (-2..=6).contains(&level)
}

/// Goes on from a checkpoint, after the bytes before it that it asks for.
pub(crate) fn resume(
    level: i8,
    version: Version,
    checkpoint: &Checkpoint,
    history: &[u8],
) -> Box<dyn Encode> {
    match level {
        -2 => Box::new(HuffmanOnly::new(version).resume(checkpoint)),
        _ => Box::new(Stream::new(level, version).resume(checkpoint, history)),
    }
}

/// An encoder of levels 1 to 6.
pub(crate) struct Stream {
    level: i8,
    habits: Habits,
    search: Box<dyn Search>,
    history: History,
    tokens: Tokens,
    writer: BlockWriter,
    piece: Vec<u8>,
    past: Past,
}

impl Stream {
    /// Starts a stream.
    pub(crate) fn new(level: i8, version: Version) -> Self {
        let habits = version.habits();
        Self {
            level,
            habits,
            search: search(level, &habits),
            history: History::new(),
            tokens: Tokens::new(habits.whole_pieces),
            writer: BlockWriter::new(level, &habits),
            piece: Vec::with_capacity(MAX_STORED),
            past: Past::default(),
        }
    }

    /// Goes on from a checkpoint, after the bytes before it that it asks for.
    pub(crate) fn resume(mut self, checkpoint: &Checkpoint, history: &[u8]) -> Self {
        for piece in history.chunks_exact(MAX_STORED) {
            let start = self.history.add(piece);
            self.search.encode(&self.history, start, &mut self.tokens);
            self.tokens.reset();
        }
        if let State::Piece(state) = &checkpoint.state {
            self.mend(&state.mends);
        }
        self.writer.resume(checkpoint);
        self.past.skip_to(checkpoint.plain);
        self
    }

    /// Makes the tables what they were, after a search that began too late.
    fn mend(&mut self, mends: &[SlotMend]) {
        if mends.is_empty() {
            return;
        }
        let end = self.history.absolute(self.history.bytes.len());
        let mut mends = mends.iter().peekable();
        let mut slot = 0;
        self.search.positions(&mut |at| {
            if let Some(mend) = mends.next_if(|mend| mend.slot == slot) {
                *at = match mend.distance {
                    0 => 0,
                    distance => end.wrapping_sub(distance.into()),
                };
            }
            slot += 1;
        });
    }

    /// Distances from here to what the tables hold, 0 where that is not in reach.
    fn distances(&mut self) -> Vec<u16> {
        let end = self.history.absolute(self.history.bytes.len());
        let mut all = Vec::new();
        self.search.positions(&mut |at| {
            let distance = end.wrapping_sub(*at);
            let reached = i64::from(distance) < REACH;
            all.push(if reached { distance as u16 } else { 0 });
        });
        all
    }

    #[cold]
    fn take_checkpoint(&mut self) {
        let mine = self.distances();
        // Level 4 looks at places that depend on when the history was moved.
        let moves = self.level == 4 && self.habits.level4_misses;
        // What two pieces do not bring about, more do not either, as a rule.
        let attempts = if moves {
            &Past::WARM[..]
        } else {
            &Past::WARM[..2]
        };
        for &warm in attempts {
            if moves && History::len_after(warm) != self.history.bytes.len() {
                continue;
            }
            let Some(history) = self.past.pieces(warm) else {
                return;
            };
            let open = self.writer.open_block().map(Box::new);
            let mut state = PieceState {
                warm,
                mends: Vec::new(),
                open,
            };
            let plain = self.past.plain();
            let at = |state| Checkpoint::new(plain, &self.writer.bits, State::Piece(state));
            let other = Self::new(self.level, self.habits.version);
            let mut other = other.resume(&at(state.clone()), history);
            let Some(mends) = SlotMend::between(&other.distances(), &mine) else {
                continue;
            };
            other.mend(&mends);
            if other.distances() == mine {
                state.mends = mends;
                let checkpoint = at(state);
                self.past.take(checkpoint);
                return;
            }
        }
    }

    fn forget(&mut self) {
        self.history.forget();
        self.past.cut();
        self.rebase();
    }

    fn rebase(&mut self) {
        if self.history.current >= REBASE {
            let by = self.history.current - WINDOW as u32;
            let end = self.history.current + self.history.bytes.len() as u32;
            self.search.rebase(by, end - WINDOW as u32);
            self.history.current = WINDOW as u32;
        }
    }

    fn write_piece(&mut self, sync: bool) {
        let len = self.piece.len();
        self.past.add(&self.piece);
        if len < 128 {
            match len {
                0 => return,
                1..=32 => self.writer.stored(&self.piece),
                _ => self.writer.huffman(&self.piece, true),
            }
            self.forget();
            self.piece.clear();
            return;
        }
        self.rebase();
        let start = self.history.add(&self.piece);
        self.search.encode(&self.history, start, &mut self.tokens);
        if self.tokens.len() == 0 {
            self.writer.stored(&self.piece);
        } else if self.tokens.len() > len - (len >> 4) {
            self.writer.huffman(&self.piece, sync);
        } else {
            self.writer.dynamic(
                &mut self.tokens,
                Plain {
                    bytes: Some(&self.piece),
                    sync,
                },
            );
        }
        self.tokens.reset();
        self.piece.clear();
    }
}

impl Encode for Stream {
    fn write(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            if self.piece.len() == MAX_STORED {
                self.write_piece(false);
                if self.past.wants() {
                    self.take_checkpoint();
                }
            }
            let (now, later) = data.split_at(data.len().min(MAX_STORED - self.piece.len()));
            self.piece.extend_from_slice(now);
            data = later;
        }
    }

    fn flush(&mut self) {
        self.write_piece(true);
        self.writer.flush_mark();
    }

    fn finish(&mut self) {
        self.write_piece(true);
        self.writer.finish();
    }

    fn want_checkpoint(&mut self, after: u64) {
        self.past.want(after);
    }

    fn checkpoint(&mut self) -> Option<Checkpoint> {
        self.past.taken()
    }

    fn output(&mut self) -> &mut Vec<u8> {
        &mut self.writer.bits.out
    }
}

impl Blocks for Stream {
    fn restart(&mut self, dictionary: &[u8]) {
        self.writer.reset();
        self.forget();
        self.piece.clear();
        if self.habits.dictionary && !dictionary.is_empty() {
            let start = self.history.add(dictionary);
            self.search.encode(&self.history, start, &mut self.tokens);
            self.tokens.reset();
        }
    }

    fn bits(&self) -> &BitWriter {
        &self.writer.bits
    }
}
