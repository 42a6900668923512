//! The arithmetic coder: bits, each with a probability, as bytes.

use std::convert::Infallible;
use std::io::{ErrorKind, Read};

use crate::Compressed;
use crate::error::Error;

/// Bits of a probability.
pub(crate) const BITS: u32 = 16;
/// After the stored bytes so many zero bytes are read.
const VIRTUAL: u32 = 3;

/// One side of the coder.
pub(crate) trait Coder {
    /// What can go wrong.
    type Error;

    /// Passes a bit that is 1 with probability `p / 2^16`, which is neither 0 nor 2^16. The encoder stores `bit`; the
    /// decoder ignores it and returns the one that was stored.
    fn bit(&mut self, bit: u32, p: u32) -> Result<u32, Self::Error>;
}

/// The numbers that are left: from `low` to `high`, both included.
struct Interval {
    low: u32,
    high: u32,
}

impl Interval {
    const ALL: Self = Self {
        low: 0,
        high: u32::MAX,
    };

    /// The last number that means a 1.
    fn middle(&self, p: u32) -> u32 {
        let range = u64::from(self.high - self.low);
        self.low + ((range * u64::from(p)) >> BITS) as u32
    }

    fn choose(&mut self, bit: u32, middle: u32) {
        if bit == 1 {
            self.high = middle;
        } else {
            self.low = middle + 1;
        }
    }

    /// Drops the first byte, if it is settled.
    fn shift(&mut self) -> Option<u8> {
        if (self.low ^ self.high) >> 24 != 0 {
            return None;
        }
        let byte = (self.high >> 24) as u8;
        self.low <<= 8;
        self.high = self.high << 8 | 0xff;
        Some(byte)
    }
}

/// Collects the bytes.
pub(crate) struct Encoder {
    interval: Interval,
    out: Vec<u8>,
    passed: u64,
}

impl Encoder {
    pub(crate) fn new() -> Self {
        Self {
            interval: Interval::ALL,
            out: Vec::new(),
            passed: 0,
        }
    }

    /// All bytes, and how many bits they are for. The last byte, followed by zeros, is within the interval.
    pub(crate) fn finish(mut self) -> Compressed {
        self.out.push((self.interval.low >> 24) as u8 + 1);
        Compressed {
            bytes: self.out,
            work: self.passed,
        }
    }
}

impl Coder for Encoder {
    type Error = Infallible;

    #[inline]
    fn bit(&mut self, bit: u32, p: u32) -> Result<u32, Infallible> {
        self.passed += 1;
        let middle = self.interval.middle(p);
        self.interval.choose(bit, middle);
        while let Some(byte) = self.interval.shift() {
            self.out.push(byte);
        }
        Ok(bit)
    }
}

/// How much is read at a time.
const PIECE: usize = 16 << 10;

/// Consumes the bytes.
pub(crate) struct BitDecoder<R> {
    interval: Interval,
    value: u32,
    input: R,
    piece: Vec<u8>,
    at: usize,
    /// Zero bytes read after the end.
    beyond: u32,
    begun: bool,
}

impl<R: Read> BitDecoder<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            interval: Interval::ALL,
            value: 0,
            input,
            piece: Vec::new(),
            at: 0,
            beyond: 0,
            begun: false,
        }
    }

    /// Fills the piece; `false` at the end of the input.
    fn fill(&mut self) -> Result<bool, Error> {
        self.piece.resize(PIECE, 0);
        self.at = 0;
        loop {
            match self.input.read(&mut self.piece) {
                Ok(len) => {
                    self.piece.truncate(len);
                    return Ok(len > 0);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.piece.clear();
                    return Err(Error::Read(error));
                }
            }
        }
    }

    fn byte(&mut self) -> Result<u32, Error> {
        if self.at == self.piece.len() && !self.fill()? {
            self.beyond += 1;
            return if self.beyond > VIRTUAL {
                Err(Error::Ended)
            } else {
                Ok(0)
            };
        }
        self.at += 1;
        Ok(u32::from(self.piece[self.at - 1]))
    }

    /// The first number.
    fn begin(&mut self) -> Result<(), Error> {
        if !self.begun {
            self.begun = true;
            for _ in 0..4 {
                self.value = self.value << 8 | self.byte()?;
            }
        }
        Ok(())
    }

    /// Checks that all bytes were used.
    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        self.begin()?;
        if self.beyond < VIRTUAL || self.value != ((self.interval.low >> 24) + 1) << 24 {
            return Err(Error::Unused);
        }
        Ok(())
    }
}

impl<R: Read> Coder for BitDecoder<R> {
    type Error = Error;

    #[inline]
    fn bit(&mut self, _bit: u32, p: u32) -> Result<u32, Error> {
        self.begin()?;
        let middle = self.interval.middle(p);
        let bit = u32::from(self.value <= middle);
        self.interval.choose(bit, middle);
        while self.interval.shift().is_some() {
            self.value = self.value << 8 | self.byte()?;
        }
        Ok(bit)
    }
}
