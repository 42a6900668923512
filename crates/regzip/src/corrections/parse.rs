//! Reads a deflate stream token by token, with all that its headers say.

use std::io::Read;

use super::blocks::PIECE_TOKENS;
use crate::coding::token::{MAX_MATCH, Token};
use crate::error::{Error, Result};
use crate::inflate::{BitReader, BlockKind, Codes, Table, fixed_codes};
use crate::input::Input;

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

/// The symbol that only the longest match has (RFC 1951, 3.2.5).
const LONGEST: usize = 285;

/// Cuts a deflate stream into pieces.
pub(crate) struct Parser<R> {
    pub(crate) bits: BitReader<R>,
    /// The current block.
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
                let codes = self.bits.codes()?;
                self.literals.build(&codes.literals)?;
                self.distances.build(&codes.distances)?;
                self.codes = Some(Box::new(codes));
            }
        }
        Ok((kind, last))
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
