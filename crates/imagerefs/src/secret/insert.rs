//! Where a pull secret goes in the text, and how it is written there.

use std::ops::Range;

use super::{KEY, own};
use crate::error::Reason;
use crate::rewrite::is_string;
use crate::scalar::{Scalar, Style, trimmed};
use crate::text::Text;
use crate::tree::{Document, Id};

/// A span of the text's body and its new text.
type Insertion = (Range<usize>, String);

/// What makes the mapping `target` name `secret`; nothing where it does already.
///
/// # Errors
/// If the way that it is written leaves no room.
pub(crate) fn insertion(
    text: &Text<'_>,
    document: &Document<'_>,
    target: Id,
    secret: &str,
) -> Result<Option<Insertion>, Reason> {
    let context = Context {
        text,
        document,
        key: key(document, KEY),
        entry: format!("{}: {}", key(document, "name"), name(document, secret)),
    };
    let Some((key, list)) = own(document, target, KEY) else {
        return context.new_key(target).map(Some);
    };
    let named = |item: &Id| document.get_text(*item, "name") == Some(secret);
    if document.sequence(list).iter().any(named) {
        return Ok(None);
    }
    if document.is_alias(list) {
        return Err(Reason::SharedValue);
    }
    if document.is_sequence(list) {
        return context.one_more(target, list).map(Some);
    }
    if document.scalar(list).is_some() && document.text(list).is_none() {
        let new = format!("[{{{}}}]", context.entry);
        return over_null(text, document, (key, list), &new).map(Some);
    }
    Err(Reason::Unwritable)
}

/// A key as the document writes its keys.
pub(crate) fn key(document: &Document<'_>, name: &str) -> String {
    if document.quotes_keys() {
        format!("\"{name}\"")
    } else {
        name.to_owned()
    }
}

/// A secret's name, in quotes where the document is JSON or YAML would read a number.
fn name(document: &Document<'_>, secret: &str) -> String {
    if is_string(secret) && !document.quotes_keys() {
        secret.to_owned()
    } else {
        format!("\"{secret}\"")
    }
}

/// New pairs or items for a collection in brackets, before `first`: each is followed by a comma and by the
/// blanks that the collection has before its own first one.
pub(crate) fn before_first(
    body: &str,
    open: usize,
    first: Option<usize>,
    new: &[String],
) -> String {
    let Some(first) = first else {
        return new.join(", ");
    };
    let blanks = &body[open + 1..first];
    if blanks.contains('\n') && blanks.trim().is_empty() {
        return format!("{blanks}{},", new.join(&format!(",{blanks}")));
    }
    format!("{}, ", new.join(", "))
}

/// Replaces a null value with `new`.
///
/// # Errors
/// If its position is not known.
pub(crate) fn over_null(
    text: &Text<'_>,
    document: &Document<'_>,
    (key, value): (Id, Id),
    new: &str,
) -> Result<Insertion, Reason> {
    let scalar = Scalar::of(text, document, value).ok_or(Reason::Unwritable)?;
    if !scalar.value.is_empty() && scalar.style == Style::Plain {
        let raw = scalar.raw.start - text.base..scalar.raw.end - text.base;
        return Ok((raw, new.to_owned()));
    }
    let end = document.node(key).span.end;
    let colon = text.body[end..].find(':').ok_or(Reason::Unwritable)?;
    let at = end + colon + 1;
    Ok((at..at, format!(" {new}")))
}

struct Context<'a, 't> {
    text: &'a Text<'t>,
    document: &'a Document<'t>,
    /// The list's key.
    key: String,
    /// The name of one item.
    entry: String,
}

impl Context<'_, '_> {
    /// A new key in a mapping that has none.
    fn new_key(&self, target: Id) -> Result<Insertion, Reason> {
        let body = self.text.body;
        if let Some(open) = self.flow(target, '{') {
            let pairs = self.document.mapping(target);
            let first = pairs.first().map(|(key, _)| self.start(*key));
            let new = format!("{}: [{{{}}}]", self.key, self.entry);
            return Ok((open + 1..open + 1, before_first(body, open, first, &[new])));
        }
        let pairs = self.document.mapping(target);
        let wanted = ["serviceAccountName", "serviceAccount", "kind"];
        let preferred = wanted
            .iter()
            .find_map(|key| own(self.document, target, key));
        let after = preferred
            .filter(|pair| self.one_line(*pair).is_some())
            .or_else(|| {
                pairs
                    .iter()
                    .copied()
                    .find(|pair| self.one_line(*pair).is_some())
            });
        let &(first, _) = pairs.first().ok_or(Reason::Unwritable)?;
        let indent = self.indent(after.map_or(first, |(key, _)| key))?;
        let line = self.line_end();
        let lines = format!("{}:{line}{indent}- {}", self.key, self.entry);
        match after.and_then(|pair| self.one_line(pair)) {
            None => {
                let start = self.document.node(first).span.start;
                Ok((start..start, format!("{lines}{line}{indent}")))
            }
            Some(end) => Ok(match body[end..].find('\n') {
                Some(at) => (end + at + 1..end + at + 1, format!("{indent}{lines}{line}")),
                None => (body.len()..body.len(), format!("{line}{indent}{lines}")),
            }),
        }
    }

