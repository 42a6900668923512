//! Reads layers of one or two bundles: each once, on the budget's threads, and kept until the last image that
//! needs it was looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use sealift_archive::{Bundle, CorruptBlob, Work, is_content_fault};
use sealift_inventory::limits::MAX_LAYERS;
use sealift_inventory::{FileTree, Inventory, LayerError, Scan, Scanner};
use sealift_oci::Digest;
use sealift_pipeline::{BUFFER_BYTES, Cancel, Event, JobError, Observer, Outcome, copy};
use serde::Serialize;

use crate::error::ReportError;
use crate::platforms::{Layer, PlatformImage};

/// A layer that was not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnreadLayer {
    /// The layer.
    pub digest: Digest,
    /// Why not.
    pub why: String,
}

/// What is in an image for one platform.
#[derive(Debug)]
pub struct Contents {
    /// What is installed.
    pub inventory: Inventory,
    /// Layers that are missing in it.
    pub unread: Vec<UnreadLayer>,
    pub(crate) tree: FileTree,
}

/// A layer's scan, or why it was not read.
type Scanned = Result<Scan, String>;

/// The layers of some bundles.
pub(crate) struct Layers<'a> {
    bundles: Vec<&'a Bundle>,
    scanner: Scanner,
    work: &'a Work<'a>,
    scans: BTreeMap<Digest, Scanned>,
    /// How many images will still need each layer.
    needed: BTreeMap<Digest, usize>,
}

impl<'a> Layers<'a> {
    /// Layers of `bundles` for these images, which are then given to [`Layers::contents`], each once. Layers of a delta
    /// bundle may be read from its bases, all layers of compact and delta bundles need scratch space.
    ///
    /// # Errors
    /// If blobs of bases are absent, or there is not enough scratch space.
    pub(crate) fn new<'i>(
        bundles: Vec<&'a Bundle>,
        images: impl Iterator<Item = &'i PlatformImage>,
        hash_files: bool,
        work: &'a Work<'a>,
    ) -> Result<Self, ReportError> {
        let mut needed: BTreeMap<Digest, usize> = BTreeMap::new();
        for layer in images.flat_map(present) {
            *needed.entry(layer).or_default() += 1;
        }
        let reads: Vec<(&Bundle, Vec<Digest>)> = (bundles.iter())
            .map(|bundle| (*bundle, read_from(&bundles, bundle, needed.keys())))
            .collect();
        Bundle::check_all_readable(&reads)?;
        let sizes = needed.keys().map(|digest| size(&bundles, digest));
        work.observer.event(&Event::Phase {
            name: "reading layers",
        });
        work.observer.event(&Event::Total {
            blobs: needed.len() as u64,
            bytes: sizes.sum(),
        });
        Ok(Self {
            bundles,
            scanner: Scanner::new(hash_files),
            work,
            scans: BTreeMap::new(),
            needed,
        })
    }

    /// What is in each of `images`.
    ///
    /// # Errors
    /// If a layer does not have its digest, or the work is stopped.
    pub(crate) fn contents(
        &mut self,
        images: &[&PlatformImage],
    ) -> Result<Vec<Contents>, ReportError> {
        let missing: BTreeSet<Digest> = images.iter().flat_map(|image| present(image)).collect();
        self.scan(
            missing
                .into_iter()
                .filter(|digest| !self.scans.contains_key(digest))
                .collect(),
        )?;
        let contents = images.iter().map(|image| self.apply(image)).collect();
        for digest in images.iter().flat_map(|image| present(image)) {
            let needed = self.needed.entry(digest).or_default();
            *needed = needed.saturating_sub(1);
            if *needed == 0 {
                self.scans.remove(&digest);
            }
        }
        Ok(contents)
    }

    fn scan(&mut self, wanted: Vec<Digest>) -> Result<(), ReportError> {
        // Grouped as the store reads best.
        for bundle in self.bundles.clone() {
            let mine = read_from(&self.bundles, bundle, wanted.iter());
            for group in bundle.store().groups(mine) {
                let work = self.work;
                let scanned = work.budget.compute(&group, work.cancel, |digest| {
                    scan_layer(bundle, digest, &self.scanner, work)
                });
                for (digest, result) in group.into_iter().zip(scanned) {
                    match result {
                        Ok(scan) => drop(self.scans.insert(digest, scan)),
                        Err(JobError::Cancelled(cancelled)) => return Err(cancelled.into()),
                        Err(JobError::Failed(error)) => return Err(error),
                    }
                }
            }
        }
        Ok(())
    }

    fn apply(&self, image: &PlatformImage) -> Contents {
        let (mut tree, mut unread) = (FileTree::default(), Vec::new());
        for (number, layer) in image.layers.iter().enumerate() {
            let why = match self.scans.get(&layer.digest) {
                _ if number >= MAX_LAYERS => Some(format!("only {MAX_LAYERS} layers are read")),
                Some(Ok(scan)) => tree.apply(scan).err().map(|error| error.to_string()),
                Some(Err(why)) => Some(why.clone()),
                None => Some("not in the bundle (it may not be redistributed)".to_owned()),
            };
            unread.extend(why.map(|why| UnreadLayer {
                digest: layer.digest,
                why,
            }));
        }
        Contents {
            inventory: Inventory::of(&tree),
            unread,
            tree,
        }
    }
}

