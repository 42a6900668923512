//! The header of a dynamic block, coded by how it differs from the one that the block's tokens imply.

use super::coder::{Chance, Coder, Number};
use crate::coding::bits::BitWriter;
use crate::coding::huffman::{self, Code, canonical};
use crate::coding::token::{
    CODE_LENGTH_ORDER, CODE_LENGTHS, DISTANCES, END_OF_BLOCK, LENGTH_CODE, LITERALS, Token,
    distance_code,
};
use crate::inflate::Codes;
use crate::zlib::code_lengths;

const LONGEST: u8 = 15;
const LONGEST_OF_LENGTHS: u8 = 7;

/// How often each symbol occurs in a block.
#[derive(Clone)]
pub(crate) struct Counts {
    pub(super) literals: [u32; LITERALS],
    pub(super) distances: [u32; DISTANCES],
}

impl Counts {
    pub(crate) fn new() -> Self {
        let mut literals = [0; LITERALS];
        literals[END_OF_BLOCK] = 1;
        Self {
            literals,
            distances: [0; DISTANCES],
        }
    }

    pub(crate) fn add(&mut self, token: Token) {
        if token.is_match() {
            let code = usize::from(LENGTH_CODE[token.length_index()]);
            self.literals[END_OF_BLOCK + 1 + code] += 1;
            self.distances[distance_code(token.distance_index())] += 1;
        } else {
            self.literals[usize::from(token.byte())] += 1;
        }
    }
}

/// What was learnt of an encoder's headers.
pub(crate) struct Headers {
    /// Codes are built by merging packages, not as zlib does.
    merged: Chance,
    literals: Lengths,
    distances: Lengths,
    lengths: Lengths,
    /// No more lengths are listed than there must be.
    tight: [Chance; 3],
    excess: [Number; 3],
    /// Runs continue from one code into the other.
    joined: Chance,
    greedy: [Chance; 4],
    symbol: Number,
    run: Number,
}

impl Headers {
    pub(crate) fn new() -> Self {
        Self {
            merged: Chance::default(),
            literals: Lengths::default(),
            distances: Lengths::default(),
            lengths: Lengths::default(),
            tight: [Chance::default(); 3],
            excess: std::array::from_fn(|_| Number::default()),
            joined: Chance::default(),
            greedy: [Chance::default(); 4],
            symbol: Number::default(),
            run: Number::default(),
        }
    }

    /// Codes the header of a block with these counts; `None` for what cannot be.
    pub(crate) fn code<C: Coder>(
        &mut self,
        coder: &mut C,
        counts: &Counts,
        actual: &Codes,
    ) -> Option<Codes> {
        let merged = C::WRITES && prefers_merged(counts, actual);
        let merged = coder.bit(&mut self.merged, merged);
        let expected = build(&counts.literals, LONGEST, merged);
        let literals = self.literals.code(coder, &expected, &actual.literals)?;
        let expected = build(&counts.distances, LONGEST, merged);
        let distances = self.distances.code(coder, &expected, &actual.distances)?;
        let used = last_used(&literals).max(END_OF_BLOCK) + 1;
        let first = self.listed(coder, 0, used, actual.listed[0], LITERALS)?;
        let used = last_used(&distances) + 1;
        let second = self.listed(coder, 1, used, actual.listed[1], DISTANCES)?;
        let list: Vec<u8> = [&literals[..first], &distances[..second]].concat();
        let runs = self.runs(coder, &list, first, &actual.runs)?;
        let mut of_lengths = [0; CODE_LENGTHS];
        for &(symbol, _) in &runs {
            of_lengths[usize::from(symbol)] += 1;
        }
        let expected = build(&of_lengths, LONGEST_OF_LENGTHS, merged);
        let lengths = self.lengths.code(coder, &expected, &actual.lengths)?;
        if lengths.iter().any(|&length| length > LONGEST_OF_LENGTHS) {
            return None;
        }
        let used = CODE_LENGTH_ORDER
            .iter()
            .rposition(|&symbol| lengths[symbol] != 0)
            .map_or(4, |last| (last + 1).max(4));
        let lengths_listed = self.listed(coder, 2, used, actual.lengths_listed, CODE_LENGTHS)?;
        Some(Codes {
            literals,
            distances,
            listed: [first, second],
            runs,
            lengths,
            lengths_listed,
        })
    }

    fn listed<C: Coder>(
        &mut self,
        coder: &mut C,
        which: usize,
        used: usize,
        actual: usize,
        most: usize,
    ) -> Option<usize> {
        if coder.bit(&mut self.tight[which], actual == used) {
            return Some(used);
        }
        let excess = self.excess[which].code(coder, actual.saturating_sub(used) as u32);
        Some(used + excess as usize).filter(|&n| n <= most)
    }

