//! Writes a stream from its plain content and its corrections.

use std::sync::Arc;

use super::blocks::{Extent, Model, Start};
use super::coder::Reader;
use super::codes::Counts;
use super::finder::{Effort, LOOKAHEAD};
use crate::coding::bits::BitWriter;
use crate::coding::huffman::{Code, fixed_distances, fixed_literals};
use crate::coding::symbols::{write_end, write_symbols};
use crate::coding::token::{DISTANCES, LITERALS, Token};
use crate::encode::Encode;
use crate::inflate::{BlockKind, Codes};

/// Follows the corrections. Those that cannot be followed end the output early; the caller compares its length.
pub(crate) struct Corrected {
    model: Model,
    reader: Reader,
    bits: BitWriter,
    state: State,
    /// Tokens of the current piece, which are not written yet.
    tokens: Vec<Token>,
    /// The codes of the current block.
    literals: [Code; LITERALS],
    distances: [Code; DISTANCES],
    ended: bool,
}

#[derive(Clone, Copy)]
enum State {
    Between,
    Within(Piece),
    /// The last block is written.
    Done,
    Failed,
}

/// What is left of a piece.
#[derive(Clone, Copy)]
struct Piece {
    start: Start,
    left: Extent,
    /// The block begins with it.
    first: bool,
}

/// How far a piece came with the available bytes.
enum Step {
    Missing,
    Complete,
}

impl Corrected {
    pub(crate) fn new(effort: Effort, bytes: Arc<[u8]>) -> Self {
        Self {
            model: Model::new(effort),
            reader: Reader::new(bytes),
            bits: BitWriter::default(),
            state: State::Between,
            tokens: Vec::new(),
            literals: fixed_literals(),
            distances: fixed_distances(),
            ended: false,
        }
    }

    /// Continues as far as the available plain bytes allow.
    fn run(&mut self) {
        loop {
            let next = match self.state {
                State::Between => self.begin_block(),
                State::Within(mut piece) => match self.advance(&mut piece) {
                    Some(Step::Missing) => {
                        // What is missing when all has come cannot be followed.
                        self.state = if self.ended {
                            State::Failed
                        } else {
                            State::Within(piece)
                        };
                        return;
                    }
                    Some(Step::Complete) => self.end_piece(piece),
                    None => None,
                },
                State::Done | State::Failed => return,
            };
            self.state = next.unwrap_or(State::Failed);
        }
    }

    fn begin_block(&mut self) -> Option<State> {
        let unknown = Start {
            kind: BlockKind::Stored,
            last: false,
        };
        let start = self.model.start(&mut self.reader, unknown);
        let piece = self.piece(start, true)?;
        let last = u64::from(start.last);
        match start.kind {
            BlockKind::Stored => self.bits.stored_header(piece.left.len as u16, start.last),
            BlockKind::Fixed => {
                self.bits.put(2 | last, 3);
                self.literals = fixed_literals();
                self.distances = fixed_distances();
            }
            BlockKind::Dynamic => self.bits.put(4 | last, 3),
        }
        Some(State::Within(piece))
    }

    fn piece(&mut self, start: Start, first: bool) -> Option<Piece> {
        let unknown = Extent {
            len: 0,
            ends: false,
        };
        let left = self.model.extent(&mut self.reader, start.kind, unknown)?;
        Some(Piece { start, left, first })
    }

    fn advance(&mut self, piece: &mut Piece) -> Option<Step> {
        let finder = &mut self.model.finder;
        let left = &mut piece.left.len;
        if piece.start.kind == BlockKind::Stored {
            let n = finder.ahead().min(*left);
            self.bits.bytes(&finder.buffer[finder.pos..finder.pos + n]);
            finder.skip(n);
            self.model.tokens.forget();
            *left -= n;
        } else {
            let enough = if self.ended { 1 } else { LOOKAHEAD };
            while *left > 0 && finder.ahead() >= enough {
                let unknown = Token::literal(0);
                let tokens = &mut self.model.tokens;
                self.tokens
                    .push(tokens.code(&mut self.reader, finder, unknown)?);
                *left -= 1;
            }
        }
        finder.drop_front();
        Some(if *left > 0 {
            Step::Missing
        } else {
            Step::Complete
        })
    }

    fn end_piece(&mut self, piece: Piece) -> Option<State> {
        let Piece { start, left, first } = piece;
        if start.kind != BlockKind::Stored {
            if first && start.kind == BlockKind::Dynamic {
                self.write_header()?;
            }
            write_symbols(
                &mut self.bits,
                &self.tokens,
                &self.literals,
                &self.distances,
            );
            self.tokens.clear();
        }
        if !left.ends {
            return Some(State::Within(self.piece(start, false)?));
        }
        if start.kind != BlockKind::Stored {
            write_end(&mut self.bits, &self.literals);
        }
        if start.last {
            self.bits.align();
            return Some(State::Done);
        }
        Some(State::Between)
    }

    fn write_header(&mut self) -> Option<()> {
        let mut counts = Counts::new();
        for &token in &self.tokens {
            counts.add(token);
        }
        let headers = &mut self.model.headers;
        let codes = headers.code(&mut self.reader, &counts, &Codes::empty())?;
        (self.literals, self.distances) = codes.write(&mut self.bits);
        Some(())
    }
}

impl Encode for Corrected {
    fn write(&mut self, data: &[u8]) {
        for piece in data.chunks(1 << 16) {
            self.model.finder.buffer.extend_from_slice(piece);
            self.run();
            if matches!(self.state, State::Done | State::Failed) {
                self.model.finder.buffer.clear();
                self.model.finder.pos = 0;
            }
        }
    }

    /// Flushes are blocks like any other here.
    fn flush(&mut self) {}

    fn finish(&mut self) {
        self.ended = true;
        self.run();
    }

    fn output(&mut self) -> &mut Vec<u8> {
        &mut self.bits.out
    }
}
