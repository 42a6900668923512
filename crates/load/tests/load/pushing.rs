//! What is sent, mounted and left, and in which order.

use std::collections::BTreeMap;

use sealift_load::{TagAction, Verified};
use sealift_oci::{Digest, media_type};
use sealift_testkit::{
    Artifact, Behaviour, Fault, Format, ImageMaker, Layer, Mounts, Registry, Route, When, nested,
};

use crate::support::{Maker, image, load, planned, request, run, small};

fn three() -> Maker {
    Maker::new()
        .image("docker.io/calico/node:v1", &image("node"))
        .image("docker.io/calico/cni:v1", &image("cni"))
        .image("quay.io/tigera/operator:v2", &small("operator"))
}

#[test]
fn everything_arrives_byte_for_byte_and_each_blob_is_sent_once() {
    let registry = Registry::start();
    let maker = three();
    let receipt = load(&maker.bundle(), &registry).unwrap();
    image("node").assert_in(&registry, "mirror/calico/node", Some("v1"));
    image("cni").assert_in(&registry, "mirror/calico/cni", Some("v1"));
    small("operator").assert_in(&registry, "mirror/tigera/operator", Some("v2"));
    let uploads = registry.traffic().uploads();
    let blobs = maker.bundle().record().blobs.len();
    assert_eq!(uploads.len(), blobs, "every blob went up");
    assert!(uploads.values().all(|times| *times == 1), "{uploads:?}");
    // The base of each platform: amd64 in two more repositories, arm64 in one.
    assert_eq!(registry.traffic().mounts().values().sum::<usize>(), 3);
    assert_eq!(receipt.totals.blobs_sent, blobs as u64);
    assert_eq!(receipt.totals.blobs_mounted, 3);
    assert_eq!(
        receipt.totals.bytes_sent,
        registry.traffic().bytes_uploaded()
    );
    assert_eq!(receipt.totals.tags_set, 3);
    assert!(receipt.is_complete());
    assert_eq!(registry.open_sessions(), 0);
}

#[test]
fn blobs_come_before_manifests_children_before_indexes_and_tags_last() {
    let registry = Registry::start();
    load(&three().bundle(), &registry).unwrap();
    let traffic = registry.traffic();
    let position = |wanted: &dyn Fn(&sealift_testkit::Recorded) -> bool| {
        let all = traffic.0.iter().enumerate();
        all.filter(|(_, request)| request.is_write() && wanted(request))
            .map(|(n, _)| n)
            .collect::<Vec<usize>>()
    };
    let blobs = position(&|r| matches!(r.route, Route::Uploads | Route::Session));
    let by_digest = position(&|r| r.route == Route::Manifest && r.reference.contains(':'));
    let tags = position(&|r| r.route == Route::Manifest && !r.reference.contains(':'));
    assert_eq!((by_digest.len(), tags.len()), (7, 3));
    assert!(blobs.last() < by_digest.first());
    assert!(by_digest.last() < tags.first());
    let index = image("node").digest().to_string();
    let at = |digest: &str| {
        let here = |r: &sealift_testkit::Recorded| r.reference == digest;
        position(&here)[0]
    };
    for child in image("node").children() {
        assert!(at(&child.digest.to_string()) < at(&index));
    }
    let first_tag = tags[0];
    let read_back = traffic.0[..first_tag]
        .iter()
        .filter(|r| r.method == "GET" && r.route == Route::Manifest);
    assert_eq!(
        read_back.count(),
        7,
        "every manifest is read back before a tag moves"
    );
}

#[test]
fn a_second_run_writes_nothing_and_asks_once_for_each_manifest() {
    let registry = Registry::start();
    let bundle = three().bundle();
    load(&bundle, &registry).unwrap();
    registry.clear_traffic();
    let receipt = load(&bundle, &registry).unwrap();
    let traffic = registry.traffic();
    assert!(traffic.writes().is_empty(), "{:?}", traffic.writes());
    assert_eq!(traffic.count("HEAD", Route::Manifest), 7);
    assert_eq!(traffic.0.len(), 7, "nothing else is asked");
    assert_eq!(receipt.totals.blobs_sent + receipt.totals.blobs_mounted, 0);
    assert_eq!(
        (receipt.totals.tags_set, receipt.totals.tags_unchanged),
        (0, 3)
    );
    let named = |m: &sealift_load::ManifestReceipt| m.verified == Verified::Named && !m.stored;
    assert!(receipt.manifests.iter().all(named));
    assert!(
        planned(&bundle, &request(&registry.host()))
            .unwrap()
            .is_done()
    );
}

