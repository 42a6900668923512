//! Changes to content.

use crate::trial::random::Random;

/// Tokens that readers treat in a way of their own.
const TOKENS: [&[u8]; 20] = [
    b"null",
    b"{}",
    b"[]",
    b"\"\"",
    b"-1",
    b"0",
    b"18446744073709551616",
    b"1e999",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\0",
    b"\r\n",
    b"../",
    b"sha256:",
    b"sha512:",
    b"&a *a",
    b"<<: ",
    b"!!binary ",
    b"{{",
    b"\xe2\x80\xae",
];

/// `input` with one to four changes, of which some take parts of `others`.
pub(super) fn mutated(input: &[u8], others: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=random.below(4) {
        let at = place(bytes.len(), random);
        change(&mut bytes, at, others, random);
        if random.below(2) == 0 {
            seal_header(&mut bytes, at);
        }
    }
    bytes
}

fn place(length: usize, random: &mut Random) -> usize {
    usize::try_from(random.below(length as u64)).unwrap_or(0)
}

fn change(bytes: &mut Vec<u8>, at: usize, others: &[Vec<u8>], random: &mut Random) {
    let end = (at + 1 + place(32, random)).min(bytes.len());
    let start = at.min(end);
    match random.below(8) {
        _ if bytes.is_empty() => bytes.push(b'x'),
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = [0, 0x20, 0x22, 0x2f, 0x3a, 0x7f, 0x80, 0xff][place(8, random)],
        2 => drop(bytes.drain(start..end)),
        3 => {
            let part = bytes[start..end].to_vec();
            bytes.splice(start..start, part);
        }
        4 => bytes.truncate(at),
        5 => {
            let token = TOKENS[place(TOKENS.len(), random)];
            bytes.splice(start..start, token.iter().copied());
        }
        6 => {
            let token = TOKENS[place(TOKENS.len(), random)];
            bytes.splice(start..end, token.iter().copied());
        }
        _ => {
            let other = &others[place(others.len(), random)];
            let from = place(other.len(), random);
            let part = &other[from..(from + 64).min(other.len())];
            bytes.splice(start..end, part.iter().copied());
        }
    }
}

/// Gives the tar header around `at`, if one is there, the checksum that it needs.
fn seal_header(bytes: &mut [u8], at: usize) {
    let start = at / 512 * 512;
    let Some(header) = bytes.get_mut(start..start + 512) else {
        return;
    };
    if !header[257..].starts_with(b"ustar") {
        return;
    }
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:07o}\0").as_bytes());
}
