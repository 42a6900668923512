//! The first tokens of a stream: most encoders show there already that they did not write it.

use std::io::Cursor;

use crate::coding::token::{MAX_MATCH, Token};
use crate::corrections::parse::Parser;
use crate::encoder::Encoder;
use crate::input::Input;

/// Plain bytes that are looked at. The sizes of a writer's writes make no difference so early.
const LONGEST: usize = 1 << 15;
/// Plain bytes that an encoder is given before it is compared.
const STEP: usize = 1 << 12;
/// What ends a block, such as a flush, may have changed tokens that lie so near before.
const MARGIN: usize = 4 * MAX_MATCH;

/// The beginning of the first block.
pub(crate) struct Opening {
    plain: Vec<u8>,
    /// The encoder's tokens for the plain bytes; the last ones may be missing.
    tokens: Vec<Token>,
}

impl Opening {
    /// Reads the beginning of a deflate stream; `None` where it has no token to compare.
    pub(crate) fn of(start: &[u8]) -> Option<Self> {
        let mut plain = Vec::new();
        let mut parser = Parser::new(Input::new(Cursor::new(start), 0));
        let mut tokens = parser.next(&mut plain).ok()?.tokens;
        let end = plain.len().saturating_sub(MARGIN).min(LONGEST);
        let mut at = 0;
        let count = tokens.iter().take_while(|token| {
            at += token.plain_len();
            at <= end
        });
        tokens.truncate(count.count());
        plain.truncate(LONGEST);
        (!tokens.is_empty()).then_some(Self { plain, tokens })
    }

    /// Whether the encoder may have chosen these tokens; true if it does not show its own.
    pub(crate) fn fits(&self, encoder: Encoder) -> bool {
        let mut running = encoder.opening().map_or(encoder, |(same, _)| same).start();
        self.plain.chunks(STEP).all(|step| {
            running.write(step);
            let made = running.tokens().unwrap_or_default();
            let count = made.len().min(self.tokens.len());
            made[..count] == self.tokens[..count]
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{Compressor, GnuGzip, Stored};
    use std::io::Write;

    fn numbers() -> Vec<u8> {
        let line = |n: u64| format!("{} is followed by {}\n", n * n % 1009, n * n * n % 10_007);
        (0..4000).map(line).collect::<String>().into_bytes()
    }

    fn stream(encoder: Encoder, plain: &[u8]) -> Vec<u8> {
        let mut writer = Compressor::new(encoder, Vec::new()).unwrap();
        writer.write_all(plain).unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn of_all_levels_only_those_that_search_alike_are_left() {
        let fitting = |written: u8| -> Vec<u8> {
            let level = |level| Encoder::GnuGzip(GnuGzip { level });
            let opening = Opening::of(&stream(level(written), &numbers())).unwrap();
            (1..=9).filter(|&n| opening.fits(level(n))).collect()
        };
        for level in 1..=6 {
            assert_eq!(fitting(level), [level]);
        }
        assert!(fitting(9).contains(&9));
    }

    #[test]
    fn what_a_flush_may_have_changed_is_not_compared() {
        let encoder = Encoder::GnuGzip(GnuGzip { level: 6 });
        let plain = numbers();
        for flush in [MARGIN + 1, 5_000, 20_000] {
            let mut writer = Compressor::new(encoder, Vec::new()).unwrap();
            writer.write_all(&plain[..flush]).unwrap();
            writer.flush().unwrap();
            writer.write_all(&plain[flush..]).unwrap();
            let opening = Opening::of(&writer.finish().unwrap()).unwrap();
            assert!(opening.fits(encoder), "flushed after {flush} bytes");
        }
    }

    #[test]
    fn stored_and_short_streams_have_none() {
        let stored = stream(Encoder::Stored(Stored { fixed_end: false }), &numbers());
        let short = stream(Encoder::GnuGzip(GnuGzip { level: 6 }), b"short");
        assert!(Opening::of(&stored).is_none());
        assert!(Opening::of(&short).is_none());
        assert!(Opening::of(&[]).is_none());
    }
}
