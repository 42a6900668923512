//! Writes tokens with given codes.

use super::bits::BitWriter;
use super::huffman::Code;
use super::token::{
    DISTANCE_BASE, DISTANCE_EXTRA, DISTANCES, END_OF_BLOCK, LENGTH_BASE, LENGTH_CODE, LENGTH_EXTRA,
    LITERALS, Token, distance_code,
};

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

/// Writes the end of the block with the given codes.
pub(crate) fn write_end(bits: &mut BitWriter, literals: &[Code]) {
    let end = literals[END_OF_BLOCK];
    bits.put(u64::from(end.bits), u32::from(end.len));
}

/// Bits besides the codes that symbols with these counts take.
pub(crate) fn extra_bits(literals: &[u32; LITERALS], distances: &[u32; DISTANCES]) -> usize {
    let lengths = literals[257..].iter().zip(LENGTH_EXTRA);
    let distances = distances.iter().zip(DISTANCE_EXTRA);
    lengths
        .chain(distances)
        .map(|(&n, extra)| n as usize * usize::from(extra))
        .sum()
}
