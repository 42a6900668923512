use sealift_bundle::{Request, Summary};
use sealift_oci::{Descriptor, Kind};
use sealift_testkit::{Format, Image, ImageMaker, Layer, Registry, Route, nested};

use crate::support::{Connected, assert_has, plain, words};

const MANY: [&str; 5] = [
    "linux/amd64",
    "linux/arm/v6",
    "linux/arm/v7",
    "windows/amd64:10.0.17763.5329",
    "windows/amd64:10.0.20348.2227",
];

fn many() -> Image {
    ImageMaker::new("many")
        .platforms(&MANY)
        .layer(Layer::gzip("many", 2000))
        .annotation("org.example", "kept")
        .attested()
        .make()
}

fn chosen(registry: &Registry, name: &str, platforms: &[&str]) -> Request {
    let mut request = plain(&[registry.reference(name, "v1")]);
    request.platforms = platforms.iter().map(|text| text.parse().unwrap()).collect();
    request
}

fn summary(side: &Connected, request: &Request) -> Summary {
    side.plan(request).unwrap().summary().clone()
}

#[test]
fn an_index_is_carried_as_it_is_where_nothing_is_chosen() {
    let registry = Registry::start();
    let image = many();
    image.put_into(&registry, "a", Some("v1"));
    let side = Connected::new();
    side.build(&chosen(&registry, "a", &[])).unwrap();
    let bundle = side.open();
    assert_has(&bundle, &image);
    let entry = &bundle.record().images[0];
    assert_eq!(entry.descriptor.digest, image.digest());
    assert_eq!((&entry.original, entry.left_out.len()), (&None, 0));
    let platforms = entry.platforms.iter().map(|entry| entry.platform.clone());
    let platforms: Vec<String> = platforms
        .map(|platform| platform.unwrap().to_string())
        .collect();
    assert_eq!(platforms, MANY);
}

#[test]
fn an_attestation_that_the_registry_does_not_have_is_left_out_where_platforms_are_chosen() {
    let registry = Registry::start();
    let image = many();
    image.put_into(&registry, "a", Some("v1"));
    let children = image.children();
    let chosen_child = children
        .iter()
        .find(|child| child.attestation_of().is_none())
        .unwrap();
    let attestation = children
        .iter()
        .find(|child| child.attestation_of() == Some(chosen_child.digest))
        .unwrap();
    registry.forget_manifest("a", &attestation.digest);
    let platform = chosen_child.platform.clone().unwrap().to_string();
    let side = Connected::new();
    let request = chosen(&registry, "a", &[&platform]);
    let warnings = summary(&side, &request).warnings.join("\n");
    let expected = format!("the attestation {} is omitted", attestation.digest);
    assert!(warnings.contains(&expected), "{warnings}");
    side.build(&request).unwrap();
    assert_eq!(side.open().record().manifests.len(), 2, "index and image");

    let all = side.plan(&chosen(&registry, "a", &[]));
    assert!(
        all.is_err(),
        "the publisher's index is carried whole or not at all"
    );
}

#[test]
fn chosen_platforms_make_a_new_index_with_their_attestations() {
    let registry = Registry::start();
    let image = many();
    image.put_into(&registry, "a", Some("v1"));
    let side = Connected::new();
    side.build(&chosen(&registry, "a", &["linux/arm/v7"]))
        .unwrap();
    let bundle = side.open();
    let entry = &bundle.record().images[0];
    assert_ne!(entry.descriptor.digest, image.digest());
    assert_eq!(entry.original.as_ref().unwrap().digest, image.digest());
    assert_eq!(
        entry.left_out.len(),
        8,
        "four platforms and their attestations"
    );
    let index = bundle.manifest(&entry.descriptor.digest).unwrap().unwrap();
    assert_eq!(index.kind(), Kind::Index);
    assert_eq!(index.annotations()["org.example"], "kept");
    let all = image.children();
    let kept: Vec<Descriptor> = vec![all[2].clone(), all[7].clone()];
    assert_eq!(index.children(), kept);
    assert_eq!(kept[1].attestation_of(), Some(kept[0].digest));
    let fetched = registry.traffic().count("GET", Route::Manifest);
    assert_eq!(fetched, 3, "the index and what is carried of it");
}

