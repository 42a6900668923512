//! The searches of levels 1 to 6, with tables in the sizes of all versions.

use super::behaviour::{Behaviour, FastHash, TableSize};
use super::entry::Entry;
use super::history::History;
use super::level::Level;
use super::level1::Level1;
use super::level3::Level3;
use super::level4::Level4;
use super::level5::Level5;
use super::level6::Level6;
use super::tokens::Tokens;

/// A level's search, whatever its tables.
pub(super) trait Search<P: Entry>: Send {
    /// See [`Level::tokenize`].
    fn encode(&mut self, history: &History, start: usize, tokens: &mut Tokens);

    /// All entries of its tables.
    fn entries(&mut self) -> Vec<P>;

    /// See [`Level::entry`].
    fn entry(&mut self, slot: usize) -> Option<&mut P>;

    /// Replaces all entries.
    fn replace_all(&mut self, entries: &[P]);
}

impl<P: Entry, L: Level<P>> Search<P> for L {
    fn encode(&mut self, history: &History, start: usize, tokens: &mut Tokens) {
        self.tokenize(history, start, tokens);
    }

    fn entries(&mut self) -> Vec<P> {
        let slots = 0..self.slots();
        slots
            .map_while(|slot| Level::entry(self, slot).copied())
            .collect()
    }

    fn entry(&mut self, slot: usize) -> Option<&mut P> {
        Level::entry(self, slot)
    }

    fn replace_all(&mut self, entries: &[P]) {
        for (slot, &new) in entries.iter().enumerate() {
            if let Some(entry) = Level::entry(self, slot) {
                *entry = new;
            }
        }
    }
}

/// The search of a level, 1 to 6.
pub(super) fn search<P: Entry>(level: i8, behaviour: &Behaviour) -> Box<dyn Search<P>> {
    match (behaviour.tables, behaviour.fast_hash) {
        (TableSize::Large, _) => {
            sized::<P, { 1 << 16 }, { 1 << 18 }, { 1 << 16 }>(level, behaviour)
        }
        (TableSize::Small, FastHash::Four) => {
            sized::<P, { 1 << 15 }, { 1 << 17 }, { 1 << 15 }>(level, behaviour)
        }
        (TableSize::Small, _) => {
            sized::<P, { 1 << 15 }, { 1 << 17 }, { 1 << 16 }>(level, behaviour)
        }
    }
}

/// With tables of so many entries, those of levels 2 and 3 of their own size.
fn sized<P: Entry, const N: usize, const N2: usize, const N3: usize>(
    level: i8,
    behaviour: &Behaviour,
) -> Box<dyn Search<P>> {
    match level {
        1 => Box::new(Level1::<P, N>::new(level, behaviour)),
        2 => Box::new(Level1::<P, N2>::new(level, behaviour)),
        3 => Box::new(Level3::<P, N3>::new(behaviour)),
        4 => Box::new(Level4::<P, N>::new(behaviour)),
        6 => Box::new(Level6::<P, N>::new(behaviour)),
        _ => Box::new(Level5::<P, N>::new(behaviour)),
    }
}
