//! One YAML document at a time as a tree with byte spans.
//!
//! Aliases stay what they are, so that a document that expands without end costs no more than its text.
//! Depth and number of nodes are bounded.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};

use crate::error::{FindError, Reason};
use crate::placeholder::Placeholder;
use crate::text::{Text, trim};

/// Deepest nesting that is followed; real manifests stay below 40.
pub(crate) const MAX_DEPTH: usize = 128;
/// Most nodes of one document; all of Calico's definitions together have 60,000.
pub(crate) const MAX_NODES: usize = 1_000_000;
/// How far a mapping behind an alias or a `<<` is looked through; it bounds the work if many aliases
/// name one.
const MAX_SHARED: usize = 256;

/// The number of a node in its document.
pub(crate) type Id = usize;

/// One value of a document.
#[derive(Debug)]
pub(crate) struct Node<'t> {
    /// Bytes in the text's body: for a scalar with its quotes, anchor and tag, and blanks after it; for
    /// a collection only the start is exact.
    pub(crate) span: Range<usize>,
    pub(crate) value: Value<'t>,
}

/// What a node holds.
#[derive(Debug)]
pub(crate) enum Value<'t> {
    Scalar(Cow<'t, str>, ScalarStyle),
    Sequence(Vec<Id>),
    Mapping(Vec<(Id, Id)>),
    /// A reference to an anchored node before it.
    Alias(Id),
}

/// A document.
#[derive(Debug)]
pub(crate) struct Document<'t> {
    /// Number in the text, from 1.
    pub(crate) number: usize,
    nodes: Vec<Node<'t>>,
    /// How many aliases name a node.
    uses: HashMap<Id, usize>,
    /// Scalars with the tag `!!str`, which are texts without quotes too.
    strings: HashSet<Id>,
    root: Id,
}

impl<'t> Document<'t> {
    pub(crate) fn root(&self) -> Id {
        self.root
    }

    /// The node, an alias followed to what it stands for.
    pub(crate) fn node(&self, id: Id) -> &Node<'t> {
        match &self.nodes[id].value {
            Value::Alias(target) => &self.nodes[*target],
            _ => &self.nodes[id],
        }
    }

    /// What an alias stands for, or the node itself.
    pub(crate) fn target(&self, id: Id) -> Id {
        match self.nodes[id].value {
            Value::Alias(target) => target,
            _ => id,
        }
    }

    /// How many aliases name the node, or what it is an alias of.
    pub(crate) fn uses(&self, id: Id) -> usize {
        self.uses.get(&self.target(id)).copied().unwrap_or_default()
    }

    pub(crate) fn is_alias(&self, id: Id) -> bool {
        self.target(id) != id
    }

    pub(crate) fn scalar(&self, id: Id) -> Option<&str> {
        match &self.node(id).value {
            Value::Scalar(text, _) => Some(text),
            _ => None,
        }
    }

    /// The text of a scalar that is neither null nor empty.
    pub(crate) fn text(&self, id: Id) -> Option<&str> {
        match &self.node(id).value {
            Value::Scalar(text, ScalarStyle::Plain) if is_null(text) => None,
            Value::Scalar(text, _) if !trim(text).is_empty() => Some(text),
            _ => None,
        }
    }

    /// Whether a scalar is written without quotes, so that it may be no string.
    pub(crate) fn is_plain(&self, id: Id) -> bool {
        matches!(self.node(id).value, Value::Scalar(_, ScalarStyle::Plain))
            && !self.strings.contains(&self.target(id))
    }

    /// Whether the document writes its keys in double quotes, as JSON has to.
    pub(crate) fn quotes_keys(&self) -> bool {
        let first = self.mapping(self.root).first();
        first.is_some_and(|(key, _)| {
            matches!(
                self.node(*key).value,
                Value::Scalar(_, ScalarStyle::DoubleQuoted)
            )
        })
    }

    pub(crate) fn sequence(&self, id: Id) -> &[Id] {
        match &self.node(id).value {
            Value::Sequence(items) => items,
            _ => &[],
        }
    }

    pub(crate) fn mapping(&self, id: Id) -> &[(Id, Id)] {
        match &self.node(id).value {
            Value::Mapping(pairs) => pairs,
            _ => &[],
        }
    }

    pub(crate) fn is_mapping(&self, id: Id) -> bool {
        matches!(self.node(id).value, Value::Mapping(_))
    }

    pub(crate) fn is_sequence(&self, id: Id) -> bool {
        matches!(self.node(id).value, Value::Sequence(_))
    }

    /// The value of a key, looked for in merged mappings (`<<`) as well.
    pub(crate) fn get(&self, id: Id, key: &str) -> Option<Id> {
        let all = self.mapping(id);
        let pairs = if self.is_alias(id) { few(all) } else { all };
        let find = |pairs: &[(Id, Id)], wanted: &str| {
            let mut found = pairs
                .iter()
                .filter(|(k, _)| self.scalar(*k) == Some(wanted));
            found.next().map(|(_, value)| *value)
        };
        find(pairs, key).or_else(|| {
            let merged = self.mapping(find(pairs, "<<")?);
            find(few(merged), key)
        })
    }

    /// The text of a key's value, unless it is null or empty.
    pub(crate) fn get_text(&self, id: Id, key: &str) -> Option<&str> {
        self.get(id, key).and_then(|value| self.text(value))
    }
}

fn few(pairs: &[(Id, Id)]) -> &[(Id, Id)] {
    pairs.get(..MAX_SHARED).unwrap_or(pairs)
}

/// The spellings of null that YAML's core schema has.
fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// The documents of a text, one after the other.
pub(crate) struct Documents<'t> {
    text: &'t Text<'t>,
    parser: Parser<'t, StrInput<'t>>,
    number: usize,
}

