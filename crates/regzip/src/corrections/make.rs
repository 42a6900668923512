//! Finds the corrections of a stream.

use std::collections::VecDeque;
use std::io::Read;

use super::blocks::{Extent, Model, Start};
use super::coder::Writer;
use super::codes::Counts;
use super::finder::{EFFORTS, LOOKAHEAD};
use super::parse::{Parser, Piece};
use crate::error::{Error, Result};
use crate::inflate::BlockKind;
use crate::input::Input;

/// Corrections may exceed their share by this until the stream has ended.
const SLACK: u64 = 1 << 14;
/// More corrections are not kept: a recipe is held in memory.
const MOST: u64 = 16 << 20;
/// So many pieces wait for the bytes after them.
const WAITING: usize = 1 << 10;

/// The corrections of a stream, or of its beginning.
pub(crate) struct Made {
    pub(crate) bytes: Vec<u8>,
    /// Bytes of the deflate stream that were read for it.
    pub(crate) read: u64,
    /// Whether that is the complete stream.
    pub(crate) whole: bool,
}

/// Codes the deflate stream at the input's position, by the measure with this index. Stops after
/// `enough` plain bytes.
///
/// `None` if the corrections take more than `share` thousandths of the stream, or cannot express it.
pub(crate) fn make<R: Read>(
    input: Input<R>,
    measure: u8,
    share: u16,
    enough: u64,
) -> Result<Option<Made>> {
    let Some(&effort) = EFFORTS.get(usize::from(measure)) else {
        return Ok(None);
    };
    let from = input.offset();
    let maker = Maker {
        from,
        parser: Parser::new(input),
        model: Model::new(effort),
        writer: Writer::new(),
        waiting: VecDeque::new(),
        plain: 0,
    };
    match maker.run(share, enough) {
        Err(Error::BadStream(_)) => Ok(None),
        other => other,
    }
}

struct Maker<R> {
    /// Where the stream starts in the input.
    from: u64,
    parser: Parser<R>,
    model: Model,
    writer: Writer,
    waiting: VecDeque<Piece>,
    /// Plain bytes that are coded.
    plain: u64,
}

impl<R: Read> Maker<R> {
    fn run(mut self, share: u16, enough: u64) -> Result<Option<Made>> {
        let allowed = |read: u64| (read * u64::from(share) / 1000).min(MOST);
        while let Some(piece) = self.next()? {
            if self.code(&piece).is_none() {
                return Ok(None);
            }
            self.plain += piece.len as u64;
            if self.writer.out.len() as u64 > allowed(self.read()) + SLACK {
                return Ok(None);
            }
            if self.plain >= enough {
                break;
            }
        }
        let read = self.read();
        let whole = self.parser.ended && self.waiting.is_empty();
        let bytes = self.writer.finish();
        let few = !whole || bytes.len() as u64 <= allowed(read);
        Ok(few.then_some(Made { bytes, read, whole }))
    }

    fn read(&self) -> u64 {
        self.parser.bits.input.offset() - self.from
    }

    /// The next piece, once enough bytes after it are known.
    fn next(&mut self) -> Result<Option<Piece>> {
        let plain = &mut self.model.finder.buffer;
        let pos = self.model.finder.pos;
        loop {
            let wanted = self.waiting.front().map_or(0, |piece| piece.len) + LOOKAHEAD;
            if self.parser.ended || (plain.len() - pos >= wanted && !self.waiting.is_empty()) {
                return Ok(self.waiting.pop_front());
            }
            if self.waiting.len() == WAITING {
                return Err(Error::BadStream("too many empty blocks"));
            }
            self.waiting.push_back(self.parser.next(plain)?);
        }
    }

    fn code(&mut self, piece: &Piece) -> Option<()> {
        let (model, writer) = (&mut self.model, &mut self.writer);
        if let Some((kind, last)) = piece.start {
            model.start(writer, Start { kind, last });
        }
        let len = match piece.kind {
            BlockKind::Stored => piece.len,
            _ => piece.tokens.len(),
        };
        let ends = piece.ends;
        model.extent(writer, piece.kind, Extent { len, ends })?;
        if piece.kind == BlockKind::Stored {
            model.finder.skip(len);
            model.tokens.forget();
        }
        for &token in &piece.tokens {
            model.tokens.code(writer, &mut model.finder, token)?;
        }
        if let Some(codes) = &piece.codes {
            let mut counts = Counts::new();
            for &token in &piece.tokens {
                counts.add(token);
            }
            model.headers.code(writer, &counts, codes)?;
        }
        model.finder.drop_front();
        Some(())
    }
}
