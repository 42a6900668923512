//! The tokens of one block with their counts.

use crate::coding::token::{DISTANCES, LENGTH_CODE, LITERALS, MAX_MATCH, Token, distance_code};

/// Tokens of a block; symbols are counted as they are added.
#[derive(Clone)]
pub(crate) struct Tokens {
    pub(crate) list: Vec<Token>,
    /// Literals and lengths; the end of the block counts only once it is added.
    pub(crate) literals: [u32; LITERALS],
    pub(crate) distances: [u32; DISTANCES],
    /// The end of the block is a token too.
    pub(crate) ended: bool,
    /// Literals and lengths that only [`Tokens::fill`] counted.
    pub(crate) filled: usize,
    /// Matches longer than the format allows are cut at the longest that it does.
    whole_pieces: bool,
}

impl Tokens {
    pub(crate) fn new(whole_pieces: bool) -> Self {
        Self {
            list: Vec::with_capacity(1 << 16),
            literals: [0; LITERALS],
            distances: [0; DISTANCES],
            ended: false,
            filled: 0,
            whole_pieces,
        }
    }

    pub(crate) fn reset(&mut self) {
        self.list.clear();
        self.literals.fill(0);
        self.distances.fill(0);
        self.ended = false;
        self.filled = 0;
    }

    /// How many tokens there are, the end included.
    pub(crate) fn len(&self) -> usize {
        self.list.len() + usize::from(self.ended)
    }

    pub(crate) fn add_end(&mut self) {
        self.ended = true;
        self.literals[256] += 1;
    }

    /// Counts every symbol once that does not occur.
    pub(crate) fn fill(&mut self) {
        let fill = |counts: &mut [u32]| {
            let empty = counts.iter_mut().filter(|n| **n == 0);
            empty.map(|n| *n = 1).count()
        };
        self.filled = fill(&mut self.literals);
        fill(&mut self.distances);
    }

    #[inline]
    pub(crate) fn add_literals(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.literals[usize::from(byte)] += 1;
        }
        self.list.extend(bytes.iter().map(|&b| Token::literal(b)));
    }

    /// Adds a match that may be longer than the format allows, in pieces.
    #[inline]
    pub(crate) fn add_match(&mut self, mut length: usize, distance: usize) {
        let code = distance_code(distance - 1);
        while length > 0 {
            // What is left must be long enough for a match of its own.
            let piece = match length {
                0..=MAX_MATCH => length,
                262.. if self.whole_pieces => MAX_MATCH,
                _ => MAX_MATCH - 3,
            };
            length -= piece;
            self.literals[257 + usize::from(LENGTH_CODE[(piece - 3) & 255])] += 1;
            self.distances[code] += 1;
            self.list
                .push(Token::new_match(piece as u32, distance as u32));
        }
    }
}
