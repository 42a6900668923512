//! The model of numbers.

use crate::bytes::follow;
use crate::coder::Coder;
use crate::history::History;
use crate::predictor::{CONTEXTS, Expectation, Predictor, Step};
use crate::tables::hash;

/// Numbers in which matches are found.
const RING: usize = 1 << 16;
/// Numbers of a context of matches, and how many right ones make a match good again.
const LEAST: usize = 3;
const RECOVERY: usize = 8;

/// Smaller numbers are one step.
const DIRECT: u64 = 10;
/// First steps of numbers of four to seven bits.
const SHORT: u32 = 6;
/// The first steps of numbers of 8 to 14 bits, and of more.
const MIDDLE: u32 = 14;
const LONG: u32 = 15;

/// A stream of numbers, of one or two roles that take turns.
pub(crate) struct Numbers {
    predictor: Predictor,
    history: History<u64>,
}

impl Numbers {
    /// A stream of numbers that takes `len` bytes.
    pub(crate) fn new(len: u64) -> Self {
        Self {
            predictor: Predictor::new(len),
            history: History::new(RING, LEAST, RECOVERY),
        }
    }

    /// Passes a number. `role` is 0, or 0 and 1 in turn.
    pub(crate) fn code<C: Coder>(
        &mut self,
        coder: &mut C,
        role: u32,
        number: u64,
    ) -> Result<u64, C::Error> {
        let [n1, n2, n3, n4] = [1, 2, 3, 4].map(|back| self.history.back(back));
        let [f1, f2, f3, f4] = [n1, n2, n3, n4].map(folded);
        let two = hash(f1, f2);
        let three = hash(two, f3);
        let rough = rough(n1) << 16 | rough(n2) << 8 | rough(n3);
        let mut contexts = [
            0,
            f1,
            two,
            three,
            hash(rough, self::rough(n4)),
            f2,
            hash(f2, f4),
            rough >> 8,
        ];
        for (index, context) in contexts.iter_mut().enumerate() {
            *context = hash(*context ^ role << 31, index as u32);
        }
        let expected = self.history.expect(three);
        let mut walk = Walk {
            predictor: &mut self.predictor,
            coder,
            number,
            expected: expected.map(|expected| (expected.symbol, expected.grade)),
            contexts,
            role,
            taken: 0,
            first: 0,
            refine: self::rough(n1),
        };
        let number = walk.number()?;
        self.history.push(number);
        Ok(number)
    }
}

/// The steps of a number.
struct Walk<'a, C> {
    predictor: &'a mut Predictor,
    coder: &'a mut C,
    /// The number to encode.
    number: u64,
    /// What a match says as long as all steps agree, and its grade.
    expected: Option<(u64, usize)>,
    contexts: [u32; CONTEXTS],
    role: u32,
    /// Steps taken.
    taken: usize,
    /// The first of them.
    first: u32,
    refine: u32,
}

impl<C: Coder> Walk<'_, C> {
    /// The first step says how long the number is, or what it is if it is small; then come the bits below the highest one,
    /// the higher ones first.
    fn number(&mut self) -> Result<u64, C::Error> {
        let token = self.step(4, token)?;
        self.first = token;
        let length = match token {
            0..=9 => return Ok(u64::from(token)),
            MIDDLE => 8 + self.step(3, |number| length(number).saturating_sub(8) & 7)?,
            LONG => self.long()?,
            token => token - SHORT,
        };
        let mut number = 1;
        let mut left = length - 1;
        while left > 0 {
            let width = left.min(4);
            left -= width;
            let bits = self.step(width, |number| (number >> left) as u32 & ((1 << width) - 1))?;
            number = number << width | u64::from(bits);
        }
        Ok(number)
    }

    /// The length of a number of 15 bits or more.
    fn long(&mut self) -> Result<u32, C::Error> {
        let short = self.step(4, |number| length(number).saturating_sub(15).min(15))?;
        if short < 15 {
            return Ok(15 + short);
        }
        let high = self.step(2, |number| length(number).saturating_sub(30) / 16)?;
        let low = self.step(4, |number| length(number).saturating_sub(30) % 16)?;
        // No number is longer; a decoder that reads more has lost its way, which its caller will notice.
        Ok((30 + 16 * high + low).min(64))
    }

    /// A step of `width` bits, which `of` finds in a number.
    fn step(&mut self, width: u32, of: impl Fn(u64) -> u32) -> Result<u32, C::Error> {
        let later = self.taken > 0;
        let mixer = match self.taken {
            0 => 0,
            1 => 1 + self.first as usize,
            taken => 17 + taken.min(6),
        };
        let step = Step {
            width,
            contexts: self.contexts,
            mixer: mixer + 24 * self.role as usize,
            stage: self.taken.min(3) + 4 * self.role as usize,
            expected: self.expected.map(|(number, grade)| Expectation {
                bits: of(number),
                grade: grade + if later { 32 } else { 0 },
            }),
            refine: if later {
                hash(self.first, self.taken as u32)
            } else {
                self.refine
            } ^ self.role << 31,
        };
        let bits = self.predictor.code(self.coder, &step, of(self.number))?;
        self.expected = self.expected.filter(|(number, _)| of(*number) == bits);
        self.contexts = follow(&self.contexts, bits, width);
        self.taken += 1;
        Ok(bits)
    }
}

/// The number of bits of a number.
fn length(number: u64) -> u32 {
    u64::BITS - number.leading_zeros()
}

/// The first step of a number.
fn token(number: u64) -> u32 {
    match length(number) {
        _ if number < DIRECT => number as u32,
        length @ 0..8 => SHORT + length,
        8..15 => MIDDLE,
        _ => LONG,
    }
}

fn folded(number: u64) -> u32 {
    (number ^ number >> 32) as u32
}

/// A number up to 3, or else its length and the bit below its highest.
fn rough(number: u64) -> u32 {
    if number < 4 {
        return number as u32;
    }
    let length = length(number);
    length * 2 + (number >> (length - 2)) as u32 % 2
}

/// The numbers of a stream; `None` if they are not all in their shortest form.
pub(crate) fn parse(raw: &[u8]) -> Option<Vec<u64>> {
    let mut numbers = Vec::new();
    let (mut number, mut shift) = (0u64, 0);
    for &byte in raw {
        let bits = u64::from(byte & 0x7f);
        if shift > 63 || bits << shift >> shift != bits || (byte == 0 && shift > 0) {
            return None;
        }
        number |= bits << shift;
        shift += 7;
        if byte < 0x80 {
            numbers.push(number);
            (number, shift) = (0, 0);
        }
    }
    (shift == 0).then_some(numbers)
}

/// Appends a number in its shortest form.
pub(crate) fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
