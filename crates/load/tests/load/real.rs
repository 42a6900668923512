//! Against `docker-registry`, with digests compared by a few lines of HTTP that share nothing with our
//! client.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use sealift_oci::Digest;
use sealift_testkit::real::RealRegistry;
use sealift_testkit::{Artifact, Image, ImageMaker, Layer, cosign, cosign_tag};

use crate::support::{Maker, image, request, run, small};

/// Status and body of a GET, read to the end of the connection.
fn get(address: SocketAddr, path: &str) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    let accept = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json";
    write!(
        stream,
        "GET {path} HTTP/1.0\r\nHost: {address}\r\nAccept: {accept}\r\n\r\n"
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer[end + 4..].to_vec())
}

fn assert_there(address: SocketAddr, repository: &str, tag: &str, image: &Image) {
    let (status, bytes) = get(address, &format!("/v2/{repository}/manifests/{tag}"));
    assert_eq!(
        (status, Digest::sha256(&bytes)),
        (200, image.digest()),
        "{repository}:{tag}"
    );
    for made in &image.manifests {
        let digest = made.descriptor.digest;
        let (status, bytes) = get(address, &format!("/v2/{repository}/manifests/{digest}"));
        assert_eq!(
            (status, Digest::sha256(&bytes)),
            (200, digest),
            "{repository}"
        );
    }
    for digest in image.blobs.keys() {
        let (status, bytes) = get(address, &format!("/v2/{repository}/blobs/{digest}"));
        assert_eq!(
            (status, Digest::sha256(&bytes)),
            (200, *digest),
            "{repository}"
        );
    }
}

fn large() -> Image {
    ImageMaker::new("large")
        .docker()
        .layer(Layer::gzip("base", 60_000))
        .layer(Layer::plain("large", 4_000_000).everywhere())
        .layer(Layer::empty())
        .make()
}

fn maker() -> Maker {
    let node = image("node");
    let sbom = Artifact::new("application/spdx+json")
        .subject(&node.root)
        .make();
    let mut maker = Maker::new()
        .image("docker.io/calico/node:v1", &node)
        .image("docker.io/calico/cni:v1", &image("cni"))
        .image("r.example/very/deeply/nested/name/large:1", &large())
        .image(
            "r.example/artifact:1",
            &Artifact::new("application/x.y").make(),
        )
        .referrer("docker.io/calico/node", node.digest(), &sbom)
        .referrer(
            "docker.io/calico/node",
            node.digest(),
            &cosign(&node.root, "sig"),
        );
    for n in 0..120 {
        maker = maker.image(&format!("r.example/tags:v{n}"), &small("tags"));
    }
    maker
}

fn check(registry: &RealRegistry) {
    let bundle = maker().bundle();
    let wanted = request(&registry.host());
    let receipt = run(&bundle, &wanted).unwrap();
    let address = registry.address();
    let node = image("node");
    assert_there(address, "mirror/calico/node", "v1", &node);
    assert_there(address, "mirror/calico/cni", "v1", &image("cni"));
    assert_there(
        address,
        "mirror/very/deeply/nested/name/large",
        "1",
        &large(),
    );
    let signature = cosign(&node.root, "sig");
    let tag = cosign_tag(&node.digest(), "sig");
    assert_there(address, "mirror/calico/node", &tag, &signature);
    for n in [0, 119] {
        assert_there(address, "mirror/tags", &format!("v{n}"), &small("tags"));
    }
    let fallback = format!(
        "/v2/mirror/calico/node/manifests/{}",
        node.digest().referrers_tag()
    );
    let (status, index) = get(address, &fallback);
    let sbom = Artifact::new("application/spdx+json").subject(&node.root);
    let listed = String::from_utf8(index).unwrap();
    assert!(
        status == 200 && listed.contains(&sbom.make().digest().hex()),
        "{listed}"
    );
    assert_eq!(receipt.totals.tags_set, 126);

    let again = run(&bundle, &wanted).unwrap();
    let totals = again.totals;
    assert_eq!(
        totals.blobs_sent + totals.blobs_mounted + totals.manifests_stored,
        0
    );
    assert_eq!((totals.tags_set, totals.tags_unchanged), (0, 125));
}

#[test]
fn distribution_2_has_the_same_digests_and_a_second_run_changes_nothing() {
    if let Some(registry) = RealRegistry::distribution2() {
        check(&registry);
    }
}

#[test]
fn distribution_3_has_the_same_digests_and_a_second_run_changes_nothing() {
    if let Some(registry) = RealRegistry::distribution3() {
        check(&registry);
    }
}

#[test]
fn a_damaged_bundle_leaves_distribution_2_without_manifests() {
    let Some(registry) = RealRegistry::distribution2() else {
        return;
    };
    let victim = *large()
        .blobs
        .iter()
        .max_by_key(|(_, bytes)| bytes.len())
        .unwrap()
        .0;
    assert!(run(&maker().damaged(&victim), &request(&registry.host())).is_err());
    for repository in ["mirror/calico/node", "mirror/tags"] {
        let (status, _) = get(registry.address(), &format!("/v2/{repository}/tags/list"));
        assert_eq!(status, 404, "{repository}");
    }
}
