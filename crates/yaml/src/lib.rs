//! YAML texts within bounds, as a tree with positions ([`tree`]) and as JSON values; JSON is YAML too.
//!
//! A repeated key, a key that is not a scalar and an unrendered template are errors. Anchors and aliases are
//! resolved, and count as often as they are used. Where a text is edited in place, the crate `imagerefs` reads it with
//! the bytes of every value.

mod fault;
pub mod tree;

use serde_json::{Map, Number, Value};

pub use fault::{LocatedFault, Place, YamlError, YamlFault};
pub use tree::find_placeholder;

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
    values(name, bytes, Scalars::Typed)
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
    let mut documents = values(name, bytes, scalars)?;
    match (documents.pop(), documents.len()) {
        (Some(document), 0) => Ok(document),
        (last, others) => Err(YamlError {
            name: name.to_owned(),
            place: Place::default(),
            fault: YamlFault::Count {
                count: others + usize::from(last.is_some()),
            },
        }),
    }
}

fn values(name: &str, bytes: &[u8], scalars: Scalars) -> Result<Vec<Value>, YamlError> {
    let nodes = tree::read(bytes).map_err(|fault| fault.in_file(name))?;
    Ok(nodes.into_iter().map(|node| value(node, scalars)).collect())
}

/// The JSON value of a node. Nesting is bounded, so that this recursion is.
fn value(node: tree::Node, scalars: Scalars) -> Value {
    match node.value {
        tree::Value::Null => Value::Null,
        tree::Value::Scalar { text, plain: true } if scalars == Scalars::Typed => typed(text),
        tree::Value::Scalar { text, .. } => Value::String(text),
        tree::Value::List(items) => {
            let items = items.into_iter();
            Value::Array(items.map(|item| value(item, scalars)).collect())
        }
        tree::Value::Map(entries) => {
            let entries = entries.into_iter();
            let pairs = entries.map(|entry| (entry.key, value(entry.value, scalars)));
            Value::Object(pairs.collect::<Map<String, Value>>())
        }
    }
}

/// A plain scalar that is not null, under YAML 1.2's core schema.
fn typed(text: String) -> Value {
    match text.as_str() {
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
    Value::String(text)
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
        assert_eq!(
            error.to_string(),
            "f:2:1: \"a\" is repeated (first in line 1)"
        );
    }

    #[test]
    fn a_template_is_called_one() {
        let text = b"a: 1\nimage: {{ .Values.image }}:{{ .Values.tag }}\n{{ end }}";
        let error = documents("f", text).unwrap_err();
        let error = error.to_string();
        assert!(error.starts_with("f:2:8: a template with {{"), "{error}");
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
            YamlFault::TooMany
        );
        let deep = |levels: usize| documents("f", "[".repeat(levels).as_bytes());
        assert_eq!(deep(110).unwrap_err().fault, YamlFault::TooDeep);
        // The parser itself goes no deeper than it can.
        assert!(deep(10_000).is_err());
    }

    #[test]
    fn every_value_has_its_line_and_column() {
        let documents = tree::read(b"a: 1\nb:\n  - x\n  - 'y'\n").unwrap();
        let [
            tree::Node {
                value: tree::Value::Map(entries),
                ..
            },
        ] = &documents[..]
        else {
            panic!("{documents:?}");
        };
        let places: Vec<(usize, usize)> = entries
            .iter()
            .flat_map(|entry| [entry.place, entry.value.place])
            .map(|place| (place.line, place.column))
            .collect();
        assert_eq!(places, [(1, 1), (1, 4), (2, 1), (3, 3)]);
    }

    #[test]
    fn a_mapping_with_many_keys_takes_no_quadratic_time() {
        let mut text = String::new();
        for number in 0..200_000 {
            let _ = writeln!(text, "key{number}: 1");
        }
        assert_eq!(documents("f", text.as_bytes()).unwrap().len(), 1);
    }

    proptest! {
        #[test]
        fn any_text_gives_values_or_an_error(text in "[ \\n:a&*\\[\\]{}'\"|>!#-]{0,60}") {
            let _ = documents("f", text.as_bytes());
        }
    }
}
