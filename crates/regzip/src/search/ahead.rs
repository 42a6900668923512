//! Links that are filled ahead of a search through a buffer.

use std::ops::Range;

use super::links::{Links, STRETCH, STRING, Strings};
use crate::coding::token::{MAX_MATCH, WINDOW};

/// Bytes after the position of a search that the links know at least, unless the buffer ends before.
pub(crate) const AHEAD: usize = MAX_MATCH + 2 * STRING;

/// Links, and how far they are ahead. Positions are indexes into the buffer, whose first byte has the position
/// `origin` in the links.
#[derive(Clone)]
pub(crate) struct Ahead<S, const HEADS: usize> {
    pub(crate) links: Links<S, HEADS>,
    /// Up to here text is known to the links, and strings are entered.
    known: usize,
    entered: usize,
    /// Searches from here lack some strings in the longer chains.
    lacking: Range<usize>,
}

/// A position of the links.
#[inline]
pub(crate) fn at(origin: u32, index: usize) -> u16 {
    origin.wrapping_add(index as u32) as u16
}

impl<S: Strings, const HEADS: usize> Ahead<S, HEADS> {
    pub(crate) fn new(strings: S) -> Self {
        Self {
            links: Links::new(strings),
            known: 0,
            entered: 0,
            lacking: 0..0,
        }
    }

    /// Starts with the string at `index`; nothing is entered yet.
    pub(crate) fn start_at(&mut self, index: usize) {
        self.known = index;
        self.entered = index;
    }

    /// The buffer, of `len` bytes, is emptied. What was entered stays where it is, which is before the start
    /// of the window.
    pub(crate) fn start_over(&mut self, len: usize, origin: u32) {
        for index in self.entered..len {
            self.links.skip(at(origin, index));
        }
        self.start_at(0);
        self.lacking = 0..0;
    }

    /// The buffer loses bytes at its front.
    pub(crate) fn drop_front(&mut self, count: usize) {
        let indexes = [
            &mut self.known,
            &mut self.entered,
            &mut self.lacking.start,
            &mut self.lacking.end,
        ];
        for index in indexes {
            *index = index.saturating_sub(count);
        }
    }

    /// Up to here the text is known.
    #[inline]
    pub(crate) fn known(&self) -> usize {
        self.known
    }

    /// Up to here strings are entered.
    #[inline]
    pub(crate) fn entered(&self) -> usize {
        self.entered
    }

    /// Makes more text known if the search at `pos` needs it soon, and enters strings.
    #[inline]
    pub(crate) fn enter(&mut self, text: &[u8], pos: usize, origin: u32) {
        let enough = self.known > pos + AHEAD;
        if !enough && self.known < text.len() {
            self.advance(text, pos, origin);
        }
    }

    fn advance(&mut self, text: &[u8], pos: usize, origin: u32) {
        let known = text.len().min(pos + STRETCH);
        self.links
            .put(&text[self.known..known], at(origin, self.known));
        self.known = known;
        let complete = (known + 1).saturating_sub(STRING);
        if complete > self.entered {
            let count = complete - self.entered;
            self.links.enter(at(origin, self.entered), count);
            self.entered = complete;
        }
    }

    /// Enters the next string, of which only the bytes of the shortest match may be known; false if not even
    /// these are.
    fn enter_short(&mut self, buffer: &[u8], origin: u32) -> bool {
        let (index, len) = (self.entered, usize::from(S::MIN));
        let Some(bytes) = buffer.get(index..index + len) else {
            return false;
        };
        let mut word = [0; 4];
        word[..len].copy_from_slice(bytes);
        self.links
            .enter_short(u32::from_le_bytes(word), at(origin, index));
        self.entered += 1;
        true
    }

    /// Enters the strings up to the one at `pos` whose further bytes are not known yet.
    #[cold]
    pub(crate) fn enter_short_to(&mut self, buffer: &[u8], pos: usize, origin: u32) {
        self.note_lacking(pos, pos);
        while self.entered <= pos && self.enter_short(buffer, origin) {}
    }

    /// Enters all strings up to the end of the buffer, while a search is at `pos`; those that are too short
    /// are in no chain.
    #[cold]
    pub(crate) fn enter_all(&mut self, buffer: &[u8], pos: usize, origin: u32) {
        if self.entered < buffer.len() {
            self.note_lacking(pos, buffer.len());
        }
        while self.enter_short(buffer, origin) {}
        while self.entered < buffer.len() {
            self.links.skip(at(origin, self.entered));
            self.entered += 1;
        }
    }

    /// Strings from the next one up to `end` will lack in the longer chains.
    fn note_lacking(&mut self, pos: usize, end: usize) {
        // A search looks for strings that end where its longest match would.
        let first = self.entered.saturating_sub(MAX_MATCH);
        let still = self.lacking.end > pos;
        let from = if still { self.lacking.start } else { first };
        self.lacking = from..end + WINDOW + MAX_MATCH;
    }

    /// Whether the longer chains lack strings that a search at `pos` looks along.
    #[inline]
    pub(crate) fn lacks(&self, pos: usize) -> bool {
        self.lacking.contains(&pos)
    }
}
