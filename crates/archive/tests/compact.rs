//! What a compact bundle promises: the same contents as the plain one, byte for byte, and nothing else.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use sealift_archive::{
    Bundle, CompactOptions, CompactReport, ConvertError, FileTarget, Location, MemoryStore,
    Profile, Store, Work, compact_plan, open_local, stream_plain, write_plain,
};
use sealift_oci::Digest;
use sealift_pipeline::{Budget, Cancel, NoObserver, Observer};
use support::packing::{Folder, gzip, tar, text};
use support::{Content, Random, image_entry, reading, rich, verified};

/// Two images whose layers share files, one incompressible layer, an empty one, and what `rich` has.
fn content() -> Content {
    let mut content = rich();
    let shared = text(1, 8_000);
    let mut random = Random(9);
    let noise: Vec<u8> = (0..40_000)
        .map(|_| u8::try_from(random.below(256)).unwrap())
        .collect();
    let mut changed = shared.clone();
    for at in (0..changed.len()).step_by(5_000) {
        changed[at] ^= 1;
    }
    let first = gzip(&tar(&[("bin/a", &shared), ("etc/a", b"a")]));
    let second = gzip(&tar(&[("bin/b", &changed), ("etc/a", b"a")]));
    for (name, layers) in [
        ("r.example/first:1", vec![first.as_slice(), &noise]),
        ("r.example/second:1", vec![second.as_slice(), b""]),
    ] {
        let descriptor = content.image(b"{\"architecture\":\"amd64\"}", &layers, None);
        content.record.images.push(image_entry(name, descriptor));
    }
    content
}

fn compact(bundle: &Bundle) -> (Vec<u8>, CompactReport) {
    let folder = Folder::new();
    folder
        .compact(bundle, &folder.options(), &Cancel::new(), 2)
        .unwrap()
}

fn open(bytes: Vec<u8>) -> Result<Bundle, String> {
    Bundle::from_reader(Arc::new(bytes), "compact.tar", &reading())
        .map_err(|error| error.to_string())
}

fn problems(bundle: &Bundle, deep: bool) -> usize {
    let report = verified(bundle, deep);
    assert_eq!(report.rebuilt, deep);
    report.problems.len()
}

fn read(bundle: &Bundle, digest: &Digest) -> Vec<u8> {
    let mut bytes = Vec::new();
    bundle
        .blob(digest)
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    bytes
}

#[test]
fn a_compact_bundle_is_smaller_and_gives_every_byte_back() {
    let content = content();
    let plain = content.bundle();
    let (bytes, report) = compact(&plain);
    assert!(bytes.len() < content.bytes().len());
    let bundle = open(bytes).unwrap();
    assert_eq!(bundle.identity(), plain.identity());
    assert_eq!(bundle.profile(), Profile::Compact);
    for (digest, expected) in &content.blobs {
        assert!(read(&bundle, digest) == *expected, "{digest}");
        let middle = expected.len() as u64 / 2;
        let mut rest = Vec::new();
        bundle
            .store()
            .open(digest, middle)
            .unwrap()
            .read_to_end(&mut rest)
            .unwrap();
        assert!(rest == expected[expected.len() / 2..], "{digest}");
    }
    assert_eq!((problems(&bundle, false), problems(&bundle, true)), (0, 0));
    // Noise is kept as it is, and the report says so.
    let kept: u64 = report.kept.iter().map(|blob| blob.size).sum();
    assert!((40_000..50_000).contains(&kept), "{:?}", report.kept);
}

#[test]
fn exporting_gives_the_plain_bundle_bit_for_bit() {
    let content = content();
    let expected = content.bytes();
    let bundle = open(compact(&content.bundle()).0).unwrap();
    let observer: Arc<dyn Observer> = Arc::new(NoObserver);
    let (budget, cancel) = (Budget::new(1, 2), Cancel::new());
    let work = Work {
        budget: &budget,
        cancel: &cancel,
        observer: &observer,
    };
    let mut streamed = Vec::new();
    stream_plain(&bundle, &mut streamed, &work).unwrap();
    assert!(streamed == expected);
    for in_order in [false, true] {
        let folder = Folder::new();
        let output = folder.output("plain.tar");
        let target = FileTarget::begin(&output, bundle.identity().0, "plain").unwrap();
        write_plain(&bundle, Box::new(target), in_order, &work).unwrap();
        assert!(fs::read(&output.path).unwrap() == expected);
    }
    // And packing what was exported gives the same compact bundle.
    let again = compact(&content.bundle()).0;
    assert!(again == compact(&open(again.clone()).unwrap()).0);
}

