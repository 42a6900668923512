//! What is refused before the first write.

use sealift_archive::DestinationNameError;
use sealift_load::{LoadError, TagAction};
use sealift_oci::{Descriptor, Naming, NamingRule, media_type};
use sealift_testkit::{Image, Registry, Route};

use crate::support::{Maker, assert_no_writes, image, load, planned, request, run, small};

#[test]
fn two_images_under_one_name_are_refused() {
    let registry = Registry::start();
    let bundle = Maker::new()
        .image("docker.io/a/app:1", &small("one"))
        .image("quay.io/b/app:1", &small("two"))
        .bundle();
    let mut flat = request(&registry.host());
    flat.naming = Naming::new(NamingRule::Flat);
    let error = run(&bundle, &flat).unwrap_err();
    assert!(
        matches!(&error, LoadError::Names(DestinationNameError::Collisions(list)) if list.len() == 1)
    );
    let words = error.to_string();
    assert!(words.contains("mirror/app:1"), "{words}");
    assert!(
        words.contains("docker.io/a/app:1") && words.contains("quay.io/b/app:1"),
        "{words}"
    );
    assert!(
        registry.traffic().0.is_empty(),
        "the registry is not even asked"
    );
    flat.skip = vec!["quay.io/*".to_owned()];
    run(&bundle, &flat).unwrap();
}

#[test]
fn a_name_that_is_too_long_is_refused() {
    let registry = Registry::start();
    let bundle = Maker::new()
        .image(&format!("r.example/{}:1", "a".repeat(250)), &small("one"))
        .bundle();
    assert!(matches!(
        load(&bundle, &registry),
        Err(LoadError::Names(DestinationNameError::Name { .. }))
    ));
    assert_no_writes(&registry);
}

#[test]
fn a_tag_that_points_elsewhere_is_not_moved_unless_told() {
    let registry = Registry::start();
    let (old, new) = (small("old"), image("new"));
    old.put_into(&registry, "mirror/app", Some("1"));
    let bundle = Maker::new()
        .image("r.example/app:1", &new)
        .image("r.example/other:1", &small("other"))
        .bundle();
    let before = registry.snapshot();
    let Err(LoadError::Conflicts(conflicts)) = load(&bundle, &registry) else {
        panic!("the conflict was not found");
    };
    assert_eq!(conflicts.len(), 1);
    assert_eq!(
        (
            conflicts[0].tag.as_str(),
            conflicts[0].there,
            conflicts[0].wanted
        ),
        ("1", old.digest(), new.digest())
    );
    assert_no_writes(&registry);
    assert_eq!(registry.snapshot(), before);

    let mut overwrite = request(&registry.host());
    overwrite.overwrite = true;
    let plan = planned(&bundle, &overwrite).unwrap();
    let moves = TagAction::Move { from: old.digest() };
    assert!(plan.tags().iter().any(|tag| tag.action == moves));
    let receipt = run(&bundle, &overwrite).unwrap();
    assert_eq!(registry.tagged("mirror/app", "1"), Some(new.digest()));
    let moved = receipt.tags.iter().find(|tag| tag.old.is_some()).unwrap();
    assert_eq!((moved.old, moved.new), (Some(old.digest()), new.digest()));
}

#[test]
fn a_damaged_bundle_is_refused_before_anything_when_it_is_verified_first() {
    let registry = Registry::start();
    let maker = Maker::new().image("r.example/app:1", &image("app"));
    for digest in image("app").blobs.keys() {
        let mut first = request(&registry.host());
        first.verify_first = true;
        let error = run(&maker.damaged(digest), &first).unwrap_err();
        let LoadError::Damaged { damaged, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(damaged[0].entry, digest.blob_path());
        assert_eq!(damaged[0].needed_by.names, ["r.example/app:1"]);
    }
    assert_no_writes(&registry);
}

#[test]
fn layers_that_are_kept_elsewhere_are_refused_unless_the_registry_has_them() {
    let registry = Registry::start();
    let layer = b"windows base".as_slice();
    let mut foreign = Descriptor::of(media_type::DOCKER_FOREIGN_LAYER, layer);
    foreign.urls = vec!["https://example.invalid/layer".to_owned()];
    let mut windows: Image = small("windows");
    let config = windows.blobs.keys().next().copied().unwrap();
    let config = Descriptor::new(
        media_type::DOCKER_CONFIG,
        config,
        windows.blobs[&config].len() as u64,
    );
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": media_type::DOCKER_MANIFEST,
        "config": config, "layers": [foreign],
    });
    let bytes = manifest.to_string().into_bytes();
    windows.root = Descriptor::of(media_type::DOCKER_MANIFEST, &bytes);
    windows.manifests = vec![sealift_testkit::Made {
        descriptor: windows.root.clone(),
        bytes: bytes.into(),
    }];
    let bundle = Maker::new().image("r.example/windows:1", &windows).bundle();
    let Err(LoadError::Foreign(layers)) = load(&bundle, &registry) else {
        panic!("the layer was not missed");
    };
    assert_eq!(layers.len(), 1);
    assert_eq!(layers[0].digest, foreign.digest);
    assert_no_writes(&registry);
    registry.put_blob("mirror/windows", layer);
    load(&bundle, &registry).unwrap();
    assert_eq!(
        registry.tagged("mirror/windows", "1"),
        Some(windows.digest())
    );
}

#[test]
fn a_registry_that_does_not_answer_is_an_error_that_names_it() {
    let bundle = Maker::new()
        .image("r.example/app:1", &small("app"))
        .bundle();
    let closed = {
        let registry = Registry::start();
        registry.host()
    };
    let error = run(&bundle, &request(&closed)).unwrap_err();
    assert!(matches!(error, LoadError::Registry(_)));
    assert!(error.to_string().contains(&closed), "{error}");
}

#[test]
fn wrong_credentials_are_refused_before_any_write() {
    let registry = Registry::builder().basic("user", "canary").start();
    let bundle = Maker::new()
        .image("r.example/app:1", &small("app"))
        .bundle();
    let error = load(&bundle, &registry).unwrap_err();
    assert!(error.to_string().contains("login required"), "{error}");
    assert!(!error.to_string().contains("canary"));
    assert_eq!(registry.traffic().count("POST", Route::Uploads), 0);
}

#[test]
fn a_pattern_that_fits_nothing_is_an_error() {
    let registry = Registry::start();
    let bundle = Maker::new()
        .image("r.example/app:1", &small("app"))
        .bundle();
    for (only, skip) in [(vec!["docker.io/*"], vec![]), (vec![], vec!["typo"])] {
        let mut wrong = request(&registry.host());
        wrong.only = only.into_iter().map(str::to_owned).collect();
        wrong.skip = skip.into_iter().map(str::to_owned).collect();
        assert!(matches!(
            run(&bundle, &wrong),
            Err(LoadError::NoMatch { .. })
        ));
    }
    assert_no_writes(&registry);
}
