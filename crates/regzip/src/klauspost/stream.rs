//! Levels 1 to 6 as a stream: blocks of 65,535 bytes over a common history.

use super::behaviour::Behaviour;
use super::history::History;
use super::restart::Restart;
use super::search::{Search, search};
use super::tokens::Tokens;
use super::version::Version;
use super::writer::{BlockWriter, Plain};
use crate::checkpoint::{Checkpoint, Progress, Resume, Slot, State, search_with_checkpoint};
use crate::coding::bits::BitWriter;
use crate::coding::token::{MAX_STORED, WINDOW};
use crate::encode::{Encode, fill};

mod checkpoints;

/// Positions are rebased from here on.
const REBASE: u32 = 1 << 30;

/// An encoder of levels 1 to 6.
pub(super) struct Stream {
    level: i8,
    behaviour: Behaviour,
    search: Box<dyn Search<u32>>,
    history: History,
    tokens: Tokens,
    writer: BlockWriter,
    progress: Progress,
}

impl Stream {
    /// Starts a stream.
    pub(super) fn new(level: i8, version: Version) -> Self {
        let behaviour = version.behaviour();
        Self {
            level,
            behaviour,
            search: search(level, &behaviour),
            history: History::new(),
            tokens: Tokens::new(behaviour.whole_pieces),
            writer: BlockWriter::new(level, &behaviour),
            progress: Progress::default(),
        }
    }

    /// Resumes from a checkpoint, after the bytes before it that it needs.
    pub(super) fn resume(mut self, checkpoint: &Checkpoint, history: &[u8]) -> Self {
        self.history.bytes.extend_from_slice(history);
        let start = history.len().saturating_sub(WINDOW);
        self.search.encode(&self.history, start, &mut self.tokens);
        self.tokens.reset();
        self.history.next_block();
        if let State::Piece(state) = &checkpoint.state {
            self.fix(&state.fixes);
        }
        self.writer.resume(checkpoint);
        self.progress = Progress::at(checkpoint.plain);
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
            let mut entries = self.search.entries();
            for at in &mut entries {
                *at = if *at <= oldest { 0 } else { *at - by };
            }
            self.search.replace_all(&entries);
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
            self.progress.add(len);
            self.forget();
            return;
        }
        self.rebase();
        if self.progress.is_wanted() && len.min(self.history.before().len()) >= WINDOW {
            if let Some(checkpoint) = search_with_checkpoint(self) {
                self.progress.slot.put(checkpoint);
            }
        } else {
            self.search_block();
        }
        self.progress.add(len);
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
            let limit = self.history.before().len() + MAX_STORED;
            data = fill(&mut self.history.bytes, limit, data);
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

    fn slot(&mut self) -> Option<&mut Slot> {
        Some(&mut self.progress.slot)
    }

    fn output(&mut self) -> &mut Vec<u8> {
        &mut self.writer.bits.out
    }
}

impl Restart for Stream {
    fn restart(&mut self, dictionary: &[u8]) {
        self.writer.reset();
        self.forget();
        if self.behaviour.dictionary && !dictionary.is_empty() {
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
