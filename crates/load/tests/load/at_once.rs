//! Loads of different bundles into one registry at once: nobody is told that a tag is his when it is not.

use std::sync::Mutex;

use sealift_load::{Context, LoadError, Request, execute, plan};
use sealift_oci::{Descriptor, Manifest};
use sealift_pipeline::{Budget, Cancel, Event, NoObserver, Observer};
use sealift_testkit::{Artifact, Fault, Gate, Profile, Registry, Route, When, fallback_index};

use crate::support::{Maker, client, image, load, planned, request, small};

/// A bundle with one image under a name that another bundle has too, and one of its own.
fn bundle(seed: &str) -> Maker {
    Maker::new()
        .image("docker.io/calico/node:v1", &image(seed))
        .image(&format!("docker.io/calico/{seed}:v1"), &small(seed))
}

#[test]
fn a_tag_that_was_set_since_the_plan_is_a_conflict_and_no_tag_moves() {
    let registry = Registry::start();
    let bundle_a = bundle("a").bundle();
    let to = request(&registry.host());
    let context = Context {
        client: &client(),
        budget: &Budget::new(8, 2),
        scratch: &std::env::temp_dir(),
        observer: &NoObserver,
        cancel: &Cancel::new(),
    };
    let mine = planned(&bundle_a, &to).unwrap();
    load(&bundle("b").bundle(), &registry).unwrap();
    let error = execute(&bundle_a, &mine, &context).unwrap_err();
    let LoadError::Overtaken(conflicts) = &error else {
        panic!("{error}");
    };
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0].there, image("b").digest());
    assert!(error.to_string().contains("calico/node:v1"), "{error}");
    image("b").assert_in(&registry, "mirror/calico/node", Some("v1"));
    assert!(registry.tags("mirror/calico/a").is_empty());
}

/// Keeps the warnings.
#[derive(Default)]
struct Warnings(Mutex<Vec<String>>);

impl Observer for Warnings {
    fn event(&self, event: &Event<'_>) {
        if let Event::Warning { text } = event {
            self.0.lock().unwrap().push((*text).to_owned());
        }
    }
}

#[test]
fn a_tag_that_was_set_since_the_plan_is_moved_where_that_was_allowed_and_reported() {
    let registry = Registry::start();
    let bundle_a = bundle("a").bundle();
    let to = Request {
        overwrite: true,
        ..request(&registry.host())
    };
    let warnings = Warnings::default();
    let context = Context {
        client: &client(),
        budget: &Budget::new(8, 2),
        scratch: &std::env::temp_dir(),
        observer: &warnings,
        cancel: &Cancel::new(),
    };
    let mine = plan(&bundle_a, &to, &context).unwrap();
    load(&bundle("b").bundle(), &registry).unwrap();
    let receipt = execute(&bundle_a, &mine, &context).unwrap();
    image("a").assert_in(&registry, "mirror/calico/node", Some("v1"));
    let tag = |tag: &&sealift_load::TagReceipt| &*tag.repository == "mirror/calico/node";
    let tag = receipt.tags.iter().find(tag).unwrap();
    assert_eq!(tag.old, Some(image("b").digest()));
    let warnings = warnings.0.into_inner().unwrap();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("calico/node:v1"), "{warnings:?}");
}

#[test]
fn a_tag_that_another_load_moves_right_after_is_not_claimed() {
    let registry = Registry::start();
    let gate = Gate::new();
    // The plan looks at the tag, then the load before all moves, before its own, and after it: that waits.
    let node = || When::new("HEAD", Route::Manifest).repository("mirror/calico/node");
    registry.script(node().reference("v1").skip(3), Fault::Gate(gate.clone()));
    let result = std::thread::scope(|scope| {
        let first = scope.spawn(|| load(&bundle("a").bundle(), &registry));
        gate.wait_for(1);
        let other = image("b");
        other.put_into(&registry, "mirror/calico/node", Some("v1"));
        gate.open();
        first.join().unwrap()
    });
    let error = result.unwrap_err();
    let LoadError::TagsPartlyMoved(partly) = &error else {
        panic!("{error}");
    };
    assert_eq!(partly.not_moved, ["mirror/calico/node:v1"]);
    assert_eq!(partly.moved.len(), 1);
    assert!(error.to_string().contains("another client"), "{error}");
}

#[test]
fn a_referrer_that_another_load_drops_at_the_same_moment_is_added_again() {
    let registry = Registry::with_profile(Profile::Distribution3);
    let app = image("app");
    let [mine, other] = ["one", "two"].map(|text| {
        Artifact::new("application/spdx+json")
            .subject(&app.root)
            .file("application/spdx+json", "sbom.json", text)
            .make()
    });
    let bundle = Maker::new()
        .image("r.example/app:1", &app)
        .referrer("r.example/app", app.digest(), &mine)
        .bundle();
    let tag = app.digest().referrers_tag();
    let gate = Gate::new();
    // Read to be merged, read back, and read again when all tags are set: that waits.
    let read = When::new("GET", Route::Manifest).reference(&tag).skip(2);
    registry.script(read, Fault::Gate(gate.clone()));
    std::thread::scope(|scope| {
        let load = scope.spawn(|| load(&bundle, &registry));
        gate.wait_for(1);
        fallback_index(&app.digest(), std::slice::from_ref(&other)).put_into(
            &registry,
            "mirror/app",
            None,
        );
        gate.open();
        load.join().unwrap().unwrap();
    });
    let (media_type, bytes) = registry.manifest("mirror/app", &tag).unwrap();
    let index = Manifest::parse(bytes, Some(&media_type)).unwrap();
    for referrer in [mine, other] {
        let listed = |child: &Descriptor| child.digest == referrer.digest();
        assert!(index.children().iter().any(listed));
    }
}
