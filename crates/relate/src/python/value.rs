//! What predictions need to know about earlier objects.

use std::ops::Range;
use std::rc::Rc;

/// An object.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// A string: where it is in the module, and its number among the words of the source.
    Text(Range<u32>, Option<u32>),
    /// An integer or a singleton: its number among the words.
    Scalar(Option<u32>),
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

    /// The number of its word in the source, if it has one.
    pub(crate) fn word(&self) -> Option<usize> {
        match self {
            Self::Text(_, word) | Self::Scalar(word) => word.map(|word| word as usize),
            Self::Tuple(_) | Self::Other => None,
        }
    }

    /// The bytes of a string in `module`.
    pub(crate) fn text<'a>(&self, module: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Text(range, _) => &module[range.start as usize..range.end as usize],
            _ => &[],
        }
    }
}
