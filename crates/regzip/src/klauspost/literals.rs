//! Blocks of literals only: Huffman codes, or stored bytes if those are no larger.

use super::behaviour::LiteralRule;
use super::estimate::{double_bits, fast_log2, single_bits};
use super::writer::{BlockWriter, stored_size};
use crate::coding::header::CodeLengths;
use crate::coding::huffman::{Code, build, total_bits};
use crate::coding::token::{END_OF_BLOCK, LITERALS};

/// What a header is assumed to cost before there was one.
const GUESSED_HEADER: usize = 70 * 8;
/// Shorter blocks are not looked at for randomness.
const RANDOM: usize = 1024;

/// How often each byte occurs, and a count for the end of the block.
type Counts = [u32; LITERALS];

impl BlockWriter {
    /// Writes literals only, or stores them.
    pub(crate) fn huffman(&mut self, plain: &[u8], sync: bool) {
        let mut counts = [0u32; LITERALS];
        for &byte in plain {
            counts[usize::from(byte)] += 1;
        }
        let table = match self.behaviour.literals {
            LiteralRule::Doubles => self.judge_by_doubles(plain, &mut counts, sync),
            LiteralRule::Singles => self.judge_by_singles(plain, &mut counts, sync),
            LiteralRule::Spread => self.judge_by_spread(plain, &mut counts, sync),
            LiteralRule::Built | LiteralRule::NotRandom => self.judge_by_codes(plain, &mut counts),
        };
        if !table {
            self.stored(plain);
            return;
        }
        if self.open_header == 0 {
            counts[END_OF_BLOCK] = 1;
            build(&counts, 15, &mut self.literals);
            let distance = [Code { bits: 0, len: 1 }];
            let header = CodeLengths::new(&self.literals[..=END_OF_BLOCK], &distance);
            header.begin_block(&mut self.bits, END_OF_BLOCK + 1, 1);
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

    /// From 1.12.3 on. All of these close the open block if a new table is better, and return whether
    /// a table is better than stored bytes.
    fn judge_by_codes(&mut self, plain: &[u8], counts: &mut Counts) -> bool {
        let stored = stored_size(plain);
        if self.behaviour.literals == LiteralRule::NotRandom
            && stored != usize::MAX
            && plain.len() > RANDOM
            && looks_random(&counts[..256], plain.len())
        {
            return false;
        }
        counts[END_OF_BLOCK] = 1;
        let mut fresh = [Code::default(); LITERALS];
        build(counts, 15, &mut fresh);
        let header = if self.open_header == 0 {
            GUESSED_HEADER
        } else {
            self.open_header
        };
        let mut estimate = total_bits(&fresh, counts) + header;
        estimate += estimate >> self.penalty;
        if stored <= estimate {
            return false;
        }
        if self.open_header > 0 {
            let covered = self.literals[..256]
                .iter()
                .zip(counts.iter())
                .all(|(code, &n)| n == 0 || code.len != 0);
            if !covered || estimate < total_bits(&self.literals[..256], &counts[..256]) {
                self.close_block();
            }
        }
        true
    }

    /// From 1.11.13 on.
    fn judge_by_spread(&mut self, plain: &[u8], counts: &mut Counts, sync: bool) -> bool {
        let empty = if sync { 0 } else { zeros(counts) };
        let mut estimate = single_bits(&counts[..256], plain.len() + empty);
        estimate += self.open_header + plain.len() / 32;
        if self.open_header == 0 {
            estimate += GUESSED_HEADER;
        }
        estimate += estimate >> self.penalty;
        if stored_size(plain) < estimate {
            return false;
        }
        if self.open_header > 0 && estimate < total_bits(&self.literals[..256], &counts[..256]) {
            self.close_block();
        }
        if !sync {
            fill(counts);
        }
        true
    }

    /// From 1.9.8 on.
    fn judge_by_singles(&mut self, plain: &[u8], counts: &mut Counts, sync: bool) -> bool {
        let mut estimate = single_bits(&counts[..256], plain.len());
        estimate += self.open_header + 15;
        if self.open_header == 0 {
            estimate += GUESSED_HEADER;
        }
        estimate += estimate >> self.penalty;
        if stored_size(plain) < estimate {
            return false;
        }
        if !sync {
            estimate += filler_bits(zeros(counts), plain.len());
            fill(counts);
        }
        if self.open_header > 0 && estimate < total_bits(&self.literals[..256], &counts[..256]) {
            self.close_block();
        }
        true
    }

    /// From 1.9.0 on.
    fn judge_by_doubles(&mut self, plain: &[u8], counts: &mut Counts, sync: bool) -> bool {
        let empty = if sync { 0 } else { zeros(counts) };
        let mut estimate = double_bits(&counts[..256], plain.len(), empty) + 15;
        if stored_size(plain) < estimate + (estimate >> 4) {
            return false;
        }
        if !sync {
            fill(counts);
        }
        // The header of the open block counts twice.
        let reused = 2 * self.open_header + total_bits(&self.literals[..256], &counts[..256]);
        estimate += estimate >> self.penalty;
        if self.open_header > 0 && estimate < reused {
            self.close_block();
        }
        true
    }
}

fn zeros(counts: &Counts) -> usize {
    counts[..256].iter().filter(|&&n| n == 0).count()
}

/// Gives every byte a code.
fn fill(counts: &mut Counts) {
    for n in &mut counts[..256] {
        *n = (*n).max(1);
    }
}

/// What bytes cost that do not occur, added up one by one: the rounding is that of the sum.
#[allow(clippy::cast_precision_loss)]
fn filler_bits(empty: usize, len: usize) -> usize {
    let one = (-fast_log2(1.0 / len as f32)).max(1.0);
    let sum = (0..empty).fold(0f32, |sum, _| sum + one);
    (sum + 0.99) as usize
}

/// Counts so even that codes save nothing.
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
