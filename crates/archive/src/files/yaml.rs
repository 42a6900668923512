//! Reads one small YAML document into JSON's values: for `Chart.yaml`.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::Value;

const MAX_DEPTH: usize = 32;

/// Something that is open: a mapping with the key whose value comes next, or a sequence.
enum Open {
    Mapping(BTreeMap<String, Value>, Option<String>),
    Sequence(Vec<Value>),
}

/// The one document in `text`. Every scalar is a string, save a plain empty one, `~` and `null`: whoever
/// needs other kinds knows in which field. Aliases are refused, they can make much out of little.
pub(super) fn document(text: &str) -> Result<Value, String> {
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    for event in Parser::new_from_str(text) {
        let (event, _) = event.map_err(|error| error.to_string())?;
        let value = match event {
            Event::Alias(_) => return Err("it has aliases".to_owned()),
            Event::MappingStart(..) => {
                open.push(Open::Mapping(BTreeMap::new(), None));
                None
            }
            Event::SequenceStart(..) => {
                open.push(Open::Sequence(Vec::new()));
                None
            }
            Event::Scalar(text, style, ..) => Some(scalar(&text, style)),
            Event::MappingEnd | Event::SequenceEnd => open.pop().map(close),
            _ => None,
        };
        if open.len() > MAX_DEPTH {
            return Err(format!("it is nested more than {MAX_DEPTH} deep"));
        }
        if let Some(value) = value {
            put(&mut open, &mut root, value)?;
        }
    }
    root.ok_or_else(|| "it is empty".to_owned())
}

fn close(open: Open) -> Value {
    match open {
        Open::Mapping(entries, _) => Value::Object(entries.into_iter().collect()),
        Open::Sequence(items) => Value::Array(items),
    }
}

fn put(open: &mut [Open], root: &mut Option<Value>, value: Value) -> Result<(), String> {
    match open.last_mut() {
        None => {
            if root.replace(value).is_some() {
                return Err("it has more than one document".to_owned());
            }
        }
        Some(Open::Sequence(items)) => items.push(value),
        Some(Open::Mapping(entries, key)) => match (key.take(), value) {
            (Some(key), value) => {
                if let Some(again) = entries.insert(key.clone(), value).map(|_| key) {
                    return Err(format!("the key {again:?} occurs twice"));
                }
            }
            (None, Value::String(name)) => *key = Some(name),
            (None, _) => return Err("a key is no text".to_owned()),
        },
    }
    Ok(())
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style == ScalarStyle::Plain && matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Value::Null;
    }
    Value::String(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn mappings_sequences_and_scalars_are_read() {
        let text = "a: 1.10\nb: [x, 'null', ~]\nc:\n  d: |\n    two\n    lines\n";
        let expected = json!({"a": "1.10", "b": ["x", "null", null], "c": {"d": "two\nlines\n"}});
        assert_eq!(document(text), Ok(expected));
    }

    #[test]
    fn what_could_be_read_in_two_ways_or_grows_is_refused() {
        for text in [
            "",
            "a: 1\na: 2",
            "a: &x [1]\nb: *x",
            "? [a]\n: b",
            "a: 1\n---\nb: 2",
            "a: [",
            &format!("{}1", "[".repeat(100)),
        ] {
            assert!(document(text).is_err(), "{text:?}");
        }
    }
}
