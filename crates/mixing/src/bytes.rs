//! The model of bytes.

use crate::coder::Coder;
use crate::history::History;
use crate::predictor::{CONTEXTS, Expectation, Predictor, Step};
use crate::tables::hash;

/// Bytes in which matches are found.
const RING: usize = 1 << 20;
/// Bytes of a context of matches, and how many right ones make a match good again.
const LEAST: usize = 5;
const RECOVERY: usize = 16;

/// A stream of bytes, each of them two steps of four bits.
pub(crate) struct Bytes {
    predictor: Predictor,
    history: History<u8>,
}

impl Bytes {
    /// A stream of `len` bytes.
    pub(crate) fn new(len: u64) -> Self {
        Self {
            predictor: Predictor::new(len),
            history: History::new(RING, LEAST, RECOVERY),
        }
    }

    /// Passes a byte.
    pub(crate) fn code<C: Coder>(&mut self, coder: &mut C, byte: u8) -> Result<u8, C::Error> {
        let [b1, b2, b3, b4, b5, b6] =
            [1, 2, 3, 4, 5, 6].map(|back| u32::from(self.history.back(back)));
        let two = b1 | b2 << 8;
        let three = two | b3 << 16;
        let four = three | b4 << 24;
        let five = hash(four, b5);
        let mut contexts = [
            0,
            b1,
            two,
            three,
            four,
            hash(five, b6),
            hash(b2 | b3 << 8, 1),
            hash(b3 | b4 << 8, 2),
        ];
        for (number, context) in contexts.iter_mut().enumerate() {
            *context = hash(*context, number as u32);
        }
        let expected = self.history.expect(five);
        let first = Step {
            width: 4,
            contexts,
            mixer: 0,
            stage: 0,
            expected: expected.map(|expected| Expectation {
                bits: u32::from(expected.symbol >> 4),
                grade: expected.grade,
            }),
            refine: b1,
        };
        let high = self.predictor.code(coder, &first, u32::from(byte >> 4))?;
        let expected = expected.filter(|expected| u32::from(expected.symbol >> 4) == high);
        let second = Step {
            width: 4,
            contexts: follow(&contexts, high, 4),
            mixer: 1 + high as usize,
            stage: 1,
            expected: expected.map(|expected| Expectation {
                bits: u32::from(expected.symbol & 15),
                grade: 32 + expected.grade,
            }),
            refine: b1 | (1 + high) << 8,
        };
        let low = self.predictor.code(coder, &second, u32::from(byte & 15))?;
        let byte = (high << 4 | low) as u8;
        self.history.push(byte);
        Ok(byte)
    }
}

/// The contexts after a step of `width` bits.
pub(crate) fn follow(contexts: &[u32; CONTEXTS], bits: u32, width: u32) -> [u32; CONTEXTS] {
    contexts.map(|context| hash(context, bits + 1 + 16 * width))
}
