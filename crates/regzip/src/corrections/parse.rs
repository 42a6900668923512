//! Reads a deflate stream token by token, with all that its headers say.

use std::io::Read;

use super::blocks::PIECE_TOKENS;
use super::codes::Codes;
use crate::error::{Error, Result};
use crate::inflate::{BitReader, BlockKind, Table, fixed_codes};
use crate::input::Input;
use crate::token::{CODE_LENGTH_ORDER, DISTANCES, LITERALS, MAX_MATCH, Token};

/// A piece ends after so many plain bytes, if its block does not end before.
const PIECE_PLAIN: usize = 1 << 19;

/// A block, or a piece of a long one.
pub(crate) struct Piece {
    /// Its kind and whether it is the last, where the block starts with this piece.
    pub(crate) start: Option<(BlockKind, bool)>,
    pub(crate) kind: BlockKind,
    pub(crate) tokens: Vec<Token>,
    /// Plain bytes.
    pub(crate) len: usize,
    /// Whether the block ends with this piece.
    pub(crate) ends: bool,
    /// The header, with the first piece of a dynamic block.
    pub(crate) codes: Option<Box<Codes>>,
}

/// The symbol of the longest match alone (RFC 1951, 3.2.5).
const LONGEST: usize = 285;

/// Cuts a deflate stream into pieces.
pub(crate) struct Parser<R> {
    pub(crate) bits: BitReader<R>,
    /// The block at work.
    block: Option<(BlockKind, bool)>,
    /// Bytes left in a stored block.
    stored: usize,
    codes: Option<Box<Codes>>,
    literals: Table,
    distances: Table,
    /// The last block is complete.
    pub(crate) ended: bool,
}

impl<R: Read> Parser<R> {
    pub(crate) fn new(input: Input<R>) -> Self {
        Self {
            bits: BitReader::new(input),
            block: None,
            stored: 0,
            codes: None,
            literals: Table::default(),
            distances: Table::default(),
            ended: false,
        }
    }

    /// Reads the next piece; its plain bytes are appended to `plain`, which holds what came before.
    pub(crate) fn next(&mut self, plain: &mut Vec<u8>) -> Result<Piece> {
        let from = plain.len();
        let (start, (kind, last)) = if let Some(block) = self.block {
            (None, block)
        } else {
            let block = self.header()?;
            (Some(block), block)
        };
        let mut tokens = Vec::new();
        let ends = if kind == BlockKind::Stored {
            let n = self.stored.min(PIECE_PLAIN);
            plain.extend_from_slice(self.bits.input.take(n)?);
            self.stored -= n;
            self.stored == 0
        } else {
            self.tokens(&mut tokens, plain)?
        };
        self.block = if ends { None } else { Some((kind, last)) };
        if ends && last {
            self.ended = true;
            self.bits.give_back();
        }
        self.bits.input.skip_comparison();
        Ok(Piece {
            start,
            kind,
            tokens,
            len: plain.len() - from,
            ends,
            codes: self.codes.take(),
        })
    }

    fn header(&mut self) -> Result<(BlockKind, bool)> {
        let (kind, last) = self.bits.block_start()?;
        match kind {
            BlockKind::Stored => self.stored = self.bits.stored_len()?,
            BlockKind::Fixed => fixed_codes(&mut self.literals, &mut self.distances)?,
            BlockKind::Dynamic => {
                let codes = self.codes()?;
                self.literals.build(&codes.literals)?;
                self.distances.build(&codes.distances)?;
                self.codes = Some(Box::new(codes));
            }
        }
        Ok((kind, last))
    }

    fn codes(&mut self) -> Result<Codes> {
        let mut codes = Codes::unknown();
        let first = self.bits.bits(5)? as usize + 257;
        let second = self.bits.bits(5)? as usize + 1;
        if first > LITERALS || second > DISTANCES {
            return Err(Error::BadStream("unknown symbols"));
        }
        codes.listed = [first, second];
        codes.lengths_listed = self.bits.bits(4)? as usize + 4;
        for &symbol in &CODE_LENGTH_ORDER[..codes.lengths_listed] {
            codes.lengths[symbol] = self.bits.bits(3)? as u8;
        }
        let mut table = Table::default();
        table.build(&codes.lengths)?;
        let mut list = Vec::with_capacity(first + second);
        while list.len() < first + second {
            let symbol = self.bits.symbol(&table)?;
            let (value, extra, run) = match symbol {
                16 => {
                    let before = list.last().copied();
                    let before = before.ok_or(Error::BadStream("repeat without a length"))?;
                    let extra = self.bits.bits(2)?;
                    (before, extra, extra + 3)
                }
                17 => {
                    let extra = self.bits.bits(3)?;
                    (0, extra, extra + 3)
                }
                18 => {
                    let extra = self.bits.bits(7)?;
                    (0, extra, extra + 11)
                }
                _ => (symbol as u8, 0, 1),
            };
            codes.runs.push((symbol as u8, extra as u8));
            list.resize(list.len() + run as usize, value);
        }
        if list.len() > first + second {
            return Err(Error::BadStream("too many code lengths"));
        }
        codes.literals[..first].copy_from_slice(&list[..first]);
        codes.distances[..second].copy_from_slice(&list[first..]);
        Ok(codes)
    }

    /// Reads tokens up to the block's or the piece's end; whether it is the block's.
    fn tokens(&mut self, tokens: &mut Vec<Token>, plain: &mut Vec<u8>) -> Result<bool> {
        let literals = std::mem::take(&mut self.literals);
        let distances = std::mem::take(&mut self.distances);
        let end = plain.len() + PIECE_PLAIN;
        let mut ended = false;
        while !ended && plain.len() < end && tokens.len() < PIECE_TOKENS {
            match self.token(&literals, &distances, plain)? {
                Some(token) => tokens.push(token),
                None => ended = true,
            }
        }
        self.literals = literals;
        self.distances = distances;
        Ok(ended)
    }

    fn token(
        &mut self,
        literals: &Table,
        distances: &Table,
        plain: &mut Vec<u8>,
    ) -> Result<Option<Token>> {
        let symbol = self.bits.symbol(literals)?;
        if symbol < 256 {
            plain.push(symbol as u8);
            return Ok(Some(Token::literal(symbol as u8)));
        }
        if symbol == 256 {
            return Ok(None);
        }
        let length = self.bits.length(symbol)?;
        // The longest length has a symbol of its own; written with the one before, it would not
        // come out the same.
        if length == MAX_MATCH && symbol != LONGEST {
            return Err(Error::BadStream("unusual length"));
        }
        let distance = self.bits.distance(distances)?;
        let from = plain
            .len()
            .checked_sub(distance)
            .ok_or(Error::BadStream("distance too far"))?;
        for index in from..from + length {
            plain.push(plain[index]);
        }
        let token = Token::new_match(length as u32, distance as u32);
        Ok(Some(token))
    }
}
