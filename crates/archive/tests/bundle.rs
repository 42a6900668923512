//! What a bundle promises, on a small one.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use sealift_archive::{
    BlobEntry, BlobState, Bundle, Contents, FileTarget, ImageEntry, ImageSource, Layout,
    MemoryStore, OutputFile, PlainDescriptor, PlainWriter, WriteError,
};
use sealift_oci::{Algorithm, Descriptor, Digest, media_type};
use sealift_pipeline::{Budget, Cancel, run_parallel};
use support::{Content, faults, reading, verified};

/// Two images that share a base; one layer has a SHA-512 digest, one is empty.
fn content() -> Content {
    let base = b"base layer ".repeat(100);
    let mut content = Content::empty();
    for name in ["a", "b"] {
        let config = format!("{{\"name\":\"{name}\"}}").into_bytes();
        let own = format!("own layer of {name}").repeat(60).into_bytes();
        let wide = format!("wide {name}").into_bytes();
        let layers = [
            Descriptor::of(media_type::OCI_LAYER_GZIP, &base),
            Descriptor::of(media_type::OCI_LAYER_GZIP, &own),
            Descriptor::of(media_type::OCI_LAYER, b""),
            Descriptor::new(
                media_type::OCI_LAYER,
                Digest::of(Algorithm::Sha512, &wide),
                wide.len() as u64,
            ),
        ];
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST,
            "config": Descriptor::of(media_type::OCI_CONFIG, &config), "layers": layers,
        })
        .to_string()
        .into_bytes();
        let descriptor =
            PlainDescriptor::from(&Descriptor::of(media_type::OCI_MANIFEST, &manifest));
        content.record.images.push(ImageEntry {
            reference: format!("r.example/{name}:1").parse().unwrap(),
            descriptor: descriptor.clone(),
            source: ImageSource::Registry,
            original: None,
            platforms: Vec::new(),
            left_out: Vec::new(),
            new_digest: false,
        });
        content.record.manifests.push(descriptor);
        for (bytes, config) in [
            (config, true),
            (base.clone(), false),
            (own, false),
            (Vec::new(), false),
        ] {
            let digest = Digest::sha256(&bytes);
            content.record.blobs.push(BlobEntry {
                digest,
                size: bytes.len() as u64,
                config,
            });
            content.blobs.insert(digest, bytes);
        }
        let digest = Digest::of(Algorithm::Sha512, &wide);
        content.record.blobs.push(BlobEntry {
            digest,
            size: wide.len() as u64,
            config: false,
        });
        content.blobs.insert(digest, wide);
        content.blobs.insert(Digest::sha256(&manifest), manifest);
    }
    content
}

fn output(path: &Path) -> OutputFile {
    OutputFile {
        path: path.to_owned(),
        state_dir: None,
        replace: false,
    }
}

fn writer(path: &Path, content: &Content) -> PlainWriter {
    let target = FileTarget::begin(&output(path), Digest::sha256(b"request"), "plan").unwrap();
    let budget = Budget::new(2, 2);
    PlainWriter::open(Box::new(target), content.layout(), &budget, &Cancel::new()).unwrap()
}

impl Content {
    fn contents(&self) -> Contents {
        Contents::new(self.record.clone()).unwrap()
    }

    fn layout(&self) -> Layout {
        Layout::new(&self.contents()).unwrap()
    }
}

fn open(bytes: Vec<u8>) -> Result<Bundle, String> {
    Bundle::from_reader(Arc::new(bytes), "test.tar", &reading()).map_err(|error| error.to_string())
}

#[test]
fn a_bundle_opens_and_gives_back_what_was_put_in() {
    let content = content();
    let bundle = open(content.bytes()).unwrap();
    assert_eq!(
        bundle.identity(),
        content.record.clone().canonical().identity()
    );
    for (digest, bytes) in &content.blobs {
        let mut read = Vec::new();
        std::io::Read::read_to_end(&mut bundle.blob(digest).unwrap(), &mut read).unwrap();
        assert_eq!(&read, bytes);
    }
    assert!(faults(content.bytes()).is_empty());
}

