//! The bytes that a block's matches may refer to, and the block itself.

use std::cell::RefCell;

use crate::coding::token::{MAX_STORED, WINDOW};

/// Matches are nearer than this.
pub(super) const REACH: i64 = WINDOW as i64;
/// Bytes before the last window's worth moves to the front.
const HISTORY: usize = MAX_STORED * 5;

/// History, then the block that is being filled, and the count of positions.
pub(crate) struct History {
    pub(super) bytes: Vec<u8>,
    /// Where the block starts.
    start: usize,
    pub(super) current: u32,
    /// Slots of the tables, noted where two searches are compared.
    noted: RefCell<Vec<u32>>,
}

impl History {
    pub(super) fn new() -> Self {
        Self {
            bytes: Vec::with_capacity(HISTORY + MAX_STORED),
            start: 0,
            current: MAX_STORED as u32,
            noted: RefCell::default(),
        }
    }

    /// What lies before the block.
    pub(super) fn before(&self) -> &[u8] {
        &self.bytes[..self.start]
    }

    /// The block that is being filled.
    pub(super) fn block(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// The block is complete: drops old history if there is too much. Where the block starts.
    pub(super) fn settle(&mut self) -> usize {
        if self.bytes.len() > HISTORY {
            let drop = self.start.saturating_sub(WINDOW);
            self.bytes.drain(..drop);
            self.start -= drop;
            self.current += drop as u32;
        }
        self.start
    }

    /// The block becomes history.
    pub(super) fn next_block(&mut self) {
        self.start = self.bytes.len();
    }

    /// Drops the block, and puts all positions before it out of reach.
    pub(super) fn forget(&mut self) {
        self.current += (WINDOW + self.start) as u32;
        self.bytes.clear();
        self.start = 0;
    }

    /// The count of the position at an index.
    #[inline]
    pub(super) fn absolute(&self, index: usize) -> u32 {
        self.current + index as u32
    }

    /// The count of the position so far before the block, 0 for no position.
    pub(super) fn absolute_before(&self, distance: u16) -> u32 {
        match distance {
            0 => 0,
            _ => self.absolute(self.start).wrapping_sub(distance.into()),
        }
    }

    /// The index of a position, negative if it was dropped.
    #[inline]
    pub(super) fn relative(&self, at: u32) -> i32 {
        at.wrapping_sub(self.current) as i32
    }

    /// Notes a slot in which another search would find something else of use.
    #[cold]
    pub(super) fn note(&self, slot: u32) {
        self.noted.borrow_mut().push(slot);
    }

    /// The slots that were noted.
    pub(super) fn noted(&self) -> Vec<u32> {
        self.noted.take()
    }
}
