//! The search of encoders that enter every string, over chains that are filled long before they are
//! looked along: Go's levels 4 to 9, zlib's and GNU gzip's.
//!
//! What the tables contain does not depend on the matches chosen. They are filled in batches, ahead of
//! the search: a batch is one loop whose branches the processor predicts, which it cannot in a search.
//!
//! In addition to the encoder's chains, of strings that share the hash of a few bytes, there are chains of
//! more bytes. Once only a longer match is of use, they have far fewer candidates. An encoder counts
//! the candidates that it looks at: every string has a number in its own chain, and the difference of
//! two is how many it would have looked at.
//!
//! Positions are 16 bits wide and wrap. Text and links lie in rings of 65,536 entries, so that no index
//! can be out of bounds. The tables are small enough for the second cache: with wider positions
//! entering takes more than twice as long.

use super::matching::zeros;
use crate::coding::token::WINDOW;

/// Entries in a ring.
const RING: usize = 1 << 16;
const SECOND_BITS: u32 = 16;
const LONG_BITS: u32 = 16;
/// The long chains join strings with so many equal bytes.
const LONG: u16 = 7;
/// The largest distance, less one.
const FAR: u16 = (WINDOW - 1) as u16;

/// Heads are distinct from those a ring older if they are moved after so many positions.
const SWEEP: usize = WINDOW - 1;

/// The strings that an encoder looks up.
pub(crate) trait Strings: Clone {
    /// Their bytes: the shortest match.
    const MIN: u16;
    /// The next longer chains join strings with so many equal bytes.
    const SECOND: u16;
    /// A match of the shortest length is not accepted from further away.
    const NEAR: u16;

    /// The hash of the first bytes.
    fn hash(&self, bytes: u32) -> usize;

    /// Only the first bytes.
    fn part(bytes: u32) -> u32;
}

/// How a search is limited.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// The furthest distance, at most [`WINDOW`].
    pub(crate) reach: u16,
    /// The longest match.
    pub(crate) longest: u16,
    /// A match this long ends the search.
    pub(crate) nice: u16,
    /// How many candidates the encoder looks at.
    pub(crate) chain: u16,
    /// The longer chains lack some strings.
    pub(crate) base_only: bool,
}

/// A match: length and distance.
pub(crate) type Found = Option<(u16, u16)>;

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
fn second_hash<S: Strings>(bytes: u64) -> usize {
    ((bytes << (64 - 8 * S::SECOND)).wrapping_mul(FACTOR) >> (64 - SECOND_BITS)) as usize
}

#[inline]
fn long_hash(bytes: u64) -> usize {
    ((bytes << (64 - 8 * LONG)).wrapping_mul(FACTOR) >> (64 - LONG_BITS)) as usize
}

/// Text, and where its strings were before. `HEADS` is more than the largest hash.
#[derive(Clone)]
pub(crate) struct Links<S, const HEADS: usize> {
    strings: S,
    /// The ring, and its first bytes once more so that a load may begin anywhere.
    text: Box<[u8; RING + 8]>,
    base: Chains<HEADS>,
    second: Chains<{ 1 << SECOND_BITS }>,
    long: Chains<{ 1 << LONG_BITS }>,
    /// Numbers in the encoder's chains.
    number: Box<[u16; RING]>,
    /// Positions that may be entered before the heads alias.
    fresh: usize,
}

/// Bytes that a string must have to be in all tables.
pub(crate) const STRING: usize = 8;
/// Strings are best entered so far ahead of the search; the rings bear up to a window.
pub(crate) const STRETCH: usize = 1 << 12;
/// The first position: zeros in the tables are out of its reach.
pub(crate) const START: u16 = FAR + 2;

impl<S: Strings, const HEADS: usize> Links<S, HEADS> {
    /// Empty tables.
    pub(crate) fn new(strings: S) -> Self {
        Self {
            strings,
            text: zeros(),
            base: Chains::new(),
            second: Chains::new(),
            long: Chains::new(),
            number: zeros(),
            fresh: SWEEP,
        }
    }

