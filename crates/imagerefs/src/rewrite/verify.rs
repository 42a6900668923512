//! Reads a text before and after, and compares.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser};

use crate::edit::RewriteError;
use crate::scalar::trimmed;
use crate::text::Text;

/// Checks that two texts are the same YAML but for the scalars that begin at the given offsets of the
/// first, which must say what is expected of them.
///
/// # Errors
/// If they differ in anything else.
pub(crate) fn same_but_for(
    before: &[u8],
    after: &[u8],
    expected: &BTreeMap<usize, String>,
) -> Result<(), RewriteError> {
    let odd = |line| RewriteError::Inconsistent { line };
    let before = Text::new(before, "").map_err(|error| odd(error.line))?;
    let after = Text::new(after, "").map_err(|error| odd(error.line))?;
    let mut left = Parser::new_from_str(before.body);
    let mut right = Parser::new_from_str(after.body);
    let mut met = 0;
    let mut line = 1;
    loop {
        let (old, new) = match (left.next_event(), right.next_event()) {
            (None, None) => break,
            (Some(Ok(old)), Some(Ok(new))) => (old, new),
            _ => return Err(odd(line)),
        };
        let (old, span) = old;
        line = span.start.line();
        let start = before.byte_of(span.start.index());
        let end = before.byte_of(span.end.index()).max(start);
        let begin = before.base + trimmed(before.body, start..end).start;
        let same = match (&old, &new.0) {
            (Event::Scalar(a, style, anchor, tag), Event::Scalar(b, other, anchor_b, tag_b)) => {
                let alike = anchor == anchor_b && tag == tag_b;
                let wanted = [begin, before.base + start]
                    .into_iter()
                    .find_map(|offset| expected.get(&offset));
                met += usize::from(wanted.is_some());
                alike && wanted.map_or(a == b && style == other, |wanted| b == wanted)
            }
            (a, b) => a == b,
        };
        if !same {
            return Err(odd(line));
        }
    }
    if met == expected.len() {
        Ok(())
    } else {
        Err(odd(line))
    }
}
