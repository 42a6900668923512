//! What is wrong is said with the name of the file, and nothing comes of it.

use sealift_oci::{Destination, NamingRule};
use sealift_products::calico::{CalicoError, PullSecret, Target, prove, pull_secret_manifest};
use sealift_products::floating;
use sealift_products::import::{
    image_list, manifest_references, print_images, releases_json, versions_yml,
};
use sealift_products::{ProductSpec, SelectError, Selection};

use crate::shared::{catalogue, images, release};

fn unknown(spec: &str) -> String {
    catalogue()
        .resolve(&spec.parse().unwrap())
        .unwrap_err()
        .to_string()
}

#[test]
fn an_unknown_version_is_refused_with_those_that_are_known() {
    let error = unknown("calico@v3.32.9");
    assert!(error.contains("known: v3.32.0, v3.32.1"), "{error}");
    let error = unknown("calico@4.0");
    assert!(
        error.contains("v3.20.0 to v3.20.6") && error.contains("v3.32.0 to v3.32.1"),
        "{error}"
    );
    let error = unknown("cailco@v3.32.1");
    assert!(error.contains("known: calico"), "{error}");
    let error = unknown("calico@v3.24.6");
    assert!(error.contains("v3.24.5"), "{error}");
}

#[test]
fn texts_that_name_no_release_are_refused() {
    for text in [
        "calico",
        "calico@",
        "calico@latest",
        "calico@{{version}}",
        "https://calico@3.32",
    ] {
        assert!(text.parse::<ProductSpec>().is_err(), "{text}");
    }
}

#[test]
fn a_feature_that_is_not_there_is_refused_with_those_that_are() {
    let catalogue = catalogue();
    let resolved = catalogue
        .resolve(&"calico@v3.20.0".parse().unwrap())
        .unwrap();
    let with = |feature: &str| {
        let selection = Selection {
            with: [feature.to_owned()].into(),
            ..Selection::default()
        };
        resolved
            .release
            .select(resolved.product, &selection)
            .unwrap_err()
    };
    assert!(with("gateway").to_string().contains("gateway-api"));
    assert!(matches!(with("gateway-api"), SelectError::Absent { .. }));
}

#[test]
fn tags_that_move_and_placeholders_are_refused_with_the_reason() {
    for tag in [
        "latest",
        "master",
        "main",
        "release-v3.33",
        "VERSION",
        "",
        "{{tag}}",
        "$TAG",
    ] {
        assert!(floating(tag).is_some(), "{tag:?}");
    }
    for tag in [
        "v3.32.1",
        "3.10",
        "v1.1.5",
        "1.36.1",
        "v0.13.5",
        "v3.32.1-fips",
        "latestable-1",
    ] {
        assert!(floating(tag).is_none(), "{tag:?}");
    }
    let texts = [
        "calico/flannel-migration-controller:master",
        "mcr.microsoft.com/windows/nanoserver:VERSION",
        "{{ .Values.image }}:v1",
        "calico/node:v3.25.0",
    ];
    let import = manifest_references("m", texts).unwrap();
    assert_eq!((import.images.len(), import.refused.len()), (1, 3));
    assert!(import.refused[0].reason.contains("moves"));
    assert!(import.refused[1].reason.contains("placeholder"));
    let release = "calico@v3.25.0";
    let refused = images(&catalogue(), release, &[]).refused;
    assert_eq!(
        refused
            .iter()
            .filter(|refused| refused.source == "manifests")
            .count(),
        2
    );
}

#[test]
fn templates_of_helm_jekyll_and_docusaurus_are_called_templates() {
    let jekyll = b"- title: {{site.data.versions.first.title}}\n  components: {}\n";
    assert!(
        versions_yml("versions.yml", jekyll, None)
            .unwrap_err()
            .to_string()
            .contains("placeholder {{ in line 1")
    );
    let docusaurus = b"[{\"title\": \"$[releaseTitle]\", \"components\": {}}]";
    assert!(
        releases_json("releases.json", docusaurus, None)
            .unwrap_err()
            .to_string()
            .contains("$[")
    );
    assert!(
        image_list("images.txt", b"quay.io/a/b:v1\n{{ image }}\n")
            .unwrap()
            .refused
            .len()
            == 1
    );
}

#[test]
fn files_of_another_kind_are_refused_by_name() {
    for (name, bytes) in [
        ("a.yml", &b"just text"[..]),
        ("b.yml", b"[]"),
        ("c.yml", b"- x: 1"),
        ("d.yml", b"\xff\xfe"),
        ("e.yml", b"a: ["),
    ] {
        let error = versions_yml(name, bytes, None).unwrap_err().to_string();
        assert!(error.starts_with(name), "{error}");
    }
    let cut = print_images("list.txt", b"quay.io/calico/node:v3.32.1\n")
        .unwrap_err()
        .to_string();
    assert!(cut.contains("the output was truncated"), "{cut}");
    assert!(image_list("list.txt", b"# nothing\n").is_err());
    assert!(
        image_list("list.txt", b"https://quay.io/a/b:v1\n")
            .unwrap_err()
            .to_string()
            .contains("URL")
    );
}