    /// Puts text in the ring.
    pub(crate) fn put(&mut self, mut text: &[u8], mut at: u16) {
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
    pub(crate) fn byte(&self, at: u16) -> u8 {
        self.text[usize::from(at)]
    }

    #[inline]
    fn enter_base(&mut self, bytes: u32, at: u16) {
        let before = self.base.enter(self.strings.hash(bytes), at);
        // Beyond the end of a chain any number will do.
        let number = self.number[usize::from(before)].wrapping_add(1);
        self.number[usize::from(at)] = number;
    }

    #[inline]
    fn enter_one(&mut self, at: u16) {
        let bytes = self.load64(at);
        self.enter_base(bytes as u32, at);
        self.second.enter(second_hash::<S>(bytes), at);
        self.long.enter(long_hash(bytes), at);
    }

    /// Enters `count` strings from `at` on; eight bytes of each are in the ring. Positions are
    /// entered or skipped one after the other.
    #[inline(never)]
    pub(crate) fn enter(&mut self, mut at: u16, mut count: usize) {
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

    /// Enters a string of which no more bytes are known than the shortest match has.
    pub(crate) fn enter_short(&mut self, bytes: u32, at: u16) {
        self.enter_base(bytes, at);
        self.second.skip(at);
        self.long.skip(at);
        self.grow_old(1, at.wrapping_add(1));
    }

    /// Leaves a position out of all chains.
    pub(crate) fn skip(&mut self, at: u16) {
        self.base.skip(at);
        self.second.skip(at);
        self.long.skip(at);
        self.grow_old(1, at.wrapping_add(1));
    }

    /// In time moves heads that are out of reach to where they stay so for one more.
    fn grow_old(&mut self, count: usize, next: u16) {
        self.fresh -= count;
        if self.fresh == 0 {
            self.fresh = SWEEP;
            self.base.sweep(next);
            self.second.sweep(next);
            self.long.sweep(next);
        }
    }

    /// From the candidate that lies `distance` before `at` to the next one along the encoder's chain; 0 at
    /// its end.
    #[inline]
    pub(crate) fn step(&self, at: u16, distance: u16) -> usize {
        let candidate = at.wrapping_sub(distance);
        let next = usize::from(back(at, self.base.before[usize::from(candidate)])) + 1;
        next.saturating_sub(distance.into())
    }

    /// The distance from an entered string to the one before it with the same hash, less one; more than a
    /// window if there is none.
    #[inline]
    pub(crate) fn before(&self, at: u16) -> u16 {
        back(at, self.base.before[usize::from(at)])
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

    /// The longest match at `at` above `best` bytes (one less than the shortest match at least), the
    /// nearest of equals.
    ///
    /// Go starts at three bytes and drops a result that is not longer than the pending match;
    /// starting there gives the same and rejects more.
    #[inline]
    pub(crate) fn find(&self, at: u16, best: u16, limits: &Limits) -> Found {
        if limits.base_only {
            return self.find_slowly(at, best, limits);
        }
        if best >= S::MIN {
            return self.find_longer(at, best, limits);
        }
        let near = limits.reach.min(S::NEAR);
        let mut candidate = self.base.before[usize::from(at)];
        let mut distance = back(at, candidate);
        if distance >= limits.reach {
            return None;
        }
        let here = S::part(self.load32(at));
        let mut tries = limits.chain;
        while distance < near {
            if S::part(self.load32(candidate)) == here {
                // None that is nearer is a match.
                let length = self.common_prefix(candidate, at, limits.longest);
                let found = Some((length, distance + 1));
                if length >= limits.nice {
                    return found;
                }
                return self.find_longer(at, length, limits).or(found);
            }
            candidate = self.base.before[usize::from(candidate)];
            let next = back(at, candidate);
            tries -= 1;
            if next <= distance || tries == 0 {
                return None;
            }
            distance = next;
        }
        if near == limits.reach {
            return None;
        }
        self.find_longer(at, S::MIN, limits)
    }

    /// As `find`, with at least the shortest match to beat.
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
            (&self.second.before, best + 1 - S::SECOND)
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
                let shared = S::part(self.load32(at)) == S::part(self.load32(from));
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

    /// How many candidates the encoder would have looked at, `from` included, which is one of them.
    #[inline]
    fn tried(&self, at: u16, from: u16) -> u16 {
        self.number[usize::from(at)].wrapping_sub(self.number[usize::from(from)])
    }

    /// As `find`, along the encoder's own chain only, as the encoder does it.
    #[cold]
    #[inline(never)]
    fn find_slowly(&self, at: u16, mut best: u16, limits: &Limits) -> Found {
        let mut found = None;
        let mut candidate = self.base.before[usize::from(at)];
        let mut distance = back(at, candidate);
        for _ in 0..limits.chain {
            if distance >= limits.reach {
                break;
            }
            let length = self.common_prefix(candidate, at, limits.longest);
            if length > best && (length > S::MIN || distance < S::NEAR) {
                best = length;
                found = Some((length, distance + 1));
                if length >= limits.nice {
                    break;
                }
            }
            candidate = self.base.before[usize::from(candidate)];
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
    /// Nothing better is among those that the encoder looks at.
    None,
    /// Too many candidates only share the string's hash.
    Lost,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Strings of four bytes.
    #[derive(Clone)]
    struct Fours;

    impl Strings for Fours {
        const MIN: u16 = 4;
        const SECOND: u16 = 5;
        const NEAR: u16 = u16::MAX;

        fn hash(&self, bytes: u32) -> usize {
            (bytes.wrapping_mul(0x9e37_79b1) >> 15) as usize
        }

        fn part(bytes: u32) -> u32 {
            bytes
        }
    }

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
        let mut links = Links::<_, { 1 << 17 }>::new(Fours);
        let at = |index: usize| START.wrapping_add(index as u16);
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
