//! What is remembered of objects that were walked through: as much as predictions need.

use std::ops::Range;
use std::rc::Rc;

/// An object.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// A string: where it is in the module, and its number among the words of the source.
    Text(Range<usize>, Option<usize>),
    /// An integer or a singleton: its number among the words.
    Scalar(Option<usize>),
    /// A tuple.
    Tuple(Rc<[Value]>),
    /// Anything else.
    Other,
}

impl Value {
    /// The items of a tuple.
    pub(crate) fn items(&self) -> &[Self] {
        match self {
            Self::Tuple(items) => items,
            _ => &[],
        }
    }

    /// The number among the words of the source of what is written so there.
    pub(crate) fn word(&self) -> Option<usize> {
        match self {
            Self::Text(_, word) | Self::Scalar(word) => *word,
            Self::Tuple(_) | Self::Other => None,
        }
    }

    /// The bytes of a string in `module`.
    pub(crate) fn text<'a>(&self, module: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Text(range, _) => &module[range.clone()],
            _ => &[],
        }
    }
}
