//! The fields of one mapping, each taken once; what is left is refused or listed.

use std::path::PathBuf;
use std::str::FromStr;

use crate::error::Fault;
use sealift_yaml::Place;
use sealift_yaml::tree::{Entry, Node, Value};

/// How alike a known name must be to be suggested.
const ALIKE: f64 = 0.7;

/// A text and where it is.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) text: String,
    pub(crate) place: Place,
}

/// The fields of one mapping.
pub(crate) struct Fields {
    place: Place,
    /// What the mapping describes, for messages.
    what: &'static str,
    entries: Vec<Entry>,
    known: Vec<&'static str>,
}

impl Fields {
    pub(crate) fn of(node: Node, what: &'static str) -> Result<Self, Fault> {
        let place = node.place;
        match node.value {
            Value::Map(entries) => Ok(Self {
                place,
                what,
                entries,
                known: Vec::new(),
            }),
            _ => Err(expected(&node, what, "a mapping")),
        }
    }

    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// Takes the value of `key`; `None` if it is absent or empty.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<Node> {
        self.known.push(key);
        let at = self.entries.iter().position(|entry| entry.key == key)?;
        let node = self.entries.remove(at).value;
        (node.value != Value::Null).then_some(node)
    }

    /// The text of `key`.
    pub(crate) fn text(&mut self, key: &'static str) -> Result<Option<Text>, Fault> {
        self.take(key).map(|node| text(node, key)).transpose()
    }

    /// The text of `key`, which has to be there.
    pub(crate) fn required(&mut self, key: &'static str) -> Result<Text, Fault> {
        let missing = Fault::new(self.place, format!("{} has no {key}", self.what));
        self.text(key)?.ok_or(missing)
    }

    /// The text of `key` as a `T`.
    pub(crate) fn parsed<T>(&mut self, key: &'static str) -> Result<Option<T>, Fault>
    where
        T: FromStr<Err: std::fmt::Display>,
    {
        self.text(key)?.map(|text| parse(&text)).transpose()
    }

    /// The path in `key`.
    pub(crate) fn path(&mut self, key: &'static str) -> Result<Option<PathBuf>, Fault> {
        Ok(self.text(key)?.map(|text| text.text.into()))
    }

    /// Whether `key` is true; `default` if it is absent.
    pub(crate) fn flag(&mut self, key: &'static str, default: bool) -> Result<bool, Fault> {
        let Some(node) = self.take(key) else {
            return Ok(default);
        };
        match &node.value {
            Value::Scalar { text, plain: true } if text == "true" => Ok(true),
            Value::Scalar { text, plain: true } if text == "false" => Ok(false),
            _ => Err(expected(&node, key, "true or false")),
        }
    }

    /// The items of the list in `key`.
    pub(crate) fn list(&mut self, key: &'static str) -> Result<Vec<Node>, Fault> {
        match self.take(key) {
            None => Ok(Vec::new()),
            Some(node) => items(node, key),
        }
    }

    /// The texts of the list in `key`.
    pub(crate) fn texts(&mut self, key: &'static str) -> Result<Vec<Text>, Fault> {
        let items = self.list(key)?.into_iter();
        items.map(|item| text(item, key)).collect()
    }

    /// The texts of the list in `key`, each as a `T`, in the form in which they are written.
    pub(crate) fn all_parsed<T>(&mut self, key: &'static str) -> Result<Vec<String>, Fault>
    where
        T: FromStr<Err: std::fmt::Display>,
    {
        let texts = self.texts(key)?.into_iter();
        texts
            .map(|text| parse::<T>(&text).map(|_| text.text))
            .collect()
    }

    /// Refuses fields that nobody took.
    pub(crate) fn finish(self) -> Result<(), Fault> {
        let Some(entry) = self.entries.first() else {
            return Ok(());
        };
        let help = match suggestion(&entry.key, &self.known) {
            Some(meant) => format!("did you mean {meant:?}?"),
            None => format!("expected {}", self.known.join(", ")),
        };
        let reason = format!("{} has no field {:?} ({help})", self.what, entry.key);
        Err(Fault::new(entry.place, reason))
    }

    /// What nobody took, as notes.
    pub(crate) fn left(self) -> Vec<String> {
        let Self { what, entries, .. } = self;
        let entries = entries.into_iter();
        entries
            .map(|entry| format!("line {}: {} of {what}", entry.place.line, entry.key))
            .collect()
    }
}

/// The known name that was probably meant.
fn suggestion(key: &str, known: &[&'static str]) -> Option<&'static str> {
    let alike = known.iter().map(|name| {
        let distance = strsim::jaro_winkler(&key.to_lowercase(), &name.to_lowercase());
        (distance, *name)
    });
    let best = alike.max_by(|one, other| one.0.total_cmp(&other.0))?;
    (best.0 >= ALIKE).then_some(best.1)
}

/// The items of a list.
pub(crate) fn items(node: Node, key: &str) -> Result<Vec<Node>, Fault> {
    match node.value {
        Value::List(items) => Ok(items),
        _ => Err(expected(&node, key, "a list")),
    }
}

/// A single value as text.
pub(crate) fn text(node: Node, key: &str) -> Result<Text, Fault> {
    match node.value {
        Value::Scalar { text, .. } if !text.is_empty() => Ok(Text {
            text,
            place: node.place,
        }),
        _ => Err(expected(&node, key, "a text")),
    }
}

/// A text as a `T`.
pub(crate) fn parse<T>(text: &Text) -> Result<T, Fault>
where
    T: FromStr<Err: std::fmt::Display>,
{
    text.text
        .parse()
        .map_err(|error| Fault::new(text.place, format!("{error}")))
}

fn expected(node: &Node, what: &str, wanted: &str) -> Fault {
    let reason = format!("{what} is {} (expected {wanted})", node.kind());
    Fault::new(node.place, reason)
}
