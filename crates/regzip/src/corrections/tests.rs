//! Streams that no encoder writes, and corrections that no analysis makes.

use std::io::Cursor;

use proptest::prelude::*;

use super::codes::{Counts, build, greedy, span};
use super::make::make;
use super::{Corrections, MEASURES};
use crate::analyse::replay::prove;
use crate::coding::bits::BitWriter;
use crate::coding::huffman::{fixed_distances, fixed_literals};
use crate::coding::symbols::write_symbols;
use crate::coding::token::{CODE_LENGTH_ORDER, END_OF_BLOCK, Token};
use crate::inflate::{Codes, Inflater};
use crate::input::Input;
use crate::search::matching::common_prefix;

/// A source of choices, always the same for the same seed.
struct Choice(u64);

impl Choice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

fn plain(choice: &mut Choice, len: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(len + 300);
    let alphabet = [2, 4, 60, 256][choice.below(4)];
    while out.len() < len {
        if out.len() > 10 && choice.below(3) == 0 {
            let from = out.len() - 1 - choice.below(out.len().min(40_000) - 1);
            for index in from..from + choice.below(300) {
                out.push(out[index]);
            }
        } else {
            let byte = choice.below(alphabet) as u8;
            out.resize(out.len() + 1 + choice.below(3), byte);
        }
    }
    out.truncate(len);
    out
}

/// Any tokens that say these bytes.
fn tokens(choice: &mut Choice, plain: &[u8], from: usize, to: usize) -> Vec<Token> {
    let mut out = Vec::new();
    let mut at = from;
    while at < to {
        let distance = 1 + choice.below(at.clamp(1, 32_768));
        let longest = 258.min(to - at);
        let n = if at == 0 {
            0
        } else {
            common_prefix(plain, at - distance, at, longest)
        };
        if n >= 3 && choice.below(5) != 0 {
            let n = 3 + choice.below(n - 2);
            out.push(Token::new_match(n as u32, distance as u32));
            at += n;
        } else {
            out.push(Token::literal(plain[at]));
            at += 1;
        }
    }
    out
}

/// Any header that serves for these tokens.
fn codes(choice: &mut Choice, tokens: &[Token]) -> Codes {
    let mut counts = Counts::new();
    for &token in tokens {
        counts.add(token);
    }
    // Codes for other counts fit less well, and serve as well.
    let spread = choice.below(3) as u32;
    for count in &mut counts.literals {
        *count = *count * (spread + 1) + u32::from(spread == 2);
    }
    let merged = choice.below(2) == 0;
    let mut codes = Codes::empty();
    codes.literals = build(&counts.literals, 15, merged);
    codes.distances = build(&counts.distances, 15, merged);
    let used = |lengths: &[u8]| lengths.iter().rposition(|&l| l != 0).unwrap_or(0) + 1;
    let first = used(&codes.literals).max(257);
    let second = used(&codes.distances);
    codes.listed = [
        first + choice.below(287 - first),
        second + choice.below(31 - second),
    ];
    let list = [
        &codes.literals[..codes.listed[0]],
        &codes.distances[..codes.listed[1]],
    ]
    .concat();
    let mut of_lengths = [0; 19];
    let mut at = 0;
    while at < list.len() {
        let before = at.checked_sub(1).map(|index| list[index]);
        let run = match choice.below(4) {
            0 => (list[at], 0),
            _ => greedy(&list[at..], before),
        };
        of_lengths[usize::from(run.0)] += 1;
        codes.runs.push(run);
        at += span(run);
    }
    codes.lengths = build(&of_lengths, 7, merged);
    let used = CODE_LENGTH_ORDER
        .iter()
        .rposition(|&symbol| codes.lengths[symbol] != 0)
        .map_or(4, |last| (last + 1).max(4));
    codes.lengths_listed = used + choice.below(20 - used);
    codes
}

/// A deflate stream with this content, written by whim.
fn stream(choice: &mut Choice, plain: &[u8]) -> Vec<u8> {
    let mut bits = BitWriter::default();
    let mut at = 0;
    loop {
        let len = choice.below(20_000).min(plain.len() - at);
        let last = at + len == plain.len();
        let flag = u64::from(last);
        match choice.below(3) {
            0 => {
                bits.stored_header(len as u16, last);
                bits.bytes(&plain[at..at + len]);
            }
            1 => {
                bits.put(2 | flag, 3);
                let tokens = tokens(choice, plain, at, at + len);
                write_symbols(&mut bits, &tokens, &fixed_literals(), &fixed_distances());
                bits.put(0, 7);
            }
            _ => {
                bits.put(4 | flag, 3);
                let tokens = tokens(choice, plain, at, at + len);
                let (literals, distances) = codes(choice, &tokens).write(&mut bits);
                write_symbols(&mut bits, &tokens, &literals, &distances);
                let end = literals[END_OF_BLOCK];
                bits.put(u64::from(end.bits), u32::from(end.len));
            }
        }
        at += len;
        if last {
            bits.align();
            return bits.out;
        }
    }
}

fn written(corrections: &Corrections, plain: &[u8], piece: usize) -> Vec<u8> {
    let mut running = corrections.start();
    let mut out = Vec::new();
    for piece in plain.chunks(piece) {
        running.write(piece);
        out.append(running.output());
    }
    running.finish();
    out.append(running.output());
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 50, ..ProptestConfig::default() })]

    #[test]
    fn any_stream_comes_out_the_same(seed: u64, len in 0usize..60_000, measure in 0..MEASURES, piece in 1usize..5000) {
        let mut choice = Choice(seed);
        let plain = plain(&mut choice, len);
        let stream = stream(&mut choice, &plain);
        let made = make(Input::new(Cursor::new(&stream), 0), measure, 9000, u64::MAX)?;
        let made = made.expect("any stream can be said");
        prop_assert!(made.whole);
        prop_assert_eq!(made.read, stream.len() as u64);
        let corrections = Corrections { measure, bytes: made.bytes.into() };
        prop_assert!(written(&corrections, &plain, piece) == stream);
        let mut inflater = Inflater::new(Input::new(Cursor::new(&stream), 0));
        prop_assert!(prove(&mut inflater, corrections.start().as_mut())?);
    }

    #[test]
    fn any_corrections_end(bytes in proptest::collection::vec(any::<u8>(), 0..200), measure in 0..MEASURES, len in 0usize..20_000) {
        let plain = plain(&mut Choice(len as u64), len);
        let corrections = Corrections { measure, bytes: bytes.into() };
        let out = written(&corrections, &plain, 777);
        prop_assert!(out.len() <= 8 * len + (1 << 16));
    }
}
