//! How klauspost's encoder writes blocks: a Huffman table may be used again for the next block, in
//! which case the two become one.

use super::tokens::Tokens;
use crate::bits::BitWriter;
use crate::checkpoint::OpenBlock;
use crate::go::block::{CodeLengths, MAX_STORED, write_symbols};
use crate::huffman::{Code, build, fixed_distances, fixed_literals, total_bits};
use crate::token::{DISTANCE_EXTRA, DISTANCES, END_OF_BLOCK, LENGTH_EXTRA, LITERALS};

/// Blocks with fewer tokens are tried with the fixed codes.
const FEW_TOKENS: usize = 250;
/// What a header is taken to cost before there was one.
const GUESSED_HEADER: usize = 70 * 8;
const UNUSABLE: usize = usize::MAX;

type Literals = [Code; LITERALS];

/// Writes blocks and remembers the table that is still open.
#[derive(Clone)]
pub(crate) struct BlockWriter {
    pub(crate) bits: BitWriter,
    literals: Literals,
    distances: [Code; DISTANCES],
    /// The open table has no distances.
    literals_only: bool,
    /// Bits that the open table's header took; 0 if no block is open.
    open_header: usize,
    /// A new table must save this part (as a shift) to be worth it.
    penalty: u32,
    /// Tables are always cut to what is used, and always have an end of block.
    trims: bool,
}

/// Whether blocks stay open, and what may be stored in their place.
#[derive(Clone, Copy)]
pub(crate) struct Plain<'a> {
    pub(crate) bytes: Option<&'a [u8]>,
    pub(crate) sync: bool,
}

impl Plain<'_> {
    /// Bits of a stored block.
    fn stored_size(&self) -> usize {
        self.bytes
            .filter(|b| b.len() <= MAX_STORED)
            .map_or(UNUSABLE, |bytes| (bytes.len() + 5) * 8)
    }
}

impl BlockWriter {
    pub(crate) fn new(penalty: u32, trims: bool) -> Self {
        Self {
            bits: BitWriter::default(),
            literals: [Code::default(); LITERALS],
            distances: [Code::default(); DISTANCES],
            literals_only: false,
            open_header: 0,
            penalty,
            trims,
        }
    }

    /// Forgets the open table, for the next independent stream.
    pub(crate) fn reset(&mut self) {
        self.open_header = 0;
        self.literals_only = false;
    }

    /// The block that is still open, if any.
    pub(crate) fn open_block(&self) -> Option<OpenBlock> {
        (self.open_header > 0).then(|| {
            OpenBlock::new(
                self.open_header,
                self.literals_only,
                &self.literals,
                &self.distances,
            )
        })
    }

    /// Goes on with a block that is open.
    pub(crate) fn reopen(&mut self, open: &OpenBlock) {
        (self.literals, self.distances) = open.codes();
        self.open_header = usize::from(open.header);
        self.literals_only = open.literals_only;
    }

    /// Ends the block that is still open, if any.
    fn close_block(&mut self) {
        if self.open_header > 0 {
            let end = self.literals[END_OF_BLOCK];
            self.bits.put(u64::from(end.bits), u32::from(end.len));
            self.open_header = 0;
        }
    }

    /// What a sync flush leaves: an empty stored block.
    pub(crate) fn flush_mark(&mut self) {
        self.close_block();
        self.bits.stored_header(0, false);
    }

    /// The end of the stream: an empty block with fixed codes.
    pub(crate) fn finish(&mut self) {
        self.close_block();
        self.bits.put(0b011, 10);
        self.bits.align();
    }

    pub(crate) fn stored(&mut self, plain: &[u8]) {
        self.close_block();
        self.bits.stored_header(plain.len() as u16, false);
        self.bits.bytes(plain);
    }

