//! The fields found in a part, bounded.

use crate::field::Field;

/// More fields than a part may have: what an ordinary part of the greatest length has several times over.
const MAX_FIELDS: usize = 16 << 20;

/// Positions and kinds of fields, in the order in which they are found; those beyond a limit are dropped.
#[derive(Default)]
pub(crate) struct Found(Vec<(u32, Field)>);

impl Found {
    pub(crate) fn with_capacity(count: usize) -> Self {
        Self(Vec::with_capacity(count.min(MAX_FIELDS)))
    }

    pub(crate) fn push(&mut self, mark: (u32, Field)) {
        if self.0.len() < MAX_FIELDS {
            self.0.push(mark);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn into_vec(self) -> Vec<(u32, Field)> {
        self.0
    }
}

impl Extend<(u32, Field)> for Found {
    fn extend<I: IntoIterator<Item = (u32, Field)>>(&mut self, marks: I) {
        let left = MAX_FIELDS - self.0.len();
        self.0.extend(marks.into_iter().take(left));
    }
}

impl FromIterator<(u32, Field)> for Found {
    fn from_iter<I: IntoIterator<Item = (u32, Field)>>(marks: I) -> Self {
        let mut found = Self::default();
        found.extend(marks);
        found
    }
}
