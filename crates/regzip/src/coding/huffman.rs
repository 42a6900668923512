//! Length-limited Huffman codes as Go's `compress/flate` and klauspost's copy of it build them.
//!
//! Optimal codes are not unique: which of several equally good sets of lengths comes out depends on
//! how ties are broken. So this follows the same method (boundary package-merge) with the same order.

/// A code: its bits, already reversed for output, and their number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Code {
    pub(crate) bits: u16,
    pub(crate) len: u8,
}

/// Total bits of `freq` under `codes`, without extra bits.
pub(crate) fn total_bits(codes: &[Code], freq: &[u32]) -> usize {
    codes
        .iter()
        .zip(freq)
        .map(|(c, &f)| f as usize * usize::from(c.len))
        .sum()
}

pub(crate) fn reverse(code: u16, len: u8) -> u16 {
    if len == 0 {
        0
    } else {
        code.reverse_bits() >> (16 - len)
    }
}

/// The codes of the fixed literal and length table.
pub(crate) fn fixed_literals() -> [Code; 286] {
    std::array::from_fn(|symbol| {
        let s = symbol as u16;
        let (code, len) = match s {
            0..=143 => (s + 48, 8),
            144..=255 => (s + 400 - 144, 9),
            256..=279 => (s - 256, 7),
            _ => (s + 192 - 280, 8),
        };
        Code {
            bits: reverse(code, len),
            len,
        }
    })
}

/// The codes of the fixed distance table.
pub(crate) fn fixed_distances() -> [Code; 30] {
    std::array::from_fn(|symbol| Code {
        bits: reverse(symbol as u16, 5),
        len: 5,
    })
}

const MAX_BITS: usize = 15;
const NEVER: u32 = i32::MAX as u32;

/// One row of the package-merge: the lists of each code length, built lazily.
#[derive(Clone, Copy, Default)]
struct Row {
    last: u32,
    next_leaf: u32,
    next_pair: u32,
    needed: usize,
}

/// Builds codes for the non-zero frequencies, no code longer than `limit` bits.
pub(crate) fn build(freq: &[u32], limit: usize, codes: &mut [Code]) {
    let mut leaves = [(0u32, 0u16); 288];
    let mut count = 0;
    for (symbol, (&f, code)) in freq.iter().zip(codes.iter_mut()).enumerate() {
        code.len = 0;
        if f != 0 {
            leaves[count] = (f, symbol as u16);
            count += 1;
        }
    }
    let leaves = &mut leaves[..=count];
    if count <= 2 {
        for (index, &(_, symbol)) in leaves[..count].iter().enumerate() {
            codes[usize::from(symbol)] = Code {
                bits: index as u16,
                len: 1,
            };
        }
        return;
    }
    leaves[..count].sort_unstable();
    leaves[count] = (NEVER, u16::MAX);
    let per_length = lengths(leaves, limit.min(count - 1));
    assign(&mut leaves[..count], &per_length, codes);
}

/// How many symbols get each code length; `leaves` ends with a sentinel.
fn lengths(leaves: &[(u32, u16)], limit: usize) -> [usize; MAX_BITS + 1] {
    let count = leaves.len() - 1;
    let mut rows = [Row::default(); MAX_BITS + 2];
    // below[i][j]: leaves left of the level j ancestor of the newest node in row i.
    let mut below = [[0usize; MAX_BITS + 1]; MAX_BITS + 1];
    for level in 1..=limit {
        rows[level] = Row {
            last: leaves[1].0,
            next_leaf: leaves[2].0,
            next_pair: if level == 1 {
                NEVER
            } else {
                leaves[0].0 + leaves[1].0
            },
            needed: 0,
        };
        below[level][level] = 2;
    }
    rows[limit].needed = 2 * count - 4;
    let mut level = limit;
    loop {
        let row = rows[level];
        if row.next_pair == NEVER && row.next_leaf == NEVER {
            // Neither leaves nor pairs are left: never come back to this row.
            rows[level].needed = 0;
            rows[level + 1].next_pair = NEVER;
            level += 1;
            continue;
        }
        if row.next_leaf < row.next_pair {
            below[level][level] += 1;
            rows[level].last = row.next_leaf;
            rows[level].next_leaf = leaves[below[level][level]].0;
        } else {
            rows[level].last = row.next_pair;
            let (lower, upper) = below.split_at_mut(level);
            upper[0][..level].copy_from_slice(&lower[level - 1][..level]);
            rows[level - 1].needed = 2;
        }
        rows[level].needed -= 1;
        if rows[level].needed == 0 {
            if level == limit {
                break;
            }
            rows[level + 1].next_pair = row.last + rows[level].last;
            level += 1;
        } else {
            while rows[level - 1].needed > 0 {
                level -= 1;
            }
        }
    }
    let mut per_length = [0; MAX_BITS + 1];
    for at in 1..=limit {
        per_length[limit + 1 - at] = below[limit][at] - below[limit][at - 1];
    }
    per_length
}

/// Canonical codes: the most frequent symbols get the shortest, equal lengths go by symbol.
fn assign(leaves: &mut [(u32, u16)], per_length: &[usize], codes: &mut [Code]) {
    let mut code = 0u16;
    let mut end = leaves.len();
    for (len, &n) in per_length.iter().enumerate() {
        code <<= 1;
        if len == 0 || n == 0 {
            continue;
        }
        let group = &mut leaves[end - n..end];
        group.sort_unstable_by_key(|&(_, symbol)| symbol);
        for &(_, symbol) in group.iter() {
            codes[usize::from(symbol)] = Code {
                bits: reverse(code, len as u8),
                len: len as u8,
            };
            code += 1;
        }
        end -= n;
    }
}

/// What codes may take: a code of `n` bits takes this, shifted right by `n`.
pub(crate) const CAPACITY: u32 = 1 << 15;

/// What codes of these lengths, 15 at most, take of the capacity.
pub(crate) fn capacity_used(lengths: &[u8]) -> u32 {
    let used = lengths.iter().filter(|&&length| length > 0);
    used.map(|&length| CAPACITY >> length).sum()
}

/// The canonical code with these lengths.
pub(crate) fn canonical<const N: usize>(lengths: &[u8; N]) -> [Code; N] {
    let mut per_length = [0u16; MAX_BITS + 1];
    for &len in lengths {
        per_length[usize::from(len & 15)] += 1;
    }
    per_length[0] = 0;
    let mut next = [0u16; MAX_BITS + 1];
    for len in 1..=MAX_BITS {
        next[len] = (next[len - 1].wrapping_add(per_length[len - 1])) << 1;
    }
    lengths.map(|len| {
        if len == 0 {
            return Code::default();
        }
        let slot = &mut next[usize::from(len & 15)];
        let bits = reverse(*slot, len);
        *slot = slot.wrapping_add(1);
        Code { bits, len }
    })
}
