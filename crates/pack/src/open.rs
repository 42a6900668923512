//! From blobs to objects: gzip streams opened, tars cut into files, equal files found, and the streams
//! inside of files opened.

mod layer;
mod nested;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rayon::prelude::*;

use crate::bases::Nearness;
use crate::class::Class;
use crate::copies::{self, Copy, Cut, What};
use crate::error::{Error, Result};
use crate::map::StoredMap;
use crate::options::Options;
use crate::plan::PackPlan;
use crate::report::{KeptStream, LongestKept, Step};
use crate::sketch::Sketch;
use crate::source::Source;
use crate::spool::Spool;
use crate::storage::{Region, Scratch};

use layer::{Layer, open_layer};
pub(crate) use nested::open_nested;

/// Everything that goes into a pack, opened, on scratch space.
pub(crate) struct Opened {
    /// The different contents that are the pack's own, in the order in which they were met.
    pub(crate) contents: Vec<Content>,
    /// The different parts of bases that blobs contain, sorted, and where these bytes are in a blob.
    pub(crate) copies: Vec<(Copy, Region)>,
    /// The blobs of the plan, in its order.
    pub(crate) layers: Vec<OpenedLayer>,
    /// The longest streams that stay compressed.
    pub(crate) kept: Vec<KeptStream>,
    /// Which bases are near which blob.
    pub(crate) nearness: Nearness,
}

/// A file or blob, with the streams inside opened.
#[derive(Clone)]
pub(crate) struct Content {
    /// Its name where it was met first.
    pub(crate) name: String,
    /// What kind of content it is.
    pub(crate) class: Class,
    /// Its bytes as they are stored.
    pub(crate) bytes: Region,
    /// How to close the streams inside.
    pub(crate) map: Option<StoredMap>,
    /// What it is like; empty for short ones.
    pub(crate) sketch: Sketch,
    /// The blob where it was met first, by its position in the plan.
    pub(crate) blob: usize,
}

/// A blob as structure and contents.
pub(crate) struct OpenedLayer {
    /// The bytes between files that are the pack's own, in order.
    pub(crate) structure: Vec<Region>,
    /// The entry of the summary that each of these belongs to.
    pub(crate) structure_entries: Vec<usize>,
    /// How many bytes of structure come before what.
    pub(crate) pieces: Vec<(u64, Inside)>,
}

/// A part of a blob that is not structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inside {
    /// A content of the pack, by its number.
    Own(usize),
    /// A part of a base, by its number.
    Copied(usize),
    /// The end of the blob.
    End,
}

/// Opens the blobs of a plan.
pub(crate) fn open(
    source: &dyn Source,
    plan: &PackPlan,
    scratch: &Arc<dyn Scratch>,
    options: &Options,
) -> Result<Opened> {
    let spool = Spool::new(scratch.create().map_err(Error::Scratch)?);
    options.watcher.begin(Step::Open, plan.opened());
    let layers: Vec<Layer> = plan
        .blobs()
        .par_iter()
        .with_max_len(1)
        .map(|surveyed| {
            options.cancel.check()?;
            let layer = open_layer(source, surveyed, &spool)?;
            options.watcher.advance(Step::Open, surveyed.opened());
            Ok(layer)
        })
        .collect::<Result<_>>()?;
    let nearness = Nearness::of(plan.blobs(), &plan.bases);
    let cuts = copies::find(plan.blobs(), &plan.bases, &nearness);
    let (files, copies, layers) = distinct(plan, layers, &cuts);
    let longest = LongestKept::default();
    let contents = files
        .into_par_iter()
        .with_max_len(1)
        .map(|file| {
            options.cancel.check()?;
            let (content, kept) = open_nested(file, &spool, scratch, options)?;
            longest.add(kept);
            Ok(content)
        })
        .collect::<Result<_>>()?;
    Ok(Opened {
        contents,
        copies,
        layers,
        kept: longest.into_list(),
        nearness,
    })
}

/// A file as it is in a layer.
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) bytes: Region,
    pub(crate) blob: usize,
}

/// The different files and the different parts of bases, and the layers in terms of them.
fn distinct(
    plan: &PackPlan,
    layers: Vec<Layer>,
    cuts: &[Vec<Cut>],
) -> (Vec<File>, Vec<(Copy, Region)>, Vec<OpenedLayer>) {
    let copies = distinct_copies(&layers, cuts);
    let mut files = Vec::new();
    let mut known: HashMap<[u8; 32], usize> = HashMap::new();
    let mut opened = Vec::with_capacity(layers.len());
    for (blob, (layer, cuts)) in layers.into_iter().zip(cuts).enumerate() {
        let entries = &plan.blobs()[blob].summary.entries;
        let mut names = layer.names.into_iter();
        let mut passed = 0;
        let mut pieces = Vec::with_capacity(cuts.len());
        for cut in cuts {
            let inside = match cut.what {
                What::End => Inside::End,
                What::Copy(copy) => {
                    let number = copies.binary_search_by_key(&copy, |(copy, _)| *copy);
                    Inside::Copied(number.unwrap_or(0))
                }
                What::File(entry) => {
                    let name = names.nth(entry - passed).unwrap_or_default();
                    passed = entry + 1;
                    let file = entries[entry].file.as_ref();
                    let (digest, len) = file.map_or(([0; 32], 0), |file| (file.digest, file.len));
                    let number = known.entry(digest).or_insert_with(|| {
                        files.push(File {
                            name,
                            bytes: layer.content.part(cut.at, len),
                            blob,
                        });
                        files.len() - 1
                    });
                    Inside::Own(*number)
                }
            };
            pieces.push((cut.structure, inside));
        }
        let own = cuts.iter().filter(|cut| cut.structure > 0);
        let region = |cut: &Cut| layer.content.part(cut.at - cut.structure, cut.structure);
        opened.push(OpenedLayer {
            structure: own.clone().map(region).collect(),
            structure_entries: own.map(|cut| cut.entry).collect(),
            pieces,
        });
    }
    (files, copies, opened)
}

fn distinct_copies(layers: &[Layer], cuts: &[Vec<Cut>]) -> Vec<(Copy, Region)> {
    let mut copies: BTreeMap<Copy, Region> = BTreeMap::new();
    for (layer, cuts) in layers.iter().zip(cuts) {
        for cut in cuts {
            if let What::Copy(copy) = cut.what {
                let bytes = || layer.content.part(cut.at, copy.range.len);
                copies.entry(copy).or_insert_with(bytes);
            }
        }
    }
    copies.into_iter().collect()
}
