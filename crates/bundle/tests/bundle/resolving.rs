use std::io::Read as _;

use sealift_bundle::{BundleError, Request};
use sealift_oci::{Descriptor, Digest, Manifest, media_type};
use sealift_testkit::{Artifact, Fault, Image, ImageMaker, Layer, Registry, Route, When};

use crate::support::{
    Connected, assert_has, image, plain, request, three, three_of_which_one_is_incomplete, words,
};

#[test]
fn images_arrive_with_every_manifest_and_blob_as_they_were() {
    let registry = Registry::start();
    let (images, names) = three(&registry);
    let side = Connected::new();
    side.build(&plain(&names)).unwrap();
    let bundle = side.open();
    for image in &images {
        assert_has(&bundle, image);
    }
    let references: Vec<String> = bundle
        .record()
        .images
        .iter()
        .map(|image| image.reference.to_string())
        .collect();
    assert_eq!(references, names);
}

#[test]
fn a_tag_is_asked_for_once_and_its_digest_used_from_then_on() {
    let registry = Registry::start();
    let (images, names) = three(&registry);
    let side = Connected::new();
    let plan = side.plan(&plain(&names)).unwrap();
    let moved = image("moved");
    moved.put_into(&registry, "one/a", Some("v1"));
    side.write(&plan).unwrap();
    assert_has(&side.open(), &images[0]);
    let traffic = registry.traffic();
    let by_tag = traffic.0.iter().filter(|asked| asked.reference == "v1");
    assert_eq!(by_tag.count(), 3);
}

#[test]
fn nothing_is_asked_for_twice() {
    let registry = Registry::start();
    let (images, names) = three(&registry);
    let twice = [names.clone(), names].concat();
    let side = Connected::new();
    side.build(&plain(&twice)).unwrap();
    assert_eq!(side.open().record().images.len(), 3);
    let traffic = registry.traffic();
    let manifests: usize = images.iter().map(|image| image.manifests.len()).sum();
    assert_eq!(traffic.count("GET", Route::Manifest), manifests);
    let mut blobs: Vec<Digest> = images
        .iter()
        .flat_map(|image| image.blobs.keys().copied())
        .collect();
    blobs.sort_unstable();
    blobs.dedup();
    assert_eq!(traffic.count("GET", Route::Blob), blobs.len());
    assert_eq!(traffic.0.len(), manifests + blobs.len());
}

#[test]
fn the_digest_decides_where_a_reference_has_a_tag_too() {
    let registry = Registry::start();
    let (old, new) = (image("old"), image("new"));
    old.put_into(&registry, "a", Some("v1"));
    new.put_into(&registry, "a", Some("v1"));
    let name = format!("{}@{}", registry.reference("a", "v1"), old.digest());
    let side = Connected::new();
    side.build(&plain(&[name])).unwrap();
    assert_has(&side.open(), &old);
}

#[test]
fn one_tag_with_two_digests_is_two_images_and_what_it_stands_for_keeps_it() {
    let registry = Registry::start();
    let (old, new) = (image("old"), image("new"));
    old.put_into(&registry, "a", None);
    new.put_into(&registry, "a", Some("v1"));
    let tag = registry.reference("a", "v1");
    let pinned = format!("{tag}@{}", old.digest());
    let side = Connected::new();
    let request = plain(&[pinned.clone(), tag.clone()]);
    let plan = side.plan(&request).unwrap();
    let warnings = plan.summary().warnings.join("\n");
    let expected = format!("{pinned} is carried without the tag v1, which {tag} has");
    assert!(warnings.contains(&expected), "{warnings}");
    side.build(&request).unwrap();
    let bundle = side.open();
    assert_has(&bundle, &old);
    assert_has(&bundle, &new);
    let names = bundle.record().images.iter();
    let names: Vec<String> = names.map(|image| image.reference.to_string()).collect();
    assert_eq!(names.len(), 2);
    assert!(names.contains(&tag), "{names:?}");
    let untagged = format!("{}@{}", tag.trim_end_matches(":v1"), old.digest());
    assert!(names.contains(&untagged), "{names:?}");
}

#[test]
fn the_first_of_two_digests_beside_one_tag_has_the_tag() {
    let registry = Registry::start();
    let (one, other) = (image("one"), image("other"));
    one.put_into(&registry, "a", None);
    other.put_into(&registry, "a", None);
    let tag = registry.reference("a", "v1");
    for (first, second) in [(&one, &other), (&other, &one)] {
        let side = Connected::new();
        let named = |image: &Image| format!("{tag}@{}", image.digest());
        let plan = side.plan(&plain(&[named(first), named(second)])).unwrap();
        let warnings = plan.summary().warnings.join("\n");
        let expected = format!("{} is carried without the tag v1", named(second));
        assert!(warnings.contains(&expected), "{warnings}");
    }
}

