//! What of the contents is in memory while a content is encoded.

use std::ops::Range;

use super::sketch::Sketch;
use crate::content::Content;
use crate::copies::Copy;
use crate::error::Error;
use crate::transfer::Space;

/// How much is in memory, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Bytes of contents for programs.
    pub(super) program: u64,
    /// Bytes of contents otherwise. The new content is at most half of this, and its streams are at most as long.
    pub(super) matching: u64,
    /// The new content is matched in ranges of this length if it does not fit.
    pub(super) range: u64,
}

/// Bytes that encoding takes at most.
const MOST: u64 = 1536 << 20;

/// Tables and copies take at most `TABLES` bytes, and at most `TABLES_SHARE` times the length of the contents.
const TABLES: u64 = 160 << 20;
const TABLES_SHARE: u64 = 3;

/// How many bytes encoding holds at most for contents of so many bytes together: programs take a little more than twice
/// their bytes, with fields and pairs.
pub(super) fn memory(together: u64) -> u64 {
    let tables = TABLES.min(together.saturating_mul(TABLES_SHARE));
    (together / 4)
        .saturating_mul(9)
        .saturating_add(tables)
        .min(MOST)
}

/// What keeps encoding within [`MOST`].
pub(super) const LIMITS: Limits = Limits {
    program: 600 << 20,
    matching: 896 << 20,
    range: 192 << 20,
};

/// Ranges of the bases and a range of the new content, one after the other in memory.
pub(super) struct Loaded {
    pub(super) data: Vec<u8>,
    /// Where each range of a base ends in `data`.
    pub(super) boundaries: Vec<u64>,
    /// For each range, and last the new content's, what to add to its positions in `data`.
    shifts: Vec<u64>,
}

impl Loaded {
    /// Loads ranges of bases, which are given by index, and a range of the new content.
    pub(super) fn new(
        new: &dyn Content,
        bases: &[&dyn Content],
        space: &Space<'_>,
        ranges: &[(usize, Range<u64>)],
        new_range: Range<u64>,
    ) -> Result<Self, Error> {
        let lengths = ranges.iter().map(|(_, range)| range.end - range.start);
        let total = lengths.sum::<u64>() + (new_range.end - new_range.start);
        let mut loaded = Self {
            data: vec![0; total as usize],
            boundaries: Vec::new(),
            shifts: Vec::new(),
        };
        let mut at = 0;
        for (index, range) in ranges {
            let failed = |source| Error::Base {
                index: *index,
                source,
            };
            let end = at + (range.end - range.start);
            let part = &mut loaded.data[at as usize..end as usize];
            bases[*index].read_at(part, range.start).map_err(failed)?;
            let position = space.start_of(*index) + range.start;
            loaded.shifts.push(position.wrapping_sub(at));
            loaded.boundaries.push(end);
            at = end;
        }
        let part = &mut loaded.data[at as usize..];
        new.read_at(part, new_range.start).map_err(Error::Content)?;
        let position = space.new_start() + new_range.start;
        loaded.shifts.push(position.wrapping_sub(at));
        Ok(loaded)
    }

    /// Where the new content starts in `data`.
    pub(super) fn new_start(&self) -> u64 {
        self.boundaries.last().copied().unwrap_or(0)
    }

    /// The loaded bytes of a base, by its number among those that are loaded.
    pub(super) fn base(&self, number: usize) -> &[u8] {
        let before = number.checked_sub(1);
        let start = before.map_or(0, |before| self.boundaries[before]);
        &self.data[start as usize..self.boundaries[number] as usize]
    }

    /// The loaded bytes of the new content.
    pub(super) fn truth(&self) -> &[u8] {
        &self.data[self.new_start() as usize..]
    }

    /// A copy within `data` as one within bases and new content.
    pub(super) fn translate(&self, copy: Copy) -> Copy {
        let position = |at: u64| {
            let index = self.boundaries.partition_point(|end| *end <= at);
            at.wrapping_add(self.shifts[index])
        };
        Copy {
            at: position(copy.at),
            source: position(copy.source),
            len: copy.len,
        }
    }
}

/// The bases that fit into `budget` bytes, those first that have most in common with `new`, in ascending order.
pub(super) fn choose(
    new: &dyn Content,
    bases: &[&dyn Content],
    budget: u64,
) -> Result<Vec<usize>, Error> {
    let fits = |index: &usize| bases[*index].len() <= budget;
    let fitting: Vec<usize> = (0..bases.len()).filter(fits).collect();
    let total = fitting.iter().map(|index| bases[*index].len());
    if total.fold(0, u64::saturating_add) <= budget {
        return Ok(fitting);
    }
    let wanted = Sketch::of(new).map_err(Error::Content)?;
    let mut order = Vec::new();
    for index in fitting {
        let failed = |source| Error::Base { index, source };
        let common = wanted.common(&Sketch::of(bases[index]).map_err(failed)?);
        order.push((std::cmp::Reverse(common), index));
    }
    order.sort_unstable();
    let mut left = budget;
    let mut chosen = Vec::new();
    for (_, index) in order {
        if let Some(rest) = left.checked_sub(bases[index].len()) {
            left = rest;
            chosen.push(index);
        }
    }
    chosen.sort_unstable();
    Ok(chosen)
}

/// The ranges of bases to load for a range of a long new content: around the same relative position, as much as fits.
pub(super) fn nearby(
    bases: &[&dyn Content],
    len: u64,
    range: &Range<u64>,
    limits: Limits,
) -> Vec<(usize, Range<u64>)> {
    let each = (limits.matching - limits.range) / bases.len().max(1) as u64;
    let middle = u128::from(range.start + (range.end - range.start) / 2);
    let around = |(index, base): (usize, &&dyn Content)| {
        let there = (middle * u128::from(base.len()) / u128::from(len.max(1))) as u64;
        let start = there
            .saturating_sub(each / 2)
            .min(base.len().saturating_sub(each));
        (index, start..base.len().min(start + each))
    };
    let ranges = bases.iter().enumerate().map(around);
    ranges.filter(|(_, range)| !range.is_empty()).collect()
}
