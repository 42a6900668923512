//! How far two ranges resemble each other.

use crate::bytes::{common_prefix, word};

/// A match ends where its score has fallen this far below its best.
const GIVE_UP: i64 = 48;
/// The same for the way back, which only adds to a match that is good already.
const GIVE_UP_BACKWARD: i64 = 24;

/// How many bytes from the start of both to take, and the score of that: equal bytes less unequal ones.
pub(super) fn forward(a: &[u8], b: &[u8]) -> (usize, i64) {
    let len = a.len().min(b.len());
    let (mut score, mut best, mut best_len, mut at) = (0, 0, 0, 0);
    while at < len {
        let equal = common_prefix(&a[at..len], &b[at..len]);
        score += equal as i64;
        at += equal;
        if score > best {
            (best, best_len) = (score, at);
        }
        score -= 1;
        at += 1;
        if best - score > GIVE_UP {
            break;
        }
    }
    (best_len, best)
}

/// Bytes, and for each position how many bytes the field has that starts there.
#[derive(Clone, Copy)]
pub(super) struct Fielded<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) widths: &'a [u8],
}

/// How many changes of fields are remembered.
const CHANGES: usize = 4;

/// Like [`forward`], but knows fields. References that move together change alike: a field counts as equal if it has
/// changed as one just before. `predicted` says whether the values of fields are predicted later.
pub(super) fn forward_over_fields(a: Fielded<'_>, b: Fielded<'_>, predicted: bool) -> (usize, i64) {
    let len = a.bytes.len().min(b.bytes.len());
    let mut changes = Changes::default();
    let (mut score, mut best, mut best_len, mut at) = (0i64, 0i64, 0, 0);
    while at < len {
        let equal = plain_prefix(a, b, at, len);
        score += equal as i64;
        at += equal;
        if score > best {
            (best, best_len) = (score, at);
        }
        if equal == 8 || at == len {
            continue;
        }
        let width = usize::from(a.widths[at].max(b.widths[at]));
        if width == 0 {
            score -= 1;
            at += 1;
        } else {
            let end = (at + width).min(len);
            let known = predicted && a.widths[at] == b.widths[at];
            score += changes.score(&a.bytes[at..end], &b.bytes[at..end], width as i64, known);
            at = end;
            // A field at the end is worth taking along.
            if score >= best && best > 0 {
                (best, best_len) = (score, at);
            }
        }
        if score > best {
            (best, best_len) = (score, at);
        } else if best - score > GIVE_UP {
            break;
        }
    }
    (best_len, best)
}

/// The latest changes of fields.
#[derive(Default)]
struct Changes {
    latest: [u64; CHANGES],
    count: usize,
}

impl Changes {
    /// What a pair of fields is worth. `known` says whether they are fields of one width whose value is predicted.
    fn score(&mut self, a: &[u8], b: &[u8], width: i64, known: bool) -> i64 {
        if !known {
            // A reference against something else, or one that is not predicted: equal bytes are chance.
            return if a == b { width } else { -width };
        }
        let change = word(b).wrapping_sub(word(a));
        if self.latest.contains(&change) {
            return width;
        }
        self.latest[self.count % CHANGES] = change;
        self.count += 1;
        (2 * equal_bytes(a, b) as i64 - width) / 2
    }
}

/// How many of the eight bytes from `at` on are equal: all, or those before the first field or difference.
fn plain_prefix(a: Fielded<'_>, b: Fielded<'_>, at: usize, len: usize) -> usize {
    if at + 8 <= len {
        let eight = |bytes: &[u8]| word(&bytes[at..at + 8]);
        let different = (eight(a.bytes) ^ eight(b.bytes)).trailing_zeros() / 8;
        if different == 8 {
            return 8;
        }
        let field = (eight(a.widths) | eight(b.widths)).trailing_zeros() / 8;
        return different.min(field) as usize;
    }
    let plain = |index: &usize| {
        a.widths[*index] | b.widths[*index] == 0 && a.bytes[*index] == b.bytes[*index]
    };
    (at..len).take_while(plain).count()
}

/// How many bytes outside common fields differ.
pub(super) fn mismatches(a: Fielded<'_>, b: Fielded<'_>) -> usize {
    let len = a.bytes.len().min(b.bytes.len());
    let (mut count, mut at) = (0, 0);
    while at < len {
        if a.widths[at] > 0 && a.widths[at] == b.widths[at] {
            at += usize::from(a.widths[at]);
        } else {
            count += usize::from(a.bytes[at] != b.bytes[at]);
            at += 1;
        }
    }
    count
}

fn equal_bytes(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).filter(|(x, y)| x == y).count()
}

/// How many bytes from the ends of both to take.
pub(super) fn backward(a: &[u8], b: &[u8]) -> usize {
    let (mut score, mut best, mut best_len) = (0, 0, 0);
    for (index, (x, y)) in a.iter().rev().zip(b.iter().rev()).enumerate() {
        score += if x == y { 1 } else { -1 };
        if score > best {
            (best, best_len) = (score, index + 1);
        } else if best - score > GIVE_UP_BACKWARD {
            break;
        }
    }
    best_len
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_match_goes_over_mismatches_and_ends_after_an_equal_byte() {
        let a = b"aaaaaaaaaaaaaaaaaaXaaaaaaaaaaaaaaaaaYYYY";
        let b = b"aaaaaaaaaaaaaaaaaaZaaaaaaaaaaaaaaaaaVVVV";
        assert_eq!(forward(a, b), (36, 34));
        assert_eq!(backward(&a[..36], &b[..36]), 36);
    }

    #[test]
    fn fields_that_change_alike_count_as_equal() {
        // Sixteen times four plain bytes and a field; all fields of `b` are larger by the same number.
        let content = |more: u32| -> Vec<u8> {
            let field = move |number: u32| (number * 1000 + more).to_le_bytes();
            (0..16)
                .flat_map(|number| [*b"code", field(number)].concat())
                .collect()
        };
        let (a, b) = (content(0), content(0x0101_0101));
        let widths: Vec<u8> = (0..128).map(|at| if at % 8 == 4 { 4 } else { 0 }).collect();
        let fielded = |bytes| Fielded {
            bytes,
            widths: &widths,
        };
        assert_eq!(
            forward_over_fields(fielded(&a), fielded(&b), true),
            (128, 128 - 6)
        );
        assert_eq!(forward_over_fields(fielded(&a), fielded(&b), false).0, 4);
    }
}
