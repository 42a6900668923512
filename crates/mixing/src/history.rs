//! What was before: the last symbols of a stream, and where the same few were seen.

use crate::tables::hash;

/// How many symbols of a match are compared.
const MAX_COMPARED: usize = 32;
/// Longer matches are not told apart.
const MAX_LENGTH: usize = 400;
/// A match is followed over so many symbols in a row that it did not predict.
const MAX_MISSES: usize = 8;
/// Positions in the table of contexts.
const CONTEXTS: usize = 1 << 16;

/// A ring of symbols, and a match: the place after an earlier occurrence of the symbols that were passed last.
pub(crate) struct History<T> {
    ring: Vec<T>,
    /// Symbols passed.
    count: usize,
    /// By hash of a context, the position after it plus one; 0 if none was seen.
    seen: Vec<u32>,
    /// Symbols of a context, which a match has at least.
    least: usize,
    /// A match counts as good again after so many symbols that it predicted.
    recovery: usize,
    /// Where the next symbol of the match is, if there is one.
    next: usize,
    /// Symbols that the match has predicted in a row.
    length: usize,
    /// Symbols that it has not predicted since it was good.
    misses: usize,
}

/// What a match says about the next symbol.
#[derive(Clone, Copy)]
pub(crate) struct Expected<T> {
    pub(crate) symbol: T,
    /// How good the match is, below 32.
    pub(crate) grade: usize,
}

impl<T: Copy + Default + PartialEq> History<T> {
    /// A ring of `len` symbols, a power of two; matches begin with `least` symbols.
    pub(crate) fn new(len: usize, least: usize, recovery: usize) -> Self {
        Self {
            ring: vec![T::default(); len],
            count: 0,
            seen: vec![0; CONTEXTS],
            least,
            recovery,
            next: 0,
            length: 0,
            misses: 0,
        }
    }

    /// The symbol so many before the next one, from 1 on; the default before the first.
    #[inline]
    pub(crate) fn back(&self, distance: usize) -> T {
        if distance > self.count {
            return T::default();
        }
        self.at(self.count - distance)
    }

    #[inline]
    fn at(&self, position: usize) -> T {
        self.ring[position & (self.ring.len() - 1)]
    }

    fn is_matching(&self) -> bool {
        self.length > 0 || self.misses > 0
    }

    /// Looks for a match, given a hash of the last symbols, if there is none or it is no longer good, and returns what it
    /// says.
    pub(crate) fn expect(&mut self, context: u32) -> Option<Expected<T>> {
        let slot = hash(context, 0) as usize & (CONTEXTS - 1);
        if (self.length == 0 || self.misses > 0) && self.count >= self.least {
            let found = self.seen[slot] as usize;
            if found > 0 && self.count - (found - 1) + MAX_COMPARED <= self.ring.len() {
                self.consider(found - 1);
            }
        }
        if self.count >= self.least {
            self.seen[slot] = self.count as u32 + 1;
        }
        if self.is_matching() && self.count - self.next >= self.ring.len() {
            self.length = 0;
            self.misses = 0;
        }
        self.is_matching().then(|| Expected {
            symbol: self.at(self.next),
            grade: self.grade(),
        })
    }

    /// Begins a match at a position, if it has enough symbols, and not fewer than the one before.
    fn consider(&mut self, position: usize) {
        let most = MAX_COMPARED.min(position);
        let equal = (1..=most).take_while(|&back| self.at(position - back) == self.back(back));
        let length = equal.count();
        if length >= self.least && length >= self.length {
            self.next = position;
            self.length = length;
            self.misses = 0;
        }
    }

    fn grade(&self) -> usize {
        match (self.misses, self.length) {
            (0, length @ 0..16) => length,
            (0, length) => (16 + (length - 16) / 8).min(23),
            (misses, length) => 20 + 4 * misses.min(2) + length.min(3),
        }
    }

    /// Passes a symbol.
    pub(crate) fn push(&mut self, symbol: T) {
        if self.is_matching() {
            if self.at(self.next) == symbol {
                self.length = (self.length + 1).min(MAX_LENGTH);
                if self.length >= self.recovery {
                    self.misses = 0;
                }
            } else {
                self.length = 0;
                self.misses = (self.misses + 1) % (MAX_MISSES + 1);
            }
            self.next += 1;
        }
        let slot = self.count & (self.ring.len() - 1);
        self.ring[slot] = symbol;
        self.count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(history: &History<u8>) -> u32 {
        hash(u32::from(history.back(1)), u32::from(history.back(2)))
    }

    #[test]
    fn a_match_goes_on_after_a_symbol_that_it_did_not_predict() {
        let mut history = History::new(256, 2, 4);
        let mut predicted = Vec::new();
        for &byte in b"abcdefgh abXdefgh" {
            let context = context(&history);
            let expected = history.expect(context);
            predicted.push(expected.is_some_and(|expected| expected.symbol == byte));
            history.push(byte);
        }
        let right: Vec<u8> = predicted.iter().map(|right| u8::from(*right)).collect();
        assert_eq!(right, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
    }

    #[test]
    fn what_has_left_the_ring_is_not_expected() {
        let mut history = History::new(64, 2, 4);
        for number in 0..1000u32 {
            let context = context(&history);
            if let Some(expected) = history.expect(context) {
                assert!(history.count - history.next < 64, "{}", expected.symbol);
            }
            history.push((number % 50) as u8);
        }
    }
}
