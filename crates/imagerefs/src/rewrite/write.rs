//! Writes a scalar's new value over its old one, in the style that it has.

use std::fmt::Write as _;
use std::ops::Range;

use crate::error::Reason;
use crate::scalar::{Scalar, Style};

/// A span of the original bytes and its new text.
type RawEdit = (Range<usize>, String);

/// Plans the writing of `changes` (stretches of the value in order, not touching each other) and returns
/// the whole new value with it.
///
/// # Errors
/// If the stretches overlap, or where a block of lines does not have them letter for letter.
pub(crate) fn write(
    scalar: &Scalar,
    changes: &[(Range<usize>, String)],
    original: &[u8],
) -> Result<(String, Vec<RawEdit>), Reason> {
    let value = spliced(&scalar.value, changes).ok_or(Reason::SharedValue)?;
    let located: Option<Vec<RawEdit>> = scalar.locator(original).and_then(|locator| {
        let located = |(within, new): &(_, String)| Some((locator.locate(within)?, new.clone()));
        changes.iter().map(located).collect()
    });
    // A block may hold YAML itself, in which a bracket at the start of a value would need quotes.
    let fits = match scalar.style {
        Style::Plain => plain(&value, changes),
        Style::Literal | Style::Folded => !brackets(changes),
        Style::Line | Style::Single | Style::Double => true,
    };
    match located {
        Some(edits) if fits => Ok((value, edits)),
        _ if scalar.style.is_block() => Err(Reason::Unwritable),
        _ => {
            let text = quoted(&value, scalar.style);
            Ok((value, vec![(scalar.raw.clone(), text)]))
        }
    }
}

fn spliced(value: &str, changes: &[(Range<usize>, String)]) -> Option<String> {
    let mut out = String::new();
    let mut at = 0;
    for (within, new) in changes {
        out.push_str(value.get(at..within.start)?);
        out.push_str(new);
        at = within.end;
    }
    out.push_str(value.get(at..)?);
    Some(out)
}

/// Whether the new value can stand without quotes and is still the same kind of value. It is made of a
/// plain value and of references, so that little can go wrong: the brackets of an IPv6 address, nothing
/// at all, and what reads as a number, a truth value or null.
fn plain(value: &str, changes: &[(Range<usize>, String)]) -> bool {
    let boolean = matches!(value, "true" | "false") && changes.iter().any(|(_, new)| new == value);
    !brackets(changes) && !value.is_empty() && (boolean || is_string(value))
}

fn brackets(changes: &[(Range<usize>, String)]) -> bool {
    changes.iter().any(|(_, new)| new.contains(['[', ']']))
}

/// Whether YAML, 1.1 or 1.2, takes an unquoted value for a string. Doubtful ones count as none.
pub(crate) fn is_string(value: &str) -> bool {
    const WORDS: &[&str] = &[
        "y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf",
    ];
    let lower = value.to_ascii_lowercase();
    let starts_with_letter = value.starts_with(|c: char| c.is_ascii_alphabetic());
    value.contains(['/', '@']) || (starts_with_letter && !WORDS.contains(&lower.as_str()))
}

/// The value in quotes: of its own kind where it has some, else double.
fn quoted(value: &str, style: Style) -> String {
    if style == Style::Line {
        return value.to_owned();
    }
    if style == Style::Single && !value.contains(char::is_control) {
        return format!("'{}'", value.replace('\'', "''"));
    }
    let mut out = String::from("\"");
    for c in value.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