#[test]
fn a_data_file_is_checked_before_anything_of_it_is_taken() {
    let with = |text: &str| catalogue().with_file("mine.yaml", text.as_bytes());
    let bad = [
        ("product: other\nreleases: []\n", "no description"),
        ("product: calico\nrelease: []\n", "unknown field"),
        (
            "product: calico\nreleases:\n- {version: v9.0.0, images: []}\n",
            "no images",
        ),
        (
            "product: calico\nreleases:\n- {version: nine, images: [a/b:1]}\n",
            "expected a version",
        ),
        (
            "product: calico\nreleases:\n- {version: v9.0.0, images: [\"a/b:master\"]}\n",
            "moves",
        ),
        (
            "product: calico\nreleases:\n- {version: v9.0.0, images: [\"a/b:1\", \"a/b:1\"]}\n",
            "twice",
        ),
        (
            "product: calico\nreleases:\n- {version: v9.0.0, images: [{image: a/b, features: [nope]}]}\n",
            "\"nope\"",
        ),
        (
            "product: calico\nreleases:\n- {version: v9.0.0, images: [{image: a/b, in: [nope]}]}\n",
            "not among the sources",
        ),
        (
            "product: calico\nreleases:\n- {version: v9.0.0, images: [{image: A/b}]}\n",
            "lower case",
        ),
        ("{{ x }}: 1\n", "template"),
    ];
    for (text, expected) in bad {
        let error = with(text).unwrap_err().to_string();
        assert!(
            error.contains("mine.yaml") && error.contains(expected),
            "{text}: {error}"
        );
    }
}

#[test]
fn a_file_of_the_users_adds_a_release_and_replaces_one() {
    let text = "product: calico\nreleases:\n- version: v3.33.0\n  operator: v1.44.0\n  registry: quay.io\n  sources: [operator]\n  images:\n  - {image: calico/node, in: [operator]}\n- version: v3.32.1\n  images: [quay.io/calico/node:v3.32.1]\n";
    let catalogue = catalogue().with_file("mine.yaml", text.as_bytes()).unwrap();
    let added = release(&catalogue, "calico@3.33");
    assert_eq!(
        added.images[0].reference.to_string(),
        "quay.io/calico/node:v3.33.0"
    );
    let replaced = release(&catalogue, "calico@v3.32.1");
    assert_eq!(
        (replaced.images.len(), replaced.origin.as_str()),
        (1, "mine.yaml")
    );
}

#[test]
fn destinations_that_operators_cannot_reach_are_refused() {
    assert!("https://registry.corp".parse::<Destination>().is_err());
    assert!("registry.corp/Mirror".parse::<Destination>().is_err());
    let target = |destination: &str, rule| Target::new(destination.parse().unwrap(), rule, None);
    assert!(matches!(
        target("r.corp", NamingRule::Flat),
        Err(CalicoError::FlatWithoutPath { .. })
    ));
    assert!(matches!(
        target("r.corp/a", NamingRule::Host),
        Err(CalicoError::Rule { .. })
    ));
    assert!(Target::new("r.corp".parse().unwrap(), NamingRule::Keep, Some("a/")).is_err());
}

#[test]
fn images_that_collide_under_flat_are_named() {
    let text = "product: calico\nreleases:\n- version: v9.0.0\n  operator: v1.29.0\n  sources: [operator]\n  images:\n  - {image: calico/node, in: [operator]}\n  - {image: tigera/node, in: [operator]}\n";
    let catalogue = catalogue().with_file("mine.yaml", text.as_bytes()).unwrap();
    let images = images(&catalogue, "calico@v9.0.0", &[]).images;
    let target = Target::new("r.corp/a".parse().unwrap(), NamingRule::Flat, None).unwrap();
    let error = prove(
        release(&catalogue, "calico@v9.0.0"),
        &images,
        &target,
        target.naming(),
    )
    .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("calico/node")
            && text.contains("tigera/node")
            && text.contains("r.corp/a/node"),
        "{text}"
    );
}

#[test]
fn a_secret_file_that_is_none_is_refused_and_its_content_not_repeated() {
    let files: &[(&[u8], &str)] = &[
        (b"canary", "not JSON"),
        (b"{\"canary\": 1}", "no \"auths\""),
        (b"{\"auths\": {}}", "is empty"),
        (b"{\"credsStore\": \"canary\"}", "helper program"),
        (b"{\"auths\": {\"r.corp\": {}}}", "neither"),
        (
            b"{\"auths\": {\"other.corp\": {\"auth\": \"bWU6Y2FuYXJ5\"}}}",
            "no credentials for r.corp",
        ),
        (
            b"{\"auths\": {\"r.corp\": {\"auth\": \"canary\"}}}",
            "neither",
        ),
        (
            b"{\"auths\": {\"r.corp\": {\"identitytoken\": \"canary\"}}}",
            "identity token",
        ),
        (
            b"{\"auths\": {\"other.corp\": {}}, \"credHelpers\": {\"r.corp\": \"canary\"}}",
            "helper program",
        ),
        (b"apiVersion: v1\nkind: Secret\n", "not JSON"),
    ];
    for (bytes, expected) in files {
        let secret = PullSecret::FromFile {
            name: "pull".to_owned(),
            file: "auth.json".to_owned(),
            bytes: bytes.to_vec(),
        };
        let error = pull_secret_manifest(&secret, "tigera-operator", "r.corp")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(expected) && error.starts_with("auth.json"),
            "{error}"
        );
        assert!(!error.contains("canary"), "{error}");
    }
    for name in ["", "Pull", "a_b", "-a", "a..b", "a/b", "a b"] {
        assert!(
            pull_secret_manifest(&PullSecret::Named(name.to_owned()), "n", "r").is_err(),
            "{name:?}"
        );
    }
}
