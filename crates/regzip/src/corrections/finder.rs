//! The match that a usual encoder would choose, found in hash chains.

use crate::coding::token::{MAX_MATCH, WINDOW};
use crate::search::chain::{Chain, ORIGIN};
use crate::search::matching::{common_prefix, load32};

/// How the encoder that is the measure for the corrections searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Effort {
    /// Strings of four bytes are looked up, not of three.
    four: bool,
    /// Candidates that are compared, and the length that ends a search.
    pub(crate) depth: u16,
    nice: u16,
    /// From a match of this length on the next position is searched with a quarter of the effort, and
    /// from the other on not at all.
    good: u16,
    lazy: u16,
    /// Strings inside of longer matches are not entered.
    enter: u16,
}

const ALL: u16 = MAX_MATCH as u16;

/// Takes what it finds at once.
const fn greedy(four: bool, depth: u16, nice: u16, enter: u16) -> Effort {
    Effort {
        four,
        depth,
        nice,
        good: 0,
        lazy: 0,
        enter,
    }
}

/// Looks at the next position first.
const fn lazy(four: bool, depth: u16, nice: u16, good: u16, lazy: u16) -> Effort {
    Effort {
        four,
        depth,
        nice,
        good,
        lazy,
        enter: ALL,
    }
}

/// The measures; a recipe names one by its index. First those like zlib's levels 6, 9, 4, 5, 7, 8,
/// 1, 2 and 3, then those of encoders that look up four bytes, in chains or in a table.
pub(crate) const EFFORTS: [Effort; 17] = [
    lazy(false, 128, 128, 8, 16),
    lazy(false, 4096, 258, 32, 258),
    lazy(false, 16, 16, 4, 4),
    lazy(false, 32, 32, 8, 16),
    lazy(false, 256, 128, 8, 32),
    lazy(false, 1024, 258, 32, 128),
    greedy(false, 4, 8, 4),
    greedy(false, 8, 16, 5),
    greedy(false, 32, 32, 6),
    greedy(true, 1, 258, ALL),
    greedy(true, 1, 258, 0),
    greedy(true, 4, 8, 4),
    greedy(true, 2, 32, ALL),
    greedy(true, 8, 258, ALL),
    lazy(true, 1, 258, 258, 258),
    lazy(true, 16, 32, 32, 64),
    lazy(true, 128, 130, 64, 130),
];

/// Plain bytes that must be available after a position before it is searched, unless the content ends.
pub(crate) const LOOKAHEAD: usize = MAX_MATCH + 8;
/// The buffer is emptied from the front when it has grown to this.
const BUFFER: usize = 1 << 20;
/// Of strings of three and of four bytes.
const HASH_BITS: [u32; 2] = [15, 16];

/// A match: length and distance.
pub(crate) type Found = (usize, usize);

/// What an encoder sees at the next position.
#[derive(Clone, Copy)]
pub(crate) enum Next {
    /// It does not look.
    NotSought,
    Nothing,
    Longer(Found),
}

/// Plain bytes, with the chains up to the current position.
pub(crate) struct Finder {
    pub(crate) effort: Effort,
    pub(crate) buffer: Vec<u8>,
    /// Index of the next byte without a token.
    pub(crate) pos: usize,
    /// Strings before this are entered, or will not be.
    entered: usize,
    origin: u32,
    chain: Chain,
}

impl Finder {
    pub(crate) fn new(effort: Effort) -> Self {
        Self {
            effort,
            buffer: Vec::new(),
            pos: 0,
            entered: 0,
            origin: ORIGIN,
            chain: Chain::new(HASH_BITS[usize::from(effort.four)]),
        }
    }

    /// Available plain bytes from the current position on.
    pub(crate) fn ahead(&self) -> usize {
        self.buffer.len() - self.pos
    }

    /// Forgets what is out of reach, now and then.
    pub(crate) fn drop_front(&mut self) {
        let drop = self.pos.saturating_sub(WINDOW);
        if self.buffer.len() < BUFFER || drop < BUFFER / 2 {
            return;
        }
        self.buffer.drain(..drop);
        self.pos -= drop;
        // What was not entered yet and is dropped could not be reached any more.
        self.entered = self.entered.saturating_sub(drop);
        self.origin = self.origin.wrapping_add(drop as u32);
        self.chain.sweep(self.origin);
    }