#[test]
fn a_blob_that_its_manifest_embeds_is_not_asked_for() {
    let registry = Registry::start();
    let layer = b"content of a layer";
    let layer_digest = registry.put_blob("a", layer);
    let config = Digest::sha256(b"{}");
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","artifactType":"a/b","config":{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{config}","size":2,"data":"e30="}},"layers":[{{"mediaType":"a/c","digest":"{layer_digest}","size":{}}}]}}"#,
        media_type::OCI_MANIFEST,
        layer.len()
    );
    let digest = registry.put_manifest("a", media_type::OCI_MANIFEST, manifest);
    registry.tag("a", "v1", digest);
    let side = Connected::new();
    side.build(&plain(&[registry.reference("a", "v1")]))
        .unwrap();
    let mut bytes = Vec::new();
    side.open()
        .blob(&config)
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    assert_eq!(bytes, b"{}");
}

#[test]
fn a_tag_and_the_same_with_its_digest_are_one_image() {
    let registry = Registry::start();
    let image = image("a");
    image.put_into(&registry, "a", Some("v1"));
    let tag = registry.reference("a", "v1");
    let pinned = format!("{tag}@{}", image.digest());
    let side = Connected::new();
    side.build(&plain(&[tag, pinned.clone()])).unwrap();
    let bundle = side.open();
    let [entry] = &bundle.record().images[..] else {
        panic!("{:?}", bundle.record().images);
    };
    assert_eq!(entry.reference.to_string(), pinned);
}

#[test]
fn everything_that_fails_is_listed_by_name_and_nothing_is_written() {
    let registry = Registry::start();
    let (names, [missing, dead]) = three_of_which_one_is_incomplete(&registry);
    let all = [names.clone(), vec![missing.clone(), dead.clone()]].concat();
    let side = Connected::new();
    let error = side.build(&plain(&all)).unwrap_err();
    let BundleError::Unresolved(failures) = &error else {
        panic!("{error}");
    };
    let mut failed: Vec<&str> = failures.iter().map(|one| one.name.as_str()).collect();
    let mut expected = [names[1].as_str(), &missing, &dead];
    failed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(failed, expected);
    assert!(
        error
            .to_string()
            .starts_with("3 images or files could not be bundled:"),
        "{error}"
    );
    assert_eq!(error.registry_errors().count(), 3);
    assert_eq!(side.left(), [""; 0]);
    assert_eq!(registry.traffic().count("GET", Route::Blob), 0);
}

#[test]
fn a_manifest_with_other_bytes_than_its_digest_fails_its_image() {
    let registry = Registry::start();
    let (images, names) = three(&registry);
    let child = images[2].children()[1].digest;
    let when = When::new("GET", Route::Manifest).reference(child).always();
    registry.script(when, Fault::FlipByte(20));
    let side = Connected::new();
    let words = words(side.build(&plain(&names)));
    assert!(
        words.contains(&names[2]) && words.contains(&child.to_string()),
        "{words}"
    );
    assert!(!words.contains(&names[0]), "{words}");
}

#[test]
fn an_index_that_lies_about_a_childs_size_or_type_fails_its_image() {
    let registry = Registry::start();
    let honest = image("a");
    honest.put_into(&registry, "a", Some("honest"));
    let mut size = honest.children();
    size[0].size += 1;
    let mut kind = honest.children();
    kind[0].media_type = media_type::DOCKER_MANIFEST.to_owned();
    for (tag, children) in [("size", size), ("kind", kind)] {
        put_index(&registry, "a", tag, &children);
        let names = [
            registry.reference("a", tag),
            registry.reference("a", "honest"),
        ];
        let words = words(Connected::new().build(&plain(&names)));
        assert!(words.contains(&names[0]), "{words}");
        assert!(!words.contains(&names[1]), "{words}");
    }
}

#[test]
fn a_layer_in_an_index_is_no_child_to_carry() {
    let registry = Registry::start();
    let digest = registry.put_blob("a", b"a layer");
    let child = Descriptor::new(media_type::OCI_LAYER_GZIP, digest, 7);
    put_index(&registry, "a", "v1", &[child]);
    let words = words(Connected::new().build(&plain(&[registry.reference("a", "v1")])));
    assert!(
        words.contains("expected images, indexes or artifacts"),
        "{words}"
    );
}