#[test]
fn a_file_and_a_stream_get_the_same_bytes() {
    let content = content();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("b.tar");
    let writer = writer(&path, &content);
    for (digest, bytes) in content.blobs.iter().rev() {
        writer.put(digest, bytes).unwrap();
    }
    let published = writer.publish().unwrap();
    let bytes = fs::read(&path).unwrap();
    assert!(bytes == content.bytes());
    assert_eq!(published.bytes, bytes.len() as u64);
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "only the bundle is left"
    );
}

#[test]
fn an_interrupted_writer_keeps_what_is_complete() {
    let content = content();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("b.tar");
    let first = writer(&path, &content);
    let done: Vec<Digest> = content.blobs.keys().take(4).copied().collect();
    for digest in &done {
        first.put(digest, &content.blobs[digest]).unwrap();
    }
    drop(first);
    assert!(open(fs::read(folder.path().join("b.tar.partial")).unwrap()).is_err());
    let second = writer(&path, &content);
    for (digest, bytes) in &content.blobs {
        let expected = if done.contains(digest) {
            BlobState::Complete
        } else {
            BlobState::Missing
        };
        assert_eq!(second.state(digest), expected);
        second.put(digest, bytes).unwrap();
    }
    second.publish().unwrap();
    assert!(fs::read(&path).unwrap() == content.bytes());
}

#[test]
fn a_blob_that_was_damaged_in_the_partial_file_is_asked_for_again() {
    let content = content();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("b.tar");
    let first = writer(&path, &content);
    for (digest, bytes) in &content.blobs {
        first.put(digest, bytes).unwrap();
    }
    let victim = content
        .blobs
        .iter()
        .find(|(_, bytes)| bytes.len() > 500)
        .unwrap()
        .0;
    let offset = usize::try_from(first.layout().extent(victim).unwrap().offset).unwrap();
    drop(first);
    let partial = folder.path().join("b.tar.partial");
    let mut bytes = fs::read(&partial).unwrap();
    bytes[offset] ^= 1;
    fs::write(&partial, bytes).unwrap();
    let second = writer(&path, &content);
    assert_eq!(second.state(victim), BlobState::Missing);
    assert!(matches!(
        second.publish(),
        Err(WriteError::Incomplete { missing: 1, .. })
    ));
}

#[test]
fn other_bytes_than_promised_are_refused_while_writing() {
    let content = content();
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(&folder.path().join("b.tar"), &content);
    let (digest, bytes) = content
        .blobs
        .iter()
        .find(|(_, bytes)| bytes.len() > 500)
        .unwrap();
    let mut wrong = bytes.clone();
    wrong[7] ^= 1;
    assert!(matches!(
        writer.put(digest, &wrong),
        Err(WriteError::Mismatch(_))
    ));
    assert!(matches!(
        writer.put(digest, &bytes[1..]),
        Err(WriteError::Mismatch(_))
    ));
    assert!(
        writer
            .put(digest, &[bytes.as_slice(), b"x"].concat())
            .is_err()
    );
    writer.put(digest, bytes).unwrap();
}

#[test]
fn every_flipped_bit_is_found() {
    let bytes = content().bytes();
    let offsets: Vec<usize> = (0..bytes.len()).collect();
    let results = run_parallel(4, &offsets, &Cancel::new(), |offset| {
        let mut damaged = bytes.clone();
        let missed = (0..8).find(|bit| {
            damaged[*offset] = bytes[*offset] ^ (1 << bit);
            faults(damaged.clone()).is_empty()
        });
        missed.map_or(Ok(()), Err)
    });
    for (offset, result) in results.into_iter().enumerate() {
        assert_eq!(result, Ok(()), "byte {offset}");
    }
}

