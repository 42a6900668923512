//! A delta: what its bases have is taken from the registry into which they were loaded.

use std::fs;
use std::sync::Arc;

use sealift_archive::{
    BaseFile, Bases, Bundle, CompactOptions, Effort, FileTarget, OutputFile, Reading, Resources,
    Work, compact_plan, write_delta,
};
use sealift_load::{BaseError, BlobAction, LoadError};
use sealift_oci::Digest;
use sealift_pipeline::{Budget, Cancel, NoObserver, Observer};
use sealift_testkit::{Fault, Image, ImageMaker, Layer, Mounts, Registry, Route, When};

use crate::support::{
    Maker, assert_no_writes, assert_nothing_visible, load, planned, request, run,
};

/// An image of a release: a layer of all releases, and one of its own, a part of which every release has.
fn image(version: &str) -> Image {
    ImageMaker::new(version)
        .single()
        .layer(Layer::gzip("stays", 60_000))
        .layer(Layer::gzip(version, 20_000).file("stays too", 40_000))
        .make()
}

fn release(version: &str) -> Maker {
    Maker::new().image(&format!("r.example/app:{version}"), &image(version))
}

fn reading() -> Reading {
    Resources {
        budget: Budget::new(1, 2),
        scratch: std::env::temp_dir(),
        cancel: Cancel::new(),
    }
    .into()
}

/// The bytes of `new` as a delta on `old`.
fn delta_bytes(new: &Bundle, old: Bundle) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let output = OutputFile {
        path: folder.path().join("delta.tar"),
        state_dir: None,
        replace: false,
    };
    let options = CompactOptions {
        effort: Effort::Fast,
        pack_bytes: 8 << 30,
        scratch: folder.path().to_owned(),
    };
    let bases = [BaseFile::Bundle(Arc::new(old))];
    let plan = compact_plan(new, &bases, &options);
    let target = FileTarget::begin(&output, new.identity().0, &plan).unwrap();
    let observer: Arc<dyn Observer> = Arc::new(NoObserver);
    let work = Work {
        budget: &Budget::new(1, 2),
        cancel: &Cancel::new(),
        observer: &observer,
    };
    write_delta(new, &bases, Box::new(target), &options, &work).unwrap();
    fs::read(&output.path).unwrap()
}

/// Release 2 as a delta on release 1.
fn delta() -> Bundle {
    let bytes = delta_bytes(&release("2").bundle(), release("1").bundle());
    Bundle::from_reader(Arc::new(bytes), "delta.tar", &reading()).unwrap()
}

/// A registry into which release 1 was loaded.
fn loaded() -> Registry {
    let registry = Registry::start();
    load(&release("1").bundle(), &registry).unwrap();
    registry.clear_traffic();
    registry
}

/// The layer that all releases have, and the blob of release 1 that the other layer of release 2 needs.
fn needed(delta: &Bundle) -> (Digest, Digest) {
    let delta = delta.delta().unwrap();
    let stays = *delta
        .left_out()
        .iter()
        .max_by_key(|(_, size)| **size)
        .unwrap()
        .0;
    let mut others = delta.needed().keys();
    let other = others.find(|digest| !delta.left_out().contains_key(digest));
    (stays, *other.unwrap())
}

#[test]
fn what_changed_is_rebuilt_from_the_registry_and_the_rest_is_not_touched() {
    let (registry, bundle) = (loaded(), delta());
    let (stays, changed) = needed(&bundle);
    let plan = planned(&bundle, &request(&registry.host())).unwrap();
    let kept = plan.blobs().iter().find(|blob| blob.digest == stays);
    let places = &kept.unwrap().places;
    assert!(
        places
            .iter()
            .all(|place| place.action == BlobAction::Present)
    );
    assert_eq!(plan.totals().base_blobs, 1);
    assert!(plan.totals().scratch_bytes >= plan.totals().base_bytes);
    run(&bundle, &request(&registry.host())).unwrap();
    image("2").assert_in(&registry, "mirror/app", Some("2"));
    let downloads = registry.traffic().whole_downloads();
    assert_eq!(downloads.into_iter().collect::<Vec<_>>(), [(changed, 1)]);
    assert!(!registry.traffic().uploads().contains_key(&stays));
    // Loading again finds everything there, and reads nothing.
    registry.clear_traffic();
    load(&bundle, &registry).unwrap();
    assert_no_writes(&registry);
    assert!(registry.traffic().whole_downloads().is_empty());
}

#[test]
fn a_layer_that_moved_to_another_image_is_mounted() {
    let registry = loaded();
    let new = Maker::new().image("r.example/renamed:2", &image("2"));
    let bytes = delta_bytes(&new.bundle(), release("1").bundle());
    let bundle = Bundle::from_reader(Arc::new(bytes), "delta.tar", &reading()).unwrap();
    let (stays, changed) = needed(&bundle);
    load(&bundle, &registry).unwrap();
    image("2").assert_in(&registry, "mirror/renamed", Some("2"));
    let traffic = registry.traffic();
    assert!(traffic.mounts().contains_key(&stays));
    let downloads = traffic.whole_downloads();
    assert_eq!(downloads.into_keys().collect::<Vec<_>>(), [changed]);
}

