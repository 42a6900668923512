//! What the search knows about contents besides their bytes.

use crate::program::{Entity, Fields, Source, entities};
use crate::stream::Kind;

/// How many earlier things are tried for each thing.
const MAX_CANDIDATES: usize = 4;

/// Widths of fields in the bases, and things of the new content paired with those of the bases.
#[derive(Default)]
pub(crate) struct Guide {
    /// For each position how many bytes the field has that starts there; empty if unknown.
    pub(super) widths: Vec<u8>,
    /// Pairs of a position in the new content and one in the bases, in ascending order.
    pub(super) pairs: Vec<(u32, u32)>,
    /// Where the parts of all contents start, in ascending order.
    part_starts: Vec<u32>,
}

impl Guide {
    /// Adds pairs of positions.
    pub(crate) fn add(&mut self, pairs: impl IntoIterator<Item = (u32, u32)>) {
        self.pairs.extend(pairs);
        self.pairs.sort_by_key(|pair| pair.0);
        self.pairs.dedup();
    }

    /// A guide for a program and its bases; `new_start` is the position of the program.
    pub(crate) fn new(
        new: &Source<'_>,
        bases: &[&Source<'_>],
        new_start: u64,
    ) -> std::io::Result<Self> {
        let mut widths = vec![0; (new_start + new.content.len()) as usize];
        let mut known = Vec::new();
        let mut part_starts = Vec::new();
        let mut start = 0;
        for base in bases {
            part_starts.extend(starts(base, start));
            mark_fields(base, &mut widths[start as usize..])?;
            known.extend(shifted(entities(base)?, start));
            start += base.content.len();
        }
        part_starts.extend(starts(new, start));
        mark_fields(new, &mut widths[start as usize..])?;
        let wanted = shifted(entities(new)?, new_start).collect();
        Ok(Self {
            widths,
            pairs: pairs(wanted, known),
            part_starts,
        })
    }

    /// How far a position is from the start of its part.
    pub(super) fn offset_in_part(&self, position: usize) -> usize {
        let starts = &self.part_starts;
        let index = starts.partition_point(|start| *start as usize <= position);
        let start = index.checked_sub(1).map_or(0, |index| starts[index]);
        position - start as usize
    }
}

/// Where the parts of a program start, whose content starts at `start`.
fn starts(program: &Source<'_>, start: u64) -> impl Iterator<Item = u32> {
    let parts = program.layout.parts.iter();
    parts.map(move |part| (start + part.start) as u32)
}

fn shifted(entities: Vec<Entity>, start: u64) -> impl Iterator<Item = Entity> {
    entities.into_iter().map(move |entity| Entity {
        position: entity.position + start,
        ..entity
    })
}

/// Pairs of the positions of equal identities.
fn pairs(mut wanted: Vec<Entity>, mut known: Vec<Entity>) -> Vec<(u32, u32)> {
    wanted.sort_unstable();
    known.sort_unstable();
    known.dedup();
    let mut pairs = Vec::with_capacity(wanted.len());
    let mut rest = known.as_slice();
    let mut last = None;
    let mut same: &[Entity] = &[];
    for entity in wanted {
        if last != Some(entity.identity) {
            let smaller = |known: &&Entity| known.identity < entity.identity;
            rest = &rest[rest.iter().take_while(smaller).count()..];
            let count = rest
                .iter()
                .take_while(|known| known.identity == entity.identity)
                .count();
            same = &rest[..count];
            last = Some(entity.identity);
        }
        // Later ones first: of several bases the last is the likeliest.
        for known in same.iter().rev().take(MAX_CANDIDATES) {
            pairs.push((entity.position as u32, known.position as u32));
        }
    }
    pairs.sort_by_key(|pair| pair.0);
    pairs.dedup();
    pairs
}

/// Sets the widths of a program's fields of fixed width.
fn mark_fields(program: &Source<'_>, widths: &mut [u8]) -> std::io::Result<()> {
    for part in &program.layout.parts {
        Fields::new(program, part)?.all(program, |marks| {
            for (position, field) in marks.iter().filter(|(_, field)| field.is_fixed()) {
                if let Some(slot) = widths.get_mut(part.start as usize + position as usize) {
                    *slot = field.width() as u8;
                }
            }
        })?;
    }
    Ok(())
}

/// Kinds whose things are paired by identity before anything else is tried.
pub(super) fn is_strict(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Funcs
            | Kind::ReadOnly
            | Kind::Symbols
            | Kind::UnitFiles
            | Kind::Frames
            | Kind::CallFrames
            | Kind::DynamicSymbols
            | Kind::Relocations
            | Kind::TypeLinks
    )
}

/// Fields are at multiples of this in a kind of bytes.
pub(super) fn alignment(kind: Kind) -> usize {
    match kind {
        Kind::ReadOnly
        | Kind::Data
        | Kind::Symbols
        | Kind::Addresses
        | Kind::DynamicSymbols
        | Kind::Relocations => 8,
        Kind::Funcs | Kind::UnitFiles | Kind::FuncData | Kind::CallFrames | Kind::TypeLinks => 4,
        _ => 1,
    }
}
