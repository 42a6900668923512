//! YAML texts as JSON values, within bounds; JSON is YAML too.
//!
//! A repeated key, a key that is not a scalar and an unrendered template are errors. Anchors and aliases are
//! resolved, and count as often as they are used. Positions are not kept: where a text is edited in place, the
//! crate `imagerefs` reads it with spans.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Number, Value};

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 100;
/// Most values of one text, those that aliases repeat included.
const MAX_VALUES: usize = 1_000_000;

/// Why a text cannot be read as YAML (or JSON).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {fault}")]
pub struct YamlError {
    /// The file's name, as the caller gave it.
    pub name: String,
    /// What is wrong.
    pub fault: YamlFault,
}

/// What is wrong with a YAML text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum YamlFault {
    /// Not text.
    #[error("not UTF-8 text")]
    Encoding,
    /// A template that was not rendered.
    #[error(
        "a template with {placeholder} in line {line} (expected the rendered text, as helm template prints it)"
    )]
    Template {
        /// The placeholder's opening.
        placeholder: &'static str,
        /// Where the first one is, from 1.
        line: usize,
    },
    /// Not YAML.
    #[error("not YAML in line {line}: {reason}")]
    Syntax {
        /// Where, from 1.
        line: usize,
        /// What the parser says.
        reason: String,
    },
    /// The same key twice in one mapping.
    #[error("the key {key:?} appears twice in the mapping that ends in line {line}")]
    Duplicate {
        /// The key.
        key: String,
        /// Where, from 1.
        line: usize,
    },
    /// A key that is not a scalar.
    #[error("a key in line {line} is not a scalar")]
    Key {
        /// Where, from 1.
        line: usize,
    },
    /// Too deep or too many values.
    #[error("more than {MAX_DEPTH} levels or {MAX_VALUES} values")]
    TooLarge,
    /// There should be exactly one document.
    #[error("{count} documents (expected one)")]
    Count {
        /// How many there are.
        count: usize,
    },
}

/// What plain scalars become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scalars {
    /// What YAML 1.2's core schema says: numbers, truth values, null or text. Integers outside of 64 bits are text.
    #[default]
    Typed,
    /// Text as it is written, so that `1.10` keeps its zero; only null is null. For files whose reader knows
    /// the type of each field.
    Text,
}

/// All documents of a YAML text that are not null.
///
/// # Errors
/// If it is not YAML, repeats a key or exceeds the bounds.
pub fn documents(name: &str, bytes: &[u8]) -> Result<Vec<Value>, YamlError> {
    read(name, bytes, Scalars::Typed)
}

/// The one document of a YAML text.
///
/// # Errors
/// As [`documents`], and if there is not exactly one document.
pub fn document(name: &str, bytes: &[u8]) -> Result<Value, YamlError> {
    document_with(name, bytes, Scalars::Typed)
}

/// As [`document`], and the caller chooses what plain scalars become.
///
/// # Errors
/// As [`document`].
pub fn document_with(name: &str, bytes: &[u8], scalars: Scalars) -> Result<Value, YamlError> {
    let mut documents = read(name, bytes, scalars)?;
    match (documents.pop(), documents.len()) {
        (Some(document), 0) => Ok(document),
        (last, others) => Err(YamlError {
            name: name.to_owned(),
            fault: YamlFault::Count {
                count: others + usize::from(last.is_some()),
            },
        }),
    }
}

fn read(name: &str, bytes: &[u8], scalars: Scalars) -> Result<Vec<Value>, YamlError> {
    let error = |fault| YamlError {
        name: name.to_owned(),
        fault,
    };
    let text = std::str::from_utf8(bytes).map_err(|_| error(YamlFault::Encoding))?;
    let mut builder = Builder {
        scalars,
        ..Builder::default()
    };
    let mut documents = Vec::new();
    for event in Parser::new_from_str(text.trim_start_matches('\u{feff}')) {
        let (event, span) = event.map_err(|fault| error(syntax(text, &fault)))?;
        let document = builder.event(event, span.start.line());
        let document = document.map_err(|fault| error(as_template(text, fault)))?;
        if let Some(document) = document {
            documents.push(document);
        }
    }
    Ok(documents)
}

