//! What packing a sample says of a bundle, compared with what packing the bundle gives.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use sealift_archive::{
    BaseFile, Bundle, CompactOptions, ConvertError, Sample, SampleEstimate, Work, estimate_packing,
    open_sampled,
};
use sealift_oci::Digest;
use sealift_pipeline::{Budget, Cancel, NoObserver, Observer};
use support::packing::{Folder, gzip, tar, text};
use support::{Content, Random, image_entry, reading};

const IMAGES: u64 = 10;

fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut random = Random(seed);
    let noise = (0..bytes).map(|_| u8::try_from(random.below(256)).unwrap());
    noise.collect()
}

/// Ten images of two layers: one of its own, and one that is like those of the others but for a few bytes.
/// `release` changes some bytes of both.
fn product(release: u64) -> Content {
    let mut content = Content::empty();
    let common = text(1, 1_800);
    for number in 0..IMAGES {
        let mut like = common.clone();
        for at in (0..like.len()).step_by(4_000) {
            like[at] = u8::try_from(33 + number).unwrap();
        }
        let mut own = text(100 + number, 1_200);
        own.extend(noise(200 + number, 3_000));
        own[usize::try_from(release * 1_000).unwrap()] = b'#';
        let release = format!("{release}");
        let layers = [
            gzip(&tar(&[
                ("lib/common", &like),
                ("etc/release", release.as_bytes()),
            ])),
            gzip(&tar(&[("bin/program", &own)])),
        ];
        let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
        let config = format!("{{\"architecture\":\"amd64\",\"config\":{{\"User\":\"{number}\"}}}}");
        let image = content.image(config.as_bytes(), &layers, None);
        let name = format!("r.example/product/image-{number}:{release}");
        content.record.images.push(image_entry(&name, image));
    }
    content
}

fn estimate(
    bundle: &Bundle,
    bases: &[BaseFile],
    limit: u64,
    options: &CompactOptions,
    cancel: &Cancel,
) -> Result<Option<SampleEstimate>, ConvertError> {
    let observer: Arc<dyn Observer> = Arc::new(NoObserver);
    let work = Work {
        budget: &Budget::new(1, 2),
        cancel,
        observer: &observer,
    };
    let sample = Sample::choose(bundle, bases, limit);
    estimate_packing(bundle, bases, &sample, options, &work)
}

/// The estimate from a sample of `limit` bytes, what the file and the blobs really take, and the bytes of all blobs.
fn both(bundle: &Bundle, bases: &[BaseFile], limit: u64) -> (SampleEstimate, u64, u64) {
    let folder = Folder::new();
    let options = folder.options();
    let estimate = estimate(bundle, bases, limit, &options, &Cancel::new());
    let estimate = estimate.unwrap().unwrap();
    assert_eq!(fs::read_dir(folder.0.path()).unwrap().count(), 0);
    let (bytes, report) = folder
        .delta(bundle, bases, &options, &Cancel::new(), 2)
        .unwrap();
    (estimate, bytes.len() as u64, report.stored_bytes)
}

fn base(content: &Content) -> BaseFile {
    BaseFile::Bundle(Arc::new(content.bundle()))
}

#[test]
fn everything_that_fits_in_the_sample_is_measured_exactly() {
    let bundle = product(1).bundle();
    let (estimate, file, stored) = both(&bundle, &[], u64::MAX);
    assert!(estimate.exact);
    assert_eq!(estimate.sampled_bytes, estimate.blob_bytes);
    for (range, expected) in [(estimate.file_bytes, file), (estimate.stored_bytes, stored)] {
        assert_eq!((range.least, range.most), (expected, expected));
    }
    let delta = product(2).bundle();
    let (estimate, file, stored) = both(&delta, &[base(&product(1))], u64::MAX / 4);
    assert!(estimate.exact);
    for (range, expected) in [(estimate.file_bytes, file), (estimate.stored_bytes, stored)] {
        assert_eq!((range.least, range.most), (expected, expected));
    }
}

