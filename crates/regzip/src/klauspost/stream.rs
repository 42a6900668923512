//! Levels 1 to 6 as a stream: blocks of 65,535 bytes over a common history.

use super::habits::{FastHash, Habits, TableSize};
use super::history::History;
use super::lazy::Lazy;
use super::level1::Level1;
use super::level3::Level3;
use super::level4::Level4;
use super::level5::Level5;
use super::level6::Level6;
use super::place::Place;
use super::plain::HuffmanOnly;
use super::tokens::Tokens;
use super::version::Version;
use super::writer::{BlockWriter, Plain};
use crate::bits::BitWriter;
use crate::checkpoint::{Beside, Checkpoint, State, search_with_checkpoint};
use crate::encoder::Encode;
use crate::go::block::MAX_STORED;
use crate::past::Past;
use crate::token::WINDOW;

mod beside;

/// Positions are rebased from here on.
const REBASE: u32 = 1 << 30;

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
pub(crate) trait Search<P: Place>: Send {
    /// Adds the tokens of the block that starts at `start` and ends with the history. Without a
    /// match it adds none.
    fn encode(&mut self, history: &History, start: usize, tokens: &mut Tokens);
    /// How many entries the tables have.
    fn slots(&self) -> usize;
    /// An entry; where it lies among all is the same at every time.
    fn place(&mut self, slot: usize) -> Option<&mut P>;

    /// All entries.
    fn places(&mut self) -> Vec<P> {
        let slots = 0..self.slots();
        slots.map_while(|slot| self.place(slot).copied()).collect()
    }

    /// Puts other entries in the place of all.
    fn replace_all(&mut self, places: &[P]) {
        for (slot, &new) in places.iter().enumerate() {
            if let Some(place) = self.place(slot) {
                *place = new;
            }
        }
    }
}

fn search<P: Place>(level: i8, habits: &Habits) -> Box<dyn Search<P>> {
    match (habits.tables, habits.fast_hash) {
        (TableSize::Large, _) => sized::<P, { 1 << 16 }, { 1 << 18 }, { 1 << 16 }>(level, habits),
        (TableSize::Small, FastHash::Four) => {
            sized::<P, { 1 << 15 }, { 1 << 17 }, { 1 << 15 }>(level, habits)
        }
        (TableSize::Small, _) => sized::<P, { 1 << 15 }, { 1 << 17 }, { 1 << 16 }>(level, habits),
    }
}

/// With tables of so many entries, those of levels 2 and 3 of their own size.
fn sized<P: Place, const N: usize, const N2: usize, const N3: usize>(
    level: i8,
    habits: &Habits,
) -> Box<dyn Search<P>> {
    match level {
        1 => Box::new(Level1::<P, N>::new(level, habits)),
        2 => Box::new(Level1::<P, N2>::new(level, habits)),
        3 => Box::new(Level3::<P, N3>::new(habits)),
        4 => Box::new(Level4::<P, N>::new(habits)),
        6 => Box::new(Level6::<P, N>::new(habits)),
        _ => Box::new(Level5::<P, N>::new(habits)),
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
    search: Box<dyn Search<u32>>,
    history: History,
    tokens: Tokens,
    writer: BlockWriter,
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
            past: Past::default(),
        }
    }

    /// Goes on from a checkpoint, after the bytes before it that it asks for.
    pub(crate) fn resume(mut self, checkpoint: &Checkpoint, history: &[u8]) -> Self {
        self.history.bytes.extend_from_slice(history);
        let start = history.len().saturating_sub(WINDOW);
        self.search.encode(&self.history, start, &mut self.tokens);
        self.tokens.reset();
        self.history.next_block();
        if let State::Piece(state) = &checkpoint.state {
            self.mend(&state.mends);
        }
        self.writer.resume(checkpoint);
        self.past.skip_to(checkpoint.plain);
        self
    }

    fn forget(&mut self) {
        self.history.forget();
        self.rebase();
    }

    fn rebase(&mut self) {
        if self.history.current >= REBASE {
            let by = self.history.current - WINDOW as u32;
            let end = self.history.absolute(self.history.before().len());
            let oldest = end - WINDOW as u32;
            let mut places = self.search.places();
            for at in &mut places {
                *at = if *at <= oldest { 0 } else { *at - by };
            }
            self.search.replace_all(&places);
            self.history.current = WINDOW as u32;
        }
    }

    fn write_block(&mut self, sync: bool) {
        let len = self.history.block().len();
        if len < 128 {
            let block = self.history.block();
            match len {
                0 => return,
                1..=32 => self.writer.stored(block),
                _ => self.writer.huffman(block, true),
            }
            self.past.add(len);
            self.forget();
            return;
        }
        self.rebase();
        if self.past.wants() && len.min(self.history.before().len()) >= WINDOW {
            if let Some(checkpoint) = search_with_checkpoint(self) {
                self.past.take(checkpoint);
            }
        } else {
            self.search_block();
        }
        self.past.add(len);
        let block = self.history.block();
        if self.tokens.len() == 0 {
            self.writer.stored(block);
        } else if self.tokens.len() > len - (len >> 4) {
            self.writer.huffman(block, sync);
        } else {
            let bytes = Some(block);
            self.writer.dynamic(&mut self.tokens, Plain { bytes, sync });
        }
        self.tokens.reset();
        self.history.next_block();
    }

    fn search_block(&mut self) {
        let start = self.history.settle();
        self.search.encode(&self.history, start, &mut self.tokens);
    }
}

impl Encode for Stream {
    fn write(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            if self.history.block().len() == MAX_STORED {
                self.write_block(false);
            }
            let room = MAX_STORED - self.history.block().len();
            let (now, later) = data.split_at(data.len().min(room));
            self.history.bytes.extend_from_slice(now);
            data = later;
        }
    }

    fn flush(&mut self) {
        self.write_block(true);
        self.writer.flush_mark();
    }

    fn finish(&mut self) {
        self.write_block(true);
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
        if self.habits.dictionary && !dictionary.is_empty() {
            self.history.bytes.extend_from_slice(dictionary);
            self.search_block();
            self.tokens.reset();
            self.history.next_block();
        }
    }

    fn bits(&self) -> &BitWriter {
        &self.writer.bits
    }
}