    /// One more item in a list.
    fn one_more(&self, target: Id, list: Id) -> Result<Insertion, Reason> {
        let body = self.text.body;
        let items = self.document.sequence(list);
        if let Some(open) = self.flow(list, '[') {
            if !items.is_empty() {
                let first = items.first().map(|item| self.start(*item));
                let new = format!("{{{}}}", self.entry);
                return Ok((open + 1..open + 1, before_first(body, open, first, &[new])));
            }
            let close = body[open..].find(']').ok_or(Reason::Unwritable)?;
            let span = open..open + close + 1;
            let start = self.line_start(open);
            let alone = body[start..open].bytes().all(|b| b == b' ') && self.ends_line(&span);
            let block = alone && self.flow(target, '{').is_none();
            let new = if block {
                format!("- {}", self.entry)
            } else {
                format!("[{{{}}}]", self.entry)
            };
            return Ok((span, new));
        }
        let first = items.first().ok_or(Reason::Unwritable)?;
        let item = self.document.node(*first).span.start;
        let dash = body[..item].rfind('-').ok_or(Reason::Unwritable)?;
        let start = self.line_start(dash);
        let indent = &body[start..dash];
        if !indent.bytes().all(|b| b == b' ') || !body[dash + 1..item].trim().is_empty() {
            return Err(Reason::Unwritable);
        }
        let line = self.line_end();
        Ok((dash..dash, format!("- {}{line}{indent}", self.entry)))
    }

    /// Where a node begins.
    fn start(&self, id: Id) -> usize {
        let span = &self.document.node(id).span;
        trimmed(self.text.body, span.clone()).start
    }

    /// Where a collection's bracket is, if it is written with one.
    fn flow(&self, id: Id, bracket: char) -> Option<usize> {
        let span = trimmed(self.text.body, self.document.node(id).span.clone());
        self.text.body[span.clone()]
            .starts_with(bracket)
            .then_some(span.start)
    }

    /// Whether nothing but a comment follows on the line, and the span is on one line.
    fn ends_line(&self, span: &Range<usize>) -> bool {
        let rest = self.text.body[span.end..]
            .lines()
            .next()
            .unwrap_or_default()
            .trim();
        !self.text.body[span.clone()].contains('\n') && (rest.is_empty() || rest.starts_with('#'))
    }

    /// Where a pair ends whose key and value are on one line, and nothing but a comment follows there.
    fn one_line(&self, (key, value): (Id, Id)) -> Option<usize> {
        if self.document.is_alias(value) {
            return None;
        }
        let scalar = Scalar::of(self.text, self.document, value)?;
        if scalar.style.is_block() || scalar.value.is_empty() {
            return None;
        }
        let end = scalar.raw.end - self.text.base;
        let start = self.document.node(key).span.start;
        let one = self.text.position(start).0 == self.text.position(end).0;
        one.then_some(end)
    }

    /// The blanks that put something under a key of a block.
    fn indent(&self, key: Id) -> Result<String, Reason> {
        let start = self.document.node(key).span.start;
        let before = &self.text.body[self.line_start(start)..start];
        if before.bytes().all(|b| b == b' ' || b == b'-') {
            Ok(" ".repeat(before.len()))
        } else {
            Err(Reason::Unwritable)
        }
    }

    fn line_start(&self, at: usize) -> usize {
        self.text.body[..at].rfind('\n').map_or(0, |end| end + 1)
    }

    /// How the text ends its lines.
    fn line_end(&self) -> &'static str {
        let first = self.text.body.find('\n').unwrap_or_default();
        if self.text.body[..first].ends_with('\r') {
            "\r\n"
        } else {
            "\n"
        }
    }
}
