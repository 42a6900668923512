//! What the search tables hold: positions, or pairs of them where two searches are compared.

use super::history::{History, REACH};
use crate::search::matching::load32;

/// The indexes of a pair of positions, the older one only if it is in reach.
pub(crate) type Both = (usize, Option<usize>);

/// An entry of a search table.
pub(crate) trait Entry: Copy + Default + Send + 'static {
    /// An entry for a position's count.
    fn new(at: u32) -> Self;

    /// The position's count, for a search at the index `pos`.
    fn get(self, h: &History, pos: usize) -> u32;

    /// The index of the position if it is nearer than `reach` to `pos` and has the same four bytes,
    /// `value`.
    fn matching(self, h: &History, pos: usize, value: u32, reach: i64) -> Option<usize>;

    /// Whether a closer look may find that it matches; without a branch, since few entries do, and which
    /// cannot be predicted.
    fn may_match(self, h: &History, pos: usize, value: u32) -> bool;

    /// The indexes of a pair of positions, to compare what is there with what is at `pos`, if the newer
    /// one is in reach.
    fn both_near(pair: Pair<Self>, h: &History, pos: usize) -> Option<Both>;
}

/// The two newest positions with the same hash.
#[derive(Clone, Copy, Default)]
pub(crate) struct Pair<P> {
    pub(crate) newest: P,
    pub(crate) before: P,
}

impl<P: Entry> Pair<P> {
    #[inline]
    pub(super) fn push(&mut self, at: u32) {
        self.before = self.newest;
        self.newest = P::new(at);
    }

    /// The newer one or the other.
    pub(super) fn entry(&mut self, index: usize) -> &mut P {
        match index {
            0 => &mut self.newest,
            _ => &mut self.before,
        }
    }

    /// Whether one of the two may match.
    #[inline]
    pub(super) fn may_match(self, h: &History, pos: usize, value: u32) -> bool {
        self.newest.may_match(h, pos, value) | self.before.may_match(h, pos, value)
    }

    /// The indexes of the two, if the newer one is in reach.
    #[inline]
    pub(super) fn near(self, h: &History, pos: usize) -> Option<Both> {
        P::both_near(self, h, pos)
    }
}

/// The index of a position if it is nearer than `reach` to `pos`.
#[inline]
fn within(at: u32, h: &History, pos: usize, reach: i64) -> Option<usize> {
    let distance = h.absolute(pos).wrapping_sub(at) as usize;
    if distance < reach as usize {
        pos.checked_sub(distance)
    } else {
        None
    }
}

impl Entry for u32 {
    #[inline]
    fn new(at: u32) -> Self {
        at
    }

    #[inline]
    fn get(self, _: &History, _: usize) -> u32 {
        self
    }

    #[inline]
    fn matching(self, h: &History, pos: usize, value: u32, reach: i64) -> Option<usize> {
        // One branch for both conditions: neither can be predicted.
        let distance = h.absolute(pos).wrapping_sub(self) as usize;
        let near = distance < reach as usize;
        let from = pos.wrapping_sub(if near { distance } else { 0 });
        debug_assert!(from <= pos, "what is in reach is in the history");
        let equal = load32(&h.bytes, from) == value;
        (equal & near).then_some(from)
    }

    #[inline]
    fn may_match(self, h: &History, pos: usize, value: u32) -> bool {
        self.matching(h, pos, value, REACH).is_some()
    }

    #[inline]
    fn both_near(pair: Pair<Self>, h: &History, pos: usize) -> Option<Both> {
        let first = within(pair.newest, h, pos, REACH)?;
        Some((first, within(pair.before, h, pos, REACH)))
    }
}

/// An entry of one search and, until the first replaces it, of a second one. The search proceeds
/// as the first does, and the history notes the slots that would make the second one differ.
#[derive(Clone, Copy, Default)]
pub(crate) struct DualEntry {
    pub(crate) mine: u32,
    theirs: u32,
    slot: u32,
}

impl DualEntry {
    /// What the tables of both hold at a slot.
    pub(crate) fn of(slot: u32, mine: u32, theirs: u32) -> Self {
        Self { mine, theirs, slot }
    }

    fn differs(self) -> bool {
        self.mine != self.theirs
    }
}

impl Entry for DualEntry {
    fn new(at: u32) -> Self {
        Self::of(0, at, at)
    }

    fn get(self, h: &History, pos: usize) -> u32 {
        let in_reach = |at| within(at, h, pos, REACH + 1).is_some();
        if self.differs() && (in_reach(self.mine) || in_reach(self.theirs)) {
            h.note(self.slot);
        }
        self.mine
    }

    fn matching(self, h: &History, pos: usize, value: u32, reach: i64) -> Option<usize> {
        let found = self.mine.matching(h, pos, value, reach);
        if self.differs() && found != self.theirs.matching(h, pos, value, reach) {
            h.note(self.slot);
        }
        found
    }

    /// The closer look notes differences.
    fn may_match(self, _: &History, _: usize, _: u32) -> bool {
        true
    }

    fn both_near(pair: Pair<Self>, h: &History, pos: usize) -> Option<Both> {
        let Pair { newest, before } = pair;
        let of = |newest, before| u32::both_near(Pair { newest, before }, h, pos);
        let found = of(newest.mine, before.mine);
        if newest.differs() || before.differs() {
            let other = of(newest.theirs, before.theirs);
            // Only entries with the same four bytes are of use.
            let value = load32(&h.bytes, pos);
            let useful = |from: Option<usize>| from.filter(|&at| load32(&h.bytes, at) == value);
            let of_use = |pair: Option<Both>| {
                let (first, second) = pair.unzip();
                (useful(first), useful(second.flatten()))
            };
            if of_use(found) != of_use(other) {
                for entry in [newest, before].into_iter().filter(|entry| entry.differs()) {
                    h.note(entry.slot);
                }
            }
        }
        found
    }
}
