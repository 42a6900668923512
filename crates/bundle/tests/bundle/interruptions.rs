use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sealift_archive::{OutputFile, WriteError, Written};
use sealift_bundle::{BundleError, Earlier, resume, status};
use sealift_oci::Digest;
use sealift_pipeline::{Event, Observer};
use sealift_testkit::{Fault, ImageMaker, Layer, Registry, Route, When, cosign};

use crate::support::{Connected, image, plain, request, three};

/// How often each blob was asked for, whatever came of it.
fn asked(registry: &Registry) -> BTreeMap<Digest, usize> {
    let mut counts = BTreeMap::new();
    for asked in registry.traffic().of("GET", Route::Blob) {
        *counts.entry(asked.reference.parse().unwrap()).or_default() += 1;
    }
    counts
}

#[test]
fn stopped_anywhere_the_next_run_makes_the_same_file_and_asks_for_nothing_twice() {
    let registry = Registry::start();
    let (images, names) = three(&registry);
    cosign(&images[0].root, "sig").put_into(&registry, "one/a", None);
    let request = request(&names);
    let expected = {
        let side = Connected::new();
        side.build(&request).unwrap();
        side.bytes()
    };
    for steps in 0..24 {
        for connections in [1, 3] {
            registry.clear_traffic();
            let mut side = Connected::with_connections(connections);
            side.stopped_after(steps);
            let first = side.build(&request);
            assert!(
                matches!(first, Err(BundleError::Cancelled(_))),
                "{steps}: {first:?}"
            );
            assert!(!side.path().exists());
            let manifests = registry.traffic().count("GET", Route::Manifest);
            side.not_stopped();
            let plan = resume(&request, &side.output()).unwrap();
            let there = status(&plan, &side.output());
            assert_eq!(there.earlier, Earlier::SamePlan);
            let report = side.write(&plan).unwrap();
            assert_eq!(report.present_blobs, there.complete_blobs);
            assert!(side.bytes() == expected, "stopped after {steps} steps");
            assert_eq!(registry.traffic().count("GET", Route::Manifest), manifests);
            // What each connection was in the middle of is asked for again, and nothing else.
            let twice = asked(&registry);
            let twice = twice.values().filter(|count| **count > 1).count();
            assert!(twice <= connections, "{twice} blobs were asked for twice");
        }
    }
}

#[test]
fn a_run_that_was_stopped_twice_still_ends_the_same() {
    let registry = Registry::start();
    let (_, names) = three(&registry);
    let request = plain(&names);
    let mut side = Connected::with_connections(2);
    for steps in [1, 2, 0, 3] {
        side.stopped_after(steps);
        assert!(side.build(&request).is_err());
    }
    side.not_stopped();
    side.build(&request).unwrap();
    let other = Connected::new();
    other.build(&request).unwrap();
    assert!(side.bytes() == other.bytes());
    assert_eq!(side.left(), ["out.tar"]);
}

#[test]
fn a_tag_that_moved_meanwhile_does_not_shift_what_is_there() {
    let registry = Registry::start();
    let (images, names) = three(&registry);
    let request = plain(&names);
    let mut side = Connected::new();
    side.stopped_after(3);
    assert!(side.build(&request).is_err());
    image("moved").put_into(&registry, "one/a", Some("v1"));
    side.not_stopped();
    side.build(&request).unwrap();
    let bundle = side.open();
    assert_eq!(
        bundle.record().images[0].descriptor.digest,
        images[0].digest()
    );
}

#[test]
fn another_request_does_not_take_up_what_is_there() {
    let registry = Registry::start();
    let (_, names) = three(&registry);
    let mut side = Connected::new();
    side.stopped_after(3);
    assert!(side.build(&plain(&names)).is_err());
    side.not_stopped();
    let other = plain(&names[..2]);
    assert!(resume(&other, &side.output()).is_none());
    let plan = side.plan(&other).unwrap();
    assert_eq!(status(&plan, &side.output()).earlier, Earlier::OtherPlan);
    side.build(&other).unwrap();
    assert_eq!(side.open().record().images.len(), 2);
    assert_eq!(side.left(), ["out.tar"]);
}

#[test]
fn the_rest_of_a_half_blob_is_asked_for_where_the_registry_answers_ranges() {
    let registry = Registry::start();
    let image = ImageMaker::new("big")
        .single()
        .layer(Layer::plain("big", 20 << 20))
        .make();
    image.put_into(&registry, "a", Some("v1"));
    let request = plain(&[registry.reference("a", "v1")]);
    let (layer, size) = image
        .blobs
        .iter()
        .map(|(digest, bytes)| (*digest, bytes.len() as u64))
        .max_by_key(|(_, size)| *size)
        .unwrap();
    for ranges in [true, false] {
        registry.change(|behaviour| behaviour.ranges = ranges);
        registry.clear_traffic();
        let mut side = Connected::new();
        side.stopped_after(60);
        assert!(side.build(&request).is_err());
        let first = registry.traffic().bytes_downloaded()[&layer];
        side.not_stopped();
        let report = side.build(&request).unwrap();
        side.open();
        assert!(report.fetched_bytes < size, "part of it was there");
        let traffic = registry.traffic();
        let asked = traffic.of("GET", Route::Blob);
        let last = asked.last().unwrap();
        let second = traffic.bytes_downloaded()[&layer] - first;
        if ranges {
            assert!(last.header("range").is_some());
            assert!(second < size - (8 << 20), "{second}");
        } else {
            assert_eq!(second, size);
        }
    }
}

