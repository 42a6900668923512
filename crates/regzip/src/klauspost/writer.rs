//! How klauspost's encoder writes blocks: a Huffman table may be used again for the next block, in
//! which case the two become one.

use super::behaviour::{Behaviour, BlockBehaviour, Estimate, TableRule};
use super::tokens::Tokens;
use crate::checkpoint::{Checkpoint, OpenBlock, PieceState, State};
use crate::coding::bits::BitWriter;
use crate::coding::header::CodeLengths;
use crate::coding::huffman::{Code, build, fixed_distances, fixed_literals, total_bits};
use crate::coding::symbols::{extra_bits, write_end, write_symbols};
use crate::coding::token::{DISTANCES, END_OF_BLOCK, LITERALS, MAX_STORED};

const UNUSABLE: usize = usize::MAX;

type Literals = [Code; LITERALS];

/// Writes blocks and remembers the table that is still open.
#[derive(Clone)]
pub(crate) struct BlockWriter {
    pub(crate) bits: BitWriter,
    pub(super) literals: Literals,
    pub(super) distances: [Code; DISTANCES],
    /// The open table has no distances.
    pub(super) literals_only: bool,
    /// Bits that the open table's header took; 0 if no block is open.
    pub(super) open_header: usize,
    /// A new table must save this part (as a shift) to be worth it.
    pub(super) penalty: u32,
    pub(super) behaviour: BlockBehaviour,
}

/// Whether blocks stay open, and what may be stored instead.
#[derive(Clone, Copy)]
pub(crate) struct Plain<'a> {
    pub(crate) bytes: Option<&'a [u8]>,
    pub(crate) sync: bool,
}

impl Plain<'_> {
    /// Bits of a stored block.
    fn stored_size(&self) -> usize {
        self.bytes.map_or(UNUSABLE, stored_size)
    }
}

/// Bits of a stored block.
pub(super) fn stored_size(bytes: &[u8]) -> usize {
    if bytes.len() <= MAX_STORED {
        (bytes.len() + 5) * 8
    } else {
        UNUSABLE
    }
}