/// A template is the usual reason for a text that is not YAML, and the more helpful one.
fn syntax(text: &str, fault: &saphyr_parser::ScanError) -> YamlFault {
    find_placeholder(text).map_or_else(
        || YamlFault::Syntax {
            line: fault.marker().line(),
            reason: fault.info().to_owned(),
        },
        |(placeholder, line)| YamlFault::Template { placeholder, line },
    )
}

/// `{{ x }}` is YAML: a mapping as the key of a mapping, which no file that is read here has.
fn as_template(text: &str, fault: YamlFault) -> YamlFault {
    match (&fault, find_placeholder(text)) {
        (YamlFault::Key { .. }, Some((placeholder, line))) => {
            YamlFault::Template { placeholder, line }
        }
        _ => fault,
    }
}

/// The first placeholder of Helm, Jekyll or Docusaurus in a text, and its line.
pub fn find_placeholder(text: &str) -> Option<(&'static str, usize)> {
    text.lines().enumerate().find_map(|(line, content)| {
        let found = ["{{", "{%", "$["].into_iter().find(|p| content.contains(p));
        found.map(|placeholder| (placeholder, line + 1))
    })
}

enum Open {
    List(usize, Vec<Value>),
    Map(usize, Map<String, Value>, Option<String>),
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, (Value, usize)>,
    root: Option<Value>,
    values: usize,
    scalars: Scalars,
}

impl Builder {
    /// Takes one event; a value comes back where it ends a document.
    fn event(&mut self, event: Event<'_>, line: usize) -> Result<Option<Value>, YamlFault> {
        match event {
            Event::DocumentStart(_) => {
                self.anchors.clear();
                self.root = None;
            }
            Event::DocumentEnd => return Ok(self.root.take().filter(|root| !root.is_null())),
            Event::Alias(anchor) => {
                let (value, size) = self.anchors.get(&anchor).cloned().unwrap_or_default();
                self.count(size)?;
                self.put(value, line)?;
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.count(1)?;
                let plain =
                    style == ScalarStyle::Plain && tag.is_none_or(|tag| !tag.is_yaml_core_schema());
                let value = match self.scalars {
                    Scalars::Typed if plain => resolve(&text),
                    Scalars::Text if plain && is_null(&text) => Value::Null,
                    _ => Value::String(text.into_owned()),
                };
                self.finish(value, anchor, line)?;
            }
            Event::SequenceStart(anchor, _) => self.start(Open::List(anchor, Vec::new()))?,
            Event::MappingStart(anchor, _) => self.start(Open::Map(anchor, Map::new(), None))?,
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List(anchor, items)) => {
                    self.finish(Value::Array(items), anchor, line)?;
                }
                Some(Open::Map(anchor, map, _)) => {
                    self.finish(Value::Object(map), anchor, line)?;
                }
                None => {}
            },
            Event::Nothing | Event::StreamStart | Event::StreamEnd => {}
        }
        Ok(None)
    }

    fn count(&mut self, values: usize) -> Result<(), YamlFault> {
        self.values = self.values.saturating_add(values);
        if self.values > MAX_VALUES {
            return Err(YamlFault::TooLarge);
        }
        Ok(())
    }

    fn start(&mut self, open: Open) -> Result<(), YamlFault> {
        if self.open.len() >= MAX_DEPTH {
            return Err(YamlFault::TooLarge);
        }
        self.count(1)?;
        self.open.push(open);
        Ok(())
    }

    fn finish(&mut self, value: Value, anchor: usize, line: usize) -> Result<(), YamlFault> {
        if anchor != 0 {
            let size = size(&value);
            // What an anchor keeps is a copy, and counts as one.
            self.count(size)?;
            self.anchors.insert(anchor, (value.clone(), size));
        }
        self.put(value, line)
    }

    fn put(&mut self, value: Value, line: usize) -> Result<(), YamlFault> {
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some(Open::List(_, items)) => items.push(value),
            Some(Open::Map(_, map, key)) => match key.take() {
                None => *key = Some(key_text(value).ok_or(YamlFault::Key { line })?),
                Some(key) if map.contains_key(&key) => {
                    return Err(YamlFault::Duplicate { key, line });
                }
                Some(key) => {
                    map.insert(key, value);
                }
            },
        }
        Ok(())
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Object(map) => 1 + map.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