#[test]
fn a_registry_that_does_not_mount_gets_the_layer_from_its_other_repository() {
    let registry = loaded();
    registry.change(|behaviour| behaviour.mounts = Mounts::Ignored);
    let new = Maker::new().image("r.example/renamed:2", &image("2"));
    let bytes = delta_bytes(&new.bundle(), release("1").bundle());
    let bundle = Bundle::from_reader(Arc::new(bytes), "delta.tar", &reading()).unwrap();
    load(&bundle, &registry).unwrap();
    image("2").assert_in(&registry, "mirror/renamed", Some("2"));
}

#[test]
fn without_the_base_nothing_is_written_and_the_plan_says_what_is_missing() {
    let (registry, bundle) = (Registry::start(), delta());
    let error = load(&bundle, &registry).unwrap_err();
    let LoadError::Absent(absent) = &error else {
        panic!("{error}");
    };
    assert_eq!(absent.absent.len(), 1);
    assert_eq!(absent.absent[0].needed_by, ["r.example/app:1"]);
    let text = error.to_string();
    let identity = release("1").bundle().identity().to_string();
    for part in ["delta.tar", &identity, "r.example/app:1", &registry.host()] {
        assert!(text.contains(part), "{text}");
    }
    assert_no_writes(&registry);
}

#[test]
fn a_registry_that_lost_half_of_the_base_is_noticed_before_anything_is_written() {
    let (registry, bundle) = (loaded(), delta());
    let (_, changed) = needed(&bundle);
    registry.forget_blob(&changed);
    let error = load(&bundle, &registry).unwrap_err();
    let LoadError::Absent(absent) = &error else {
        panic!("{error}");
    };
    assert_eq!(absent.absent[0].blobs, [changed]);
    assert_no_writes(&registry);
    // The base's file has what the registry lost.
    let bytes = delta_bytes(&release("2").bundle(), release("1").bundle());
    let bases = Bases::of_bundles(vec![release("1").bundle()]).unwrap();
    let reading = Reading { bases, ..reading() };
    let bundle = Bundle::from_reader(Arc::new(bytes), "delta.tar", &reading).unwrap();
    load(&bundle, &registry).unwrap();
    image("2").assert_in(&registry, "mirror/app", Some("2"));
    assert!(registry.traffic().whole_downloads().is_empty());
}

#[test]
fn a_registry_that_serves_other_bytes_of_the_base_is_named() {
    let (registry, bundle) = (loaded(), delta());
    let (_, changed) = needed(&bundle);
    let mut bytes = registry.blob("mirror/app", &changed).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    registry.put_blob_as("mirror/app", changed, bytes);
    let error = load(&bundle, &registry).unwrap_err();
    let LoadError::Base { source, .. } = &error else {
        panic!("{error}");
    };
    assert!(matches!(&**source, BaseError::Changed { digest, .. } if *digest == changed));
    assert!(error.to_string().contains(&registry.host()), "{error}");
    assert_eq!(registry.tagged("mirror/app", "2"), None);
    assert_eq!(
        registry.tagged("mirror/app", "1"),
        Some(image("1").digest())
    );
}

#[test]
fn a_connection_that_breaks_while_a_base_is_read_is_continued() {
    let (registry, bundle) = (loaded(), delta());
    let (_, changed) = needed(&bundle);
    let when = When::new("GET", Route::Blob).reference(changed).times(2);
    registry.script(when, Fault::CutResponse(700));
    load(&bundle, &registry).unwrap();
    image("2").assert_in(&registry, "mirror/app", Some("2"));
}

#[test]
fn a_registry_that_refuses_head_has_the_base_all_the_same() {
    for status in [405, 501] {
        let (registry, bundle) = (loaded(), delta());
        for route in [Route::Blob, Route::Manifest] {
            registry.script(When::new("HEAD", route).always(), Fault::answer(status));
        }
        let plan = planned(&bundle, &request(&registry.host())).unwrap();
        assert_eq!(plan.totals().base_blobs, 1);
        load(&bundle, &registry).unwrap();
        image("2").assert_in(&registry, "mirror/app", Some("2"));
        // And where the base is absent, that is known too.
        let (_, changed) = needed(&bundle);
        let empty = loaded();
        empty.forget_blob(&changed);
        empty.script(
            When::new("HEAD", Route::Blob).always(),
            Fault::answer(status),
        );
        let error = load(&bundle, &empty).unwrap_err();
        assert!(matches!(error, LoadError::Absent(_)), "{error}");
        assert_no_writes(&empty);
    }
}

#[test]
fn a_damaged_delta_changes_nothing_that_a_client_can_see() {
    let bytes = delta_bytes(&release("2").bundle(), release("1").bundle());
    for at in (2_000..bytes.len()).step_by(bytes.len() / 12) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        let Ok(bundle) = Bundle::from_reader(Arc::new(damaged), "delta.tar", &reading()) else {
            continue;
        };
        let registry = Registry::start();
        let error = load(&bundle, &registry).unwrap_err();
        assert!(matches!(error, LoadError::Absent(_)), "{error}");
        assert_nothing_visible(&registry);
    }
}
