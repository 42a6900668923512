//! Releases that follow each other, and deltas of one on another.
#![allow(dead_code, clippy::unwrap_used, missing_docs)]

use std::sync::Arc;

use sealift_archive::{BaseFile, Bases, Bundle, CompactReport, OpenError, Reading};
use sealift_oci::Digest;
use sealift_pipeline::Cancel;

use super::packing::{Folder, gzip, tar, text};
use super::{Content, image_entry, reading};

/// A release of two images: a layer that never changes, one that every release changes a little, and small ones.
pub(crate) fn release(version: u64) -> Content {
    let mut content = Content::empty();
    let stays = gzip(&tar(&[("lib/stays", &text(1, 6_000))]));
    let mut program = text(2, 8_000);
    for at in (0..program.len()).step_by(7_000) {
        program[at] = program[at].wrapping_add(u8::try_from(version).unwrap());
    }
    let changes = gzip(&tar(&[
        ("bin/program", &program),
        ("share/data", &text(3, 2_000)),
    ]));
    let note = format!("note of release {version}");
    for (name, layers) in [
        ("first", vec![stays.as_slice(), &changes]),
        ("second", vec![stays.as_slice(), note.as_bytes()]),
    ] {
        let config = format!("{{\"release\":{version},\"name\":\"{name}\"}}");
        let descriptor = content.image(config.as_bytes(), &layers, None);
        let name = format!("r.example/{name}:{version}");
        content.record.images.push(image_entry(&name, descriptor));
    }
    content
}

/// The digest of the layer that never changes.
pub(crate) fn stays() -> Digest {
    let (first, second) = (release(1), release(2));
    let shared = first.blobs.iter();
    let shared = shared.filter(|(digest, _)| second.blobs.contains_key(digest));
    *shared.max_by_key(|(_, bytes)| bytes.len()).unwrap().0
}

pub(crate) fn opened(bytes: Vec<u8>, reading: &Reading) -> Result<Bundle, OpenError> {
    Bundle::from_reader(Arc::new(bytes), "delta.tar", reading)
}

pub(crate) fn based(bundles: Vec<Bundle>) -> Reading {
    Reading {
        bases: Bases::of_bundles(bundles).unwrap(),
        ..reading()
    }
}

pub(crate) fn base_file(bundle: Bundle) -> BaseFile {
    BaseFile::Bundle(Arc::new(bundle))
}

pub(crate) fn delta(bundle: &Bundle, base: Bundle) -> (Vec<u8>, CompactReport) {
    let folder = Folder::new();
    let bases = [base_file(base)];
    folder
        .delta(bundle, &bases, &folder.options(), &Cancel::new(), 2)
        .unwrap()
}

/// The delta of release `to` on the plain bundle of release `from`.
pub(crate) fn delta_of(from: u64, to: u64) -> Vec<u8> {
    delta(&release(to).bundle(), release(from).bundle()).0
}
