//! skopeo copies into testkit's registry and out of it, and nothing changes on the way.

use sealift_testkit::real::{RealRegistry, Skopeo};
use sealift_testkit::{Image, ImageMaker, Layer, Profile, Registry};

fn image() -> Image {
    ImageMaker::new("node")
        .platforms(&[
            "linux/amd64",
            "linux/arm64/v8",
            "windows/amd64:10.0.17763.5329",
        ])
        .layer(Layer::gzip("base", 300_000))
        .layer(Layer::zstd("program", 100_000))
        .layer(Layer::plain("notes", 1_000).everywhere())
        .attested()
        .make()
}

fn pass_through(to: &Registry) {
    let Some(skopeo) = Skopeo::find() else {
        return;
    };
    let from = Registry::start();
    let image = image();
    image.put_into(&from, "calico/node", Some("v1"));
    skopeo.copy(
        &format!("docker://{}", from.reference("calico/node", "v1")),
        &format!("docker://{}", to.reference("mirror/calico/node", "v1")),
    );
    image.assert_in(to, "mirror/calico/node", Some("v1"));
}

#[test]
fn skopeo_copies_a_multi_arch_image_from_one_to_another() {
    pass_through(&Registry::start());
}

#[test]
fn skopeo_copies_into_one_that_behaves_as_distribution_2() {
    pass_through(&Registry::with_profile(Profile::Distribution2));
}

#[test]
fn skopeo_copies_into_one_that_behaves_as_distribution_3() {
    pass_through(&Registry::with_profile(Profile::Distribution3));
}

#[test]
fn skopeo_copies_into_one_that_keeps_its_content_on_disk() {
    pass_through(&Registry::builder().on_disk().start());
}

#[test]
fn what_was_made_passes_through_a_real_registry() {
    let (Some(skopeo), Some(real)) = (Skopeo::find(), RealRegistry::distribution2()) else {
        return;
    };
    let (from, back) = (Registry::start(), Registry::start());
    let image = ImageMaker::new("docker")
        .docker()
        .layer(Layer::gzip("base", 10_000))
        .layer(Layer::empty())
        .make();
    image.put_into(&from, "a/b", Some("v1"));
    let there = format!("docker://{}/a/b:v1", real.host());
    skopeo.copy(&format!("docker://{}", from.reference("a/b", "v1")), &there);
    skopeo.copy(&there, &format!("docker://{}", back.reference("a/b", "v1")));
    image.assert_in(&back, "a/b", Some("v1"));
    assert_eq!(
        skopeo.raw_manifest(&there),
        &image.manifest(&image.digest()).unwrap().bytes[..]
    );
}