fn present(image: &PlatformImage) -> impl Iterator<Item = Digest> {
    image
        .layers
        .iter()
        .filter(|layer| layer.present)
        .map(|Layer { digest, .. }| *digest)
}

/// Those of `wanted` that are read from `bundle`: what is in several bundles is read from the first from which it can
/// be.
fn read_from<'d>(
    bundles: &[&Bundle],
    bundle: &Bundle,
    wanted: impl Iterator<Item = &'d Digest>,
) -> Vec<Digest> {
    let source = |digest: &Digest| {
        let readable = bundles.iter().find(|one| one.store().is_readable(digest));
        let listing = || bundles.iter().find(|one| one.size(digest).is_some());
        readable.or_else(listing)
    };
    let mine = wanted.filter(|digest| source(digest).is_some_and(|one| std::ptr::eq(*one, bundle)));
    mine.copied().collect()
}

fn size(bundles: &[&Bundle], digest: &Digest) -> u64 {
    bundles
        .iter()
        .find_map(|bundle| bundle.size(digest))
        .unwrap_or(0)
}

fn scan_layer(
    bundle: &Bundle,
    digest: &Digest,
    scanner: &Scanner,
    work: &Work<'_>,
) -> Result<Scanned, ReportError> {
    let observer: &dyn Observer = &**work.observer;
    let size = bundle.size(digest).unwrap_or(0);
    observer.event(&Event::Started {
        digest,
        size,
        what: "",
    });
    let result = bundle
        .blob(digest)
        .map_err(|error| corrupt(bundle, digest, &error))
        .and_then(|reader| {
            let reader = Watched {
                inner: reader,
                digest,
                cancel: work.cancel,
                observer,
            };
            match scanner.layer(reader) {
                Ok(scan) => Ok(Ok(scan)),
                Err(error) => {
                    work.cancel.check()?;
                    check(bundle, digest, work.cancel)?;
                    Ok(Err(words(&error)))
                }
            }
        });
    let outcome = if result.is_ok() {
        Outcome::Verified
    } else {
        Outcome::not_done(&[work.cancel])
    };
    observer.event(&Event::Finished { digest, outcome });
    result
}

/// An error that a layer's own content causes is noted; if its bytes are not what its digest says, all is over.
fn check(bundle: &Bundle, digest: &Digest, cancel: &Cancel) -> Result<(), ReportError> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut reader = bundle
        .blob(digest)
        .map_err(|error| corrupt(bundle, digest, &error))?;
    match copy(&mut reader, &mut io::sink(), &mut buffer, cancel, |_| {}) {
        Ok(_) => Ok(()),
        Err(sealift_pipeline::CopyError::Cancelled(cancelled)) => Err(cancelled.into()),
        Err(
            sealift_pipeline::CopyError::Read(error) | sealift_pipeline::CopyError::Write(error),
        ) => {
            cancel.check()?;
            Err(corrupt(bundle, digest, &error))
        }
    }
}

/// The error of a bundle in which a blob is not what its digest says, or cannot be read.
pub(crate) fn corrupt(bundle: &Bundle, digest: &Digest, error: &io::Error) -> ReportError {
    if !is_content_fault(error) {
        return ReportError::Io {
            name: bundle.name().to_owned(),
            source: io::Error::new(error.kind(), error.to_string()),
        };
    }
    ReportError::Corrupt {
        bundle: bundle.name().to_owned(),
        blob: Box::new(CorruptBlob::new(bundle, digest, error)),
    }
}

fn words(error: &LayerError) -> String {
    error.to_string()
}

/// A layer whose reading is shown and can be stopped.
struct Watched<'a, R> {
    inner: R,
    digest: &'a Digest,
    cancel: &'a Cancel,
    observer: &'a dyn Observer,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.cancel.check().map_err(io::Error::other)?;
        let read = self.inner.read(buffer)?;
        self.observer.event(&Event::Advanced {
            digest: self.digest,
            bytes: read as u64,
        });
        Ok(read)
    }
}
