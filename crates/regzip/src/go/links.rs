//! The search of Go's levels 4 to 9, over strings that are entered long before they are looked for.
//!
//! These levels enter every string, so what the tables say does not depend on the matches taken. They
//! are filled in stretches, ahead of the search: a stretch is one loop without surprises, while a
//! search is full of them.
//!
//! Beside Go's chains of strings that share the hash of four bytes there are chains of more bytes.
//! Once only a longer match is of use, they have far fewer candidates. Go counts the candidates that
//! it looks at: every string has a number in its chain of four bytes, and the difference of two
//! tells how many Go would have looked at.
//!
//! Positions are 16 bits wide and wrap. Text and links lie in rings of 65,536 places, so that no index
//! can be out of bounds. The tables are small enough for the second cache: with wider positions
//! entering takes more than twice as long.

use crate::matching::zeros;
use crate::token::WINDOW;

/// Places in a ring.
const RING: usize = 1 << 16;
const FOUR_BITS: u32 = 17;
const FIVE_BITS: u32 = 16;
const LONG_BITS: u32 = 16;
/// The long chains join strings with so many equal bytes.
const LONG: u16 = 7;
/// A match of the shortest length is not taken from further away.
const NEAR: u16 = 4096;
/// The largest distance, less one.
const FAR: u16 = (WINDOW - 1) as u16;

/// Heads are told apart from those a ring older if they are moved after so many positions.
const SWEEP: usize = WINDOW - 1;

/// How a search is limited.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// The furthest distance, at most [`WINDOW`].
    pub(super) reach: u16,
    /// The longest match.
    pub(super) longest: u16,
    /// A match this long ends the search.
    pub(super) nice: u16,
    /// How many candidates Go looks at.
    pub(super) chain: u16,
    /// The longer chains lack some strings.
    pub(super) four_only: bool,
}

/// A match: length and distance.
pub(super) type Found = Option<(u16, u16)>;

/// Chains of one kind: for every hash the newest position, for every position the one before it.
#[derive(Clone)]
struct Chains<const HEADS: usize> {
    heads: Box<[u16; HEADS]>,
    before: Box<[u16; RING]>,
}

impl<const HEADS: usize> Chains<HEADS> {
    fn new() -> Self {
        Self {
            heads: zeros(),
            before: zeros(),
        }
    }

    /// Enters a position; returns the one before it, which may be out of reach.
    #[inline]
    fn enter(&mut self, hash: usize, at: u16) -> u16 {
        let slot = &mut self.heads[hash % HEADS];
        let before = std::mem::replace(slot, at);
        self.before[usize::from(at)] = before;
        before
    }

    /// Ends the chain at a position that is in none: a ring before itself nothing is in reach.
    fn skip(&mut self, at: u16) {
        self.before[usize::from(at)] = at;
    }

    /// Moves positions that are out of reach at `at` to the nearest one that is.
    fn sweep(&mut self, at: u16) {
        for head in self.heads.iter_mut() {
            let back = back(at, *head).min(FAR + 1);
            *head = at.wrapping_sub(back).wrapping_sub(1);
        }
    }
}

/// How far `to` is before `at`, less one. Along a chain this grows until it leaves the ring.
#[inline]
fn back(at: u16, to: u16) -> u16 {
    at.wrapping_sub(to).wrapping_sub(1)
}

const FACTOR: u64 = 0x9e37_79b1_85eb_ca87;

#[inline]
fn five_hash(bytes: u64) -> usize {
    ((bytes << 24).wrapping_mul(FACTOR) >> (64 - FIVE_BITS)) as usize
}

#[inline]
fn long_hash(bytes: u64) -> usize {
    ((bytes << (64 - 8 * LONG)).wrapping_mul(FACTOR) >> (64 - LONG_BITS)) as usize
}

/// Text, and where its strings were before.
#[derive(Clone)]
pub(super) struct Links {
    /// The ring, and its first bytes once more so that a load may begin anywhere.
    text: Box<[u8; RING + 8]>,
    four: Chains<{ 1 << FOUR_BITS }>,
    five: Chains<{ 1 << FIVE_BITS }>,
    long: Chains<{ 1 << LONG_BITS }>,
    /// Numbers in the chains of four bytes.
    number: Box<[u16; RING]>,
    /// Positions that may be entered before the heads alias.
    fresh: usize,
}

impl Links {
    /// The first position: zeros in the tables are out of its reach.
    pub(super) const START: u16 = FAR + 2;

    /// Empty tables.
    pub(super) fn new() -> Self {
        Self {
            text: zeros(),
            four: Chains::new(),
            five: Chains::new(),
            long: Chains::new(),
            number: zeros(),
            fresh: SWEEP,
        }
    }

    /// Puts text in the ring.
    pub(super) fn put(&mut self, mut text: &[u8], mut at: u16) {
        while !text.is_empty() {
            let from = usize::from(at);
            let (now, later) = text.split_at(text.len().min(RING - from));
            self.text[from..from + now.len()].copy_from_slice(now);
            at = at.wrapping_add(now.len() as u16);
            text = later;
            if from < 8 {
                self.text.copy_within(..8, RING);
            }
        }
    }

