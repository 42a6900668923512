//! Blocks: ranges of a part whose fields are found from the range alone, so that only those are looked at that something
//! is copied from.

use std::io;
use std::ops::Range;
use std::rc::Rc;

use super::{dwarf, pages, text, whole};
use crate::layout::Part;
use crate::object::Machine;
use crate::program::found::Found;
use crate::program::marks::Marks;
use crate::program::source::{MAX_PART, Source};
use crate::stream::Kind;

/// Of each kind only so many parts of a program are annotated, since some need others to be read.
const MAX_PARTS: usize = 16;
/// Bytes of a block of code or of line programs.
const BLOCK: u64 = 16 << 10;

/// The fields of a part of a program, found block by block as they are needed.
pub(crate) struct Fields {
    part: Part,
    division: Division,
    found: Vec<Option<Rc<Marks>>>,
}

/// How a part is divided into blocks.
enum Division {
    /// It has no fields.
    Unknown,
    /// It is a block.
    Whole,
    /// Blocks have [`BLOCK`] bytes, the last one what is left.
    Equal,
    /// A unit of debug entries is a block.
    Units(Vec<dwarf::Unit>),
}

/// The fields of one block.
#[derive(Clone, Default)]
pub(crate) struct Block {
    /// Which bytes of the part it is.
    pub(crate) range: Range<u64>,
    pub(crate) marks: Rc<Marks>,
}

impl Fields {
    /// The fields of a part, none of them looked for yet.
    pub(crate) fn new(source: &Source<'_>, part: &Part) -> io::Result<Self> {
        let earlier = |other: &&Part| other.kind == part.kind && other.start < part.start;
        let earlier = source.layout.parts.iter().filter(earlier).count();
        let division = match part.kind {
            _ if part.len > MAX_PART || earlier >= MAX_PARTS => Division::Unknown,
            Kind::Text | Kind::Lines if source.version > 2 => Division::Equal,
            Kind::Info if source.version > 2 => Division::Units(dwarf::all_units(source, part)?),
            _ => Division::Whole,
        };
        let count = match &division {
            Division::Unknown => 0,
            Division::Whole => 1,
            Division::Equal => part.len.div_ceil(BLOCK) as usize,
            Division::Units(units) => units.len(),
        };
        Ok(Self {
            part: *part,
            division,
            found: vec![None; count],
        })
    }

    /// The block that a position of the part lies in; one without fields where there is none. `left` is how many more fields
    /// may be found: a block that is looked at when there are none left has no fields.
    pub(crate) fn around(
        &mut self,
        source: &Source<'_>,
        position: u64,
        left: &mut usize,
    ) -> io::Result<Block> {
        let number = match &self.division {
            Division::Unknown => 0,
            Division::Whole => usize::from(position >= self.part.len),
            Division::Equal => (position / BLOCK) as usize,
            Division::Units(units) => units.partition_point(|unit| unit.end as u64 <= position),
        };
        let range = match self.range(number) {
            Some(range) if range.contains(&position) => range,
            // Between blocks, or behind the last one.
            other => {
                let next = other
                    .map(|range| range.start)
                    .filter(|start| *start > position);
                return Ok(Block {
                    range: position..next.unwrap_or(u64::MAX),
                    ..Block::default()
                });
            }
        };
        if self.found[number].is_none() && *left > 0 {
            let marks = self.find(source, number, &range)?;
            *left = left.saturating_sub(marks.len());
            self.found[number] = Some(Rc::new(marks));
        }
        let marks = self.found[number].clone().unwrap_or_default();
        Ok(Block { range, marks })
    }

    /// The bytes of a block, by its number.
    fn range(&self, number: usize) -> Option<Range<u64>> {
        if number >= self.found.len() {
            return None;
        }
        Some(match &self.division {
            Division::Unknown => return None,
            Division::Whole => 0..self.part.len,
            Division::Equal => {
                let start = number as u64 * BLOCK;
                start..self.part.len.min(start + BLOCK)
            }
            Division::Units(units) => units[number].header as u64..units[number].end as u64,
        })
    }

    /// Finds the fields of a block.
    fn find(&self, source: &Source<'_>, number: usize, range: &Range<u64>) -> io::Result<Marks> {
        if let Division::Whole = self.division {
            return whole(source, &self.part);
        }
        let block = Part {
            kind: self.part.kind,
            start: self.part.start + range.start,
            len: range.end - range.start,
        };
        let bytes = source.bytes(&block)?;
        let marks = match (&self.division, block.kind, source.layout.machine) {
            (Division::Units(units), ..) => Marks::sorted(dwarf::unit(&units[number], &bytes)),
            (_, Kind::Lines, _) => Marks::sorted(dwarf::lines(Found::in_block(&bytes), &bytes)),
            (_, _, Machine::Amd64) => {
                Marks::sorted(text::amd64(source, &block, Found::in_block(&bytes), &bytes))
            }
            (_, _, Machine::Arm64) => pages::arm64(source, &block, &bytes),
            (_, _, Machine::Other) => Marks::default(),
        };
        Ok(marks.moved(range.start as u32))
    }

    /// Visits the fields of all blocks in order, without keeping them.
    pub(crate) fn all(&self, source: &Source<'_>, mut visit: impl FnMut(&Marks)) -> io::Result<()> {
        let numbers = 0..self.found.len();
        for (number, range) in numbers.filter_map(|number| Some((number, self.range(number)?))) {
            visit(&self.find(source, number, &range)?);
        }
        Ok(())
    }
}