#[test]
fn the_true_size_is_in_the_range_that_a_third_of_the_blobs_gives() {
    let bundle = product(1).bundle();
    let all: u64 = bundle.record().blobs.iter().map(|blob| blob.size).sum();
    let (estimate, file, stored) = both(&bundle, &[], all / 3);
    assert!(!estimate.exact);
    assert!(estimate.sampled_blobs > 3 && estimate.sampled_bytes <= all / 3);
    assert_eq!(estimate.blob_bytes, all);
    for (range, expected) in [(estimate.file_bytes, file), (estimate.stored_bytes, stored)] {
        assert!(
            (range.least..=range.most).contains(&expected),
            "{expected}: {range:?}"
        );
        assert!(range.most < 3 * range.least, "{range:?}");
    }
    assert!(estimate.file_bytes.most < bundle.total_bytes().max(all));
    assert!(estimate.seconds.least <= estimate.seconds.most);
    assert!(estimate.seconds.most > 0.0);
    assert!(estimate.scratch_bytes > all);
}

#[test]
fn a_delta_is_estimated_with_the_blobs_of_the_same_images_in_its_base() {
    let bundle = product(2).bundle();
    let all: u64 = bundle.record().blobs.iter().map(|blob| blob.size).sum();
    let (estimate, file, _) = both(&bundle, &[base(&product(1))], all / 8);
    assert!(!estimate.exact);
    // Without the base it would be ten times as much.
    assert!(estimate.stored_bytes.most < all / 10, "{estimate:?}");
    let range = estimate.file_bytes;
    assert!(
        (range.least / 2..=range.most * 2).contains(&file),
        "{file}: {range:?}"
    );
}

#[test]
fn a_sample_is_the_same_each_time_and_larger_blobs_are_not_in_it() {
    let bundle = product(1).bundle();
    let sample = Sample::choose(&bundle, &[], 30_000);
    assert_eq!(sample, Sample::choose(&bundle, &[], 30_000));
    assert!(sample.blobs() > 0 && sample.bytes() <= 30_000);
    assert!(!sample.is_complete());
    // Configs alone say nothing of layers.
    let configs = Sample::choose(&bundle, &[], 1_000);
    assert!(configs.blobs() > 0 && !configs.is_representative());
    let folder = Folder::new();
    let estimated = estimate(&bundle, &[], 1_000, &folder.options(), &Cancel::new());
    assert_eq!(estimated.unwrap(), None);
    let needed = configs.needed_bytes();
    let enough = Sample::choose_within(&bundle, &[], 1_000, needed);
    assert!(enough.is_representative() && enough.bytes() <= needed);
    assert_eq!(
        Sample::choose_within(&bundle, &[], 1_000, needed - 1),
        configs
    );
}

#[test]
fn a_sample_is_read_where_nothing_else_is_there() {
    let content = product(1);
    let bundle = content.bundle();
    let sample = Sample::choose(&bundle, &[], 50_000);
    let chosen: BTreeSet<Digest> = sample.digests();
    let mut part = content;
    part.record
        .blobs
        .retain(|blob| chosen.contains(&blob.digest));
    let opened = open_sampled(
        Arc::new(part.bytes()),
        bundle.contents(),
        |digest| chosen.contains(digest),
        "sample",
        &reading().resources,
    );
    let opened = opened.unwrap();
    assert_eq!(opened.identity(), bundle.identity());
    assert_eq!(Sample::choose(&opened, &[], 50_000), sample);
    let folder = Folder::new();
    let sizes = |bundle: &Bundle| {
        let estimated = estimate(bundle, &[], 50_000, &folder.options(), &Cancel::new());
        let estimated = estimated.unwrap().unwrap();
        (estimated.stored_bytes, estimated.file_bytes)
    };
    assert_eq!(sizes(&opened), sizes(&bundle));
}

#[test]
fn an_estimate_stops_when_it_is_told_to() {
    let folder = Folder::new();
    let cancel = Cancel::new();
    cancel.cancel();
    let error = estimate(
        &product(1).bundle(),
        &[],
        30_000,
        &folder.options(),
        &cancel,
    );
    assert!(
        matches!(error, Err(ConvertError::Cancelled(_))),
        "{error:?}"
    );
    assert_eq!(fs::read_dir(folder.0.path()).unwrap().count(), 0);
}
