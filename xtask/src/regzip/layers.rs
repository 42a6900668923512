//! Layers by the tools that write the world's images, out of a root file system from the corpus.

use std::error::Error;
use std::fs::{self, File};
use std::path::Path;

use sealift_testkit::layers::{Layer, LayerMaker, files_below};

use super::corpus::{Content, Corpus, LARGE};
use super::encoders::Setting;
use super::measure::{compress, gain};
use super::programs::Programs;
use super::trial::{Outcome, Row, prove};

/// Largest root file system.
const LONGEST: u64 = 40 << 20;
const LONGEST_QUICK: u64 = 6 << 20;

/// One row for each tool's command.
pub(crate) fn rows(programs: &Programs, corpus: &Corpus) -> Result<Vec<Row>, Box<dyn Error>> {
    let rootfs = tempfile::tempdir()?;
    fill(rootfs.path(), corpus)?;
    let Some(maker) = LayerMaker::new(rootfs.path()) else {
        return Ok(Vec::new());
    };
    let mut layers = maker.all();
    if let Some([old, new]) = &programs.layers {
        let archive = Content {
            name: "archive".to_owned(),
            bytes: Vec::new(),
            path: maker.archive(),
        };
        for (program, made_by, arguments) in [
            (old, "a builder in Go, level 6", ["builder", "6"]),
            (new, "a builder in Go 1.27, level 6", ["builder", "6"]),
            (new, "a builder in Go 1.27, level 1", ["builder", "1"]),
            (old, "eStargz, level 9", ["estargz", "9"]),
        ] {
            let setting = Setting {
                program: program.clone(),
                arguments: arguments.map(str::to_owned).to_vec(),
                wrapper: None,
            };
            let bytes = compress(&setting, &archive)?;
            layers.push(Layer { made_by, bytes });
        }
    }
    layers.iter().map(|layer| row(layer, corpus.runs)).collect()
}

fn row(layer: &Layer, runs: usize) -> Result<Row, Box<dyn Error>> {
    let mut row = Row {
        name: format!("layer by {}", layer.made_by),
        ..Row::default()
    };
    let outcome = prove(&layer.bytes, None, None)?;
    let mut plain = Vec::new();
    if let Outcome::Rebuilt(recipe) = &outcome {
        regzip::open(recipe, layer.bytes.as_slice(), &mut plain)?;
        row.two_threads = Some(gain(recipe, &plain, runs)?);
    }
    row.add("the layer", plain.len(), plain.len() >= LARGE, outcome);
    Ok(row)
}

/// Some of the corpus's files, by name, until it is enough.
fn fill(rootfs: &Path, corpus: &Corpus) -> Result<(), Box<dyn Error>> {
    let mut left = if corpus.quick { LONGEST_QUICK } else { LONGEST };
    for folder in ["bin", "src/compress", "src/image", "src/net", "src"] {
        let from = corpus.root.join(folder);
        if from.is_dir() {
            copy(&from, corpus, rootfs, &mut left)?;
        }
    }
    if !corpus.root.join("src").is_dir() {
        copy(&corpus.root, corpus, rootfs, &mut left)?;
    }
    Ok(())
}

fn copy(from: &Path, corpus: &Corpus, rootfs: &Path, left: &mut u64) -> Result<(), Box<dyn Error>> {
    for path in files_below(from)? {
        let len = File::open(&path)?.metadata()?.len();
        let target = rootfs.join(path.strip_prefix(&corpus.root)?);
        if len > *left || target.exists() {
            continue;
        }
        *left -= len;
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::copy(&path, target)?;
    }
    Ok(())
}
