//! YAML as a tree in which every value has its line and column.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use crate::fault::{LocatedFault, MAX_DEPTH, MAX_VALUES, Place, YamlFault};

/// A value and where it begins. What an alias stands for is where its anchor is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Where.
    pub place: Place,
    /// The value.
    pub value: Value,
}

impl Node {
    /// What kind of value it is, for messages.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "empty",
            Value::Scalar { .. } => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Null, or nothing.
    Null,
    /// A scalar as it is written.
    Scalar {
        /// Its text, without quotes.
        text: String,
        /// Whether it is neither quoted nor tagged, so that it may be a number or a truth value.
        plain: bool,
    },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping; no key is repeated.
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key, as it is written.
    pub key: String,
    /// Where the key is.
    pub place: Place,
    /// The value.
    pub value: Node,
}

/// Every document of a text that is not null.
///
/// # Errors
/// If it is not YAML, repeats a key or exceeds the bounds.
pub fn read(bytes: &[u8]) -> Result<Vec<Node>, LocatedFault> {
    let text = std::str::from_utf8(bytes).map_err(|_| LocatedFault {
        place: Place::default(),
        fault: YamlFault::Encoding,
    })?;
    let text = text.trim_start_matches('\u{feff}');
    let mut builder = Builder::default();
    let mut documents = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| syntax(text, &error))?;
        let document = builder.event(event, place(span));
        documents.extend(document.map_err(|fault| as_template(text, fault))?);
    }
    Ok(documents)
}

fn place(span: Span) -> Place {
    Place {
        line: span.start.line(),
        column: span.start.col() + 1,
    }
}

/// A template is the usual reason for a text that is not YAML, and the more helpful one.
fn syntax(text: &str, error: &ScanError) -> LocatedFault {
    template(text).unwrap_or_else(|| LocatedFault {
        place: Place {
            line: error.marker().line(),
            column: error.marker().col() + 1,
        },
        fault: YamlFault::Syntax {
            reason: error.info().to_owned(),
        },
    })
}

/// `{{ x }}` is YAML: a mapping as the key of a mapping, which no file that is read here has.
fn as_template(text: &str, fault: LocatedFault) -> LocatedFault {
    match fault.fault {
        YamlFault::Key => template(text).unwrap_or(fault),
        _ => fault,
    }
}

fn template(text: &str) -> Option<LocatedFault> {
    let (placeholder, line) = find_placeholder(text)?;
    let found = text.lines().nth(line - 1)?;
    let before = found.split(placeholder).next().unwrap_or_default();
    Some(LocatedFault {
        place: Place {
            line,
            column: before.chars().count() + 1,
        },
        fault: YamlFault::Template { placeholder },
    })
}

/// The first placeholder of Helm, Jekyll or Docusaurus in a text, and its line.
pub fn find_placeholder(text: &str) -> Option<(&'static str, usize)> {
    text.lines().enumerate().find_map(|(line, content)| {
        let found = ["{{", "{%", "$["].into_iter().find(|p| content.contains(p));
        found.map(|placeholder| (placeholder, line + 1))
    })
}

/// A collection that is not complete yet.
struct Open {
    place: Place,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        /// The line of each key.
        lines: HashMap<String, usize>,
        /// A key whose value follows.
        key: Option<(String, Place)>,
    },
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    /// What has an anchor, and how many values it is.
    anchors: HashMap<usize, (Node, usize)>,
    root: Option<Node>,
    values: usize,
}

impl Builder {
    /// Takes one event; a value comes back where it ends a document.
    fn event(&mut self, event: Event<'_>, place: Place) -> Result<Option<Node>, LocatedFault> {
        match event {
            Event::DocumentStart(_) => {
                self.anchors.clear();
                self.root = None;
            }
            Event::DocumentEnd => {
                let root = self.root.take();
                return Ok(root.filter(|root| root.value != Value::Null));
            }
            Event::Alias(anchor) => {
                if let Some((node, size)) = self.anchors.get(&anchor).cloned() {
                    self.count(size, place)?;
                    self.put(node)?;
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.count(1, place)?;
                let plain =
                    style == ScalarStyle::Plain && tag.is_none_or(|tag| !tag.is_yaml_core_schema());
                let value = if plain && is_null(&text) {
                    Value::Null
                } else {
                    Value::Scalar {
                        text: text.into_owned(),
                        plain,
                    }
                };
                self.finish(Node { place, value }, anchor)?;
            }
            Event::SequenceStart(anchor, _) => {
                self.start(place, anchor, Content::List(Vec::new()))?;
            }
            Event::MappingStart(anchor, _) => {
                let content = Content::Map {
                    entries: Vec::new(),
                    lines: HashMap::new(),
                    key: None,
                };
                self.start(place, anchor, content)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end()?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd => {}
        }
        Ok(None)
    }

    fn count(&mut self, values: usize, place: Place) -> Result<(), LocatedFault> {
        self.values = self.values.saturating_add(values);
        if self.values > MAX_VALUES {
            let fault = YamlFault::TooMany;
            return Err(LocatedFault { place, fault });
        }
        Ok(())
    }

    fn start(&mut self, place: Place, anchor: usize, content: Content) -> Result<(), LocatedFault> {
        if self.open.len() >= MAX_DEPTH {
            let fault = YamlFault::TooDeep;
            return Err(LocatedFault { place, fault });
        }
        self.count(1, place)?;
        self.open.push(Open {
            place,
            anchor,
            content,
        });
        Ok(())
    }

    fn end(&mut self) -> Result<(), LocatedFault> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let value = match open.content {
            Content::List(items) => Value::List(items),
            Content::Map { entries, .. } => Value::Map(entries),
        };
        let place = open.place;
        self.finish(Node { place, value }, open.anchor)
    }

    fn finish(&mut self, node: Node, anchor: usize) -> Result<(), LocatedFault> {
        if anchor != 0 {
            let size = size(&node);
            // What an anchor keeps is a copy, and counts as one.
            self.count(size, node.place)?;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        self.put(node)
    }

    fn put(&mut self, node: Node) -> Result<(), LocatedFault> {
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map {
                entries,
                lines,
                key,
            }) => match key.take() {
                None => *key = Some(new_key(lines, node)?),
                Some((key, place)) => entries.push(Entry {
                    key,
                    place,
                    value: node,
                }),
            },
        }
        Ok(())
    }
}

/// A key that is new in its mapping.
fn new_key(
    lines: &mut HashMap<String, usize>,
    node: Node,
) -> Result<(String, Place), LocatedFault> {
    let place = node.place;
    let key = match node.value {
        Value::Scalar { text, .. } => text,
        Value::Null => "null".to_owned(),
        Value::List(_) | Value::Map(_) => {
            let fault = YamlFault::Key;
            return Err(LocatedFault { place, fault });
        }
    };
    match lines.insert(key.clone(), place.line) {
        None => Ok((key, place)),
        Some(first) => Err(LocatedFault {
            place,
            fault: YamlFault::Repeated { key, first },
        }),
    }
}

fn size(node: &Node) -> usize {
    match &node.value {
        Value::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Map(entries) => {
            1 + entries
                .iter()
                .map(|entry| size(&entry.value))
                .sum::<usize>()
        }
        Value::Null | Value::Scalar { .. } => 1,
    }
}

/// The spellings of null that YAML's core schema has.
fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}
