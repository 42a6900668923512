//! A scalar as it is written: where its bytes are and in which style.

use std::ops::Range;

use saphyr_parser::ScalarStyle;

use crate::text::Text;
use crate::tree::{Document, Id, Value};

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// A line of a plain list: no YAML at all.
    Line,
    /// Without quotes.
    Plain,
    /// `'…'`.
    Single,
    /// `"…"`.
    Double,
    /// `|` or `>` and indented lines.
    Block,
}

/// One scalar of the original text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scalar {
    /// Its bytes in the original text, quotes included, anchor and tag not.
    pub(crate) raw: Range<usize>,
    pub(crate) style: Style,
    /// What it says.
    pub(crate) value: String,
    /// In how many places it stands: more than one where it is anchored and named by aliases.
    pub(crate) places: usize,
}

impl Scalar {
    /// The scalar of a node, an alias followed; nothing where the node is a collection.
    pub(crate) fn of(text: &Text<'_>, document: &Document<'_>, id: Id) -> Option<Self> {
        let node = document.node(id);
        let Value::Scalar(value, style) = &node.value else {
            return None;
        };
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted => Style::Single,
            ScalarStyle::DoubleQuoted => Style::Double,
            ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
        };
        let span = if style == Style::Block {
            node.span.clone()
        } else {
            trimmed(text.body, node.span.clone())
        };
        Some(Self {
            raw: text.base + span.start..text.base + span.end,
            style,
            value: value.clone().into_owned(),
            places: 1 + document.uses(id),
        })
    }

    /// Where a stretch of the value stands in the original text, if it stands there letter for letter:
    /// no escape, no line break within.
    pub(crate) fn locate(&self, original: &[u8], within: &Range<usize>) -> Option<Range<usize>> {
        let raw = original.get(self.raw.clone())?;
        let wanted = self.value.get(within.clone())?.as_bytes();
        let inner = match self.style {
            Style::Line | Style::Plain | Style::Block => raw,
            Style::Single | Style::Double => raw.get(1..raw.len().checked_sub(1)?)?,
        };
        let offset = self.raw.start + (raw.len() - inner.len()) / 2;
        if inner == self.value.as_bytes() {
            return Some(offset + within.start..offset + within.end);
        }
        // Written another way than it reads; a stretch that is there exactly once is still that stretch.
        let mut places = inner.windows(wanted.len().max(1)).enumerate();
        let (at, _) = places.find(|(_, window)| *window == wanted)?;
        if places.any(|(_, window)| window == wanted) {
            return None;
        }
        Some(offset + at..offset + at + wanted.len())
    }
}

/// The span of a scalar without its anchor, its tag and blanks after it.
pub(crate) fn trimmed(body: &str, span: Range<usize>) -> Range<usize> {
    const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];
    let raw = body[span.clone()].trim_end_matches(BLANKS);
    let end = span.start + raw.len();
    let mut rest = raw;
    loop {
        rest = rest.trim_start_matches(BLANKS);
        rest = if rest.starts_with(['&', '!']) {
            rest.find(BLANKS).map_or("", |at| &rest[at..])
        } else if rest.starts_with('#') {
            rest.find('\n').map_or("", |at| &rest[at..])
        } else {
            return end - rest.len()..end;
        };
    }
}