    #[inline]
    fn load32(&self, at: u16) -> u32 {
        let from = usize::from(at);
        <[u8; 4]>::try_from(&self.text[from..from + 4]).map_or(0, u32::from_le_bytes)
    }

    #[inline]
    fn load64(&self, at: u16) -> u64 {
        let from = usize::from(at);
        <[u8; 8]>::try_from(&self.text[from..from + 8]).map_or(0, u64::from_le_bytes)
    }

    /// The byte at a position.
    #[inline]
    pub(super) fn byte(&self, at: u16) -> u8 {
        self.text[usize::from(at)]
    }

    #[inline]
    fn enter_four(&mut self, bytes: u32, at: u16) {
        let hash = bytes.swap_bytes().wrapping_mul(0x1e35_a7bd) >> (32 - FOUR_BITS);
        let before = self.four.enter(hash as usize, at);
        // Past the end of a chain any number will do.
        let number = self.number[usize::from(before)].wrapping_add(1);
        self.number[usize::from(at)] = number;
    }

    #[inline]
    fn enter_one(&mut self, at: u16) {
        let bytes = self.load64(at);
        self.enter_four(bytes as u32, at);
        self.five.enter(five_hash(bytes), at);
        self.long.enter(long_hash(bytes), at);
    }

    /// Enters `count` strings from `at` on; eight bytes of each are in the ring. Positions are
    /// entered or skipped one after the other.
    #[inline(never)]
    pub(super) fn enter(&mut self, mut at: u16, mut count: usize) {
        while count > 0 {
            let now = count.min(self.fresh);
            for next in (0..now).map(|n| at.wrapping_add(n as u16)) {
                self.enter_one(next);
            }
            at = at.wrapping_add(now as u16);
            count -= now;
            self.grow_old(now, at);
        }
    }

    /// Enters a string of which no more than four bytes are known.
    pub(super) fn enter_short(&mut self, at: u16) {
        self.enter_four(self.load32(at), at);
        self.five.skip(at);
        self.long.skip(at);
        self.grow_old(1, at.wrapping_add(1));
    }

    /// Leaves a position out of all chains.
    pub(super) fn skip(&mut self, at: u16) {
        self.four.skip(at);
        self.five.skip(at);
        self.long.skip(at);
        self.grow_old(1, at.wrapping_add(1));
    }

    /// In time moves heads that are out of reach to where they stay so for one more.
    fn grow_old(&mut self, count: usize, next: u16) {
        self.fresh -= count;
        if self.fresh == 0 {
            self.fresh = SWEEP;
            self.four.sweep(next);
            self.five.sweep(next);
            self.long.sweep(next);
        }
    }

    /// How many bytes from `candidate` and `at` on are equal, `longest` at most.
    #[inline]
    fn common_prefix(&self, candidate: u16, at: u16, longest: u16) -> u16 {
        let mut n = 0;
        loop {
            let here = self.load64(at.wrapping_add(n));
            let diff = here ^ self.load64(candidate.wrapping_add(n));
            if diff != 0 {
                return (n + (diff.trailing_zeros() / 8) as u16).min(longest);
            }
            n += 8;
            if n >= longest {
                return longest;
            }
        }
    }

    /// The longest match at `at` above `best` bytes (three at least), the nearest of equals.
    ///
    /// Go starts at three bytes and drops a result that is not longer than the pending match;
    /// starting there gives the same and rejects more.
    #[inline]
    pub(super) fn find(&self, at: u16, best: u16, limits: &Limits) -> Found {
        if limits.four_only {
            return self.find_slowly(at, best, limits);
        }
        if best > 3 {
            return self.find_longer(at, best, limits);
        }
        let near = limits.reach.min(NEAR);
        let mut candidate = self.four.before[usize::from(at)];
        let mut distance = back(at, candidate);
        if distance >= limits.reach {
            return None;
        }
        let here = self.load32(at);
        let mut tries = limits.chain;
        while distance < near {
            if self.load32(candidate) == here {
                // None that is nearer shares four bytes.
                let length = self.common_prefix(candidate, at, limits.longest);
                let found = Some((length, distance + 1));
                if length >= limits.nice {
                    return found;
                }
                return self.find_longer(at, length, limits).or(found);
            }
            candidate = self.four.before[usize::from(candidate)];
            let next = back(at, candidate);
            tries -= 1;
            if next <= distance || tries == 0 {
                return None;
            }
            distance = next;
        }
        self.find_longer(at, 4, limits)
    }

    /// As `find`, with at least four bytes to beat.
    #[inline]
    fn find_longer(&self, at: u16, mut best: u16, limits: &Limits) -> Found {
        let start = best;
        let mut found = None;
        while best < limits.longest {
            match self.find_next(at, best, limits) {
                Next::Found(length, distance) => {
                    best = length;
                    found = Some((length, distance));
                    if length >= limits.nice {
                        break;
                    }
                }
                Next::None => break,
                Next::Lost => return self.find_slowly(at, start, limits),
            }
        }
        found
    }

