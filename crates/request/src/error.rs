//! Why a file is not a request.

use std::fmt;

use sealift_yaml::{LocatedFault, Place};

/// Why a file is not a request: what is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct RequestError {
    /// The file's name, as the caller gave it.
    pub name: String,
    /// The line, from 1; 0 if it is the whole file.
    pub line: usize,
    /// The column, from 1; 0 if it is the whole file.
    pub column: usize,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            line,
            column,
            reason,
        } = self;
        match line {
            0 => write!(f, "{name}: {reason}"),
            _ => write!(f, "{name}:{line}:{column}: {reason}"),
        }
    }
}

/// A fault whose file is not named yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) place: Place,
    pub(crate) reason: String,
}

impl Fault {
    pub(crate) fn new(place: Place, reason: impl Into<String>) -> Self {
        Self {
            place,
            reason: reason.into(),
        }
    }

    pub(crate) fn in_file(self, name: &str) -> RequestError {
        RequestError {
            name: name.to_owned(),
            line: self.place.line,
            column: self.place.column,
            reason: self.reason,
        }
    }
}

impl From<LocatedFault> for Fault {
    fn from(fault: LocatedFault) -> Self {
        Self::new(fault.place, fault.fault.to_string())
    }
}
