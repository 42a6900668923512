//! Against registries that others wrote.

use sealift_oci::Digest;
use sealift_testkit::real::{RealRegistry, Skopeo};
use sealift_testkit::{
    Artifact, EMPTY_LAYER, Image, ImageMaker, Layer, Registry, cosign, cosign_tag,
};

use crate::support::{Connected, assert_has, request};

fn made() -> [(&'static str, Image); 4] {
    let oci = ImageMaker::new("oci")
        .platforms(&[
            "linux/amd64",
            "linux/arm/v7",
            "windows/amd64:10.0.17763.5329",
        ])
        .layer(Layer::gzip("base", 200_000).everywhere())
        .layer(Layer::zstd("zstd", 50_000))
        .layer(Layer::empty())
        .attested();
    let docker = ImageMaker::new("docker")
        .docker()
        .layer(Layer::gzip("docker", 3_000_000));
    let single = ImageMaker::new("single")
        .single()
        .layer(Layer::plain("plain", 10_000));
    let artifact =
        Artifact::new("application/vnd.example").file("text/plain", "a.txt", b"text".to_vec());
    [
        ("deep/er/oci", oci.make()),
        ("docker", docker.make()),
        ("single", single.make()),
        ("artifact", artifact.make()),
    ]
}

/// Puts everything into the real registry with a program that is not ours.
fn fill(real: &RealRegistry, skopeo: &Skopeo) -> (Vec<Image>, Vec<Image>, Vec<String>) {
    let staging = Registry::start();
    let mut names = Vec::new();
    let copy = |repository: &str, tag: &str| {
        let from = format!("docker://{}", staging.reference(repository, tag));
        let to = format!("{}/{repository}:{tag}", real.host());
        skopeo.copy(&from, &format!("docker://{to}"));
        to
    };
    let mut images = Vec::new();
    for (repository, image) in made() {
        image.put_into(&staging, repository, Some("v1"));
        names.push(copy(repository, "v1"));
        images.push(image);
    }
    let signature = cosign(&images[0].root, "sig");
    signature.put_into(&staging, "deep/er/oci", None);
    copy("deep/er/oci", &cosign_tag(&images[0].digest(), "sig"));
    let bom = Artifact::new("application/spdx+json")
        .subject(&images[1].root)
        .make();
    bom.put_into(&staging, "docker", Some("bom"));
    copy("docker", "bom");
    // No program here writes the fallback index for a registry without the API.
    Connected::new().with(|context| {
        let repository = context.client.repository(&real.host(), "docker").unwrap();
        let listed = std::slice::from_ref(&bom.root);
        repository
            .merge_fallback_referrers(&images[1].digest(), listed)
            .unwrap();
    });
    (images, vec![signature, bom], names)
}

fn carries_all(real: &RealRegistry, skopeo: &Skopeo) {
    let (images, referrers, names) = fill(real, skopeo);
    let side = Connected::with_connections(8);
    let request = request(&names);
    side.build(&request).unwrap();
    let bundle = side.open();
    for image in images.iter().chain(&referrers) {
        assert_has(&bundle, image);
    }
    assert!(bundle.size(&Digest::sha256(&EMPTY_LAYER)).is_some());
    assert_eq!(bundle.record().referrers.len(), referrers.len());
    assert!(Connected::new().stream(&request).unwrap() == side.bytes());
    for (image, name) in images.iter().zip(&names) {
        // skopeo finds no others in a layout.
        if !image.root.media_type.starts_with("application/vnd.oci.") {
            continue;
        }
        let archive = format!("oci-archive:{}:{name}", side.path().display());
        let raw = skopeo.raw_manifest(&archive);
        assert_eq!(Digest::sha256(&raw), image.digest(), "{name}");
    }
}

#[test]
fn everything_in_a_docker_registry_is_carried_and_read_by_skopeo() {
    let (Some(real), Some(skopeo)) = (RealRegistry::distribution2(), Skopeo::find()) else {
        return;
    };
    carries_all(&real, &skopeo);
}

#[test]
fn everything_in_a_distribution_3_is_carried_and_read_by_skopeo() {
    let (Some(real), Some(skopeo)) = (RealRegistry::distribution3(), Skopeo::find()) else {
        return;
    };
    carries_all(&real, &skopeo);
}

#[test]
fn an_interrupted_build_from_a_docker_registry_goes_on_where_it_stopped() {
    let (Some(real), Some(skopeo)) = (RealRegistry::distribution2(), Skopeo::find()) else {
        return;
    };
    let (_, _, names) = fill(&real, &skopeo);
    let request = request(&names);
    let whole = Connected::new();
    whole.build(&request).unwrap();
    for steps in [0, 3, 7, 12] {
        let mut side = Connected::with_connections(2);
        side.stopped_after(steps);
        assert!(side.build(&request).is_err());
        side.not_stopped();
        side.build(&request).unwrap();
        assert!(side.bytes() == whole.bytes(), "stopped after {steps} steps");
    }
}