    /// The nearest match of more than `best` bytes.
    ///
    /// It shares the first `best + 1` bytes, so that it is in the chains of all strings in them. Of
    /// two, the first and the last, this looks along the one whose newest position is further away,
    /// which is the rarer string as a rule.
    #[inline]
    fn find_next(&self, at: u16, best: u16, limits: &Limits) -> Next {
        let (before, offset) = if best < LONG - 1 {
            (&self.five.before, best - 4)
        } else {
            (&self.long.before, best - (LONG - 1))
        };
        let last = at.wrapping_add(offset);
        let (of_first, of_last) = (before[usize::from(at)], before[usize::from(last)]);
        let (mut distance, other) = (back(at, of_first), back(last, of_last));
        let (mut end, mut probe, mut candidate) = (at, best - 3, of_first);
        if other > distance {
            (end, probe, candidate, distance) = (last, 0, of_last, other);
        }
        if distance >= limits.reach {
            return Next::None;
        }
        let offset = end.wrapping_sub(at);
        let word = self.load32(at.wrapping_add(probe));
        let probe = probe.wrapping_sub(offset);
        let (mut left, mut spare) = (limits.chain, limits.chain);
        loop {
            if self.load32(candidate.wrapping_add(probe)) == word {
                let from = candidate.wrapping_sub(offset);
                let length = self.common_prefix(from, at, limits.longest);
                if length > best {
                    if self.tried(at, from) > limits.chain {
                        return Next::None;
                    }
                    return Next::Found(length, distance + 1);
                }
            }
            left -= 1;
            if left == 0 {
                let from = candidate.wrapping_sub(offset);
                let shared = self.load32(at) == self.load32(from);
                if shared && self.tried(at, from) >= limits.chain {
                    return Next::None;
                }
                if spare == 0 {
                    return Next::Lost;
                }
                (left, spare) = (spare, 0);
            }
            candidate = before[usize::from(candidate)];
            let next = back(end, candidate);
            if next <= distance || next >= limits.reach {
                return Next::None;
            }
            distance = next;
        }
    }

    /// How many candidates Go would have looked at, `from` included, which shares four bytes.
    #[inline]
    fn tried(&self, at: u16, from: u16) -> u16 {
        self.number[usize::from(at)].wrapping_sub(self.number[usize::from(from)])
    }

    /// As `find`, along the chain of four bytes alone, as Go does it.
    #[cold]
    #[inline(never)]
    fn find_slowly(&self, at: u16, mut best: u16, limits: &Limits) -> Found {
        let mut found = None;
        let mut candidate = self.four.before[usize::from(at)];
        let mut distance = back(at, candidate);
        for _ in 0..limits.chain {
            if distance >= limits.reach {
                break;
            }
            let length = self.common_prefix(candidate, at, limits.longest);
            if length > best && (length > 4 || distance < NEAR) {
                best = length;
                found = Some((length, distance + 1));
                if length >= limits.nice {
                    break;
                }
            }
            candidate = self.four.before[usize::from(candidate)];
            let next = back(at, candidate);
            if next <= distance {
                break;
            }
            distance = next;
        }
        found
    }
}

/// What a walk along a chain brought.
enum Next {
    /// Length and distance.
    Found(u16, u16),
    /// Nothing better is among those that Go looks at.
    None,
    /// Too many candidates only share the string's hash.
    Lost,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of a small alphabet, with stretches in which few strings repeat.
    fn content(len: usize) -> Vec<u8> {
        let mut state = 1u64;
        let byte = |at: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let alphabet = if (at / 40_000).is_multiple_of(2) {
                3
            } else {
                97
            };
            (state >> 33) as u8 % alphabet
        };
        (0..len).map(byte).collect()
    }

    /// Over several rings, every chain leads to the newest string with the same hash in the window.
    #[test]
    fn chains_lead_to_the_newest_of_the_window() {
        let text = content(300_000);
        let mut links = Links::new();
        let at = |index: usize| Links::START.wrapping_add(index as u16);
        let mut newest = vec![usize::MAX; 1 << LONG_BITS];
        for from in (0..text.len() - 8).step_by(4096) {
            let to = (from + 4096).min(text.len() - 8);
            let known = if from == 0 { 0 } else { from + 8 };
            links.put(&text[known..to + 8], at(known));
            links.enter(at(from), to - from);
            for index in from..to {
                let hash = long_hash(links.load64(at(index)));
                let before = std::mem::replace(&mut newest[hash], index);
                let found = usize::from(back(at(index), links.long.before[usize::from(at(index))]));
                let expected = match before {
                    usize::MAX => WINDOW,
                    before => (index - before - 1).min(WINDOW),
                };
                assert_eq!(found.min(WINDOW), expected, "at {index}");
            }
        }
    }
}