#[test]
fn a_part_that_was_damaged_meanwhile_is_fetched_again() {
    let registry = Registry::start();
    let image = ImageMaker::new("big")
        .single()
        .layer(Layer::plain("big", 20 << 20))
        .make();
    image.put_into(&registry, "a", Some("v1"));
    let request = plain(&[registry.reference("a", "v1")]);
    let mut side = Connected::new();
    side.stopped_after(60);
    assert!(side.build(&request).is_err());
    let partial = side.output().partial();
    let mut bytes = fs::read(&partial).unwrap();
    bytes[1 << 20] ^= 1;
    fs::write(&partial, bytes).unwrap();
    side.not_stopped();
    side.build(&request).unwrap();
    side.open();
}

#[test]
fn manifests_that_the_partial_file_lost_are_asked_for_by_digest() {
    let registry = Registry::start();
    let (images, names) = three(&registry);
    let request = plain(&names);
    let mut side = Connected::new();
    side.stopped_after(2);
    assert!(side.build(&request).is_err());
    image("moved").put_into(&registry, "one/a", Some("v1"));
    // As if the journal's entries after the plan had not reached the disk.
    let journal = side.output().journal();
    let text = fs::read_to_string(&journal).unwrap();
    let plan: Vec<&str> = text.lines().take(2).collect();
    fs::write(&journal, format!("{}\n", plan.join("\n"))).unwrap();
    registry.clear_traffic();
    side.not_stopped();
    side.build(&request).unwrap();
    let bundle = side.open();
    assert_eq!(
        bundle.record().images[0].descriptor.digest,
        images[0].digest()
    );
    let traffic = registry.traffic();
    let by_tag = traffic.0.iter().filter(|asked| asked.reference == "v1");
    assert_eq!(by_tag.count(), 0);
}

#[test]
fn a_new_index_is_taken_up_without_asking_anyone() {
    let registry = Registry::start();
    let (_, names) = three(&registry);
    let mut request = plain(&names);
    request.platforms = vec!["linux/arm64".parse().unwrap()];
    let mut side = Connected::new();
    side.stopped_after(1);
    assert!(side.build(&request).is_err());
    let manifests = registry.traffic().count("GET", Route::Manifest);
    side.not_stopped();
    side.build(&request).unwrap();
    side.open();
    assert_eq!(registry.traffic().count("GET", Route::Manifest), manifests);
    let other = Connected::new();
    other.build(&request).unwrap();
    assert!(side.bytes() == other.bytes());
}

#[test]
fn stopping_while_resolving_leaves_nothing() {
    let registry = Registry::start();
    let (_, names) = three(&registry);
    let side = Connected::new();
    side.cancel.cancel();
    assert!(matches!(
        side.build(&plain(&names)),
        Err(BundleError::Cancelled(_))
    ));
    assert_eq!(side.left(), [""; 0]);
}

#[test]
fn a_second_run_at_the_same_time_is_refused() {
    let registry = Registry::start();
    let (_, names) = three(&registry);
    let request = plain(&names);
    let gate = sealift_testkit::Gate::new();
    let when = When::new("GET", Route::Blob).always();
    registry.script(when, Fault::Gate(gate.clone()));
    let side = Connected::new();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| {
            let plan = side.plan(&request).unwrap();
            side.write(&plan)
        });
        gate.wait_for(1);
        let plan = resume(&request, &side.output()).unwrap();
        let refused = side.write(&plan);
        assert!(matches!(
            refused,
            Err(BundleError::Write(WriteError::Locked { .. }))
        ));
        gate.open();
        first.join().unwrap().unwrap();
    });
    side.open();
}

/// Copies what a kill at this moment would leave: the journal first, then the file that it is about.
struct Camera {
    from: OutputFile,
    to: PathBuf,
    taken: AtomicUsize,
}

impl Observer for Camera {
    fn event(&self, event: &Event<'_>) {
        if !matches!(
            event,
            Event::Started { .. } | Event::Advanced { .. } | Event::Finished { .. }
        ) {
            return;
        }
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        let folder = self.to.join(number.to_string());
        fs::create_dir(&folder).unwrap();
        for file in [self.from.journal(), self.from.partial()] {
            fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
        }
    }
}

#[test]
fn killed_at_any_moment_the_next_run_goes_on_from_what_the_disk_has() {
    let registry = Registry::start();
    let (images, names) = three(&registry);
    cosign(&images[0].root, "sig").put_into(&registry, "one/a", None);
    let request = request(&names);
    let taken = tempfile::tempdir().unwrap();
    let mut side = Connected::with_connections(3);
    let camera = Arc::new(Camera {
        from: side.output(),
        to: taken.path().to_owned(),
        taken: AtomicUsize::new(0),
    });
    side.observer = Arc::clone(&camera) as Arc<dyn Observer>;
    side.build(&request).unwrap();
    let moments = camera.taken.load(Ordering::Relaxed);
    assert!(moments > 30, "{moments}");
    for moment in 0..moments {
        let mut after = Connected::with_connections(2);
        let killed = taken.path().join(moment.to_string());
        for entry in fs::read_dir(killed).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, after.folder.path().join(path.file_name().unwrap())).unwrap();
        }
        // A kill can tear the journal's last line; a lost power supply can lose more than that.
        let journal = fs::read(after.output().journal()).unwrap();
        let torn = journal.len() - (moment * 7919) % (journal.len() / 2);
        fs::write(after.output().journal(), &journal[..torn]).unwrap();
        let known = after.output().interrupted().written;
        registry.clear_traffic();
        after.not_stopped();
        after.build(&request).unwrap();
        assert!(after.bytes() == side.bytes(), "killed at moment {moment}");
        for blob in asked(&registry).keys() {
            let complete = known.get(blob) == Some(&Written::Complete);
            assert!(!complete, "{blob} was there at moment {moment}");
        }
        assert_eq!(after.left(), ["out.tar"]);
    }
}