#[test]
fn the_same_choice_gives_the_same_index() {
    let registry = Registry::start();
    many().put_into(&registry, "a", Some("v1"));
    let one = chosen(&registry, "a", &["linux/arm", "linux/amd64"]);
    let other = chosen(
        &registry,
        "a",
        &["linux/amd64", "linux/arm/v7", "linux/arm/v6"],
    );
    let digests = [one, other].map(|request| summary(&Connected::new(), &request).images[0].digest);
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn a_choice_of_everything_is_the_publishers_own_index() {
    let registry = Registry::start();
    let image = many();
    image.put_into(&registry, "a", Some("v1"));
    let all = chosen(
        &registry,
        "a",
        &["linux/amd64", "linux/arm", "windows/amd64"],
    );
    let summary = summary(&Connected::new(), &all);
    assert_eq!(summary.images[0].digest, image.digest());
    assert_eq!(summary.images[0].original, None);
}

#[test]
fn windows_builds_are_chosen_by_their_version() {
    let registry = Registry::start();
    many().put_into(&registry, "a", Some("v1"));
    let one = chosen(&registry, "a", &["windows/amd64:10.0.17763"]);
    let summary = summary(&Connected::new(), &one);
    assert_eq!(
        summary.images[0].platforms,
        ["windows/amd64:10.0.17763.5329"]
    );
    let left_out = &summary.images[0].left_out;
    assert!(
        left_out
            .iter()
            .any(|left| left.platform == "windows/amd64:10.0.20348.2227")
    );
}

#[test]
fn what_is_left_out_is_in_the_plan_with_its_reason() {
    let registry = Registry::start();
    many().put_into(&registry, "a", Some("v1"));
    let side = Connected::new();
    let plan = side
        .plan(&chosen(&registry, "a", &["linux/amd64"]))
        .unwrap();
    let json = serde_json::to_value(&plan).unwrap();
    let left_out = json["images"][0]["leftOut"].as_array().unwrap();
    let reasons: Vec<&str> = left_out
        .iter()
        .map(|left| left["reason"].as_str().unwrap())
        .collect();
    let attestations = reasons
        .iter()
        .filter(|reason| reason.contains("attestation"));
    assert_eq!((reasons.len(), attestations.count()), (8, 4));
}

#[test]
fn one_missing_platform_is_a_warning_and_none_is_an_error() {
    let registry = Registry::start();
    many().put_into(&registry, "a", Some("v1"));
    let some = chosen(&registry, "a", &["linux/amd64", "linux/s390x"]);
    let summary = summary(&Connected::new(), &some);
    assert!(
        summary.warnings[0].contains("linux/s390x"),
        "{:?}",
        summary.warnings
    );
    let none = chosen(&registry, "a", &["linux/s390x", "linux/arm64"]);
    let words = words(Connected::new().plan(&none));
    for part in [
        "linux/s390x, linux/arm64",
        "linux/arm/v7",
        "windows/amd64:10.0.17763.5329",
    ] {
        assert!(words.contains(part), "{words}");
    }
    assert!(!words.contains("unknown"), "{words}");
}

#[test]
fn an_index_of_one_stays_an_index() {
    let registry = Registry::start();
    let image = ImageMaker::new("one").platforms(&["linux/arm64"]).make();
    image.put_into(&registry, "a", Some("v1"));
    let summary = summary(&Connected::new(), &chosen(&registry, "a", &["linux/arm64"]));
    assert_eq!(summary.images[0].digest, image.digest());
}

#[test]
fn a_single_image_for_another_platform_is_an_error() {
    let registry = Registry::start();
    let image = ImageMaker::new("one")
        .platforms(&["linux/amd64"])
        .single()
        .make();
    image.put_into(&registry, "a", Some("v1"));
    let right = chosen(&registry, "a", &["linux/arm64", "linux/amd64"]);
    let summary = summary(&Connected::new(), &right);
    assert_eq!(summary.images[0].digest, image.digest());
    assert!(summary.warnings[0].contains("linux/arm64"));
    let wrong = chosen(&registry, "a", &["linux/arm64"]);
    let words = words(Connected::new().plan(&wrong));
    assert!(words.contains("(available: linux/amd64"), "{words}");
    assert!(!words.contains("did you mean"), "{words}");
    let mistyped = chosen(&registry, "a", &["linux/amd46"]);
    let words = self::words(Connected::new().plan(&mistyped));
    assert!(words.contains("did you mean linux/amd64?"), "{words}");
}

#[test]
fn indexes_in_indexes_are_chosen_from() {
    let registry = Registry::start();
    let inner = ["x", "y"].map(|seed| {
        ImageMaker::new(seed)
            .platforms(&["linux/amd64", "linux/arm64"])
            .layer(Layer::gzip(seed, 500))
            .make()
    });
    let outer = nested(Format::Oci, &inner);
    outer.put_into(&registry, "a", Some("v1"));
    let whole = Connected::new();
    whole.build(&chosen(&registry, "a", &[])).unwrap();
    assert_has(&whole.open(), &outer);
    let side = Connected::new();
    side.build(&chosen(&registry, "a", &["linux/arm64"]))
        .unwrap();
    let bundle = side.open();
    let record = bundle.record();
    assert_eq!(record.images[0].platforms.len(), 2);
    assert_eq!(record.manifests.len(), 5, "three new indexes, two images");
}

#[test]
fn dockers_lists_are_chosen_from_and_stay_dockers() {
    let registry = Registry::start();
    let image = ImageMaker::new("d")
        .docker()
        .layer(Layer::gzip("d", 100))
        .make();
    image.put_into(&registry, "a", Some("v1"));
    let side = Connected::new();
    side.build(&chosen(&registry, "a", &["linux/arm64"]))
        .unwrap();
    let bundle = side.open();
    let entry = &bundle.record().images[0];
    assert_eq!(entry.descriptor.media_type, image.root.media_type);
    assert_ne!(entry.descriptor.digest, image.digest());
}
