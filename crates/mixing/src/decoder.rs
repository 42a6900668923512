//! Stored bytes back into the stream.

use std::io::{self, Read};

use crate::Model;
use crate::bytes::Bytes;
use crate::coder::BitDecoder;
use crate::error::Error;
use crate::numbers::{Numbers, put};

/// How much is decoded at a time, in bytes.
const PIECE: usize = 16 << 10;

/// Decodes a stream while it is read. Its errors carry an [`Error`], except those of the input, which are passed on.
pub struct Decoder<R> {
    bits: BitDecoder<R>,
    symbols: Symbols,
    /// Bytes that are not decoded yet.
    left: u64,
    /// Decoded bytes, and how many of them were read.
    ready: Vec<u8>,
    at: usize,
    is_finished: bool,
}

enum Symbols {
    Bytes(Box<Bytes>),
    Numbers(Box<Numbers>),
    Sparse(Box<Numbers>, Turn),
}

/// What is next in a stream of sparse numbers.
enum Turn {
    /// A count of zeros.
    Count,
    /// So many zeros, then another number.
    Zeros(u64),
}

impl<R: Read> Decoder<R> {
    /// Decodes a stream of `len` bytes.
    pub fn new(model: Model, input: R, len: u64) -> Self {
        let numbers = || Box::new(Numbers::new(len));
        Self {
            bits: BitDecoder::new(input),
            symbols: match model {
                Model::Bytes => Symbols::Bytes(Box::new(Bytes::new(len))),
                Model::Numbers => Symbols::Numbers(numbers()),
                Model::SparseNumbers => Symbols::Sparse(numbers(), Turn::Count),
            },
            left: len,
            ready: Vec::new(),
            at: 0,
            is_finished: false,
        }
    }

    /// Decodes some more; at the end of the stream, checks that the input ends too.
    fn advance(&mut self) -> Result<(), Error> {
        self.ready.clear();
        self.at = 0;
        while self.ready.len() < PIECE && self.left > 0 {
            match &mut self.symbols {
                Symbols::Bytes(model) => {
                    self.ready.push(model.code(&mut self.bits, 0)?);
                    self.left -= 1;
                }
                Symbols::Numbers(model) => {
                    let number = model.code(&mut self.bits, 0, 0)?;
                    self.put(number)?;
                }
                Symbols::Sparse(model, turn) => match *turn {
                    Turn::Count => {
                        let zeros = model.code(&mut self.bits, 0, 0)?;
                        if zeros > self.left {
                            return Err(Error::Number);
                        }
                        *turn = Turn::Zeros(zeros);
                    }
                    Turn::Zeros(0) => {
                        let number = model.code(&mut self.bits, 1, 0)?;
                        *turn = Turn::Count;
                        if number == 0 {
                            return Err(Error::Number);
                        }
                        self.put(number)?;
                    }
                    Turn::Zeros(zeros) => {
                        let now = zeros.min((PIECE - self.ready.len()) as u64);
                        self.ready.resize(self.ready.len() + now as usize, 0);
                        self.left -= now;
                        *turn = Turn::Zeros(zeros - now);
                    }
                },
            }
        }
        if self.left == 0 && !self.is_finished {
            self.bits.finish()?;
            self.is_finished = true;
        }
        Ok(())
    }

    fn put(&mut self, number: u64) -> Result<(), Error> {
        let before = self.ready.len();
        put(&mut self.ready, number);
        let len = (self.ready.len() - before) as u64;
        self.left = self.left.checked_sub(len).ok_or(Error::Number)?;
        Ok(())
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.ready.len() && !self.is_finished {
            self.advance()?;
        }
        let ready = &self.ready[self.at..];
        let len = ready.len().min(buffer.len());
        buffer[..len].copy_from_slice(&ready[..len]);
        self.at += len;
        Ok(len)
    }
}
