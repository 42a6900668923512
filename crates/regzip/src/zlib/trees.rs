//! Huffman codes as zlib builds them, and its choice of block type.
//!
//! The order of equal weights in the heap and the repair of codes that are too long decide which of
//! several equally good codes comes out.

use crate::coding::bits::BitWriter;
use crate::coding::header::push_run;
use crate::coding::huffman::{Code, fixed_distances, fixed_literals, reverse, total_bits};
use crate::coding::symbols::{extra_bits, write_end, write_symbols};
use crate::coding::token::{
    CODE_LENGTH_ORDER, CODE_LENGTHS, DISTANCE_EXTRA, DISTANCES, END_OF_BLOCK, LENGTH_CODE,
    LITERALS, Token, distance_code,
};

/// Nodes of the largest tree, leaves and parents.
const NODES: usize = 2 * LITERALS + 1;

/// Tokens of the current block, counted.
#[derive(Clone)]
pub(crate) struct Block {
    pub(crate) tokens: Vec<Token>,
    pub(crate) matches: usize,
    literals: [u32; LITERALS],
    distances: [u32; DISTANCES],
}

impl Block {
    pub(crate) fn new() -> Self {
        let mut block = Self {
            tokens: Vec::with_capacity(1 << 15),
            matches: 0,
            literals: [0; LITERALS],
            distances: [0; DISTANCES],
        };
        block.clear();
        block
    }

    pub(crate) fn clear(&mut self) {
        self.tokens.clear();
        self.matches = 0;
        self.literals.fill(0);
        self.distances.fill(0);
        self.literals[END_OF_BLOCK] = 1;
    }

    #[inline]
    pub(crate) fn literal(&mut self, byte: u8) {
        self.literals[usize::from(byte)] += 1;
        self.tokens.push(Token::literal(byte));
    }

    #[inline]
    pub(crate) fn add_match(&mut self, length: usize, distance: usize) {
        self.literals[257 + usize::from(LENGTH_CODE[(length - 3) & 255])] += 1;
        self.distances[distance_code(distance - 1)] += 1;
        self.matches += 1;
        self.tokens
            .push(Token::new_match(length as u32, distance as u32));
    }

    /// A rough size in bits: eight for every token, and the cost of distances.
    pub(crate) fn rough_bits(&self) -> usize {
        let distances = self.distances.iter().zip(DISTANCE_EXTRA);
        self.tokens.len() * 8
            + distances
                .map(|(&n, extra)| n as usize * (5 + usize::from(extra)))
                .sum::<usize>()
    }

    /// Writes the block in the cheapest form and starts the next one.
    ///
    /// `plain` is what may be stored instead, `len` its length even if it was dropped.
    pub(crate) fn write(
        &mut self,
        bits: &mut BitWriter,
        plain: Option<&[u8]>,
        len: usize,
        last: bool,
        fixed_only: bool,
    ) {
        let mut literals = Tree::<LITERALS>::build(&self.literals, 15);
        let mut distances = Tree::<DISTANCES>::build(&self.distances, 15);
        let lengths = LengthCodes::new(&literals, &distances);
        let extra = extra_bits(&self.literals, &self.distances);
        let dynamic = literals.cost(&self.literals) + distances.cost(&self.distances) + extra;
        let dynamic = (dynamic + lengths.cost() + 3 + 7) >> 3;
        let fixed = (fixed_literals(), fixed_distances());
        let fixed_cost =
            total_bits(&fixed.0, &self.literals) + total_bits(&fixed.1, &self.distances) + extra;
        let fixed_cost = (fixed_cost + 3 + 7) >> 3;
        let use_fixed = fixed_cost <= dynamic || fixed_only;
        let best = if use_fixed { fixed_cost } else { dynamic };
        if let Some(plain) = plain
            && len + 4 <= best
        {
            write_stored(bits, plain, last);
        } else if use_fixed {
            bits.put(2 | u64::from(last), 3);
            write_symbols(bits, &self.tokens, &fixed.0, &fixed.1);
            bits.put(0, 7);
        } else {
            bits.put(4 | u64::from(last), 3);
            literals.assign();
            distances.assign();
            lengths.write(bits, literals.last, distances.last);
            write_symbols(bits, &self.tokens, &literals.codes, &distances.codes);
            write_end(bits, &literals.codes);
        }
        if last {
            bits.align();
        }
        self.clear();
    }
}

