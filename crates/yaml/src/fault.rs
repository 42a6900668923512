//! Why a text cannot be read as YAML, and where.

use std::fmt;

/// Deepest nesting that is read.
pub(crate) const MAX_DEPTH: usize = 100;
/// Most values of one text, those that aliases repeat included.
pub(crate) const MAX_VALUES: usize = 1_000_000;

/// Where something is in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The line, from 1; 0 if it is the whole text.
    pub line: usize,
    /// The column, from 1; 0 if it is the whole text.
    pub column: usize,
}

/// What is wrong with a YAML text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum YamlFault {
    /// Not text.
    #[error("not UTF-8 text")]
    Encoding,
    /// A template that was not rendered.
    #[error(
        "a template with {placeholder} (expected the rendered text, as helm template prints it)"
    )]
    Template {
        /// The placeholder's opening.
        placeholder: &'static str,
    },
    /// Not YAML.
    #[error("not YAML: {reason}")]
    Syntax {
        /// What the parser says.
        reason: String,
    },
    /// The same key twice in one mapping.
    #[error("{key:?} is repeated (first in line {first})")]
    Repeated {
        /// The key.
        key: String,
        /// The line of the first one.
        first: usize,
    },
    /// A key that is not a scalar.
    #[error("a key is not a single value")]
    Key,
    /// Too deep.
    #[error("values are nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// Too many values.
    #[error("more than {MAX_VALUES} values")]
    TooMany,
    /// There should be exactly one document.
    #[error("{count} documents (expected one)")]
    Count {
        /// How many there are.
        count: usize,
    },
}

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocatedFault {
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub fault: YamlFault,
}

impl LocatedFault {
    /// The same of the file `name`.
    pub fn in_file(self, name: &str) -> YamlError {
        YamlError {
            name: name.to_owned(),
            place: self.place,
            fault: self.fault,
        }
    }
}

/// Why a file cannot be read as YAML (or JSON).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct YamlError {
    /// The file's name, as the caller gave it.
    pub name: String,
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub fault: YamlFault,
}

impl fmt::Display for YamlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, place, fault } = self;
        match place.line {
            0 => write!(f, "{name}: {fault}"),
            line => write!(f, "{name}:{line}:{}: {fault}", place.column),
        }
    }
}
