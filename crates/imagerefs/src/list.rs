//! Plain lists: one reference a line, `#` comments, blank lines.

use std::ops::Range;

use sealift_oci::Reference;

use crate::check::check;
use crate::error::FindError;
use crate::occurrence::{Findings, InputKind, Kind, Occurrence, Site};
use crate::scalar::{Scalar, Style};
use crate::text::Text;

/// Whether the text is a plain list rather than YAML: its first line that says something is a reference
/// or at least has none of the marks of YAML.
pub(crate) fn is_list(text: &Text<'_>) -> bool {
    let first = text.body.lines().map(|line| without_comment(line).trim());
    let Some(line) = first.into_iter().find(|line| !line.is_empty()) else {
        return true;
    };
    let yaml = line.starts_with(['-', '{', '[', '%', '"', '\'', '?', '!', '&'])
        || line.ends_with(':')
        || line.contains(": ")
        || line.contains(":\t");
    !yaml || check(line).is_ok()
}

/// Reads a list. Work and memory are linear in the text.
///
/// # Errors
/// At the first line that is no reference: what is not understood would be missing inside the isolated network.
pub(crate) fn scan(text: &Text<'_>) -> Result<Findings, FindError> {
    let mut found = Findings::new(InputKind::List);
    let mut at = 0;
    for line in text.body.split_inclusive('\n') {
        let content = without_comment(line);
        let written = content.trim();
        if !written.is_empty() {
            let start = at + (content.len() - content.trim_start().len());
            let reference = check(written).map_err(|reason| text.error(start, written, reason))?;
            let at = start..start + written.len();
            found
                .occurrences
                .push(entry(text, at, reference, Kind::ListLine));
        }
        at += line.len();
    }
    Ok(found)
}

/// A reference in a plain text, at these bytes of its body.
pub(crate) fn entry(
    text: &Text<'_>,
    at: Range<usize>,
    reference: Reference,
    kind: Kind,
) -> Occurrence {
    let written = &text.body[at.clone()];
    let (line, column) = text.position(at.start);
    let span = text.base + at.start..text.base + at.end;
    let scalar = Scalar {
        raw: span.clone(),
        style: Style::Line,
        value: written.into(),
        uses: 1,
    };
    Occurrence {
        reference,
        text: written.to_owned(),
        span,
        line,
        column,
        document: 1,
        object: None,
        path: String::new(),
        kind,
        site: Site::Whole(scalar, 0..written.len()),
    }
}

/// Cuts a comment: `#` at the start or after white space.
fn without_comment(line: &str) -> &str {
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        if c == '#' && before.is_whitespace() {
            return &line[..at];
        }
        before = c;
    }
    line
}
