//! The search of Go's levels 2 and 3, which do not enter the strings inside long matches.

use crate::coding::token::{MAX_MATCH, Token, WINDOW};
use crate::search::chain::Chain;
use crate::search::matching::{common_prefix, load32};

const HASH_BITS: u32 = 17;
const MIN_MATCH: usize = 4;
/// Matches of the minimum length are not accepted from further away.
const NEAR: usize = 4096;

/// How hard a level tries, and its table.
#[derive(Clone)]
pub(super) struct Greedy {
    nice: usize,
    tries: u32,
    /// Longer matches than this are not entered.
    entered: usize,
    chain: Chain,
}

impl Greedy {
    pub(super) fn new(level: u8, origin: u32) -> Self {
        let (nice, tries, entered) = if level == 2 { (16, 8, 5) } else { (32, 32, 6) };
        Self {
            nice,
            tries,
            entered,
            chain: Chain::new(HASH_BITS).starting_at(origin),
        }
    }

    pub(super) fn sweep(&mut self, origin: u32) {
        self.chain.sweep(origin);
    }

    /// Whether searches from `at` on, which never look before `base`, see the same in both.
    pub(super) fn agrees(&self, other: &Self, base: u32, at: u32) -> bool {
        self.chain.agrees(&other.chain, base, at)
    }

    /// The token for the byte at `pos`, and the next position to look at. The buffer starts at the
    /// position `origin`, the window at the index `base`.
    #[inline]
    pub(super) fn step(
        &mut self,
        buffer: &[u8],
        origin: u32,
        base: usize,
        pos: usize,
    ) -> (Token, usize) {
        let Some(distance) = self.insert(buffer, origin, pos).filter(|&d| d != 0) else {
            return (Token::literal(buffer[pos]), pos + 1);
        };
        let at = origin.wrapping_add(pos as u32);
        let Some((length, distance)) = self.find(buffer, at, base, pos, distance) else {
            return (Token::literal(buffer[pos]), pos + 1);
        };
        if length <= self.entered {
            for index in pos + 1..pos + length {
                self.insert(buffer, origin, index);
            }
        }
        let token = Token::new_match(length as u32, distance as u32);
        (token, pos + length)
    }

    /// Enters the string at `pos`, if it has four bytes; the distance to the one before it.
    #[inline]
    fn insert(&mut self, buffer: &[u8], origin: u32, pos: usize) -> Option<usize> {
        if pos + MIN_MATCH > buffer.len() {
            return None;
        }
        let bytes = load32(buffer, pos).swap_bytes();
        let hash = bytes.wrapping_mul(0x1e35_a7bd) >> (32 - HASH_BITS);
        let at = origin.wrapping_add(pos as u32);
        Some(self.chain.insert(hash as usize, at))
    }

    /// The longest match, the nearest of equals.
    #[inline]
    fn find(
        &self,
        buffer: &[u8],
        at: u32,
        base: usize,
        pos: usize,
        mut distance: usize,
    ) -> Option<(usize, usize)> {
        let reach = WINDOW.min(pos - base);
        let longest = MAX_MATCH.min(buffer.len() - pos);
        let nice = self.nice.min(longest);
        let mut best = MIN_MATCH - 1;
        let mut found = None;
        let mut tail = load32(buffer, pos + best - 3);
        for _ in 0..self.tries {
            if distance > reach {
                break;
            }
            let candidate = pos - distance;
            // What follows the window's size before would have been overwritten.
            let step = self.chain.step(at, distance);
            if load32(buffer, candidate + best - 3) == tail {
                let n = common_prefix(buffer, candidate, pos, longest);
                if n > best && (n > MIN_MATCH || distance <= NEAR) {
                    best = n;
                    found = Some((n, distance));
                    if n >= nice {
                        break;
                    }
                    tail = load32(buffer, pos + best - 3);
                }
            }
            if step == 0 || distance == WINDOW {
                break;
            }
            distance += step;
        }
        found
    }
}
