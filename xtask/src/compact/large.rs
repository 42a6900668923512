//! A set that fills a pack: files of this machine in several copies that differ here and there.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use regzip::{Encoder, Strategy, Zlib};

use super::gzip::GzipFile;
use super::sets::{Layer, Set, Workshop};
use crate::trial::random::Random;

/// Where the files are.
const ROOT: &str = "/usr";
/// How often each file is in the set.
const COPIES: u64 = 4;
/// Bytes of files in a layer, about.
const LAYER: u64 = 500_000_000;
/// One of so many files is equal in all copies.
const EQUAL: u64 = 4;
/// Bytes from one edit to the next, about.
const EDIT: u64 = 1 << 16;

/// Writing the layers must not take most of the time.
const QUICK: Encoder = Encoder::Zlib(Zlib {
    level: 1,
    window_bits: 15,
    mem_level: 8,
    strategy: Strategy::Default,
});

impl Workshop {
    /// Layers with so many bytes of files in all.
    pub(crate) fn large(&self, bytes: u64) -> Result<Set, Box<dyn Error>> {
        let folder = self.folder.join("large");
        fs::create_dir_all(&folder)?;
        let parts = parts(chosen(bytes / COPIES)?);
        let mut layers = Vec::new();
        for copy in 0..COPIES {
            for (number, part) in parts.iter().enumerate() {
                let gzip = folder.join(format!("{bytes}-{copy}-{number}.tar.gz"));
                if !gzip.exists() {
                    write_layer(&gzip, part, copy)?;
                }
                layers.push(Layer {
                    tar: PathBuf::new(),
                    gzip,
                });
            }
        }
        Ok(Set {
            name: "large",
            layers,
        })
    }
}

/// Files of so many bytes in all, small and large ones, in an order that depends on their paths only.
fn chosen(bytes: u64) -> Result<Vec<(PathBuf, u64)>, Box<dyn Error>> {
    let mut found = Vec::new();
    find(Path::new(ROOT), &mut found);
    found.sort_by_cached_key(|(path, _)| random(path, 0).next());
    let mut left = bytes;
    found.retain(|&(_, size)| {
        let fits = size <= left;
        left -= if fits { size } else { 0 };
        fits
    });
    match left {
        0..LAYER => Ok(found),
        _ => Err(format!("{ROOT} does not have files of {bytes} bytes").into()),
    }
}

/// The files below a folder that can be read, links left out.
fn find(folder: &Path, found: &mut Vec<(PathBuf, u64)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => find(&entry.path(), found),
            Ok(metadata) if metadata.is_file() && metadata.len() > 0 => {
                found.push((entry.path(), metadata.len()));
            }
            _ => {}
        }
    }
}

/// The files of each layer.
fn parts(files: Vec<(PathBuf, u64)>) -> Vec<Vec<PathBuf>> {
    let mut parts = vec![Vec::new()];
    let mut filled = 0;
    for (path, size) in files {
        if filled > LAYER {
            parts.push(Vec::new());
            filled = 0;
        }
        filled += size;
        if let Some(part) = parts.last_mut() {
            part.push(path);
        }
    }
    parts
}

fn write_layer(to: &Path, files: &[PathBuf], copy: u64) -> Result<(), Box<dyn Error>> {
    let mut tar = tar::Builder::new(GzipFile::create(to, QUICK)?);
    for path in files {
        let bytes = edited(fs::read(path)?, random(path, copy), copy);
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(1_700_000_000);
        tar.append_data(&mut header, path.strip_prefix("/")?, &bytes[..])?;
    }
    tar.into_inner()?.finish()
}

/// Numbers that follow from the path and the copy.
fn random(path: &Path, copy: u64) -> Random {
    Random::new(copy, &path.to_string_lossy())
}

/// The bytes of a copy: some replaced, some inserted, at random positions. The first copy is the original.
fn edited(bytes: Vec<u8>, mut random: Random, copy: u64) -> Vec<u8> {
    if copy == 0 || (bytes.len() as u64).is_multiple_of(EQUAL) {
        return bytes;
    }
    let mut edited = Vec::with_capacity(bytes.len() + bytes.len() / 1000 + 16);
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let step = usize::try_from(random.below(2 * EDIT)).unwrap_or(0);
        let (same, later) = rest.split_at(step.min(rest.len()));
        edited.extend_from_slice(same);
        let inserted = random.next().to_le_bytes();
        let dropped = usize::from(inserted[0] % 16).min(later.len());
        edited.extend_from_slice(&inserted);
        rest = &later[dropped..];
    }
    edited
}
