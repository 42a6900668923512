//! The tokens of one block with their counts, and the size estimate that klauspost makes of them.

use crate::token::{
    DISTANCE_EXTRA, DISTANCES, LENGTH_CODE, LENGTH_EXTRA, LITERALS, MAX_MATCH, Token, distance_code,
};

/// Tokens of a block; symbols are counted as they are added.
#[derive(Clone)]
pub(crate) struct Tokens {
    pub(crate) list: Vec<Token>,
    /// Literals and lengths; the end of the block counts only once it is added.
    pub(crate) literals: [u32; LITERALS],
    pub(crate) distances: [u32; DISTANCES],
    /// The end of the block is a token too.
    pub(crate) ended: bool,
}

impl Tokens {
    pub(crate) fn new() -> Self {
        Self {
            list: Vec::with_capacity(1 << 16),
            literals: [0; LITERALS],
            distances: [0; DISTANCES],
            ended: false,
        }
    }

    pub(crate) fn reset(&mut self) {
        self.list.clear();
        self.literals.fill(0);
        self.distances.fill(0);
        self.ended = false;
    }

    /// How many tokens there are, the end included.
    pub(crate) fn len(&self) -> usize {
        self.list.len() + usize::from(self.ended)
    }

    pub(crate) fn add_end(&mut self) {
        self.ended = true;
        self.literals[256] += 1;
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
                259..=261 => MAX_MATCH - 3,
                _ => MAX_MATCH,
            };
            length -= piece;
            self.literals[257 + usize::from(LENGTH_CODE[(piece - 3) & 255])] += 1;
            self.distances[code] += 1;
            self.list
                .push(Token::new_match(piece as u32, distance as u32));
        }
    }

    /// A lower bound of the block's size in bits, in single precision: the order of operations
    /// decides, in rare cases, whether a table is used again.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn estimated_bits(&self) -> usize {
        let mut shannon = 0f32;
        let mut bits = 0;
        let mut matches = 0;
        let total = self.len();
        if total > 0 {
            let inverse = 1.0 / total as f32;
            add_shannon(&mut shannon, &self.literals[..256], inverse);
            shannon += 15.0;
            add_shannon(&mut shannon, &self.literals[257..], inverse);
            for (&n, extra) in self.literals[257..].iter().zip(LENGTH_EXTRA) {
                bits += usize::from(extra) * n as usize;
                matches += n;
            }
        }
        if matches > 0 {
            add_shannon(&mut shannon, &self.distances, 1.0 / matches as f32);
            for (&n, extra) in self.distances.iter().zip(DISTANCE_EXTRA) {
                bits += usize::from(extra) * n as usize;
            }
        }
        shannon as usize + bits
    }
}

#[allow(clippy::cast_precision_loss)]
fn add_shannon(sum: &mut f32, counts: &[u32], inverse: f32) {
    for &count in counts.iter().filter(|&&count| count > 0) {
        let n = count as f32;
        *sum += (-fast_log2(n * inverse)).clamp(1.0, 15.0) * n;
    }
}

/// A polynomial over the mantissa; the constants are klauspost's.
fn fast_log2(value: f32) -> f32 {
    let bits = value.to_bits();
    let exponent = (bits >> 23 & 255) as i32 - 128;
    let mantissa = f32::from_bits((bits & 0x807f_ffff).wrapping_add(127 << 23));
    #[allow(clippy::cast_precision_loss)]
    let exponent = exponent as f32;
    exponent + (((-0.344_848_43_f32) * mantissa + 2.024_665_8) * mantissa - 0.674_877_6)
}