#[test]
fn indexes_without_end_are_refused() {
    let registry = Registry::start();
    let mut inner = image("a").put_and_describe(&registry, "a");
    for _ in 0..12 {
        inner = put_index(&registry, "a", "v1", &[inner]);
    }
    let words = words(Connected::new().build(&plain(&[registry.reference("a", "v1")])));
    assert!(words.contains("nested too deep"), "{words}");
}

#[test]
fn too_many_manifests_are_refused_before_any_of_them_is_requested() {
    let absent = |from: u32, to: u32| -> Vec<Descriptor> {
        let children = (from..to)
            .map(|number| Descriptor::of(media_type::OCI_MANIFEST, number.to_string().as_bytes()));
        children.collect()
    };
    let registry = Registry::start();
    put_index(&registry, "wide", "v1", &absent(0, 20_001));
    let halves = [(0, 12_000), (12_000, 24_000)]
        .map(|(from, to)| put_index(&registry, "deep", "half", &absent(from, to)));
    put_index(&registry, "deep", "v1", &halves);
    for (name, most) in [("wide", 1), ("deep", 3)] {
        registry.clear_traffic();
        let words = words(Connected::new().build(&plain(&[registry.reference(name, "v1")])));
        assert!(words.contains("too many manifests"), "{name}: {words}");
        let requests = registry.traffic().count("GET", Route::Manifest);
        assert!(requests <= most, "{name}: {requests} requests");
    }
    let chosen = Request {
        platforms: vec!["linux/amd64".parse().unwrap()],
        ..plain(&[registry.reference("wide", "v1")])
    };
    assert!(words(Connected::new().build(&chosen)).contains("too many manifests"));
}

#[test]
fn two_sizes_for_one_blob_are_refused_by_name() {
    let registry = Registry::start();
    let layer = registry.put_blob("a", b"layer");
    for (tag, size) in [("right", 5), ("wrong", 6)] {
        put_manifest(
            &registry,
            "a",
            tag,
            &Descriptor::new(media_type::OCI_LAYER, layer, size),
        );
    }
    let names = [
        registry.reference("a", "right"),
        registry.reference("a", "wrong"),
    ];
    let words = words(Connected::new().build(&plain(&names)));
    assert!(
        words.contains(&names[1]) && words.contains(&format!("but {} lists it", names[0])),
        "{words}"
    );
}

#[test]
fn a_layer_that_may_not_be_redistributed_is_left_out_and_that_is_said() {
    let registry = Registry::start();
    let mut foreign = Descriptor::of(media_type::DOCKER_FOREIGN_LAYER, b"windows");
    foreign.urls = vec!["http://127.0.0.1:1/never".to_owned()];
    put_manifest(&registry, "a", "v1", &foreign);
    let name = registry.reference("a", "v1");
    let side = Connected::new();
    let plan = side.plan(&plain(std::slice::from_ref(&name))).unwrap();
    let [warning] = &plan.summary().warnings[..] else {
        panic!("{:?}", plan.summary().warnings);
    };
    assert!(warning.contains(&name) && warning.contains(&foreign.digest.to_string()));
    side.write(&plan).unwrap();
    assert_eq!(side.open().size(&foreign.digest), None);
}

#[test]
fn a_layer_that_may_not_be_redistributed_comes_from_the_registry_where_that_is_asked_for() {
    let registry = Registry::start();
    let mut foreign = Descriptor::of(media_type::DOCKER_FOREIGN_LAYER, b"windows");
    foreign.urls = vec!["http://127.0.0.1:1/never".to_owned()];
    put_manifest(&registry, "a", "v1", &foreign);
    let mut request = plain(&[registry.reference("a", "v1")]);
    request.foreign_layers = true;
    let side = Connected::new();
    let words = words(side.build(&request));
    assert!(words.contains("never fetched from") && words.contains(&foreign.digest.to_string()));
    registry.put_blob("a", b"windows");
    side.build(&request).unwrap();
    assert!(side.open().size(&foreign.digest).is_some());
}

#[test]
fn artifacts_without_layers_and_with_unknown_types_are_carried() {
    let registry = Registry::start();
    let artifact = Artifact::new("application/vnd.example.unknown").make();
    artifact.put_into(&registry, "a", Some("v1"));
    let mut request = request(&[registry.reference("a", "v1")]);
    request.platforms = vec!["linux/arm64".parse().unwrap()];
    let side = Connected::new();
    side.build(&request).unwrap();
    assert_has(&side.open(), &artifact);
}