#[test]
fn every_truncation_and_every_continuation_is_found() {
    let bytes = content().bytes();
    for length in (0..bytes.len()).step_by(256) {
        assert!(open(bytes[..length].to_vec()).is_err(), "{length} bytes");
    }
    assert!(open([bytes.as_slice(), &[0]].concat()).is_err());
    assert!(open([bytes.as_slice(), &[0; 512]].concat()).is_err());
    assert!(open([bytes.as_slice(), &bytes].concat()).is_err());
}

#[test]
fn a_damaged_blob_is_reported_with_its_place_and_the_images_that_need_it() {
    let content = content();
    let mut bytes = content.bytes();
    let base = Digest::sha256(&b"base layer ".repeat(100));
    let extent = content.layout().extent(&base).unwrap();
    bytes[usize::try_from(extent.offset).unwrap() + 5] ^= 1;
    let report = verified(&open(bytes).unwrap(), true);
    assert_eq!(report.problems.len(), 1);
    assert_eq!(
        (report.problems[0].entry.clone(), report.problems[0].offset),
        (base.blob_path(), extent.offset)
    );
    assert_eq!(
        report.problems[0].needed_by.names,
        ["r.example/a:1", "r.example/b:1"]
    );
}

#[test]
fn one_name_for_two_images_is_refused() {
    let mut record = content().record;
    record.images[1].reference = record.images[0].reference.clone();
    let error = Contents::new(record).unwrap_err();
    assert!(matches!(
        error,
        sealift_archive::RuleError::TwoDigests { .. }
    ));
}

#[test]
fn other_tars_are_no_bundles() {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(2);
    header.set_mode(0o644);
    builder
        .append_data(&mut header, "index.json", &b"{}"[..])
        .unwrap();
    let error = open(builder.into_inner().unwrap()).err().unwrap();
    assert!(error.contains("index.json at byte 0"), "{error}");
    assert!(open(b"PK\x03\x04 not a tar".repeat(100)).is_err());
    assert!(open(Vec::new()).is_err());
    assert!(open(vec![0; 1024]).is_err());
}

#[test]
fn an_inspection_tells_own_and_shared_bytes() {
    let content = content();
    let bundle = Bundle::from_reader(Arc::new(content.bytes()), "bundle", &reading()).unwrap();
    let inspection = sealift_archive::inspect(&bundle);
    assert_eq!(
        inspection.identity,
        content.record.clone().canonical().identity()
    );
    let shared = b"base layer ".len() as u64 * 100;
    assert_eq!(inspection.shared_bytes, shared);
    for image in &inspection.images {
        assert_eq!(image.bytes - image.own_bytes, shared, "{}", image.reference);
        assert_eq!(image.platforms[0].layers, 4);
        assert_eq!(image.platforms[0].bytes, image.bytes);
    }
}

#[test]
fn a_bundle_in_memory_is_checked_as_one_in_a_file_is() {
    let content = content();
    let store: MemoryStore = content.blobs.clone().into_iter().collect();
    let bundle = Bundle::from_store(content.contents(), Arc::new(store.clone()), "memory").unwrap();
    let report = verified(&bundle, true);
    assert_eq!(
        (report.blobs, report.problems.len()),
        (bundle.blob_count(), 0)
    );
    let manifest = content.record.manifests[0].digest;
    let mut damaged = store.clone();
    damaged.insert(manifest, *b"{}");
    assert!(Bundle::from_store(content.contents(), Arc::new(damaged), "memory").is_err());
    let layer = Digest::sha256(&b"base layer ".repeat(100));
    let mut damaged = store;
    damaged.insert(layer, "x".repeat(1100).into_bytes());
    let bundle = Bundle::from_store(content.contents(), Arc::new(damaged), "memory").unwrap();
    let report = verified(&bundle, true);
    assert_eq!(report.problems[0].needed_by.names.len(), 2);
}
