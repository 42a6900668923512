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
    /// The addresses that fields refer to which do not say it alone, by their positions.
    addresses: Vec<(u32, u64)>,
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
            addresses: Vec::new(),
        }
    }

    /// The same with the starts of tables, in ascending order.
    pub(crate) fn with_tables(self, tables: Vec<u32>) -> Self {
        Self { tables, ..self }
    }

    /// The same with the addresses of fields, in ascending order of positions.
    pub(crate) fn with_addresses(self, addresses: Vec<(u32, u64)>) -> Self {
        Self { addresses, ..self }
    }

    /// The same marks, `by` bytes further.
    pub(crate) fn moved(mut self, by: u32) -> Self {
        let positions = self.positions.iter_mut().chain(&mut self.tables);
        let positions = positions.chain(self.addresses.iter_mut().map(|(position, _)| position));
        for position in positions {
            *position += by;
        }
        self
    }

    /// The address that the field at a position refers to, if the field does not say it alone.
    pub(crate) fn address_at(&self, position: u64) -> Option<u64> {
        let key = |(at, _): &(u32, u64)| u64::from(*at);
        let index = self.addresses.binary_search_by_key(&position, key).ok()?;
        Some(self.addresses[index].1)
    }

    /// The start of the table that a position lies in.
    pub(crate) fn table_of(&self, position: u64) -> Option<u64> {
        let index = self
            .tables
            .partition_point(|start| u64::from(*start) <= position);
        Some(u64::from(*self.tables.get(index.checked_sub(1)?)?))
    }

    /// How many fields there are.
    pub(crate) fn len(&self) -> usize {
        self.positions.len()
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
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, Field)> {
        self.positions
            .iter()
            .copied()
            .zip(self.fields.iter().copied())
    }
}
