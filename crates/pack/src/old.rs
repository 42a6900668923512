//! What a build reads of bases: files that contents may be stored against, and the bytes between files.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use rayon::prelude::*;

use crate::candidates::{Candidate, Place};
use crate::decode::fetch_parts;
use crate::error::{Error, Result};
use crate::format::Range;
use crate::leaning::Leaning;
use crate::map::StoredMap;
use crate::open::{File, Opened, open_nested};
use crate::options::Options;
use crate::plan::PackPlan;
use crate::relating::OldFile;
use crate::source::Source;
use crate::spool::Spool;
use crate::storage::{Region, Scratch};
use crate::summary::Summary;

/// What was read of bases.
pub(crate) struct Old {
    pub(crate) files: BTreeMap<Place, OldFile>,
    /// For each blob what is between files of its nearest base, with its name in the leaning and the number of its
    /// ranges.
    pub(crate) structures: Vec<Option<(usize, u64, Region)>>,
}

/// Where things are read from and put.
pub(crate) struct Reading<'a> {
    pub(crate) source: &'a dyn Source,
    pub(crate) plan: &'a PackPlan,
    pub(crate) spool: &'a Spool,
    pub(crate) scratch: &'a Arc<dyn Scratch>,
    pub(crate) options: &'a Options,
}

impl Reading<'_> {
    /// Reads all candidates, and the structure that is near that of the blobs.
    pub(crate) fn read(
        &self,
        opened: &Opened,
        candidates: &[Vec<Candidate>],
        leaning: &mut Leaning,
    ) -> Result<Old> {
        let bases = &self.plan.bases;
        let places: BTreeSet<Place> = candidates.iter().flatten().filter_map(old_place).collect();
        let mut requests: Vec<(usize, Vec<Range>)> = Vec::new();
        let mut wanted = Vec::new();
        for place in places {
            let entry = &bases[place.base].summary().entries[place.entry];
            let Some(file) = &entry.file else { continue };
            let range = Range {
                offset: entry.file_offset(),
                len: file.len,
            };
            requests.push((place.base, vec![range]));
            wanted.push(place);
        }
        let structures = near_structures(self.plan, opened);
        requests.extend(structures.iter().flatten().cloned());
        let source = self.source;
        let mut regions = fetch_parts(source, bases, &requests, self.spool, self.options)?;
        let between = regions.split_off(wanted.len());
        let files = self.open(wanted, regions, leaning)?;
        let mut between = between.into_iter();
        let structures = structures.into_iter().map(|near| {
            let (base, ranges) = near?;
            let count = ranges.len() as u64;
            let name = leaning.add(base, ranges, None, None);
            Some((name, count, between.next()?))
        });
        Ok(Old {
            files,
            structures: structures.collect(),
        })
    }

    /// Opens the streams inside of files.
    fn open(
        &self,
        places: Vec<Place>,
        regions: Vec<Region>,
        leaning: &mut Leaning,
    ) -> Result<BTreeMap<Place, OldFile>> {
        let opened: Vec<_> = regions
            .into_par_iter()
            .with_max_len(1)
            .map(|bytes| {
                self.options.cancel.check()?;
                let file = File {
                    name: String::new(),
                    bytes,
                    blob: 0,
                };
                let (content, _) = open_nested(file, self.spool, self.scratch, self.options)?;
                Ok(content)
            })
            .collect::<Result<_>>()?;
        let mut files = BTreeMap::new();
        for (place, content) in places.into_iter().zip(opened) {
            let entry = &self.plan.bases[place.base].summary().entries[place.entry];
            let range = Range {
                offset: entry.file_offset(),
                len: entry.end() - entry.file_offset(),
            };
            let map = content.map.as_ref().map(StoredMap::parse).transpose();
            let map = map.map_err(|error| Error::Scratch(error.into()))?;
            let outline = map.map(|map| Arc::new(map.outline()));
            let name = leaning.add(place.base, vec![range], outline, None);
            files.insert(place, OldFile { name, content });
        }
        Ok(files)
    }
}

fn old_place(candidate: &Candidate) -> Option<Place> {
    match candidate {
        Candidate::Old(place) => Some(*place),
        Candidate::Own(_) | Candidate::Source(_) => None,
    }
}

/// Shorter structure costs less than what leaning would; longer one does not fit in memory.
const STRUCTURE: std::ops::Range<u64> = 1 << 10..64 << 20;

/// For each blob the nearest base with bytes, and a range of it for each piece of the blob's own structure: what is
/// before the file with the same path, or, if there is none, what the piece before has.
fn near_structures(plan: &PackPlan, opened: &Opened) -> Vec<Option<(usize, Vec<Range>)>> {
    let mut paths: HashMap<usize, HashMap<u64, usize>> = HashMap::new();
    let mut near = Vec::with_capacity(opened.layers.len());
    let ranks = opened.nearness.ranks.iter();
    for ((surveyed, layer), rank) in plan.blobs().iter().zip(&opened.layers).zip(ranks) {
        let own: u64 = layer.structure.iter().map(Region::len).sum();
        let base = rank.iter().find(|&&base| plan.bases[base].has_bytes());
        let Some(&base) = base.filter(|_| STRUCTURE.contains(&own)) else {
            near.push(None);
            continue;
        };
        let old = plan.bases[base].summary();
        let paths = paths.entry(base).or_insert_with(|| by_path(old));
        let pieces = layer.structure.iter().zip(&layer.structure_entries);
        let mut last = 0;
        let ranges = pieces.map(|(piece, &entry)| {
            let partner = match &surveyed.summary.entries[entry].file {
                Some(file) => paths.get(&file.path).copied(),
                None => old.entries.len().checked_sub(1),
            };
            // A header is at the end of what is before its file.
            let end = partner.map_or(last, |entry| old.entries[entry].file_offset());
            last = end;
            aligned(end, piece.len(), old.opened())
        });
        let ranges: Vec<Range> = ranges.collect();
        near.push(Some((base, ranges)));
    }
    near
}

/// The range of so many bytes that ends there, as far as the content reaches: so long as its counterpart, whatever that
/// costs in bytes of files, so that all counterparts have the same distance.
fn aligned(end: u64, len: u64, content: u64) -> Range {
    let offset = end.saturating_sub(len);
    Range {
        offset,
        len: len.min(content - offset),
    }
}

fn by_path(summary: &Summary) -> HashMap<u64, usize> {
    let mut paths = HashMap::new();
    for (number, entry) in summary.entries.iter().enumerate() {
        if let Some(file) = entry.file.as_ref().filter(|file| file.path != 0) {
            paths.entry(file.path).or_insert(number);
        }
    }
    paths
}
