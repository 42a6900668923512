//! Small changes to bytes, some of which know what a recipe is made of.

use super::random::Random;

/// Numbers at the edge of something.
const EDGES: [u64; 24] = [
    0,
    1,
    2,
    3,
    4,
    127,
    128,
    255,
    258,
    259,
    4096,
    16_384,
    32_767,
    32_768,
    32_769,
    65_274,
    65_535,
    65_536,
    131_072,
    1 << 20,
    1 << 31,
    1 << 32,
    1 << 63,
    u64::MAX,
];

/// A varint and its length, if one starts here.
fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for (index, &byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index).min(63);
        if byte & 0x80 == 0 {
            return Some((value, index + 1));
        }
    }
    None
}

fn put(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

/// Changes one thing somewhere.
fn change(random: &mut Random, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        let n = random.below(40);
        *bytes = random.bytes(n);
        return;
    }
    // The beginning of a recipe, a header or a member says the most.
    let len = if random.one_in(2) {
        bytes.len().min(64)
    } else {
        bytes.len()
    };
    let at = random.below(len);
    match random.below(9) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = random.next() as u8,
        2 => bytes[at] = bytes[at].wrapping_add(random.pick(&[1, 255])),
        // Another number.
        3 | 4 => {
            if let Some((value, n)) = varint(&bytes[at..]) {
                let value = match random.below(4) {
                    0 => value.wrapping_add(1),
                    1 => value.wrapping_sub(1),
                    2 => value ^ 1 << random.below(20),
                    _ => random.pick(&EDGES),
                };
                bytes.splice(at..at + n, put(value));
            }
        }
        5 => {
            let n = random.below(12);
            let new = random.bytes(n);
            bytes.splice(at..at, new);
        }
        6 => {
            let end = (at + 1 + random.below(12)).min(bytes.len());
            bytes.drain(at..end);
        }
        7 => {
            let end = (at + random.below(80)).min(bytes.len());
            let piece = bytes[at..end].to_vec();
            let to = random.below(bytes.len() + 1);
            bytes.splice(to..to, piece);
        }
        _ => bytes.truncate(at),
    }
}

/// A few changes.
pub(crate) fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    let count = random.pick(&[1, 1, 1, 2, 3]);
    for _ in 0..count {
        change(random, bytes);
    }
}