#[test]
fn deep_asks_for_every_blob_and_sends_what_garbage_collection_ate() {
    let registry = Registry::start();
    let bundle = three().bundle();
    load(&bundle, &registry).unwrap();
    let lost = *image("cni").blobs.keys().next().unwrap();
    registry.forget_blob(&lost);
    assert!(
        planned(&bundle, &request(&registry.host()))
            .unwrap()
            .is_done()
    );
    let mut deep = request(&registry.host());
    deep.deep = true;
    registry.clear_traffic();
    run(&bundle, &deep).unwrap();
    assert_eq!(registry.traffic().uploads(), BTreeMap::from([(lost, 1)]));
    assert!(registry.has_blob("mirror/calico/cni", &lost));
    assert_eq!(registry.traffic().count("PUT", Route::Manifest), 0);
}

#[test]
fn what_an_interrupted_run_left_is_not_sent_again() {
    let registry = Registry::start();
    let maker = three();
    let node = image("node");
    // Blobs without manifests, and one child without its index.
    for (digest, bytes) in node.blobs.iter().take(3) {
        registry.put_blob_as("mirror/calico/node", *digest, bytes.clone());
    }
    let receipt = load(&maker.bundle(), &registry).unwrap();
    node.assert_in(&registry, "mirror/calico/node", Some("v1"));
    let uploads = registry.traffic().uploads();
    for digest in node.blobs.keys().take(3) {
        assert!(!uploads.contains_key(digest), "{digest} was sent again");
    }
    assert_eq!(receipt.totals.blobs_present, 3);
}

#[test]
fn a_blob_that_another_image_vouches_for_is_mounted_and_not_sent() {
    let registry = Registry::start();
    load(
        &Maker::new()
            .image("docker.io/calico/node:v1", &image("node"))
            .bundle(),
        &registry,
    )
    .unwrap();
    registry.clear_traffic();
    let receipt = load(&three().bundle(), &registry).unwrap();
    let uploads = registry.traffic().uploads();
    let base = ImageMaker::new("x")
        .layer(Layer::gzip("base", 60_000))
        .make();
    let shared: Vec<Digest> = image("node")
        .blobs
        .keys()
        .filter(|digest| base.blobs.contains_key(digest))
        .copied()
        .collect();
    assert_eq!(shared.len(), 2);
    assert!(shared.iter().all(|digest| !uploads.contains_key(digest)));
    assert_eq!(receipt.totals.blobs_mounted, 3);
    let from = |blob: &sealift_load::PlacedBlob| blob.from.clone().unwrap().to_string();
    assert!(
        receipt
            .mounted
            .iter()
            .all(|blob| from(blob) == "mirror/calico/node")
    );
}

#[test]
fn where_mounts_are_refused_each_repository_gets_its_own_copy() {
    for mounts in [
        Mounts::Ignored,
        Mounts::Refused(400),
        Mounts::Refused(401),
        Mounts::Refused(403),
        Mounts::Refused(405),
        Mounts::Refused(404),
    ] {
        let registry = Registry::builder()
            .behaviour(|behaviour: &mut Behaviour| behaviour.mounts = mounts)
            .start();
        let receipt = load(&three().bundle(), &registry).unwrap();
        image("cni").assert_in(&registry, "mirror/calico/cni", Some("v1"));
        small("operator").assert_in(&registry, "mirror/tigera/operator", Some("v2"));
        assert_eq!(receipt.totals.blobs_mounted, 0, "{mounts:?}");
        assert_eq!(registry.open_sessions(), 0, "{mounts:?}");
    }
}

#[test]
fn a_mount_that_was_none_is_made_good_when_the_manifest_is_refused() {
    let registry = Registry::start();
    registry.script(
        When::new("POST", Route::Uploads).query("mount=").always(),
        Fault::Lie,
    );
    let receipt = load(&three().bundle(), &registry).unwrap();
    image("cni").assert_in(&registry, "mirror/calico/cni", Some("v1"));
    small("operator").assert_in(&registry, "mirror/tigera/operator", Some("v2"));
    assert_eq!(receipt.totals.blobs_mounted, 0, "no mount is claimed");
}

#[test]
fn a_blob_that_vanishes_before_its_manifest_is_sent_again_once() {
    let registry = Registry::start();
    let lost = *small("operator").blobs.keys().next().unwrap();
    // The commit is answered as a success and not kept.
    registry.script(
        When::new("PUT", Route::Session).query(&lost.hex()),
        Fault::Lie,
    );
    let maker = Maker::new().image("quay.io/tigera/operator:v2", &small("operator"));
    load(&maker.bundle(), &registry).unwrap();
    small("operator").assert_in(&registry, "mirror/tigera/operator", Some("v2"));
    assert_eq!(registry.traffic().uploads()[&lost], 2);
}