    /// Whether the open table has a code for every symbol of the tokens.
    fn covers(&self, tokens: &Tokens) -> bool {
        let covered = |codes: &[Code], counts: &[u32]| {
            codes
                .iter()
                .zip(counts)
                .all(|(code, &n)| n == 0 || code.len != 0)
        };
        covered(&self.literals, &tokens.literals) && covered(&self.distances, &tokens.distances)
    }

    /// Writes the tokens with the open table, a new one, fixed codes, or stores the plain bytes.
    pub(crate) fn dynamic(&mut self, tokens: &mut Tokens, plain: Plain<'_>) {
        if plain.sync {
            tokens.add_end();
        } else if self.trims {
            tokens.literals[END_OF_BLOCK] = 1;
        }
        if self.open_header > 0 && (self.literals_only || !self.covers(tokens)) {
            self.close_block();
            self.literals_only = false;
        }
        let stored = plain.stored_size();
        let extra = if stored != UNUSABLE || self.open_header > 0 {
            extra_bits(tokens)
        } else {
            0
        };
        let fixed = fixed_size(tokens, extra);
        if self.open_header > 0 && self.decide_reuse(tokens, plain, extra, fixed) {
            return;
        }
        if self.open_header == 0 && self.new_table(tokens, plain, extra) {
            return;
        }
        if plain.sync {
            self.open_header = 0;
        }
        write_symbols(
            &mut self.bits,
            &tokens.list,
            &self.literals,
            &self.distances,
        );
        if tokens.ended {
            let end = self.literals[END_OF_BLOCK];
            self.bits.put(u64::from(end.bits), u32::from(end.len));
        }
    }

    /// Compares the open table with an estimate of a new one; true if the block was written
    /// without either.
    fn decide_reuse(
        &mut self,
        tokens: &mut Tokens,
        plain: Plain<'_>,
        extra: usize,
        fixed: usize,
    ) -> bool {
        let mut new_size = self.open_header + tokens.estimated_bits();
        new_size += usize::from(self.literals[END_OF_BLOCK].len) + (new_size >> self.penalty);
        let reused = total_bits(&self.literals, &tokens.literals)
            + total_bits(&self.distances, &tokens.distances)
            + extra;
        if new_size < reused {
            self.close_block();
        }
        let size = new_size.min(reused);
        let prefer_fixed = tokens.len() < FEW_TOKENS && fixed + 7 < size;
        self.small(tokens, plain, size, prefer_fixed)
    }

    /// Builds a new table and writes its header; true if the block was written without it.
    fn new_table(&mut self, tokens: &mut Tokens, plain: Plain<'_>, extra: usize) -> bool {
        let mut literals = tokens.literals;
        let mut distances = tokens.distances;
        let (mut literal_count, mut distance_count) = (LITERALS, DISTANCES);
        if plain.sync || self.trims {
            // A table for the last block only is cut to what is used; older versions write others
            // in full.
            literal_count = literals
                .iter()
                .rposition(|&n| n != 0)
                .map_or(0, |last| last + 1);
            distance_count = distances
                .iter()
                .rposition(|&n| n != 0)
                .map_or(0, |last| last + 1);
            if distance_count == 0 {
                distances[0] = 1;
                distance_count = 1;
            }
        }
        literals[END_OF_BLOCK] = 1;
        build(&literals, 15, &mut self.literals);
        build(&distances, 15, &mut self.distances);
        let header = CodeLengths::new(
            &self.literals[..literal_count],
            &self.distances[..distance_count],
        );
        let size = header.size
            + total_bits(&self.literals, &literals)
            + total_bits(&self.distances, &distances)
            + extra;
        let fixed = 3
            + total_bits(&fixed_literals(), &literals)
            + total_bits(&fixed_distances(), &distances)
            + extra;
        if tokens.len() < FEW_TOKENS && fixed <= size {
            return self.small(tokens, plain, fixed, true);
        }
        if self.small(tokens, plain, size, false) {
            return true;
        }
        self.bits.put(0b100, 3);
        self.bits.put(literal_count as u64 - 257, 5);
        self.bits.put(distance_count as u64 - 1, 5);
        header.write(&mut self.bits);
        self.open_header = if plain.sync { 0 } else { header.size };
        self.literals_only = false;
        false
    }

