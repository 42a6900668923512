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
    let mut changes = [0u64; CHANGES];
    let mut count = 0;
    let (mut score, mut best, mut best_len, mut at) = (0i64, 0i64, 0, 0);
    while at < len {
        if at + 8 <= len && a.bytes[at..at + 8] == b.bytes[at..at + 8] {
            at += 8;
            score += 8;
        } else if a.widths[at] | b.widths[at] == 0 {
            score += if a.bytes[at] == b.bytes[at] { 1 } else { -1 };
            at += 1;
        } else {
            let width = usize::from(a.widths[at].max(b.widths[at]));
            let end = (at + width).min(len);
            let change = if a.widths[at] == b.widths[at] && predicted {
                Some(word(&b.bytes[at..end]).wrapping_sub(word(&a.bytes[at..end])))
            } else {
                None
            };
            match change {
                Some(change) if changes.contains(&change) => score += width as i64,
                Some(change) => {
                    changes[count % CHANGES] = change;
                    count += 1;
                    let equal = equal_bytes(&a.bytes[at..end], &b.bytes[at..end]);
                    score += (2 * equal as i64 - width as i64) / 2;
                }
                // A reference against something else, or one that is not predicted: equal bytes are chance.
                None if a.bytes[at..end] == b.bytes[at..end] => score += width as i64,
                None => score -= width as i64,
            }
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
}
