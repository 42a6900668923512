//! From blobs to objects: gzip streams opened, tars cut into files, equal files found, and the streams
//! inside of files opened.

mod layer;
mod nested;

use std::collections::HashMap;
use std::sync::Arc;

use rayon::prelude::*;
use regzip::nested::Map;

use crate::class::Class;
use crate::error::{Error, Result};
use crate::options::Options;
use crate::plan::PackPlan;
use crate::report::{KeptStream, Step};
use crate::sketch::Sketch;
use crate::source::Source;
use crate::spool::Spool;
use crate::storage::{Region, Scratch};

use layer::{Layer, open_layer};
use nested::open_nested;

/// Everything that goes into a pack, opened, on scratch space.
pub(crate) struct Opened {
    /// The different contents, in the order in which they were met.
    pub(crate) contents: Vec<Content>,
    /// The blobs of the plan, in its order.
    pub(crate) layers: Vec<OpenedLayer>,
    /// Streams that stay compressed.
    pub(crate) kept: Vec<KeptStream>,
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
    pub(crate) map: Option<Arc<Map>>,
    /// What it is like; empty for short ones.
    pub(crate) sketch: Sketch,
}

/// A blob as structure and contents.
pub(crate) struct OpenedLayer {
    /// The bytes between files, in order.
    pub(crate) structure: Vec<Region>,
    /// How many bytes of structure come before which content.
    pub(crate) pieces: Vec<(u64, Option<usize>)>,
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
    let (files, layers) = distinct(layers);
    let opened: Vec<(Content, Vec<KeptStream>)> = files
        .into_par_iter()
        .with_max_len(1)
        .map(|file| {
            options.cancel.check()?;
            open_nested(file, &spool, scratch, options)
        })
        .collect::<Result<_>>()?;
    let (contents, kept): (Vec<_>, Vec<_>) = opened.into_iter().unzip();
    Ok(Opened {
        contents,
        layers,
        kept: kept.into_iter().flatten().collect(),
    })
}

/// A file as it is in a layer.
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) bytes: Region,
}

/// The different files, and the layers in terms of them.
fn distinct(layers: Vec<Layer>) -> (Vec<File>, Vec<OpenedLayer>) {
    let mut files = Vec::new();
    let mut known: HashMap<[u8; 32], usize> = HashMap::new();
    let layers = layers.into_iter().map(|layer| {
        let pieces = layer.pieces.into_iter().map(|piece| {
            let number = piece.file.map(|file| {
                *known.entry(file.digest).or_insert_with(|| {
                    files.push(File {
                        name: file.name,
                        bytes: file.bytes,
                    });
                    files.len() - 1
                })
            });
            (piece.structure, number)
        });
        OpenedLayer {
            pieces: pieces.collect(),
            structure: layer.structure,
        }
    });
    let layers = layers.collect();
    (files, layers)
}
