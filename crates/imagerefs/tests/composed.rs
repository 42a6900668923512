//! References that are written in several fields: what the rules join, what they leave undecided, and how
//! each is rewritten. docs/image-references.md has the rules.
#![allow(clippy::unwrap_used)]

use sealift_imagerefs::{Findings, Reason, Relocation, find, plan_rewrite};
use sealift_oci::{Destination, Naming};

const DIGEST: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";

fn found(text: &str) -> Findings {
    find("values.yaml", text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn references(found: &Findings) -> Vec<String> {
    let references = found.occurrences.iter();
    references.map(|found| found.text.clone()).collect()
}

fn rewritten(text: &str) -> String {
    let destination: Destination = "r.corp:5000/m".parse().unwrap();
    let naming = Naming::default();
    let relocation = Relocation::new(&destination, &naming);
    let plan = plan_rewrite("t", text.as_bytes(), &relocation).unwrap();
    let out = plan.apply(text.as_bytes()).unwrap();
    let again = plan_rewrite("t", &out, &relocation).unwrap();
    assert_eq!(again.edits, [], "a second run changes {text}");
    String::from_utf8(out).unwrap()
}

/// A values file with one image, the reference that it means, and the file for another registry.
const JOINED: &[(&str, &str, &str)] = &[
    // A name that has its tag or digest in it keeps it.
    (
        "image: {repository: 'ghcr.io/t/a:v3', pullPolicy: Always}",
        "ghcr.io/t/a:v3",
        "image: {repository: 'r.corp:5000/m/t/a:v3', pullPolicy: Always}",
    ),
    (
        "image: {registry: ghcr.io, repository: 't/a:v3', tag: ''}",
        "ghcr.io/t/a:v3",
        "image: {registry: r.corp:5000, repository: 'm/t/a:v3', tag: ''}",
    ),
    (
        "image: {repository: 'ghcr.io/t/a@D', pullPolicy: Always}",
        "ghcr.io/t/a@D",
        "image: {repository: 'r.corp:5000/m/t/a@D', pullPolicy: Always}",
    ),
    (
        "image: {repository: 'ghcr.io/t/a:v3@D', pullPolicy: Always}",
        "ghcr.io/t/a:v3@D",
        "image: {repository: 'r.corp:5000/m/t/a:v3@D', pullPolicy: Always}",
    ),
    (
        "image: {repository: 'ghcr.io/t/a:v3', digest: 'D'}",
        "ghcr.io/t/a:v3@D",
        "image: {repository: 'r.corp:5000/m/t/a:v3', digest: 'D'}",
    ),
    (
        "image: {repository: ghcr.io/t/a, tag: 'v3@D'}",
        "ghcr.io/t/a:v3@D",
        "image: {repository: r.corp:5000/m/t/a, tag: 'v3@D'}",
    ),
    (
        "a: {registry: quay.io, image: 't/a:v3'}",
        "quay.io/t/a:v3",
        "a: {registry: r.corp:5000, image: 'm/t/a:v3'}",
    ),
    (
        "a: {image: 'quay.io/t/a:v3', version: v9}",
        "quay.io/t/a:v3",
        "a: {image: 'r.corp:5000/m/t/a:v3', version: v9}",
    ),
    // Registry, repository, name.
    (
        "image: {registry: quay.io, repository: t, name: a, tag: v1}",
        "quay.io/t/a:v1",
        "image: {registry: r.corp:5000, repository: m/t, name: a, tag: v1}",
    ),
    (
        "image: {registry: quay.io, org: t, name: a, tag: v1}",
        "quay.io/t/a:v1",
        "image: {registry: r.corp:5000, org: m/t, name: a, tag: v1}",
    ),
    (
        "image: {registry: gcr.io, project: t, name: a, digest: 'D'}",
        "gcr.io/t/a@D",
        "image: {registry: r.corp:5000, project: m/t, name: a, digest: 'D'}",
    ),
    (
        "image: {registry: quay.io, path: t, name: a, tag: v1}",
        "quay.io/t/a:v1",
        "image: {registry: r.corp:5000, path: m/t, name: a, tag: v1}",
    ),
    (
        "image: {host: quay.io, path: t/a, tag: v1}",
        "quay.io/t/a:v1",
        "image: {host: r.corp:5000, path: m/t/a, tag: v1}",
    ),
    (
        "image: {name: t/a, tag: v1}",
        "t/a:v1",
        "image: {name: r.corp:5000/m/t/a, tag: v1}",
    ),
    (
        "images: {a: {registry: quay.io, name: t/a, tag: v1}}",
        "quay.io/t/a:v1",
        "images: {a: {registry: r.corp:5000, name: m/t/a, tag: v1}}",
    ),
    (
        "image: {repo: quay.io/t/a, tag: v1}",
        "quay.io/t/a:v1",
        "image: {repo: r.corp:5000/m/t/a, tag: v1}",
    ),
    (
        "image: {ref: 'quay.io/t/a:v1'}",
        "quay.io/t/a:v1",
        "image: {ref: 'r.corp:5000/m/t/a:v1'}",
    ),
    // ingress-nginx, Kyverno.
    (
        "global: {image: {registry: quay.io}}\na: {image: {image: t/a, tag: v1}}",
        "quay.io/t/a:v1",
        "global: {image: {registry: r.corp:5000}}\na: {image: {image: m/t/a, tag: v1}}",
    ),
    (
        "image: {registry: ~, defaultRegistry: reg.kyverno.io, repository: t/a, tag: v1}",
        "reg.kyverno.io/t/a:v1",
        "image: {registry: ~, defaultRegistry: r.corp:5000, repository: m/t/a, tag: v1}",
    ),
    // NVIDIA's GPU operator.
    (
        "driver: {repository: nvcr.io/t, image: a, version: 450.80.02}",
        "nvcr.io/t/a:450.80.02",
        "driver: {repository: r.corp:5000/m/t, image: a, version: 450.80.02}",
    ),
    (
        "driver: {repository: nvcr.io/t, image: a, version: 'D'}",
        "nvcr.io/t/a@D",
        "driver: {repository: r.corp:5000/m/t, image: a, version: 'D'}",
    ),
    // Rancher, Kiali, Concourse.
    (
        "rancherImage: t/a\nrancherImageTag: v2.9.0",
        "t/a:v2.9.0",
        "rancherImage: r.corp:5000/m/t/a\nrancherImageTag: v2.9.0",
    ),
    (
        "deployment: {image_name: quay.io/t/a, image_version: v1}",
        "quay.io/t/a:v1",
        "deployment: {image_name: r.corp:5000/m/t/a, image_version: v1}",
    ),
    (
        "web: {image: t/a, imageTag: v7}",
        "t/a:v7",
        "web: {image: r.corp:5000/m/t/a, imageTag: v7}",
    ),
];

#[test]
fn fields_are_joined_by_the_rules_and_each_keeps_its_part() {
    let full = |text: &str| text.replace('D', DIGEST);
    for (text, reference, expected) in JOINED {
        let text = full(text);
        let found = found(&text);
        assert_eq!(references(&found), [full(reference)], "{text}");
        assert_eq!(found.not_understood, [], "{text}");
        assert_eq!(rewritten(&text), full(expected), "{text}");
    }
}

#[test]
fn fields_that_no_rule_joins_are_listed_and_left() {
    for text in [
        // The registry is not known.
        "a: {repository: t, image: a, tag: v1}",
        "image: {org: t, name: a, tag: v1}",
        "image: {registry: mirror, repository: t/a, tag: v1}",
        "registry: quay.io\na: {image: t/a, tag: v1}",
        "registry: quay.io\na: {image: 't/a:v1'}",
        "global: {registry: quay.io}\nimage: {repository: t/a, tag: v1}",
        "global: {image: {registry: quay.io}}\na: {image: {registry: r.io, repository: t/a, tag: v1}}",
        "image: {registry: '', repository: '', name: a, tag: v1}",
        "image: {registry: ~, repository: t/a, tag: v1}",
        "image: {repository: ~, name: a, tag: v1}",
        "repository: nvcr.io/t\na: {image: a, version: v1}",
        // A part may be there twice.
        "image: {registry: quay.io, repository: quay.io/t/a, tag: v1}",
        "global: {imageRegistry: r.io}\nimage: {repository: quay.io/t/a, tag: v1}",
        "image: {repository: 'quay.io/t/a:v1', tag: v2}",
        "image: {repository: quay.io/t/a, tag: v1, imageTag: v2}",
        "image: {registry: quay.io, org: t, repository: t/a, tag: v1}",
        "a: {repository: quay.io/t/a, image: a, tag: v1}",
        "a: {repository: quay.io/t, image: 'quay.io/t/a:v1', tag: v1}",
        // What belongs to the reference is open.
        "image: {repository: quay.io/t, name: a, tag: v1}",
        "a: {name: a, repository: quay.io/t/b, tag: v1}",
        "image: {repository: quay.io/t/a, tag: v1, tagSuffix: -alpine}",
        "image: {repository: quay.io/t/a, tag: v1, flavor: debian}",
        "sideImage: t/a\nsideImageTag: v1\nsideImageRegistry: quay.io",
        "driver: {repository: quay.io/t/a, version: v1}",
        "component: {image: t/a, version: v1}",
        "a: {repository: nvcr.io/t, image: t/a, version: v1}",
        // Nothing says that it is an image's, or its name is elsewhere.
        "app: {registry: quay.io, name: t/a, tag: v1}",
        "app: {host: quay.io, org: t, name: a, version: v1}",
        "app: {host: quay.io, path: t/a, digest: 'sha256:1'}",
        "list: [{name: nginx, tag: '1.25'}]",
        "image: {tag: v1}",
        "image: {uri: quay.io/t/a, tag: v1}",
        "controller: {image: {registry: quay.io}}",
        // The registry is set for all images.
        "image: {registry: quay.io}\na: {image: {repository: t/a, tag: v1}}",
        "common: {registry: quay.io}\nimages: {a: 't/a:v1'}",
        "registry: quay.io\nimages: ['t/a:v1']",
        "registry: quay.io\nweb: {image: 'nginx:1.25'}",
    ] {
        let found = found(text);
        assert_eq!(references(&found), [""; 0], "{text}");
        assert_eq!(found.incomplete, [], "{text}");
        let undecided = found
            .not_understood
            .iter()
            .any(|left| matches!(left.reason, Reason::Undecided(_)));
        assert!(undecided, "{text}: {:?}", found.not_understood);
        assert_eq!(rewritten(text), text, "{text}");
    }
}

#[test]
fn a_digest_where_a_tag_is_printed_is_listed() {
    for fields in [
        format!("repository: quay.io/t/a, tag: '{DIGEST}'"),
        format!("repository: 'quay.io/t/a@{DIGEST}', tag: v1"),
        format!(
            "repository: 'quay.io/t/a@{DIGEST}', digest: '{}'",
            DIGEST.replace('1', "2")
        ),
        "repository: quay.io/t/a, tag: '@sha256:1'".to_owned(),
        "repository: quay.io/t/a, digest: '1111'".to_owned(),
    ] {
        let text = format!("image: {{{fields}}}");
        let found = found(&text);
        assert_eq!(references(&found), [""; 0], "{text}");
        assert_eq!(found.not_understood.len(), 1, "{text}");
        assert_eq!(rewritten(&text), text);
    }
}

#[test]
fn the_message_about_undecided_fields_has_all_of_them() {
    let found = found("image: {repository: quay.io/t, name: a, tag: v1}");
    let left = &found.not_understood[0];
    assert_eq!(left.text, "repository: quay.io/t, name: a, tag: v1");
    assert_eq!(left.path, ".image.repository");
}

#[test]
fn a_version_in_a_custom_resource_is_the_tag_only_by_a_rule() {
    let resource = |spec: &str| format!("apiVersion: x.io/v1\nkind: X\nspec:\n  {spec}\n");
    let text = resource("node: {image: quay.io/t/a, version: 15.2.0}");
    assert_eq!(references(&found(&text)), [""; 0]);
    assert_eq!(rewritten(&text), text);
    let text = resource("node: {repository: quay.io/t, image: a, version: 15.2.0}");
    assert_eq!(references(&found(&text)), ["quay.io/t/a:15.2.0"]);
    let text = resource("node: {image: {repository: quay.io/t/a, tag: v1}}");
    assert_eq!(references(&found(&text)), ["quay.io/t/a:v1"]);
}

#[test]
fn settings_that_look_a_little_like_images_are_not_listed() {
    for text in [
        "imagePullSecrets: [{name: a, namespace: b}]\nimage: {repository: quay.io/t/a, tag: v1, pullSecrets: [{name: c}]}",
        "image: quay.io/t/a:v1\ningress: {hosts: [{host: chart.local, path: /}]}\nlabels: {name: a, version: v1}",
        "image: quay.io/t/a:v1\nchecksum: 'sha256:1234567890'\nauth: 'admin:pass1'\nredis: 'cache:6379'",
    ] {
        let found = found(text);
        assert_eq!(
            references(&found),
            [found.occurrences[0].text.clone()],
            "{text}"
        );
        assert_eq!(found.not_understood, [], "{text}");
    }
}

#[test]
fn repositories_of_charts_and_sources_are_not_images() {
    for text in [
        "dependencies: [{name: a, repository: 'https://charts.example.com', version: 1.0.0}]",
        "dependencies: [{name: a, repository: 'oci://ghcr.io/t', version: 1.0.0}]",
        "source: {repository: github.com/t/a, version: v1}",
        "git: {repo: 'git@github.com:t/a.git', tag: v1}",
        "source: {repository: t/a, ref: main}",
    ] {
        let found = found(text);
        assert_eq!(references(&found), [""; 0], "{text}");
        assert_eq!(rewritten(text), text);
    }
}

#[test]
fn what_helm_prints_another_way_is_not_given_out() {
    for (fields, printed) in [
        ("repository: t/a, tag: 20230101", "2.0230101e+07"),
        ("repository: t/a, tag: 12e03", "12000"),
        ("repository: t/a, tag: 0123", "83"),
        ("repository: t/a, tag: 1_000", "1000"),
        ("repository: t/a, tag: 1.10", "1.1"),
        ("repository: t/a, tag: yes", "true"),
        ("repository: t/a, tag: 0x1F", "31"),
        (
            "registry: quay.io, repository: 1234567, tag: v1",
            "1.234567e+06",
        ),
    ] {
        let found = found(&format!("image: {{{fields}}}"));
        assert_eq!(references(&found), [""; 0], "{fields}");
        let reason = &found.not_understood[0].reason;
        assert_eq!(*reason, Reason::NumberAsTag(printed.to_owned()), "{fields}");
    }
    for tag in [
        "'1.10'",
        "\"20230101\"",
        "!!str 20230101",
        "3",
        "1.25",
        "2024-01-01",
        "123456",
    ] {
        let found = found(&format!("image: {{repository: t/a, tag: {tag}}}"));
        assert_eq!(found.occurrences.len(), 1, "{tag}");
    }
}

#[test]
fn a_registry_that_is_an_address_of_the_web_is_listed() {
    let found = found("image: {registry: 'https://quay.io', repository: t/a, tag: v1}");
    assert_eq!(references(&found), [""; 0]);
    assert_eq!(found.not_understood[0].reason, Reason::Url);
}

#[test]
fn a_merged_mapping_with_another_tag_is_another_reference() {
    let text = "a: {image: &i {repository: quay.io/t/a, tag: v1}}\nb: {image: *i}\nc: {image: {<<: *i, tag: v2}}\n";
    assert_eq!(
        references(&found(text)),
        ["quay.io/t/a:v1", "quay.io/t/a:v2"]
    );
    assert_eq!(rewritten(text), text.replace("quay.io", "r.corp:5000/m"));
}

#[test]
fn a_path_that_would_be_empty_is_listed() {
    let text = "image: {registry: quay.io, repository: t, name: a, tag: v1}";
    let destination: Destination = "r.corp:5000".parse().unwrap();
    let naming = Naming::new("flat".parse().unwrap());
    let relocation = Relocation::new(&destination, &naming);
    let plan = plan_rewrite("t", text.as_bytes(), &relocation).unwrap();
    assert_eq!(plan.edits, []);
    assert_eq!(plan.not_understood[0].reason, Reason::EmptyPath);
}