    /// Steps over a token of this length.
    pub(crate) fn step(&mut self, len: usize) {
        if len > 1 && len > usize::from(self.effort.enter) {
            self.enter_to(self.pos + 1);
            self.entered = self.pos + len;
        }
        self.pos += len;
    }

    /// Steps over bytes of a stored block.
    pub(crate) fn skip(&mut self, len: usize) {
        self.pos += len;
    }

    fn hash(&self, index: usize) -> Option<usize> {
        let b = self.buffer.get(index..index + 3)?;
        if self.effort.four {
            self.buffer.get(index + 3)?;
            let word = load32(&self.buffer, index);
            return Some((word.wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS[1])) as usize);
        }
        // As zlib does, so that the same strings share a chain.
        let hash = usize::from(b[0]) << 10 ^ usize::from(b[1]) << 5 ^ usize::from(b[2]);
        Some(hash & ((1 << HASH_BITS[0]) - 1))
    }

    fn enter_to(&mut self, end: usize) {
        let from = self.entered.max(self.pos.saturating_sub(WINDOW));
        for index in from..end {
            if let Some(hash) = self.hash(index) {
                self.chain
                    .insert(hash, self.origin.wrapping_add(index as u32));
            }
        }
        self.entered = self.entered.max(end);
    }

    /// Distances of the candidates for the string at `index`, nearest first.
    fn candidates(&self, index: usize) -> impl Iterator<Item = usize> + '_ {
        let at = self.origin.wrapping_add(index as u32);
        let none = self.hash(index).is_none();
        let mut distance = 0;
        std::iter::from_fn(move || {
            if none || distance == WINDOW {
                return None;
            }
            let step = self.chain.step(at, distance);
            distance += step;
            (step != 0 && distance <= WINDOW.min(index)).then_some(distance)
        })
    }

    /// The longest match at the current position, the nearest of equals.
    pub(crate) fn find(&mut self) -> Option<Found> {
        self.enter_to(self.pos + 1);
        self.search(self.pos, self.effort.depth, 2)
    }

    /// What is longer than a match of `length` at the next position.
    pub(crate) fn find_next(&mut self, length: usize) -> Next {
        if length >= usize::from(self.effort.lazy) {
            return Next::NotSought;
        }
        let depth = if length >= usize::from(self.effort.good) {
            (self.effort.depth / 4).max(1)
        } else {
            self.effort.depth
        };
        self.enter_to(self.pos + 2);
        self.search(self.pos + 1, depth, length)
            .map_or(Next::Nothing, Next::Longer)
    }

    fn search(&self, index: usize, depth: u16, mut length: usize) -> Option<Found> {
        let buffer = self.buffer.as_slice();
        let longest = MAX_MATCH.min(buffer.len().saturating_sub(index));
        if length >= longest {
            return None;
        }
        let nice = usize::from(self.effort.nice).min(longest);
        let mut best = None;
        let mut last = buffer[index + length];
        for distance in self.candidates(index).take(usize::from(depth)) {
            let candidate = index - distance;
            if buffer[candidate + length] != last {
                continue;
            }
            let n = common_prefix(buffer, candidate, index, longest);
            if n > length {
                length = n;
                best = Some((n, distance));
                if n >= nice {
                    break;
                }
                last = buffer[index + length];
            }
        }
        best
    }

    /// Candidates at the current position that share `length` bytes with it, nearest first.
    pub(crate) fn sharing(&self, length: usize) -> impl Iterator<Item = usize> + '_ {
        let (buffer, index) = (self.buffer.as_slice(), self.pos);
        let last = buffer.get(index + length - 1).copied();
        self.candidates(index)
            .take(Self::WALK)
            .filter(move |&distance| {
                let candidate = index - distance;
                last == Some(buffer[candidate + length - 1])
                    && common_prefix(buffer, candidate, index, length) == length
            })
    }

    /// So many candidates are examined for a match that was not expected.
    const WALK: usize = 4096;
}
