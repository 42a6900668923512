//! YAML as a tree in which every value knows its line and column.

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use crate::error::{Fault, Place};

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 50;
/// Most values of one file.
const MAX_VALUES: usize = 200_000;

/// A value and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    /// A scalar as it is written; `plain` if it is not quoted.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) place: Place,
    pub(crate) value: Node,
}

impl Node {
    /// What kind of value it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "empty",
            Value::Scalar { .. } => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

/// Every document of a text that is not empty.
pub(crate) fn documents(bytes: &[u8]) -> Result<Vec<Node>, Fault> {
    let whole = Place::default();
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::new(whole, "not UTF-8 text"))?;
    let mut builder = Builder::default();
    let mut documents = Vec::new();
    for event in Parser::new_from_str(text.trim_start_matches('\u{feff}')) {
        let (event, span) = event.map_err(|fault| {
            let marker = fault.marker();
            let place = Place {
                line: marker.line(),
                column: marker.col() + 1,
            };
            Fault::new(place, format!("not YAML: {}", fault.info()))
        })?;
        if let Some(document) = builder.event(event, place(span))? {
            documents.push(document);
        }
    }
    Ok(documents)
}

fn place(span: Span) -> Place {
    Place {
        line: span.start.line(),
        column: span.start.col() + 1,
    }
}

enum Open {
    List(Place, Vec<Node>),
    Map(Place, Vec<Entry>, Option<(String, Place)>),
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Node>,
    values: usize,
}

impl Builder {
    /// Takes one event; a value comes back where a document ends.
    fn event(&mut self, event: Event<'_>, place: Place) -> Result<Option<Node>, Fault> {
        match event {
            Event::DocumentStart(_) => self.root = None,
            Event::DocumentEnd => {
                let root = self.root.take();
                return Ok(root.filter(|root| root.value != Value::Null));
            }
            Event::Alias(_) => {
                return Err(Fault::new(
                    place,
                    "aliases are not read here; repeat the value",
                ));
            }
            Event::Scalar(text, style, _, _) => {
                let plain = style == ScalarStyle::Plain;
                let null = plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let value = if null {
                    Value::Null
                } else {
                    Value::Scalar {
                        text: text.into_owned(),
                        plain,
                    }
                };
                self.put(Node { place, value })?;
            }
            Event::SequenceStart(..) => self.begin(Open::List(place, Vec::new()), place)?,
            Event::MappingStart(..) => self.begin(Open::Map(place, Vec::new(), None), place)?,
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List(place, items)) => self.put(Node {
                    place,
                    value: Value::List(items),
                })?,
                Some(Open::Map(place, entries, _)) => self.put(Node {
                    place,
                    value: Value::Map(entries),
                })?,
                None => {}
            },
            Event::Nothing | Event::StreamStart | Event::StreamEnd => {}
        }
        Ok(None)
    }

    fn begin(&mut self, open: Open, place: Place) -> Result<(), Fault> {
        if self.open.len() >= MAX_DEPTH {
            let reason = format!("values are nested more than {MAX_DEPTH} deep");
            return Err(Fault::new(place, reason));
        }
        self.open.push(open);
        Ok(())
    }

    fn put(&mut self, node: Node) -> Result<(), Fault> {
        self.values += 1;
        if self.values > MAX_VALUES {
            let reason = format!("the file has more than {MAX_VALUES} values");
            return Err(Fault::new(node.place, reason));
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List(_, items)) => items.push(node),
            Some(Open::Map(_, entries, key)) => match key.take() {
                Some((name, place)) => entries.push(Entry {
                    key: name,
                    place,
                    value: node,
                }),
                None => *key = Some(self::key(entries, node)?),
            },
        }
        Ok(())
    }
}

/// A key that is new in its mapping.
fn key(entries: &[Entry], node: Node) -> Result<(String, Place), Fault> {
    let Value::Scalar { text, .. } = node.value else {
        return Err(Fault::new(node.place, "a key is not a single value"));
    };
    match entries.iter().find(|entry| entry.key == text) {
        Some(first) => {
            let reason = format!("{text:?} is repeated (first in line {})", first.place.line);
            Err(Fault::new(node.place, reason))
        }
        None => Ok((text, node.place)),
    }
}
