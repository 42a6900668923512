//! How Go's `compress/flate` (up to 1.26) turns tokens into a block: which of stored, fixed and
//! dynamic it picks, and the exact header of a dynamic block.

use crate::coding::bits::BitWriter;
use crate::coding::header::CodeLengths;
use crate::coding::huffman::{Code, build, fixed_distances, fixed_literals, total_bits};
use crate::coding::symbols::{extra_bits, write_end, write_symbols};
use crate::coding::token::{
    DISTANCES, END_OF_BLOCK, LENGTH_CODE, LITERALS, MAX_STORED, Token, distance_code,
};

/// Symbol counts of one block.
#[derive(Clone)]
pub(crate) struct Histogram {
    pub(crate) literals: [u32; LITERALS],
    pub(crate) distances: [u32; DISTANCES],
}

impl Histogram {
    /// Nothing but the end of the block.
    fn new() -> Self {
        let mut literals = [0; LITERALS];
        literals[END_OF_BLOCK] = 1;
        Self {
            literals,
            distances: [0; DISTANCES],
        }
    }
}

/// The tokens of a block and the counts of their symbols.
#[derive(Clone)]
pub(super) struct Tokens {
    pub(super) list: Vec<Token>,
    histogram: Histogram,
}

impl Tokens {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self {
            list: Vec::with_capacity(capacity),
            histogram: Histogram::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn clear(&mut self) {
        self.list.clear();
        self.histogram = Histogram::new();
    }

    #[inline]
    pub(super) fn literal(&mut self, byte: u8) {
        self.histogram.literals[usize::from(byte)] += 1;
        self.list.push(Token::literal(byte));
    }

    pub(super) fn literals(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.histogram.literals[usize::from(byte)] += 1;
        }
        self.list
            .extend(bytes.iter().map(|&byte| Token::literal(byte)));
    }

    #[inline]
    pub(super) fn push(&mut self, token: Token) {
        if token.is_match() {
            self.matched(token);
        } else {
            self.literal(token.byte());
        }
    }

    /// A match.
    #[inline]
    pub(super) fn matched(&mut self, token: Token) {
        let length = usize::from(LENGTH_CODE[token.length_index()]);
        self.histogram.literals[257 + length] += 1;
        self.histogram.distances[distance_code(token.distance_index())] += 1;
        self.list.push(token);
    }
}

/// The number of symbols up to the last one in use.
fn used(freq: &[u32]) -> usize {
    freq.iter()
        .rposition(|&f| f != 0)
        .map_or(0, |last| last + 1)
}

/// A dynamic block's codes and its header.
struct Dynamic {
    literals: [Code; LITERALS],
    distances: [Code; DISTANCES],
    literal_count: usize,
    distance_count: usize,
    header: CodeLengths,
    /// Bits of header and symbols, without the symbols' extra bits.
    size: usize,
}

impl Dynamic {
    /// Go counts one distance when there is none, in the size as well as in the header.
    fn new(h: &mut Histogram) -> Self {
        let literal_count = used(&h.literals);
        let mut distance_count = used(&h.distances);
        if distance_count == 0 {
            h.distances[0] = 1;
            distance_count = 1;
        }
        let mut literals = [Code::default(); LITERALS];
        let mut distances = [Code::default(); DISTANCES];
        build(&h.literals, 15, &mut literals);
        build(&h.distances, 15, &mut distances);
        let header = CodeLengths::new(&literals[..literal_count], &distances[..distance_count]);
        let size =
            header.size + total_bits(&literals, &h.literals) + total_bits(&distances, &h.distances);
        Self {
            literals,
            distances,
            literal_count,
            distance_count,
            header,
            size,
        }
    }

    fn write_header(&self, bits: &mut BitWriter) {
        let (literals, distances) = (self.literal_count, self.distance_count);
        self.header.begin_block(bits, literals, distances);
    }
}

/// Writes the tokens with the given codes and the end of the block.
fn write_tokens(bits: &mut BitWriter, tokens: &[Token], literals: &[Code], distances: &[Code]) {
    write_symbols(bits, tokens, literals, distances);
    write_end(bits, literals);
}

/// Levels 2 to 9: the smallest of fixed, dynamic and (if there is `plain`) stored; fixed wins
/// a tie against dynamic, either against stored.
pub(super) fn write_best(bits: &mut BitWriter, tokens: &mut Tokens, plain: Option<&[u8]>) {
    let (h, tokens) = (&mut tokens.histogram, &tokens.list);
    let stored = plain.filter(|p| p.len() <= MAX_STORED);
    let extra = if stored.is_some() {
        extra_bits(&h.literals, &h.distances)
    } else {
        0
    };
    let dynamic = Dynamic::new(h);
    let fixed = (fixed_literals(), fixed_distances());
    let fixed_size = 3 + total_bits(&fixed.0, &h.literals) + total_bits(&fixed.1, &h.distances);
    let use_dynamic = dynamic.size < fixed_size;
    let size = dynamic.size.min(fixed_size) + extra;
    if let Some(plain) = stored
        && (plain.len() + 5) * 8 < size
    {
        write_stored(bits, plain);
    } else if use_dynamic {
        dynamic.write_header(bits);
        write_tokens(bits, tokens, &dynamic.literals, &dynamic.distances);
    } else {
        bits.put(0b010, 3);
        write_tokens(bits, tokens, &fixed.0, &fixed.1);
    }
}

/// Level 1: dynamic, or stored if that saves less than a sixteenth; extra bits do not count.
pub(super) fn write_dynamic(bits: &mut BitWriter, tokens: &mut Tokens, plain: &[u8]) {
    let (h, tokens) = (&mut tokens.histogram, &tokens.list);
    let dynamic = Dynamic::new(h);
    if stored_is_better(plain, dynamic.size) {
        write_stored(bits, plain);
    } else {
        dynamic.write_header(bits);
        write_tokens(bits, tokens, &dynamic.literals, &dynamic.distances);
    }
}

/// Literals only: dynamic, or stored if that saves less than a sixteenth.
pub(crate) fn write_literals(bits: &mut BitWriter, plain: &[u8]) {
    let mut h = Histogram::new();
    for &byte in plain {
        h.literals[usize::from(byte)] += 1;
    }
    let dynamic = Dynamic::new(&mut h);
    if stored_is_better(plain, dynamic.size) {
        write_stored(bits, plain);
        return;
    }
    dynamic.write_header(bits);
    bits.put_all(plain, |byte| {
        let c = dynamic.literals[usize::from(byte)];
        (u64::from(c.bits), u32::from(c.len))
    });
    write_end(bits, &dynamic.literals);
}

fn stored_is_better(plain: &[u8], size: usize) -> bool {
    plain.len() <= MAX_STORED && (plain.len() + 5) * 8 < size + (size >> 4)
}

/// A stored block that is not the last.
pub(crate) fn write_stored(bits: &mut BitWriter, plain: &[u8]) {
    bits.stored_header(plain.len() as u16, false);
    bits.bytes(plain);
}
