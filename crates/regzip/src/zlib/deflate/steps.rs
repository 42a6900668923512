//! One position in the input after the other, as the levels and strategies advance.

use super::settings::{Family, LOOKAHEAD, MIN_MATCH, Strategy};
use super::{Deflate, TOO_FAR};
use crate::coding::token::MAX_MATCH;
use crate::search::matching::common_prefix;

impl Deflate {
    /// One position in the input; some is left.
    #[inline]
    pub(super) fn step(&mut self) {
        let lookahead = self.end() - self.pos;
        match (self.settings.strategy, self.settings.level) {
            (Strategy::HuffmanOnly, _) => self.step_literal(),
            (Strategy::Rle, _) => self.step_rle(lookahead),
            (_, 0..=3) => self.step_fast(lookahead),
            _ => self.step_lazy(lookahead),
        }
    }

    /// The distance of the first candidate if it is within reach.
    #[inline]
    fn candidate(&mut self, lookahead: usize) -> Option<usize> {
        let distance = if lookahead >= MIN_MATCH {
            self.insert(self.pos)
        } else {
            0
        };
        // At the end of the input gzip may be where it does not search any more.
        if self.settings.family == Family::Gnu && self.pos - self.base > 2 * self.window - LOOKAHEAD
        {
            return None;
        }
        (distance != 0 && distance <= self.max_distance() && distance < self.pos - self.base)
            .then_some(distance)
    }

    #[inline]
    fn step_lazy(&mut self, lookahead: usize) {
        let candidate = self.candidate(lookahead);
        let (length, previous) = (self.length, self.distance);
        self.length = MIN_MATCH - 1;
        if let Some(distance) = candidate
            && length < self.effort.lazy
            && let Some((n, distance)) = self.find(distance, length, lookahead)
        {
            let poor = n == MIN_MATCH && distance > TOO_FAR;
            if !(poor || (n <= 5 && self.settings.strategy == Strategy::Filtered)) {
                self.length = n;
                self.distance = distance;
            }
        }
        if length >= MIN_MATCH && self.length <= length {
            self.block.add_match(length, previous);
            // Until here zlib's position is the match's second byte.
            let full = self.is_full(self.block_len + 1);
            self.insert_all(self.pos + 1..self.pos + length - 1);
            self.pos += length - 1;
            self.block_len += length;
            self.available = false;
            self.length = MIN_MATCH - 1;
            if full {
                self.write_block(false);
            }
        } else if self.available {
            self.block.literal(self.buffer[self.pos - 1]);
            let full = self.is_full(self.block_len + 1);
            self.block_len += 1;
            if full {
                self.write_block(false);
            }
            self.pos += 1;
        } else {
            self.available = true;
            self.pos += 1;
        }
    }

    #[inline]
    fn step_fast(&mut self, lookahead: usize) {
        let found = self
            .candidate(lookahead)
            .and_then(|d| self.find(d, MIN_MATCH - 1, lookahead));
        let length = if let Some((length, distance)) = found {
            self.block.add_match(length, distance);
            length
        } else {
            self.block.literal(self.buffer[self.pos]);
            1
        };
        let full = self.is_full(self.block_len);
        let rest = lookahead - length;
        if length > 1
            && length <= self.effort.lazy
            && (rest >= MIN_MATCH || self.settings.is_gzip())
        {
            self.insert_all(self.pos + 1..self.pos + length);
        }
        self.advance(length, full);
    }

    fn step_literal(&mut self) {
        self.block.literal(self.buffer[self.pos]);
        self.advance(1, self.block.tokens.len() == self.max_tokens);
    }

    /// Runs of one byte only.
    fn step_rle(&mut self, lookahead: usize) {
        let pos = self.pos;
        let run = if pos > 0 && lookahead >= MIN_MATCH {
            common_prefix(&self.buffer, pos - 1, pos, MAX_MATCH.min(lookahead))
        } else {
            0
        };
        let length = if run >= MIN_MATCH {
            self.block.add_match(run, 1);
            run
        } else {
            self.block.literal(self.buffer[pos]);
            1
        };
        self.advance(length, self.block.tokens.len() == self.max_tokens);
    }

    fn advance(&mut self, length: usize, full: bool) {
        self.pos += length;
        self.block_len += length;
        if full {
            self.write_block(false);
        }
    }

    /// Whether the block ends after this token; `len` are the bytes that gzip counts.
    #[inline]
    fn is_full(&self, len: usize) -> bool {
        let count = self.block.tokens.len();
        if self.settings.is_gzip() && self.settings.level > 2 && count.is_multiple_of(1 << 12) {
            let rough = self.block.rough_bits() >> 3;
            if self.block.matches < count / 2 && rough < len / 2 {
                return true;
            }
        }
        count == self.max_tokens
    }
}
