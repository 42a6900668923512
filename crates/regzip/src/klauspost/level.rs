//! How levels 1 to 6 go through a block: they search, extend what was found, and enter positions on the way.

use super::entry::Entry;
use super::history::History;
use super::tokens::Tokens;
use crate::coding::token::MAX_MATCH;
use crate::search::matching::common_prefix;

/// No search starts in the last bytes of a block.
pub(super) const MARGIN: usize = 11;

/// A match that a search found: where, from where, and its length if that is known already.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) pos: usize,
    pub(super) from: usize,
    pub(super) length: usize,
    /// The position that the search would have looked at next.
    pub(super) next: usize,
}

impl Found {
    /// Measures the rest if the length is not known or was limited.
    #[inline]
    fn lengthen(&mut self, buffer: &[u8]) {
        if self.length == 0 || self.length == MAX_MATCH {
            let known = self.length.max(4);
            let (a, b) = (self.from + known, self.pos + known);
            self.length = known + common_prefix(buffer, a, b, buffer.len() - b);
        }
    }

    /// Includes equal bytes before it that are not emitted yet.
    #[inline]
    fn extend_back(&mut self, buffer: &[u8], emitted: usize) {
        while self.from > 0 && self.pos > emitted && buffer[self.from - 1] == buffer[self.pos - 1] {
            self.from -= 1;
            self.pos -= 1;
            self.length += 1;
        }
    }
}

/// What is a level's own.
pub(super) trait Level<P: Entry>: Send {
    /// Whether the position after a match is looked at by [`Level::follow`] before the search resumes one
    /// further.
    const FOLLOWS: bool = false;

    /// No search starts in so many bytes at the end of a block.
    fn margin(&self) -> usize {
        MARGIN
    }

    /// Looks for a match from `start` on, in steps that grow with the distance from what was emitted last;
    /// `repeat` is the distance of the last match.
    fn seek(&mut self, h: &History, start: usize, emitted: usize, repeat: usize) -> Option<Found>;

    /// Looks for a better match at the end of the one that was found.
    fn improve(&mut self, _: &History, _: &mut Found) {}

    /// Enters positions inside a match; the search resumes at `pos`.
    fn enter_inside(&mut self, h: &History, found: Found, pos: usize);

    /// Enters positions after the last match of the block; the search would have resumed at `pos`.
    fn enter_last(&mut self, _: &History, _: Found, _pos: usize) {}

    /// Enters the position after a match; where a match there starts from, if there is one.
    fn follow(&mut self, _: &History, _pos: usize) -> Option<usize> {
        None
    }

    /// How many entries the tables have.
    fn slots(&self) -> usize;

    /// An entry; its number never changes.
    fn entry(&mut self, slot: usize) -> Option<&mut P>;

    /// Adds the tokens of the block that starts at `start` and ends with the history. Without a
    /// match it adds none.
    #[inline]
    fn tokenize(&mut self, h: &History, start: usize, tokens: &mut Tokens) {
        let buffer = h.bytes.as_slice();
        let end = buffer.len();
        if end - start < self.margin() + 2 {
            return;
        }
        let limit = end - self.margin();
        let (mut emitted, mut pos, mut repeat) = (start, start, 1);
        'search: while let Some(mut found) = self.seek(h, pos, emitted, repeat) {
            loop {
                found.lengthen(buffer);
                self.improve(h, &mut found);
                found.extend_back(buffer, emitted);
                tokens.add_literals(&buffer[emitted..found.pos]);
                repeat = found.pos - found.from;
                tokens.add_match(found.length, repeat);
                emitted = found.pos + found.length;
                pos = emitted.max(found.next + 1);
                if pos >= limit {
                    self.enter_last(h, found, pos);
                    break 'search;
                }
                self.enter_inside(h, found, pos);
                if !Self::FOLLOWS {
                    break;
                }
                let Some(from) = self.follow(h, pos) else {
                    pos += 1;
                    break;
                };
                (found.pos, found.from, found.length) = (pos, from, 0);
            }
        }
        if !tokens.list.is_empty() {
            tokens.add_literals(&buffer[emitted..]);
        }
    }
}

/// The length of a match of at least four bytes, at most what one token holds.
#[inline]
pub(super) fn short_match(buffer: &[u8], pos: usize, from: usize) -> usize {
    let longest = (MAX_MATCH - 4).min(buffer.len() - pos - 4);
    4 + common_prefix(buffer, from + 4, pos + 4, longest)
}
