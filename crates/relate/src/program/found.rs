//! The fields found in a part, bounded.

use crate::field::Field;

/// More fields than a part may have: what an ordinary part of the greatest length has several times over.
pub(crate) const MAX_FIELDS: usize = 16 << 20;

/// A block has at most one field for so many of its bytes.
const BYTES_A_FIELD: usize = 8;

/// Positions and kinds of fields, in the order in which they are found; those beyond a limit are dropped.
pub(crate) struct Found {
    marks: Vec<(u32, Field)>,
    limit: usize,
}

impl Default for Found {
    fn default() -> Self {
        Self::with_capacity(0)
    }
}

impl Found {
    pub(crate) fn with_capacity(count: usize) -> Self {
        Self {
            marks: Vec::with_capacity(count.min(MAX_FIELDS)),
            limit: MAX_FIELDS,
        }
    }

    /// For the fields of a block, which have a lower limit, since a part has many blocks.
    pub(crate) fn in_block(bytes: &[u8]) -> Self {
        let limit = bytes.len() / BYTES_A_FIELD;
        Self {
            marks: Vec::with_capacity(limit),
            limit,
        }
    }

    pub(crate) fn push(&mut self, mark: (u32, Field)) {
        if self.marks.len() < self.limit {
            self.marks.push(mark);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.marks.len()
    }

    pub(crate) fn into_vec(self) -> Vec<(u32, Field)> {
        self.marks
    }
}

impl Extend<(u32, Field)> for Found {
    fn extend<I: IntoIterator<Item = (u32, Field)>>(&mut self, marks: I) {
        let left = self.limit - self.marks.len();
        self.marks.extend(marks.into_iter().take(left));
    }
}

impl FromIterator<(u32, Field)> for Found {
    fn from_iter<I: IntoIterator<Item = (u32, Field)>>(marks: I) -> Self {
        let mut found = Self::default();
        found.extend(marks);
        found
    }
}
