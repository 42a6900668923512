//! Where bytes of the bases went.

use crate::copies::Copy;

/// Positions share an entry of the index in groups of this size.
const PAGE_BITS: u32 = 12;
/// How many copies before a position are looked at: they may overlap.
const LOOK_BACK: usize = 3;

/// All copies from bases, by source.
pub(crate) struct Inverse {
    copies: Vec<Copy>,
    /// For each page the index of the first copy whose source is in it or behind it.
    pages: Vec<u32>,
}

/// How a position was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// A copy covers it or ends at it.
    Covered(u64),
    /// The copy before it, continued.
    Near(u64),
}

impl Inverse {
    /// The index of copies from sources before `end`.
    pub(crate) fn new(copies: impl Iterator<Item = Copy>, end: u64) -> Self {
        let mut copies: Vec<Copy> = copies.filter(|copy| copy.source < end).collect();
        copies.sort_unstable_by_key(|copy| (copy.source, copy.at));
        let mut pages = Vec::with_capacity((end >> PAGE_BITS) as usize + 2);
        for (index, copy) in copies.iter().enumerate() {
            while pages.len() as u64 <= copy.source >> PAGE_BITS {
                pages.push(index as u32);
            }
        }
        pages.resize((end >> PAGE_BITS) as usize + 2, copies.len() as u32);
        Self { copies, pages }
    }

    /// Where the byte at `position` went.
    pub(crate) fn find(&self, position: u64) -> Option<Found> {
        let page = (position >> PAGE_BITS) as usize;
        let (from, to) = (
            *self.pages.get(page)? as usize,
            *self.pages.get(page + 1)? as usize,
        );
        let within = self.copies[from..to].partition_point(|copy| copy.source <= position);
        let before = &self.copies[..from + within];
        let mut ends_here = None;
        for copy in before.iter().rev().take(LOOK_BACK) {
            let offset = position - copy.source;
            if offset < copy.len {
                return Some(Found::Covered(copy.at + offset));
            }
            if offset == copy.len && ends_here.is_none() {
                ends_here = Some(Found::Covered(copy.at + offset));
            }
        }
        let last = before.last()?;
        Some(ends_here.unwrap_or(Found::Near(last.at + (position - last.source))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_found_in_copies_and_behind_them() {
        let copy = |at, source, len| Copy { at, source, len };
        let copies = [
            copy(90_000, 100, 50),
            copy(100_000, 20_000, 5000),
            copy(120_000, 20_010, 5),
        ];
        let inverse = Inverse::new(copies.into_iter(), 40_000);
        assert_eq!(inverse.find(99), None);
        assert_eq!(inverse.find(120), Some(Found::Covered(90_020)));
        assert_eq!(inverse.find(150), Some(Found::Covered(90_050)));
        assert_eq!(inverse.find(5000), Some(Found::Near(94_900)));
        assert_eq!(inverse.find(20_012), Some(Found::Covered(120_002)));
        assert_eq!(inverse.find(24_000), Some(Found::Covered(104_000)));
    }
}
