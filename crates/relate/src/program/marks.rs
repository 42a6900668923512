//! Where fields are: positions within a part, found from its bytes alone and those of related parts.

use super::found::Found;
use crate::field::Field;

/// Fields of a part in ascending order, with positions relative to the part.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    positions: Vec<u32>,
    fields: Vec<Field>,
    /// Where the tables start that fields of kind [`Field::TableEntry`] belong to.
    tables: Vec<u32>,
}

impl Marks {
    /// Puts marks in order; of two at one position the first stays.
    pub(crate) fn sorted(found: Found) -> Self {
        let mut marks = found.into_vec();
        let in_order = marks.is_sorted_by(|a, b| a.0 < b.0);
        if !in_order {
            marks.sort_by_key(|mark| mark.0);
            marks.dedup_by_key(|mark| mark.0);
        }
        Self {
            positions: marks.iter().map(|mark| mark.0).collect(),
            fields: marks.iter().map(|mark| mark.1).collect(),
            tables: Vec::new(),
        }
    }

    /// The same with the starts of tables, in ascending order.
    pub(crate) fn with_tables(self, tables: Vec<u32>) -> Self {
        Self { tables, ..self }
    }

    /// The start of the table that a position lies in.
    pub(crate) fn table_of(&self, position: u64) -> Option<u64> {
        let index = self
            .tables
            .partition_point(|start| u64::from(*start) <= position);
        Some(u64::from(*self.tables.get(index.checked_sub(1)?)?))
    }

    /// The index of the first mark at or after a position.
    pub(crate) fn seek(&self, position: u64) -> usize {
        self.positions
            .partition_point(|mark| u64::from(*mark) < position)
    }

    pub(crate) fn get(&self, index: usize) -> Option<(u64, Field)> {
        let position = *self.positions.get(index)?;
        Some((u64::from(position), self.fields[index]))
    }

    /// All marks in order.
    pub(crate) fn into_iter(self) -> impl Iterator<Item = (u32, Field)> {
        self.positions.into_iter().zip(self.fields)
    }
}
