//! How far two ranges resemble each other.

/// A match ends where its score has fallen this far below its best.
const GIVE_UP: i64 = 48;
/// The same for the way back, which only adds to a match that is good already.
const GIVE_UP_BACKWARD: i64 = 24;

/// How many bytes are equal from the start.
pub(crate) fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let len = a.len().min(b.len());
    let words = a.chunks_exact(8).zip(b.chunks_exact(8));
    for (index, (x, y)) in words.enumerate() {
        let difference = word(x) ^ word(y);
        if difference != 0 {
            return index * 8 + difference.trailing_zeros() as usize / 8;
        }
    }
    let done = len / 8 * 8;
    let rest = a[done..len].iter().zip(&b[done..len]);
    done + rest.take_while(|(x, y)| x == y).count()
}

fn word(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_le_bytes)
}

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

/// Like [`forward`], but the bytes of fields that are in both count little: their values are predicted later.
pub(super) fn forward_over_fields(a: Fielded<'_>, b: Fielded<'_>) -> (usize, i64) {
    let len = a.bytes.len().min(b.bytes.len());
    let (a_widths, a) = (a.widths, a.bytes);
    let (b_widths, b) = (b.widths, b.bytes);
    let (mut score, mut best, mut best_len, mut at) = (0i64, 0i64, 0, 0);
    while at < len {
        if at + 8 <= len && a[at..at + 8] == b[at..at + 8] {
            at += 8;
            score += 8;
        } else {
            let width = usize::from(a_widths[at].max(b_widths[at]));
            if a_widths[at] != b_widths[at] {
                // A reference against something else: equal bytes are chance.
                at = (at + width).min(len);
                score -= width as i64;
            } else if width > 0 && at + width <= len {
                let equal = equal_bytes(&a[at..at + width], &b[at..at + width]);
                at += width;
                if equal < width {
                    score += (2 * equal as i64 - width as i64) / 2;
                    // A field at the end is worth taking along.
                    if score >= best && best > 0 {
                        (best, best_len) = (score, at);
                    }
                    continue;
                }
                score += width as i64;
            } else {
                score += if a[at] == b[at] { 1 } else { -1 };
                at += 1;
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

    #[test]
    fn equal_bytes_are_counted_over_words_and_rest() {
        assert_eq!(common_prefix(b"0123456789abc", b"0123456789abd"), 12);
        assert_eq!(common_prefix(b"0123x567", b"0123y567"), 4);
        assert_eq!(common_prefix(b"", b"a"), 0);
    }
}
