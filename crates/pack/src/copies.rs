//! What of new blobs is in base blobs byte for byte: files that are equal, and in a row with what is between them.

use std::collections::HashMap;

use crate::bases::{Base, Nearness};
use crate::format::Range;
use crate::summary::{Entry, FileEntry, Summary};
use crate::survey::Surveyed;

/// A part of a base's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Copy {
    /// The base, by its position in the plan.
    pub(crate) base: usize,
    pub(crate) range: Range,
}

/// A piece of a blob's content: bytes of structure that are the blob's own, and what follows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Bytes of structure, and the entry of the summary that they belong to.
    pub(crate) structure: u64,
    pub(crate) entry: usize,
    pub(crate) what: What,
    /// Where that starts in the blob's content.
    pub(crate) at: u64,
}

/// What follows structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The file of this entry of the summary.
    File(usize),
    /// Bytes of a base.
    Copy(Copy),
    /// The end.
    End,
}

/// The pieces of each blob.
pub(crate) fn find(blobs: &[Surveyed], bases: &[Base], nearness: &Nearness) -> Vec<Vec<Cut>> {
    let files = Files::of(blobs, bases);
    let ranks = nearness.ranks.iter();
    let blobs = blobs.iter().zip(ranks).map(|(surveyed, rank)| {
        let mut walk = Walk {
            files: &files,
            bases,
            rank,
            cuts: Vec::new(),
            last: None,
        };
        walk.blob(&surveyed.summary);
        walk.cuts
    });
    blobs.collect()
}

/// Where files of bases are that new blobs contain too, by digest.
struct Files<'a>(HashMap<&'a [u8; 32], Vec<Found>>);

/// An entry of a base's summary.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Found {
    base: usize,
    entry: usize,
}

/// A file that is in more places is found at the first of them only.
const MAX_PLACES: usize = 64;

impl<'a> Files<'a> {
    fn of(blobs: &'a [Surveyed], bases: &[Base]) -> Self {
        let mut files: HashMap<&[u8; 32], Vec<Found>> = HashMap::new();
        for surveyed in blobs {
            for file in surveyed.summary.files_in_order() {
                files.insert(&file.digest, Vec::new());
            }
        }
        for (base, known) in bases.iter().enumerate() {
            for (entry, file) in files_of(known.summary()) {
                if let Some(places) = files.get_mut(&file.digest)
                    && places.len() < MAX_PLACES
                {
                    places.push(Found { base, entry });
                }
            }
        }
        Self(files)
    }
}

fn files_of(summary: &Summary) -> impl Iterator<Item = (usize, &FileEntry)> {
    let entries = summary.entries.iter().enumerate();
    entries.filter_map(|(number, entry)| Some((number, entry.file.as_ref()?)))
}

/// The way through one blob.
struct Walk<'a> {
    files: &'a Files<'a>,
    bases: &'a [Base],
    rank: &'a [usize],
    cuts: Vec<Cut>,
    /// Where the file before was found.
    last: Option<Found>,
}

impl Walk<'_> {
    fn blob(&mut self, summary: &Summary) {
        for (number, entry) in summary.entries.iter().enumerate() {
            let found = match &entry.file {
                Some(file) => self.find(entry, file),
                // The end of a tar is of use only behind a copy.
                None => self
                    .next()
                    .filter(|&found| self.entry(found).file.is_none()),
            };
            match found {
                Some(found) if entry.file.is_some() || self.same_structure(entry, found) => {
                    self.copy(number, entry, found);
                }
                _ => self.cuts.push(Cut {
                    structure: entry.structure,
                    entry: number,
                    what: match entry.file {
                        Some(_) => What::File(number),
                        None => What::End,
                    },
                    at: entry.file_offset(),
                }),
            }
            self.last = found;
        }
    }

    fn entry(&self, found: Found) -> &Entry {
        &self.bases[found.base].summary().entries[found.entry]
    }

    fn same_structure(&self, entry: &Entry, found: Found) -> bool {
        let other = self.entry(found);
        (entry.structure, entry.hash) == (other.structure, other.hash)
    }

    /// What follows the file that was found last.
    fn next(&self) -> Option<Found> {
        let last = self.last?;
        let entries = &self.bases[last.base].summary().entries;
        let entry = last.entry + 1;
        (entry < entries.len()).then_some(Found { entry, ..last })
    }

    /// The best place of a file: behind the one before, else in the base that is nearest to the blob.
    fn find(&self, entry: &Entry, file: &FileEntry) -> Option<Found> {
        let equal = |found: &Found| {
            let other = self.entry(*found).file.as_ref();
            other.is_some_and(|other| (other.digest, other.len) == (file.digest, file.len))
        };
        let next = self.next().filter(equal);
        next.or_else(|| {
            let places = self.files.0.get(&file.digest)?.iter().copied();
            places.filter(equal).min_by_key(|found| {
                let rank = self.rank.iter().position(|&base| base == found.base);
                let other = self.entry(*found).file.as_ref();
                let other_path = other.is_none_or(|other| other.path != file.path);
                (
                    rank.unwrap_or(usize::MAX),
                    !self.same_structure(entry, *found),
                    other_path,
                    found.base,
                    found.entry,
                )
            })
        })
    }

    /// Takes an entry from a base: with its structure, if that is equal.
    fn copy(&mut self, number: usize, entry: &Entry, found: Found) {
        let other = self.entry(found);
        let with_structure = self.same_structure(entry, found);
        let (offset, at) = if with_structure {
            (other.offset, entry.offset)
        } else {
            (other.file_offset(), entry.file_offset())
        };
        let range = Range {
            offset,
            len: other.end() - offset,
        };
        let last = self.cuts.last_mut().map(|cut| &mut cut.what);
        if let Some(What::Copy(copy)) = last
            && with_structure
            && copy.base == found.base
            && copy.range.end() == offset
        {
            copy.range.len += range.len;
            return;
        }
        self.cuts.push(Cut {
            structure: if with_structure { 0 } else { entry.structure },
            entry: number,
            what: What::Copy(Copy {
                base: found.base,
                range,
            }),
            at,
        });
    }
}