#[test]
fn a_config_that_is_no_json_is_carried_like_any_other() {
    let registry = Registry::start();
    let config = Descriptor::of(media_type::OCI_CONFIG, b"not JSON");
    registry.put_blob("a", b"not JSON");
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": config, "layers": [],
    });
    let digest = registry.put_manifest("a", media_type::OCI_MANIFEST, manifest.to_string());
    registry.tag("a", "v1", digest);
    let side = Connected::new();
    side.build(&plain(&[registry.reference("a", "v1")]))
        .unwrap();
    assert!(side.open().size(&config.digest).is_some());
}

#[test]
fn a_blob_that_one_repository_has_lost_comes_from_another() {
    let registry = Registry::start();
    let (first, second) = (Registry::start(), registry);
    let image = image("a");
    image.put_into(&first, "a", Some("v1"));
    image.put_into(&second, "b", Some("v1"));
    let base = Digest::sha256(&image.blobs[&largest(&image)]);
    first.forget_blob(&base);
    second.forget_blob(image.blobs.keys().find(|digest| **digest != base).unwrap());
    let names = [first.reference("a", "v1"), second.reference("b", "v1")];
    let side = Connected::new();
    side.build(&plain(&names)).unwrap();
    assert_has(&side.open(), &image);
}

#[test]
fn what_images_share_is_counted_once_and_said() {
    let registry = Registry::start();
    let (images, names) = three(&registry);
    let side = Connected::new();
    let plan = side.plan(&plain(&names)).unwrap();
    let summary = plan.summary();
    let size = |image: &Image| -> u64 {
        let manifests: u64 = image
            .manifests
            .iter()
            .map(|made| made.descriptor.size)
            .sum();
        manifests
            + image
                .blobs
                .values()
                .map(|bytes| bytes.len() as u64)
                .sum::<u64>()
    };
    let needed: u64 = images.iter().map(size).sum();
    assert_eq!(summary.content_bytes + summary.shared_bytes, needed);
    assert!(summary.shared_bytes > 0);
    assert_eq!(summary.images[0].bytes, size(&images[0]));
    let report = side.write(&plan).unwrap();
    assert_eq!(report.total_bytes, summary.total_bytes);
    assert_eq!(side.bytes().len() as u64, summary.total_bytes);
    assert_eq!(side.open().identity(), summary.identity);
}

#[test]
fn an_empty_request_is_refused() {
    assert!(matches!(
        Connected::new().plan(&request(&[])),
        Err(BundleError::Empty)
    ));
}

#[test]
fn the_config_of_a_single_image_tells_its_platform_and_is_asked_for_once() {
    let registry = Registry::start();
    let image = ImageMaker::new("a")
        .platforms(&["linux/arm/v7"])
        .single()
        .layer(Layer::gzip("a", 100))
        .make();
    image.put_into(&registry, "a", Some("v1"));
    let side = Connected::new();
    let plan = side.plan(&plain(&[registry.reference("a", "v1")])).unwrap();
    assert_eq!(plan.summary().images[0].platforms, ["linux/arm/v7"]);
    side.write(&plan).unwrap();
    assert_has(&side.open(), &image);
    assert_eq!(registry.traffic().count("GET", Route::Blob), 2);
}

trait PutAndDescribe {
    fn put_and_describe(&self, registry: &Registry, repository: &str) -> Descriptor;
}

impl PutAndDescribe for Image {
    fn put_and_describe(&self, registry: &Registry, repository: &str) -> Descriptor {
        self.put_into(registry, repository, None);
        self.root.clone()
    }
}

fn put_index(
    registry: &Registry,
    repository: &str,
    tag: &str,
    children: &[Descriptor],
) -> Descriptor {
    let index = serde_json::json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": children,
    });
    let bytes = index.to_string();
    let digest = registry.put_manifest(repository, media_type::OCI_INDEX, &bytes);
    registry.tag(repository, tag, digest);
    Manifest::parse(bytes.as_bytes(), None)
        .unwrap()
        .descriptor()
}

fn put_manifest(registry: &Registry, repository: &str, tag: &str, layer: &Descriptor) {
    let config = Descriptor::of(media_type::OCI_EMPTY, b"{}");
    registry.put_blob(repository, b"{}");
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": config, "layers": [layer],
    });
    let digest = registry.put_manifest(repository, media_type::OCI_MANIFEST, manifest.to_string());
    registry.tag(repository, tag, digest);
}

fn largest(image: &Image) -> Digest {
    *image
        .blobs
        .iter()
        .max_by_key(|(_, bytes)| bytes.len())
        .unwrap()
        .0
}