    /// The list as symbols; at each position the longest run is expected.
    fn runs<C: Coder>(
        &mut self,
        coder: &mut C,
        list: &[u8],
        first: usize,
        actual: &[(u8, u8)],
    ) -> Option<Vec<(u8, u8)>> {
        let joined = C::WRITES && crosses(actual, first);
        let joined = coder.bit(&mut self.joined, joined);
        let mut runs = Vec::with_capacity(list.len());
        let mut at = 0;
        while at < list.len() {
            let border = !joined && at < first;
            let end = if border { first } else { list.len() };
            let fresh = at == 0 || (!joined && at == first);
            let before = if fresh { None } else { Some(list[at - 1]) };
            let expected = greedy(&list[at..end], before);
            let wanted = actual.get(runs.len()).copied().unwrap_or((0, 0));
            let kind = kind(expected.0);
            let next = if coder.bit(&mut self.greedy[kind], expected == wanted) {
                expected
            } else {
                let symbol = self.symbol.code(coder, kind_of(wanted.0));
                let run = self.run.code(coder, u32::from(wanted.1));
                other(list[at], symbol, run)?
            };
            let len = span(next);
            let same = list.get(at..at + len)?;
            let value = if next.0 == 16 {
                *list.get(at.checked_sub(1)?)?
            } else {
                list[at]
            };
            if same.iter().any(|&l| l != value) || (next.0 > 16 && value != 0) {
                return None;
            }
            runs.push(next);
            at += len;
        }
        Some(runs)
    }
}

/// The symbol that covers most of a list's start.
pub(super) fn greedy(list: &[u8], before: Option<u8>) -> (u8, u8) {
    let value = list[0];
    let run = list.iter().take_while(|&&l| l == value).count();
    match (value, run) {
        (0, 11..) => (18, (run.min(138) - 11) as u8),
        (0, 3..) => (17, (run - 3) as u8),
        (1.., 3..) if before == Some(value) => (16, (run.min(6) - 3) as u8),
        _ => (value, 0),
    }
}

fn kind(symbol: u8) -> usize {
    usize::from(symbol.saturating_sub(15).min(3))
}

fn kind_of(symbol: u8) -> u32 {
    kind(symbol) as u32
}

/// A symbol that was not expected.
fn other(value: u8, kind: u32, run: u32) -> Option<(u8, u8)> {
    let most = [0, 3, 7, 127];
    let symbol = match kind {
        0 => value,
        1..=3 => 15 + kind as u8,
        _ => return None,
    };
    (run <= most[kind as usize]).then_some((symbol, run as u8))
}

/// How many lengths a symbol represents.
pub(super) fn span((symbol, extra): (u8, u8)) -> usize {
    let extra = usize::from(extra);
    match symbol {
        16 | 17 => extra + 3,
        18 => extra + 11,
        _ => 1,
    }
}

/// Whether a run continues from one code into the other, or could have begun anew at the border.
fn crosses(runs: &[(u8, u8)], first: usize) -> bool {
    let mut at = 0;
    for &run in runs {
        if at == first {
            return run.0 == 16;
        }
        at += span(run);
        if at > first {
            return true;
        }
    }
    false
}

fn last_used(lengths: &[u8]) -> usize {
    lengths.iter().rposition(|&l| l != 0).unwrap_or(0)
}

pub(super) fn build<const N: usize>(counts: &[u32; N], limit: u8, merged: bool) -> [u8; N] {
    if !merged {
        return code_lengths(counts, limit);
    }
    let mut codes = [Code::default(); N];
    huffman::build(counts, usize::from(limit), &mut codes);
    codes.map(|code| code.len)
}

fn prefers_merged(counts: &Counts, actual: &Codes) -> bool {
    let off = |merged| {
        let expected = build(&counts.literals, LONGEST, merged);
        let pairs = expected.iter().zip(&actual.literals);
        pairs.filter(|(a, b)| a != b).count()
    };
    off(true) < off(false)
}

/// The lengths of one code.
#[derive(Default)]
struct Lengths {
    all: Chance,
    same: [[Chance; 2]; 16],
    longer: [Chance; 16],
    difference: Number,
}

impl Lengths {
    fn code<C: Coder, const N: usize>(
        &mut self,
        coder: &mut C,
        expected: &[u8; N],
        actual: &[u8; N],
    ) -> Option<[u8; N]> {
        if coder.bit(&mut self.all, expected == actual) {
            return Some(*expected);
        }
        let mut out = *expected;
        let mut before = 0;
        for (out, &wanted) in out.iter_mut().zip(actual) {
            let guess = usize::from(*out & 15);
            let same = coder.bit(&mut self.same[guess][before], *out == wanted);
            before = usize::from(same);
            if same {
                continue;
            }
            let longer = coder.bit(&mut self.longer[guess], wanted > *out);
            let off = u32::from(wanted.abs_diff(*out)).saturating_sub(1);
            let off = self.difference.code(coder, off).min(u32::from(LONGEST)) as u8 + 1;
            *out = if longer {
                out.saturating_add(off)
            } else {
                out.checked_sub(off)?
            };
            if *out > LONGEST {
                return None;
            }
        }
        Some(out)
    }
}

impl Codes {
    /// The header after the block's type, and the codes.
    pub(crate) fn write(&self, bits: &mut BitWriter) -> ([Code; LITERALS], [Code; DISTANCES]) {
        bits.put(self.listed[0] as u64 - 257, 5);
        bits.put(self.listed[1] as u64 - 1, 5);
        bits.put(self.lengths_listed as u64 - 4, 4);
        for &symbol in &CODE_LENGTH_ORDER[..self.lengths_listed] {
            bits.put(u64::from(self.lengths[symbol]), 3);
        }
        let codes = canonical(&self.lengths);
        for &(symbol, extra) in &self.runs {
            let code = codes[usize::from(symbol)];
            bits.put(u64::from(code.bits), u32::from(code.len));
            let width = [0, 2, 3, 7][kind(symbol)];
            bits.put(u64::from(extra), width);
        }
        (canonical(&self.literals), canonical(&self.distances))
    }
}
