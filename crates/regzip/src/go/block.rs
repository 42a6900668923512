//! How Go's `compress/flate` (up to 1.26) turns tokens into a block: which of stored, fixed and
//! dynamic it picks, and the exact header of a dynamic block.

use crate::bits::BitWriter;
use crate::huffman::{Code, build, fixed_distances, fixed_literals, total_bits};
use crate::token::{
    CODE_LENGTH_ORDER, CODE_LENGTHS, DISTANCE_BASE, DISTANCE_EXTRA, DISTANCES, END_OF_BLOCK,
    LENGTH_BASE, LENGTH_CODE, LENGTH_EXTRA, LITERALS, Token, distance_code,
};

/// The most bytes that one stored block holds.
pub(crate) const MAX_STORED: usize = 65535;

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

    fn extra_bits(&self) -> usize {
        let lengths = self.literals[257..].iter().zip(LENGTH_EXTRA);
        let distances = self.distances.iter().zip(DISTANCE_EXTRA);
        lengths
            .chain(distances)
            .map(|(&f, extra)| f as usize * usize::from(extra))
            .sum()
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
        bits.put(0b100, 3);
        bits.put(self.literal_count as u64 - 257, 5);
        bits.put(self.distance_count as u64 - 1, 5);
        self.header.write(bits);
    }
}

/// The run-length coded list of code lengths that opens a dynamic block.
pub(crate) struct CodeLengths {
    /// Symbol and the value of its extra bits.
    runs: Vec<(u8, u8)>,
    codes: [Code; CODE_LENGTHS],
    count: usize,
    /// Bits of the whole block header.
    pub(crate) size: usize,
}

impl CodeLengths {
    pub(crate) fn new(literals: &[Code], distances: &[Code]) -> Self {
        let mut runs = Vec::with_capacity(320);
        let mut lengths = literals.iter().chain(distances).map(|c| c.len).peekable();
        while let Some(len) = lengths.next() {
            let mut run = 1;
            while lengths.next_if_eq(&len).is_some() {
                run += 1;
            }
            push_run(&mut runs, len, run);
        }
        let mut freq = [0u32; CODE_LENGTHS];
        for &(symbol, _) in &runs {
            freq[usize::from(symbol)] += 1;
        }
        let mut codes = [Code::default(); CODE_LENGTHS];
        build(&freq, 7, &mut codes);
        let mut count = CODE_LENGTHS;
        while count > 4 && freq[CODE_LENGTH_ORDER[count - 1]] == 0 {
            count -= 1;
        }
        let extra = freq[16] * 2 + freq[17] * 3 + freq[18] * 7;
        let size = 3 + 5 + 5 + 4 + 3 * count + total_bits(&codes, &freq) + extra as usize;
        Self {
            runs,
            codes,
            count,
            size,
        }
    }

    /// Everything after the two symbol counts.
    pub(crate) fn write(&self, bits: &mut BitWriter) {
        bits.put(self.count as u64 - 4, 4);
        for &symbol in &CODE_LENGTH_ORDER[..self.count] {
            bits.put(u64::from(self.codes[symbol].len), 3);
        }
        for &(symbol, extra) in &self.runs {
            let code = self.codes[usize::from(symbol)];
            bits.put(u64::from(code.bits), u32::from(code.len));
            match symbol {
                16 => bits.put(u64::from(extra), 2),
                17 => bits.put(u64::from(extra), 3),
                18 => bits.put(u64::from(extra), 7),
                _ => {}
            }
        }
    }
}

/// Splits `run` equal code lengths into symbols, greedily, as Go does.
pub(crate) fn push_run(runs: &mut Vec<(u8, u8)>, len: u8, mut run: usize) {
    if len == 0 {
        while run >= 11 {
            let n = run.min(138);
            runs.push((18, (n - 11) as u8));
            run -= n;
        }
        if run >= 3 {
            runs.push((17, (run - 3) as u8));
            run = 0;
        }
    } else {
        runs.push((len, 0));
        run -= 1;
        while run >= 3 {
            let n = run.min(6);
            runs.push((16, (n - 3) as u8));
            run -= n;
        }
    }
    runs.extend(std::iter::repeat_n((len, 0), run));
}

/// Writes the tokens with the given codes and the end of the block.
fn write_tokens(bits: &mut BitWriter, tokens: &[Token], literals: &[Code], distances: &[Code]) {
    write_symbols(bits, tokens, literals, distances);
    let end = literals[END_OF_BLOCK];
    bits.put(u64::from(end.bits), u32::from(end.len));
}

/// Writes the tokens with the given codes.
pub(crate) fn write_symbols(
    bits: &mut BitWriter,
    tokens: &[Token],
    literals: &[Code],
    distances: &[Code],
) {
    // A match costs two look-ups: its length with extra bits, and its distance code.
    let lengths: [(u64, u32); 256] = std::array::from_fn(|index| {
        let code = usize::from(LENGTH_CODE[index]);
        let c = literals[257 + code];
        let extra = index as u64 - u64::from(LENGTH_BASE[code]);
        let len = u32::from(c.len);
        (
            u64::from(c.bits) | extra << len,
            len + u32::from(LENGTH_EXTRA[code]),
        )
    });
    bits.put_all(tokens, |token| {
        if !token.is_match() {
            let c = literals[usize::from(token.byte())];
            return (u64::from(c.bits), u32::from(c.len));
        }
        let (mut value, mut n) = lengths[token.length_index()];
        let index = token.distance_index();
        let code = distance_code(index);
        let c = distances[code];
        value |= u64::from(c.bits) << n;
        n += u32::from(c.len);
        value |= (index as u64 - u64::from(DISTANCE_BASE[code])) << n;
        (value, n + u32::from(DISTANCE_EXTRA[code]))
    });
}

/// Levels 2 to 9: the smallest of fixed, dynamic and (where `plain` is at hand) stored; fixed wins
/// a tie against dynamic, either against stored.
pub(super) fn write_best(bits: &mut BitWriter, tokens: &mut Tokens, plain: Option<&[u8]>) {
    let (h, tokens) = (&mut tokens.histogram, &tokens.list);
    let stored = plain.filter(|p| p.len() <= MAX_STORED);
    let extra = if stored.is_some() { h.extra_bits() } else { 0 };
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
    let end = dynamic.literals[END_OF_BLOCK];
    bits.put(u64::from(end.bits), u32::from(end.len));
}

fn stored_is_better(plain: &[u8], size: usize) -> bool {
    plain.len() <= MAX_STORED && (plain.len() + 5) * 8 < size + (size >> 4)
}

/// A stored block that is not the last.
pub(crate) fn write_stored(bits: &mut BitWriter, plain: &[u8]) {
    bits.stored_header(plain.len() as u16, false);
    bits.bytes(plain);
}