impl BlockWriter {
    pub(crate) fn new(level: i8, behaviour: &Behaviour) -> Self {
        Self {
            bits: BitWriter::default(),
            literals: [Code::default(); LITERALS],
            distances: [Code::default(); DISTANCES],
            literals_only: false,
            open_header: 0,
            penalty: behaviour.blocks.penalty(level),
            behaviour: behaviour.blocks,
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

    /// Resumes from a checkpoint, with the block that is open there.
    pub(crate) fn resume(&mut self, checkpoint: &Checkpoint) {
        self.bits = checkpoint.writer();
        if let State::Piece(PieceState {
            open: Some(open), ..
        }) = &checkpoint.state
        {
            self.reopen(open);
        }
    }

    fn reopen(&mut self, open: &OpenBlock) {
        (self.literals, self.distances) = open.codes();
        self.open_header = usize::from(open.header);
        self.literals_only = open.literals_only;
    }

    /// Ends the block that is still open, if any.
    pub(super) fn close_block(&mut self) {
        if self.open_header > 0 {
            write_end(&mut self.bits, &self.literals);
            self.open_header = 0;
        }
    }

    /// What a sync flush leaves: an empty stored block.
    pub(crate) fn flush_mark(&mut self) {
        self.close_block();
        self.bits.stored_header(0, false);
    }

    /// The end of the stream: an empty block.
    pub(crate) fn finish(&mut self) {
        self.close_block();
        if self.behaviour.fixed_end {
            self.bits.put(0b011, 10);
            self.bits.align();
        } else {
            self.bits.stored_header(0, true);
        }
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
        let filled = self.behaviour.tables == TableRule::Filled;
        if plain.sync {
            tokens.add_end();
        } else if filled {
            tokens.fill();
        }
        if self.open_header > 0 && (self.literals_only || (!filled && !self.covers(tokens))) {
            self.close_block();
            self.literals_only = false;
        }
        // If no size is compared, extra bits do not count.
        let compares = plain.stored_size() != UNUSABLE || self.open_header > 0 || filled;
        let extra = if compares {
            extra_bits(&tokens.literals, &tokens.distances)
        } else {
            0
        };
        let counts = Counts::new(tokens, extra, plain.sync, &self.behaviour);
        let written = if filled {
            (self.open_header > 0 && self.judge_reuse(tokens, &counts, plain))
                || (self.open_header == 0 && self.new_full_table(&counts, plain))
        } else {
            (self.open_header > 0 && self.decide_reuse(tokens, &counts, plain))
                || (self.open_header == 0 && self.new_table(tokens, counts, plain))
        };
        if written {
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
            write_end(&mut self.bits, &self.literals);
        }
    }

    /// Bits of the symbols with the open table, without extra bits.
    fn reuse_size(&self, counts: &Counts) -> usize {
        total_bits(&self.literals, &counts.literals)
            + total_bits(&self.distances, &counts.distances)
    }

    /// Compares the open table with an estimate of a new one; true if the block was written
    /// without either.
    fn decide_reuse(&mut self, tokens: &Tokens, counts: &Counts, plain: Plain<'_>) -> bool {
        let mut new_size = self.open_header + tokens.estimated_bits(&self.behaviour);
        new_size += usize::from(self.literals[END_OF_BLOCK].len) + (new_size >> self.penalty);
        let reused = self.reuse_size(counts) + counts.extra;
        if new_size < reused {
            self.close_block();
        }
        let size = new_size.min(reused);
        let few = tokens.len() < self.behaviour.few_tokens;
        let prefer_fixed = few && counts.fixed_size() + 7 < size;
        self.small(tokens, plain, size, prefer_fixed)
    }

    /// Builds a new table and writes its header; true if the block was written without it.
    fn new_table(&mut self, tokens: &Tokens, mut counts: Counts, plain: Plain<'_>) -> bool {
        counts.literals[END_OF_BLOCK] = 1;
        let header = self.build(&counts);
        let size = header.size + self.reuse_size(&counts) + counts.extra;
        let fixed = counts.fixed_size();
        if tokens.len() < self.behaviour.few_tokens && fixed <= size {
            return self.small(tokens, plain, fixed, true);
        }
        if self.small(tokens, plain, size, false) {
            return true;
        }
        self.open(&counts, &header);
        if plain.sync {
            self.open_header = 0;
        }
        false
    }

    /// The codes for these counts, and their header.
    fn build(&mut self, counts: &Counts) -> CodeLengths {
        build(&counts.literals, 15, &mut self.literals);
        build(&counts.distances, 15, &mut self.distances);
        CodeLengths::new(
            &self.literals[..counts.literal_count],
            &self.distances[..counts.distance_count],
        )
    }

    /// Begins a block with the table that was built last.
    fn open(&mut self, counts: &Counts, header: &CodeLengths) {
        let (literals, distances) = (counts.literal_count, counts.distance_count);
        header.begin_block(&mut self.bits, literals, distances);
        self.open_header = header.size;
        self.literals_only = false;
    }

    /// As [`BlockWriter::decide_reuse`] up to 1.13.6, which knows no fixed codes, and stores what
    /// would save less than a sixteenth.
    fn judge_reuse(&mut self, tokens: &Tokens, counts: &Counts, plain: Plain<'_>) -> bool {
        let mut new_size = self.open_header + tokens.estimated_bits(&self.behaviour);
        new_size += new_size >> self.penalty;
        let mut reused = self.reuse_size(counts) + counts.extra;
        if self.behaviour.estimate == Estimate::Doubles {
            reused += self.open_header;
        }
        if new_size < reused {
            self.close_block();
        }
        self.store_if_no_gain(plain, new_size.min(reused))
    }

    /// As [`BlockWriter::new_table`] up to 1.13.6.
    fn new_full_table(&mut self, counts: &Counts, plain: Plain<'_>) -> bool {
        let header = self.build(counts);
        let size = header.size + self.reuse_size(counts) + counts.extra;
        if self.store_if_no_gain(plain, size) {
            return true;
        }
        self.open(counts, &header);
        false
    }

    /// Stores the plain bytes if `size` would save less than a sixteenth.
    fn store_if_no_gain(&mut self, plain: Plain<'_>, size: usize) -> bool {
        match plain.bytes {
            Some(bytes) if plain.stored_size() < size + (size >> 4) => {
                self.stored(bytes);
                true
            }
            _ => false,
        }
    }

    /// Stores the plain bytes if that takes no more than `size`, else writes a block with fixed
    /// codes if `fixed` is set; whether the block was written.
    fn small(&mut self, tokens: &Tokens, plain: Plain<'_>, size: usize, fixed: bool) -> bool {
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
}

/// What a table is built from.
struct Counts {
    literals: [u32; LITERALS],
    distances: [u32; DISTANCES],
    /// Symbols that the header lists.
    literal_count: usize,
    distance_count: usize,
    /// Bits besides the symbols.
    extra: usize,
}

impl Counts {
    fn new(tokens: &Tokens, extra: usize, sync: bool, behaviour: &BlockBehaviour) -> Self {
        let mut counts = Self {
            literals: tokens.literals,
            distances: tokens.distances,
            literal_count: LITERALS,
            distance_count: DISTANCES,
            extra,
        };
        if behaviour.tables == TableRule::CutWithEnd {
            counts.literals[END_OF_BLOCK] = 1;
        }
        // A table for the last block only is cut to what is used; older versions write others in
        // full.
        if sync || behaviour.tables >= TableRule::Cut {
            let used = |counts: &[u32]| counts.iter().rposition(|&n| n != 0).map_or(0, |n| n + 1);
            counts.literal_count = used(&counts.literals).max(END_OF_BLOCK + 1);
            counts.distance_count = used(&counts.distances);
            if counts.distance_count == 0 {
                counts.distances[0] = 1;
                counts.distance_count = 1;
            }
        }
        counts
    }

    /// Bits of a block with fixed codes.
    fn fixed_size(&self) -> usize {
        3 + total_bits(&fixed_literals(), &self.literals)
            + total_bits(&fixed_distances(), &self.distances)
            + self.extra
    }
}