/// A stored block.
pub(crate) fn write_stored(bits: &mut BitWriter, plain: &[u8], last: bool) {
    bits.stored_header(plain.len() as u16, last);
    bits.bytes(plain);
}

/// A code over `N` symbols.
struct Tree<const N: usize> {
    codes: [Code; N],
    /// The last symbol in use.
    last: usize,
}

impl<const N: usize> Tree<N> {
    /// Code lengths for the counts. Where fewer than two symbols are in use, others join them: the
    /// format's first reader required two.
    fn build(counts: &[u32], limit: u8) -> Self {
        let mut heap = Heap::new();
        let mut last = None;
        for (symbol, &count) in counts.iter().enumerate() {
            if count != 0 {
                heap.weight[symbol] = count;
                heap.nodes.push(symbol as u16);
                last = Some(symbol);
            }
        }
        while heap.nodes.len() < 3 {
            let symbol = match last {
                Some(n) if n < 2 => n + 1,
                _ => 0,
            };
            if last.is_none_or(|n| n < 2) {
                last = Some(symbol);
            }
            heap.weight[symbol] = 1;
            heap.nodes.push(symbol as u16);
        }
        let mut codes = [Code::default(); N];
        heap.lengths(N, limit, &mut codes);
        Self {
            codes,
            last: last.unwrap_or(0),
        }
    }

    fn cost(&self, counts: &[u32]) -> usize {
        total_bits(&self.codes, counts)
    }

    /// Canonical codes for the lengths.
    fn assign(&mut self) {
        let mut per_length = [0u16; 16];
        for code in &self.codes {
            per_length[usize::from(code.len)] += 1;
        }
        per_length[0] = 0;
        let mut next = [0u16; 16];
        for len in 1..16 {
            next[len] = (next[len - 1] + per_length[len - 1]) << 1;
        }
        for code in self.codes.iter_mut().filter(|code| code.len != 0) {
            let slot = &mut next[usize::from(code.len)];
            code.bits = reverse(*slot, code.len);
            *slot += 1;
        }
    }
}

/// The code lengths that zlib gives to symbols with these counts.
pub(crate) fn code_lengths<const N: usize>(counts: &[u32; N], limit: u8) -> [u8; N] {
    Tree::<N>::build(counts, limit).codes.map(|code| code.len)
}

/// A heap of nodes by weight, then depth; the smallest is at index 1.
struct Heap {
    nodes: Vec<u16>,
    weight: [u32; NODES],
    depth: [u8; NODES],
}

impl Heap {
    fn new() -> Self {
        let mut nodes = Vec::with_capacity(NODES + 1);
        // The children of node i are 2i and 2i + 1, so that index 0 is not used.
        nodes.push(0);
        Self {
            nodes,
            weight: [0; NODES],
            depth: [0; NODES],
        }
    }

    fn smaller(&self, a: u16, b: u16) -> bool {
        let key = |n: u16| (self.weight[usize::from(n)], self.depth[usize::from(n)]);
        key(a) <= key(b)
    }

    fn sift_down(&mut self, mut at: usize) {
        let node = self.nodes[at];
        let end = self.nodes.len();
        loop {
            let mut son = at * 2;
            if son >= end {
                break;
            }
            if son + 1 < end && self.smaller(self.nodes[son + 1], self.nodes[son]) {
                son += 1;
            }
            if self.smaller(node, self.nodes[son]) {
                break;
            }
            self.nodes[at] = self.nodes[son];
            at = son;
        }
        self.nodes[at] = node;
    }

    /// Joins the two lightest nodes until one is left, then reads the depths of the leaves.
    fn lengths(mut self, symbols: usize, limit: u8, codes: &mut [Code]) {
        let mut parent = [0u16; NODES];
        // Nodes in the order in which they left the heap: lightest first.
        let mut order = Vec::with_capacity(NODES);
        for at in (1..=(self.nodes.len() - 1) / 2).rev() {
            self.sift_down(at);
        }
        let mut next = symbols;
        while self.nodes.len() > 2 {
            let first = self.nodes.swap_remove(1);
            self.sift_down(1);
            let second = self.nodes[1];
            order.extend([first, second]);
            let (a, b) = (usize::from(first), usize::from(second));
            self.weight[next] = self.weight[a] + self.weight[b];
            self.depth[next] = self.depth[a].max(self.depth[b]) + 1;
            parent[a] = next as u16;
            parent[b] = next as u16;
            self.nodes[1] = next as u16;
            next += 1;
            self.sift_down(1);
        }
        limit_lengths(&order, &parent, symbols, limit, codes);
    }
}