#[test]
fn the_bytes_do_not_depend_on_the_number_of_threads() {
    let plain = content().bundle();
    let folder = Folder::new();
    let build = |threads| {
        folder
            .compact(&plain, &folder.options(), &Cancel::new(), threads)
            .unwrap()
            .0
    };
    assert!(build(1) == build(3));
}

#[test]
fn packs_of_limited_size_are_read_one_after_the_other() {
    let content = content();
    let folder = Folder::new();
    let options = CompactOptions {
        pack_bytes: 250_000,
        ..folder.options()
    };
    let (bytes, report) = folder
        .compact(&content.bundle(), &options, &Cancel::new(), 2)
        .unwrap();
    assert!(report.packs > 1, "{report:?}");
    let bundle = open(bytes).unwrap();
    let digests: Vec<Digest> = content.blobs.keys().copied().collect();
    let groups = bundle.store().groups(digests.clone());
    assert!(groups.len() > 1);
    let mut grouped: Vec<Digest> = groups.into_iter().flatten().collect();
    grouped.sort_unstable();
    assert_eq!(grouped, digests);
    assert_eq!(problems(&bundle, true), 0);
}

#[test]
fn a_build_that_was_interrupted_keeps_the_packs_that_were_finished() {
    let content = content();
    let plain = content.bundle();
    let folder = Folder::new();
    let options = CompactOptions {
        pack_bytes: 250_000,
        ..folder.options()
    };
    let (expected, report) = folder.compact(&plain, &options, &Cancel::new(), 2).unwrap();
    // What a run leaves that ended behind its first pack, or within the second, or anywhere.
    let output = folder.output("compact.tar");
    for cut in (0..expected.len()).step_by(expected.len() / 5) {
        drop(
            FileTarget::begin(
                &output,
                plain.identity().0,
                &compact_plan(&plain, &[], &options),
            )
            .unwrap(),
        );
        let mut partial = expected[..cut].to_vec();
        let held = partial.len().min(512);
        partial[..held].fill(0);
        fs::write(output.partial(), &partial).unwrap();
        let (bytes, again) = folder.compact(&plain, &options, &Cancel::new(), 2).unwrap();
        assert!(bytes == expected, "cut at {cut}");
        assert_eq!(again, report);
        if let Some(at) = partial.len().checked_sub(700) {
            drop(
                FileTarget::begin(
                    &output,
                    plain.identity().0,
                    &compact_plan(&plain, &[], &options),
                )
                .unwrap(),
            );
            partial[at] ^= 1;
            fs::write(output.partial(), &partial).unwrap();
            let (bytes, _) = folder.compact(&plain, &options, &Cancel::new(), 2).unwrap();
            assert!(bytes == expected, "damaged at {at}");
        }
    }
    let cancel = Cancel::new();
    cancel.cancel();
    let stopped = folder.compact(&plain, &options, &cancel, 2);
    assert!(matches!(stopped, Err(ConvertError::Cancelled(_))));
}

#[test]
fn no_damage_is_taken_for_other_content() {
    let content = content();
    let (bytes, _) = compact(&content.bundle());
    let mut random = Random(5);
    for _ in 0..40 {
        let mut damaged = bytes.clone();
        let at = random.below(bytes.len());
        damaged[at] ^= 1 << random.below(8);
        if let Ok(bundle) = open(damaged) {
            assert!(problems(&bundle, false) > 0, "byte {at}");
            // What can be read nevertheless is right, and nothing panics.
            for (digest, expected) in &content.blobs {
                let mut read = Vec::new();
                if let Ok(mut reader) = bundle.blob(digest)
                    && reader.read_to_end(&mut read).is_ok()
                {
                    assert!(read == *expected, "byte {at}, {digest}");
                }
            }
        }
    }
    for length in (0..bytes.len()).step_by(4096) {
        assert!(open(bytes[..length].to_vec()).is_err(), "{length} bytes");
    }
    assert!(open([bytes.as_slice(), &[0; 512]].concat()).is_err());
}