impl<'t> Documents<'t> {
    pub(crate) fn new(text: &'t Text<'t>) -> Self {
        let parser = Parser::new_from_str(text.body);
        Self {
            text,
            parser,
            number: 0,
        }
    }

    /// The next document, or nothing at the end of the text.
    pub(crate) fn next(&mut self) -> Result<Option<Document<'t>>, FindError> {
        while let Some(event) = self.parser.next_event() {
            let (event, _) = event.map_err(|e| self.yaml_error(&e))?;
            match event {
                Event::DocumentStart(_) => {
                    self.number += 1;
                    return self.document().map(Some);
                }
                Event::StreamEnd => return Ok(None),
                _ => {}
            }
        }
        Ok(None)
    }

    fn document(&mut self) -> Result<Document<'t>, FindError> {
        let mut builder = Builder::default();
        while let Some(event) = self.parser.next_event() {
            let (event, span) = event.map_err(|e| self.yaml_error(&e))?;
            let span = self.range(span);
            let start = span.start;
            if event == Event::DocumentEnd {
                break;
            }
            builder
                .event(event, span)
                .map_err(|p| self.text.error(start, "", p))?;
        }
        Ok(Document {
            number: self.number,
            nodes: builder.nodes,
            uses: builder.uses,
            strings: builder.strings,
            root: builder.root,
        })
    }

    fn range(&self, span: Span) -> Range<usize> {
        let start = self.text.byte_of(span.start.index());
        start..self.text.byte_of(span.end.index()).max(start)
    }

    /// A template breaks YAML at or after its first expression: that is worth more than the parser's view
    /// of it. The text itself is not repeated, for it may be a Secret.
    fn yaml_error(&self, error: &ScanError) -> FindError {
        let at = self.text.byte_of(error.marker().index());
        let (broken, _) = self.text.position(at);
        let above = broken.saturating_sub(TEMPLATE_LINES).max(1)..=broken;
        let template = above.rev().find_map(|number| {
            let (start, line) = self.text.line(number);
            let placeholder = Placeholder::of(line)?;
            let breaks = matches!(placeholder, Placeholder::Helm | Placeholder::Jekyll);
            breaks.then_some((start, line.trim(), placeholder))
        });
        match template {
            Some((start, line, placeholder)) => {
                self.text
                    .error(start, line, Reason::Placeholder(placeholder))
            }
            None => self
                .text
                .error(at, "", Reason::NotYaml(error.info().to_owned())),
        }
    }
}

/// How far above the line where YAML broke a template's expression is looked for, in lines.
const TEMPLATE_LINES: usize = 5;

/// A collection that is still open.
enum Open {
    Sequence(Id, Vec<Id>),
    Mapping(Id, Vec<(Id, Id)>, Option<Id>),
}

#[derive(Default)]
struct Builder<'t> {
    nodes: Vec<Node<'t>>,
    open: Vec<Open>,
    anchors: HashMap<usize, Id>,
    uses: HashMap<Id, usize>,
    strings: HashSet<Id>,
    root: Id,
}

impl<'t> Builder<'t> {
    fn event(&mut self, event: Event<'t>, span: Range<usize>) -> Result<(), Reason> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                if tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str") {
                    self.strings.insert(self.nodes.len());
                }
                self.leaf(Value::Scalar(text, style), span, anchor)
            }
            Event::Alias(anchor) => {
                let value = match self.anchors.get(&anchor) {
                    Some(&target) => {
                        *self.uses.entry(target).or_default() += 1;
                        Value::Alias(target)
                    }
                    None => Value::Scalar(Cow::Borrowed(""), ScalarStyle::Plain),
                };
                self.leaf(value, span, 0)
            }
            Event::SequenceStart(anchor, _) => {
                let id = self.push(Value::Sequence(Vec::new()), span, anchor)?;
                self.open(Open::Sequence(id, Vec::new()))
            }
            Event::MappingStart(anchor, _) => {
                let id = self.push(Value::Mapping(Vec::new()), span, anchor)?;
                self.open(Open::Mapping(id, Vec::new(), None))
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.close();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, open: Open) -> Result<(), Reason> {
        if self.open.len() >= MAX_DEPTH {
            return Err(Reason::TooDeep { limit: MAX_DEPTH });
        }
        self.open.push(open);
        Ok(())
    }

    fn push(&mut self, value: Value<'t>, span: Range<usize>, anchor: usize) -> Result<Id, Reason> {
        if self.nodes.len() >= MAX_NODES {
            return Err(Reason::TooManyNodes { limit: MAX_NODES });
        }
        let id = self.nodes.len();
        self.nodes.push(Node { span, value });
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        Ok(id)
    }

    fn leaf(&mut self, value: Value<'t>, span: Range<usize>, anchor: usize) -> Result<(), Reason> {
        let id = self.push(value, span, anchor)?;
        self.attach(id);
        Ok(())
    }

    fn close(&mut self) {
        let id = match self.open.pop() {
            Some(Open::Sequence(id, items)) => {
                self.nodes[id].value = Value::Sequence(items);
                id
            }
            Some(Open::Mapping(id, pairs, _)) => {
                self.nodes[id].value = Value::Mapping(pairs);
                id
            }
            None => return,
        };
        self.attach(id);
    }

    fn attach(&mut self, id: Id) {
        match self.open.last_mut() {
            Some(Open::Sequence(_, items)) => items.push(id),
            Some(Open::Mapping(_, pairs, key)) => match key.take() {
                Some(k) => pairs.push((k, id)),
                None => *key = Some(id),
            },
            None => self.root = id,
        }
    }
}