/// Depths of the leaves, none above `limit`.
fn limit_lengths(order: &[u16], parent: &[u16], symbols: usize, limit: u8, codes: &mut [Code]) {
    let mut depth = [0u8; NODES];
    let mut per_length = [0usize; 17];
    let mut overflow = 0usize;
    for &node in order.iter().rev() {
        let node = usize::from(node);
        let mut bits = depth[usize::from(parent[node])] + 1;
        if bits > limit {
            bits = limit;
            overflow += 1;
        }
        depth[node] = bits;
        if node < symbols {
            per_length[usize::from(bits)] += 1;
            codes[node].len = bits;
        }
    }
    if overflow == 0 {
        return;
    }
    let longest = usize::from(limit);
    let mut left = overflow as isize;
    while left > 0 {
        // A leaf moves down one level and takes one of the nodes that are too deep as sibling.
        let mut bits = longest - 1;
        while per_length[bits] == 0 {
            bits -= 1;
        }
        per_length[bits] -= 1;
        per_length[bits + 1] += 2;
        per_length[longest] -= 1;
        left -= 2;
    }
    let mut leaves = order
        .iter()
        .map(|&n| usize::from(n))
        .filter(|&n| n < symbols);
    for bits in (1..=longest).rev() {
        for leaf in leaves.by_ref().take(per_length[bits]) {
            codes[leaf].len = bits as u8;
        }
    }
}

/// The code lengths of both codes, run-length coded, as the header of a dynamic block lists them.
struct LengthCodes {
    runs: Vec<(u8, u8)>,
    tree: Tree<CODE_LENGTHS>,
    counts: [u32; CODE_LENGTHS],
    listed: usize,
}

impl LengthCodes {
    fn new(literals: &Tree<LITERALS>, distances: &Tree<DISTANCES>) -> Self {
        let mut runs = Vec::with_capacity(320);
        // Unlike in Go, runs do not continue from one code into the other.
        for codes in [
            &literals.codes[..=literals.last],
            &distances.codes[..=distances.last],
        ] {
            for run in codes.chunk_by(|a, b| a.len == b.len) {
                push_run(&mut runs, run[0].len, run.len());
            }
        }
        let mut counts = [0; CODE_LENGTHS];
        for &(symbol, _) in &runs {
            counts[usize::from(symbol)] += 1;
        }
        let tree = Tree::build(&counts, 7);
        let listed = CODE_LENGTH_ORDER
            .iter()
            .rposition(|&symbol| tree.codes[symbol].len != 0)
            .map_or(4, |last| (last + 1).max(4));
        Self {
            runs,
            tree,
            counts,
            listed,
        }
    }

    /// Bits of the lists and of the three counts before them.
    fn cost(&self) -> usize {
        let extra = self.counts[16] * 2 + self.counts[17] * 3 + self.counts[18] * 7;
        self.tree.cost(&self.counts) + extra as usize + 3 * self.listed + 14
    }

    fn write(mut self, bits: &mut BitWriter, last_literal: usize, last_distance: usize) {
        self.tree.assign();
        bits.put(last_literal as u64 - 256, 5);
        bits.put(last_distance as u64, 5);
        bits.put(self.listed as u64 - 4, 4);
        for &symbol in &CODE_LENGTH_ORDER[..self.listed] {
            bits.put(u64::from(self.tree.codes[symbol].len), 3);
        }
        for &(symbol, extra) in &self.runs {
            let code = self.tree.codes[usize::from(symbol)];
            bits.put(u64::from(code.bits), u32::from(code.len));
            let width = match symbol {
                16 => 2,
                17 => 3,
                18 => 7,
                _ => 0,
            };
            bits.put(u64::from(extra), width);
        }
    }
}