#[test]
fn an_upload_that_breaks_is_made_again() {
    let registry = Registry::start();
    let big = ImageMaker::new("big")
        .single()
        .layer(Layer::plain("big", 3_000_000))
        .make();
    registry.script(
        When::new("PATCH", Route::Session).times(2),
        Fault::CutRequest(700_000),
    );
    registry.script(When::new("PUT", Route::Session), Fault::LoseResponse);
    load(
        &Maker::new().image("r.example/big:1", &big).bundle(),
        &registry,
    )
    .unwrap();
    big.assert_in(&registry, "mirror/big", Some("1"));
    assert_eq!(registry.outstanding_faults(), 0);
}

#[test]
fn hundreds_of_tags_of_one_image_cost_one_upload() {
    let registry = Registry::start();
    let image = small("many");
    let mut maker = Maker::new();
    for n in 0..300 {
        maker = maker.image(&format!("r.example/deep/er/path/many:v{n}"), &image);
    }
    let receipt = load(&maker.bundle(), &registry).unwrap();
    assert_eq!(registry.tags("mirror/deep/er/path/many").len(), 300);
    assert_eq!(receipt.totals.tags_set, 300);
    assert_eq!(receipt.totals.manifests_stored, 1);
    assert!(
        registry
            .traffic()
            .uploads()
            .values()
            .all(|times| *times == 1)
    );
}

#[test]
fn nested_indexes_docker_types_and_artifacts_pass_as_they_are() {
    let registry = Registry::start();
    let docker = ImageMaker::new("docker")
        .docker()
        .attested()
        .layer(Layer::gzip("d", 10_000))
        .layer(Layer::empty())
        .make();
    let nest = nested(
        Format::Oci,
        &[image("one"), nested(Format::Oci, &[image("two")])],
    );
    let artifact = Artifact::new("application/vnd.example.unknown+weird").make();
    let chart = Artifact::new("")
        .config(media_type::HELM_CONFIG, "{}")
        .file(media_type::HELM_CHART, "c.tgz", "chart");
    let maker = Maker::new()
        .image("r.example/docker:1", &docker)
        .image("r.example/nest:1", &nest)
        .image("r.example/artifact:1", &artifact)
        .file("c.tgz", "r.example/charts/c:0.1.0", &chart.make());
    load(&maker.bundle(), &registry).unwrap();
    docker.assert_in(&registry, "mirror/docker", Some("1"));
    nest.assert_in(&registry, "mirror/nest", Some("1"));
    artifact.assert_in(&registry, "mirror/artifact", Some("1"));
    chart
        .make()
        .assert_in(&registry, "mirror/charts/c", Some("0.1.0"));
}

#[test]
fn an_image_by_digest_alone_gets_a_tag_that_holds_it() {
    let registry = Registry::start();
    let image = small("pinned");
    let reference = format!("r.example/pinned@{}", image.digest());
    load(&Maker::new().image(&reference, &image).bundle(), &registry).unwrap();
    let tag = format!("sha256.{}", &image.digest().hex()[..32]);
    image.assert_in(&registry, "mirror/pinned", Some(&tag));
}

#[test]
fn the_plan_says_what_will_be_done_and_writes_nothing() {
    let registry = Registry::start();
    let plan = planned(&three().bundle(), &request(&registry.host())).unwrap();
    assert!(registry.traffic().writes().is_empty());
    let totals = plan.totals();
    assert_eq!(
        (totals.images, totals.repositories, totals.manifests),
        (3, 3, 7)
    );
    assert_eq!((totals.blobs_to_mount, totals.tags_to_set), (3, 3));
    assert_eq!(totals.bytes_to_send, totals.bytes);
    assert!(plan.tags().iter().all(|tag| tag.action == TagAction::Set));
    let json = serde_json::to_value(&plan).unwrap();
    assert_eq!(json["destination"], format!("{}/mirror", registry.host()));
    assert_eq!(
        json["names"][0]["destination"],
        format!("{}/mirror/calico/cni:v1", registry.host())
    );
    assert_eq!(json["tags"][0]["action"], "set");
    let actions: Vec<&str> = json["blobs"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|blob| blob["places"].as_array().unwrap())
        .map(|place| place["action"].as_str().unwrap())
        .collect();
    assert_eq!(
        actions.iter().filter(|action| **action == "mount").count(),
        3
    );
}

#[test]
fn a_receipt_names_everything_and_no_time_unless_given() {
    let registry = Registry::start();
    let receipt = load(&three().bundle(), &registry).unwrap();
    let json = serde_json::to_value(&receipt).unwrap();
    assert!(json.get("started").is_none());
    assert_eq!(json["bundle"], three().bundle().identity().to_string());
    assert_eq!(json["manifests"].as_array().unwrap().len(), 7);
    assert_eq!(json["manifests"][0]["verified"], "read-back");
    assert_eq!(json["tags"].as_array().unwrap().len(), 3);
    let timed = receipt.with_times("then", "now");
    assert_eq!(serde_json::to_value(&timed).unwrap()["started"], "then");
}