    /// Stores the plain bytes if that takes no more than `size`, else writes a block with fixed
    /// codes if asked to; whether the block was written.
    fn small(&mut self, tokens: &mut Tokens, plain: Plain<'_>, size: usize, fixed: bool) -> bool {
        if let Some(bytes) = plain.bytes
            && plain.stored_size() <= size
        {
            self.stored(bytes);
            return true;
        }
        if fixed {
            self.close_block();
            self.bits.put(0b010, 3);
            write_symbols(
                &mut self.bits,
                &tokens.list,
                &fixed_literals(),
                &fixed_distances(),
            );
            // The end of a block is seven zero bits.
            self.bits.put(0, 7);
        }
        fixed
    }

    /// Writes literals only, or stores them.
    pub(crate) fn huffman(&mut self, plain: &[u8], sync: bool) {
        let mut counts = [0u32; LITERALS];
        for &byte in plain {
            counts[usize::from(byte)] += 1;
        }
        let stored = if plain.len() <= MAX_STORED {
            (plain.len() + 5) * 8
        } else {
            UNUSABLE
        };
        if stored != UNUSABLE && plain.len() > 1024 && looks_random(&counts[..256], plain.len()) {
            self.stored(plain);
            return;
        }
        counts[END_OF_BLOCK] = 1;
        let mut fresh = [Code::default(); LITERALS];
        build(&counts, 15, &mut fresh);
        let header = if self.open_header == 0 {
            GUESSED_HEADER
        } else {
            self.open_header
        };
        let mut estimate = total_bits(&fresh, &counts) + header;
        estimate += estimate >> self.penalty;
        if stored <= estimate {
            self.stored(plain);
            return;
        }
        if self.open_header > 0 {
            let covered = self.literals[..256]
                .iter()
                .zip(&counts)
                .all(|(code, &n)| n == 0 || code.len != 0);
            if !covered || estimate < total_bits(&self.literals[..256], &counts) {
                self.close_block();
            }
        }
        if self.open_header == 0 {
            self.literals = fresh;
            let distance = [Code { bits: 0, len: 1 }];
            let header = CodeLengths::new(&self.literals[..=END_OF_BLOCK], &distance);
            self.bits.put(0b100, 3);
            self.bits.put(0, 10);
            header.write(&mut self.bits);
            self.open_header = header.size;
            self.literals_only = true;
        }
        let codes = &self.literals;
        self.bits.put_all(plain, |byte| {
            let code = codes[usize::from(byte)];
            (u64::from(code.bits), u32::from(code.len))
        });
        if sync {
            self.close_block();
            self.literals_only = false;
        }
    }
}

/// Counts so even that there is nothing to win.
#[allow(clippy::cast_precision_loss)]
fn looks_random(counts: &[u32], len: usize) -> bool {
    let average = len as f64 / 256.0;
    let limit = (len * 2) as f64;
    let mut sum = 0.0;
    for &count in counts {
        let difference = f64::from(count) - average;
        sum += difference * difference;
        if sum > limit {
            return false;
        }
    }
    sum < limit
}

fn extra_bits(tokens: &Tokens) -> usize {
    let lengths = tokens.literals[257..].iter().zip(LENGTH_EXTRA);
    let distances = tokens.distances.iter().zip(DISTANCE_EXTRA);
    lengths
        .chain(distances)
        .map(|(&n, extra)| n as usize * usize::from(extra))
        .sum()
}

fn fixed_size(tokens: &Tokens, extra: usize) -> usize {
    3 + total_bits(&fixed_literals(), &tokens.literals)
        + total_bits(&fixed_distances(), &tokens.distances)
        + extra
}