fn key_text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null => Some("null".to_owned()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// A plain scalar under YAML 1.2's core schema.
fn resolve(text: &str) -> Value {
    if is_null(text) {
        return Value::Null;
    }
    match text {
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let numeric = text
        .bytes()
        .all(|c| c.is_ascii_digit() || b"+-.eE".contains(&c))
        && text.bytes().any(|c| c.is_ascii_digit());
    if numeric {
        if let Ok(number) = text.parse::<i64>() {
            return Value::Number(number.into());
        }
        if let Some(number) = text.parse::<f64>().ok().and_then(Number::from_f64) {
            return Value::Number(number);
        }
    }
    Value::String(text.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use std::fmt::Write as _;

    #[test]
    fn documents_become_values() {
        let text = b"a: v1\nb: [1, 'x', ~, true]\n--- # next\nc: &x {d: 1.5}\ne: *x\n---\n";
        let documents = documents("f", text).unwrap();
        assert_eq!(
            documents,
            [
                json!({"a": "v1", "b": [1, "x", null, true]}),
                json!({"c": {"d": 1.5}, "e": {"d": 1.5}}),
            ]
        );
    }

    #[test]
    fn json_is_yaml() {
        let value = document("f", br#"[{"title": "v3.30.7", "n": 1}]"#).unwrap();
        assert_eq!(value, json!([{"title": "v3.30.7", "n": 1}]));
    }

    #[test]
    fn scalars_as_text_keep_how_they_are_written() {
        let text = b"a: 1.10\nb: [x, 'null', ~, true]\nc:\n  d: |\n    two\n    lines\n";
        let value = document_with("f", text, Scalars::Text).unwrap();
        assert_eq!(
            value,
            json!({"a": "1.10", "b": ["x", "null", null, "true"], "c": {"d": "two\nlines\n"}})
        );
    }

    #[test]
    fn an_empty_text_or_two_documents_are_not_one_document() {
        for (text, count) in [("", 0), ("~", 0), ("a: 1\n---\nb: 2\n", 2)] {
            let error = document("f", text.as_bytes()).unwrap_err();
            assert_eq!(error.fault, YamlFault::Count { count }, "{text:?}");
        }
    }

    #[test]
    fn a_repeated_key_is_refused() {
        let error = documents("f", b"a: 1\na: 2\n").unwrap_err();
        assert!(error.to_string().contains("\"a\" appears twice"), "{error}");
    }

    #[test]
    fn a_template_is_called_one() {
        let text = b"a: 1\nimage: {{ .Values.image }}:{{ .Values.tag }}\n{{ end }}";
        let error = documents("f", text).unwrap_err();
        assert!(
            error.to_string().contains("template with {{ in line 2"),
            "{error}"
        );
        assert!(
            documents("f", b"{% for x in y %}\n- a: }\n")
                .unwrap_err()
                .to_string()
                .contains("{%")
        );
    }

    #[test]
    fn aliases_cannot_make_a_small_text_large() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let previous = format!("*a{}", level - 1);
            let items = vec![previous; 10].join(", ");
            let _ = writeln!(text, "a{level}: &a{level} [{items}]");
        }
        assert_eq!(
            documents("f", text.as_bytes()).unwrap_err().fault,
            YamlFault::TooLarge
        );
        let deep = "[".repeat(10_000);
        assert!(documents("f", deep.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn any_text_gives_values_or_an_error(text in "[ \\n:a&*\\[\\]{}'\"|>!#-]{0,60}") {
            let _ = documents("f", text.as_bytes());
        }
    }
}
