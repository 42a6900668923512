//! YAML as this crate writes it: block style, keys in the given order, the same bytes every time.

/// A value to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl From<&str> for Node {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Node {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// A mapping with its keys in order.
pub(crate) fn map<K: Into<String>>(pairs: impl IntoIterator<Item = (K, Node)>) -> Node {
    Node::Map(
        pairs
            .into_iter()
            .map(|(key, node)| (key.into(), node))
            .collect(),
    )
}

/// A list.
pub(crate) fn list(items: impl IntoIterator<Item = Node>) -> Node {
    Node::List(items.into_iter().collect())
}

/// The document as text, with a line feed at its end.
pub(crate) fn document(node: &Node) -> String {
    let mut out = String::new();
    block(node, 0, &mut out);
    out
}

fn block(node: &Node, indent: usize, out: &mut String) {
    match node {
        Node::Map(pairs) => {
            for (key, value) in pairs {
                out.push_str(&" ".repeat(indent));
                entry(key, value, indent, out);
            }
        }
        Node::List(items) => {
            for item in items {
                out.push_str(&" ".repeat(indent));
                out.push_str("- ");
                element(item, indent, out);
            }
        }
        scalar @ Node::Text(_) => {
            out.push_str(&inline(scalar));
            out.push('\n');
        }
    }
}

fn entry(key: &str, value: &Node, indent: usize, out: &mut String) {
    out.push_str(&text(key));
    out.push(':');
    match value {
        Node::Map(pairs) if !pairs.is_empty() => {
            out.push('\n');
            block(value, indent + 2, out);
        }
        // The elements of a list are not indented below its key, as in kubectl's output.
        Node::List(items) if !items.is_empty() => {
            out.push('\n');
            block(value, indent, out);
        }
        value => {
            out.push(' ');
            out.push_str(&inline(value));
            out.push('\n');
        }
    }
}

fn element(item: &Node, indent: usize, out: &mut String) {
    match item {
        Node::Map(pairs) if !pairs.is_empty() => {
            for (index, (key, value)) in pairs.iter().enumerate() {
                if index > 0 {
                    out.push_str(&" ".repeat(indent + 2));
                }
                entry(key, value, indent + 2, out);
            }
        }
        Node::List(items) if !items.is_empty() => {
            out.push('\n');
            block(item, indent + 2, out);
        }
        value => {
            out.push_str(&inline(value));
            out.push('\n');
        }
    }
}

fn inline(node: &Node) -> String {
    match node {
        Node::Text(value) => text(value),
        Node::List(_) => "[]".to_owned(),
        Node::Map(_) => "{}".to_owned(),
    }
}

/// A scalar that every YAML reader reads as this text: plain if that is certain, else in double quotes with
/// JSON's escapes, which YAML shares.
pub(crate) fn text(value: &str) -> String {
    const WORDS: &[&str] = &["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let plain = value.starts_with(|c: char| c.is_ascii_alphabetic())
        && value
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || b"._-/".contains(&c))
        && !WORDS.contains(&value.to_ascii_lowercase().as_str());
    if plain {
        value.to_owned()
    } else {
        serde_json::Value::from(value).to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn what_is_written_reads_back() {
        let node = map([
            ("a", "v1".into()),
            (
                "b",
                list([
                    map([("c", "x: y".into()), ("d", "true".into())]),
                    "1.5".into(),
                ]),
            ),
            ("e", map([("f", list([]))])),
            ("g", list([list(["on".into()])])),
        ]);
        let text = document(&node);
        assert_eq!(
            sealift_yaml::document("f", text.as_bytes()).unwrap(),
            json!({"a": "v1", "b": [{"c": "x: y", "d": "true"}, "1.5"], "e": {"f": []}, "g": [["on"]]})
        );
        assert_eq!(
            text,
            "a: v1\nb:\n- c: \"x: y\"\n  d: \"true\"\n- \"1.5\"\ne:\n  f: []\ng:\n- \n  - \"on\"\n"
        );
    }

    proptest! {
        #[test]
        fn any_text_reads_back(value in ".{0,20}") {
            let text = document(&map([("k", value.as_str().into())]));
            prop_assert_eq!(sealift_yaml::document("f", text.as_bytes()).unwrap(), json!({"k": value}));
        }
    }
}
