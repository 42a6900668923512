//! A scalar as it is written: where its bytes are and in which style.

use std::ops::Range;
use std::sync::Arc;

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
    /// `|` and indented lines, as they are.
    Literal,
    /// `>` and indented lines, joined.
    Folded,
}

impl Style {
    /// Whether it is lines of a block rather than a value beside its key.
    pub(crate) fn is_block(self) -> bool {
        matches!(self, Self::Literal | Self::Folded)
    }
}

/// Longest scalar that is searched for a stretch which it spells another way than it reads.
const MAX_SEARCHED: usize = 64 << 10;

/// One scalar of the original text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scalar {
    /// Its bytes in the original text, quotes included, anchor and tag not.
    pub(crate) raw: Range<usize>,
    pub(crate) style: Style,
    /// What it says.
    pub(crate) value: Arc<str>,
    /// How often it is used: more than once if it is anchored and aliases name it.
    pub(crate) uses: usize,
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
            ScalarStyle::Literal => Style::Literal,
            ScalarStyle::Folded => Style::Folded,
        };
        let span = if style.is_block() {
            node.span.clone()
        } else {
            trimmed(text.body, node.span.clone())
        };
        Some(Self {
            raw: text.base + span.start..text.base + span.end,
            style,
            value: Arc::from(value.as_ref()),
            uses: 1 + document.uses(id),
        })
    }

    /// How to get from the value to the original text.
    pub(crate) fn locator<'a>(&'a self, original: &'a [u8]) -> Option<Locator<'a>> {
        let raw = original.get(self.raw.clone())?;
        let inner = match self.style {
            Style::Single | Style::Double => raw.get(1..raw.len().checked_sub(1)?)?,
            _ => raw,
        };
        let offset = self.raw.start + (raw.len() - inner.len()) / 2;
        let lines = match self.style {
            Style::Literal => lines(inner, &self.value),
            _ if inner == self.value.as_bytes() => vec![(0, 0)],
            _ => Vec::new(),
        };
        Some(Locator {
            value: &self.value,
            inner,
            offset,
            lines,
            block: self.style == Style::Literal,
        })
    }

    /// Where a stretch of the value stands in the original text, if it stands there letter for letter:
    /// no escape, no line break within.
    pub(crate) fn locate(&self, original: &[u8], within: &Range<usize>) -> Option<Range<usize>> {
        self.locator(original)?.locate(within)
    }
}

/// Finds stretches of one scalar's value in the original text.
pub(crate) struct Locator<'a> {
    value: &'a str,
    /// The scalar's bytes without quotes, and where they begin in the original.
    inner: &'a [u8],
    offset: usize,
    /// Where a line begins in the value and in `inner`; empty where the two are spelt differently.
    lines: Vec<(usize, usize)>,
    /// Whether lines are all there is to go by.
    block: bool,
}

impl Locator<'_> {
    /// Where a stretch of the value stands, if it stands there letter for letter.
    pub(crate) fn locate(&self, within: &Range<usize>) -> Option<Range<usize>> {
        let wanted = self.value.get(within.clone())?.as_bytes();
        let line = self
            .lines
            .partition_point(|(value, _)| *value <= within.start)
            .checked_sub(1);
        if let Some(line) = line {
            let (value, inner) = self.lines[line];
            let start = inner + (within.start - value);
            let end = start + wanted.len();
            let there = self.inner.get(start..end) == Some(wanted);
            return there.then_some(self.offset + start..self.offset + end);
        }
        if self.block {
            return None;
        }
        // Written another way than it reads; a stretch that is there exactly once is still that stretch.
        let inner = (self.inner.len() <= MAX_SEARCHED).then_some(self.inner)?;
        let mut matches = inner.windows(wanted.len().max(1)).enumerate();
        let (at, _) = matches.find(|(_, window)| *window == wanted)?;
        if matches.any(|(_, window)| window == wanted) {
            return None;
        }
        Some(self.offset + at..self.offset + at + wanted.len())
    }
}

/// Where each line of a literal block begins, in its value and in its bytes: the lines are the same but
/// for the blanks before them. Empty lines are left out.
fn lines(raw: &[u8], value: &str) -> Vec<(usize, usize)> {
    let mut out = Vec::new();
    let mut raw_at = 0;
    // A return and a line feed make an empty line more, which is left out like all others.
    let mut raw_lines = raw.split_inclusive(|byte| matches!(byte, b'\n' | b'\r'));
    let mut value_at = 0;
    for line in value.split_inclusive('\n') {
        let text = line.trim_end_matches('\n').as_bytes();
        if !text.is_empty() {
            let found = raw_lines.by_ref().find_map(|raw_line| {
                let start = raw_at;
                raw_at += raw_line.len();
                let end = raw_line
                    .strip_suffix(b"\n")
                    .or_else(|| raw_line.strip_suffix(b"\r"));
                let content = end.unwrap_or(raw_line);
                let blanks = content.strip_suffix(text)?;
                blanks
                    .iter()
                    .all(|byte| *byte == b' ')
                    .then_some(start + blanks.len())
            });
            match found {
                Some(start) => out.push((value_at, start)),
                None => return Vec::new(),
            }
        }
        value_at += line.len();
    }
    out
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