#[test]
fn a_corrupt_blob_does_not_get_into_a_compact_bundle() {
    let mut content = content();
    let third = content.image(b"{}", &[], None);
    content
        .record
        .images
        .push(image_entry("r.example/third:1", third));
    let large = content.blobs.iter().find(|(_, bytes)| bytes.len() > 20_000);
    let large = *large.unwrap().0;
    // Every compact bundle has the bytes of the second one itself.
    for (digest, at) in [(large, 10_000), (Digest::sha256(b"{}"), 0)] {
        let good = content.record.clone();
        let mut blobs = content.blobs.clone();
        blobs.get_mut(&digest).unwrap()[at] ^= 1;
        let contents = sealift_archive::Contents::new(good).unwrap();
        let store: sealift_archive::MemoryStore = blobs.into_iter().collect();
        let plain = Bundle::from_store(contents, Arc::new(store), "plain.tar").unwrap();
        let folder = Folder::new();
        let failed = folder.compact(&plain, &folder.options(), &Cancel::new(), 2);
        let error = failed.err().unwrap();
        assert!(error.is_corrupt(), "{error}");
        assert!(error.to_string().contains(&digest.hex()), "{error}");
        assert!(!folder.output("compact.tar").path.exists());
    }
}

/// A store of which one blob turns out to be corrupt after it was opened, as an object of a pack does.
struct Corrupt {
    blobs: MemoryStore,
    digest: Digest,
}

impl Store for Corrupt {
    fn size(&self, digest: &Digest) -> Option<u64> {
        self.blobs.size(digest)
    }

    fn open(&self, digest: &Digest, from: u64) -> io::Result<Box<dyn Read + Send>> {
        if *digest != self.digest {
            return self.blobs.open(digest, from);
        }
        Ok(Box::new(Fails))
    }

    fn locate(&self, digest: &Digest) -> Location {
        Location {
            entry: digest.blob_path(),
            offset: 7680,
        }
    }
}

struct Fails;

impl Read for Fails {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        let why = "object 1 of the pack is corrupt";
        Err(io::Error::new(io::ErrorKind::InvalidData, why))
    }
}

#[test]
fn a_blob_that_cannot_be_rebuilt_is_the_fault_of_the_bundle_and_named_with_its_place() {
    let content = content();
    let digests = content.blobs.iter().filter(|(_, bytes)| bytes.len() > 200);
    let digest = digests.map(|(digest, _)| *digest).find(|digest| {
        let mut blobs = content.record.blobs.iter();
        blobs.any(|blob| blob.digest == *digest)
    });
    let digest = digest.unwrap();
    let store = Corrupt {
        blobs: content.blobs.clone().into_iter().collect(),
        digest,
    };
    let contents = sealift_archive::Contents::new(content.record.clone()).unwrap();
    let bundle = Bundle::from_store(contents, Arc::new(store), "rebuilt.tar").unwrap();
    let folder = Folder::new();
    let failed = folder.compact(&bundle, &folder.options(), &Cancel::new(), 2);
    let error = failed.err().unwrap();
    assert!(error.is_corrupt(), "{error}");
    let place = format!("rebuilt.tar: {} at byte 7680: object 1", digest.blob_path());
    assert!(error.to_string().contains(&place), "{error}");
}

#[test]
fn images_of_a_compact_bundle_can_be_bundled_again() {
    let content = content();
    let folder = Folder::new();
    let path = folder.0.path().join("from.tar");
    fs::write(&path, compact(&content.bundle()).0).unwrap();
    let images = open_local(Path::new(&path), &reading()).unwrap();
    let names: BTreeMap<String, Digest> = images
        .images()
        .iter()
        .map(|image| {
            let reference = image.reference(None, "from.tar").unwrap();
            (reference.to_string(), image.descriptor.digest)
        })
        .collect();
    let record = content.bundle().record().clone();
    assert_eq!(names.len(), record.images.len());
    for image in &record.images {
        assert_eq!(names[&image.reference.to_string()], image.descriptor.digest);
    }
    assert_eq!(images.record(), Some(&record));
}
