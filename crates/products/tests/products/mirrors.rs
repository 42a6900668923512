//! Mirror configuration: each format is read back by its own rules, and every image must be found where
//! load put it.

use sealift_oci::{Naming, NamingRule, Reference};
use sealift_products::mirror::{
    MirrorFiles, MirrorFormat, MirrorRequest, PolicyKey, SignatureKind, mirror_files, policy_files,
    rules,
};
use serde_json::Value;

use crate::shared::{catalogue, images};

fn all() -> Vec<Reference> {
    let mut all: Vec<Reference> = images(&catalogue(), "calico@v3.29.7", &["canal"])
        .images
        .into_iter()
        .map(|image| image.reference)
        .collect();
    all.push("registry.k8s.io/pause:3.10".parse().unwrap());
    all.push("redis:7.0.15-alpine".parse().unwrap());
    all.push("r.example:5000/x/y:1".parse().unwrap());
    all
}

fn made(
    format: MirrorFormat,
    images: &[Reference],
    destination: &str,
    rule: NamingRule,
) -> MirrorFiles {
    let destination = destination.parse().unwrap();
    let naming = Naming::new(rule);
    mirror_files(
        format,
        &MirrorRequest {
            images,
            destination: &destination,
            naming: &naming,
            plain_http: false,
        },
    )
    .unwrap()
}

fn loaded(image: &Reference, destination: &str, rule: NamingRule) -> String {
    Naming::new(rule)
        .reference_at(image, &destination.parse().unwrap())
        .unwrap()
        .name()
}

fn text(made: &MirrorFiles, name: &str) -> String {
    let file = made
        .files
        .iter()
        .find(|file| file.name == name)
        .unwrap_or_else(|| panic!("no {name}"));
    String::from_utf8(file.bytes.clone()).unwrap()
}

/// Every destination and rule that a format can follow.
fn each(format: MirrorFormat, check: impl Fn(&[Reference], &MirrorFiles, &str, NamingRule)) {
    for destination in ["registry.corp:5000", "registry.corp/a/b"] {
        for rule in rules(format) {
            let all = all();
            check(
                &all,
                &made(format, &all, destination, *rule),
                destination,
                *rule,
            );
        }
    }
}

#[test]
fn containerd_finds_every_image() {
    each(MirrorFormat::Containerd, |all, made, destination, rule| {
        for image in all {
            let file: toml::Table = text(made, &format!("{}/hosts.toml", image.registry()))
                .parse()
                .unwrap();
            let hosts = file["host"].as_table().unwrap();
            assert_eq!(hosts.len(), 1);
            let (url, options) = hosts.iter().next().unwrap();
            let overridden = options
                .get("override_path")
                .is_some_and(|value| value.as_bool() == Some(true));
            let base = if overridden {
                url.clone()
            } else {
                format!("{url}/v2")
            };
            let asked = format!("{base}/{}", image.repository());
            let (registry, name) = asked
                .strip_prefix("https://")
                .unwrap()
                .split_once("/v2/")
                .unwrap();
            assert_eq!(
                format!("{registry}/{name}"),
                loaded(image, destination, rule)
            );
            let capabilities = options["capabilities"].as_array().unwrap();
            assert_eq!(
                capabilities.len(),
                2,
                "a mirror for pulls must not be pushed to"
            );
        }
    });
}

#[test]
fn podman_and_cri_o_find_every_image() {
    each(
        MirrorFormat::RegistriesConf,
        |all, made, destination, rule| {
            let file: toml::Table = text(made, "registries.conf").parse().unwrap();
            let registries = file["registry"].as_array().unwrap();
            for image in all {
                let name = image.name();
                let prefix = |entry: &toml::Value| entry["prefix"].as_str().unwrap().to_owned();
                // The longest prefix that ends at a component wins, and its location takes its place.
                let fits = |prefix: &str| {
                    name == prefix
                        || name
                            .strip_prefix(prefix)
                            .is_some_and(|rest| rest.starts_with('/'))
                };
                let entry = registries
                    .iter()
                    .filter(|entry| fits(&prefix(entry)))
                    .max_by_key(|entry| prefix(entry).len())
                    .unwrap();
                let location = entry["mirror"].as_array().unwrap()[0]["location"]
                    .as_str()
                    .unwrap();
                assert_eq!(
                    name.replacen(&prefix(entry), location, 1),
                    loaded(image, destination, rule)
                );
                assert_eq!(
                    entry["location"].as_str().unwrap(),
                    prefix(entry),
                    "the source itself stays where it is"
                );
            }
        },
    );
}

#[test]
fn k3s_finds_every_image() {
    each(MirrorFormat::K3s, |all, made, destination, rule| {
        let file =
            sealift_yaml::document("registries.yaml", text(made, "registries.yaml").as_bytes())
                .unwrap();
        for image in all {
            let mirror = &file["mirrors"][image.registry()];
            let endpoint = mirror["endpoint"][0]
                .as_str()
                .unwrap()
                .strip_prefix("https://")
                .unwrap();
            assert!(
                !endpoint.contains('/'),
                "an endpoint has no path: {endpoint}"
            );
            let name = match mirror.get("rewrite") {
                None => image.repository().to_owned(),
                Some(rewrite) => rewrite["^(.*)$"]
                    .as_str()
                    .unwrap()
                    .replace("$1", image.repository()),
            };
            assert_eq!(
                format!("{endpoint}/{name}"),
                loaded(image, destination, rule)
            );
        }
    });
}

#[test]
fn openshift_finds_every_image_by_tag_and_by_digest() {
    each(MirrorFormat::OpenShift, |all, made, destination, rule| {
        for (name, kind, field) in [
            (
                "image-digest-mirror-set.yaml",
                "ImageDigestMirrorSet",
                "imageDigestMirrors",
            ),
            (
                "image-tag-mirror-set.yaml",
                "ImageTagMirrorSet",
                "imageTagMirrors",
            ),
        ] {
            let set = sealift_yaml::document(name, text(made, name).as_bytes()).unwrap();
            assert_eq!(set["apiVersion"], "config.openshift.io/v1");
            assert_eq!(set["kind"], kind);
            let mirrors = set["spec"][field].as_array().unwrap();
            for image in all {
                let source = |entry: &Value| entry["source"].as_str().unwrap().to_owned();
                let name = image.name();
                let entry = mirrors
                    .iter()
                    .filter(|entry| {
                        name == source(entry) || name.starts_with(&format!("{}/", source(entry)))
                    })
                    .max_by_key(|entry| source(entry).len())
                    .unwrap();
                let mirror = entry["mirrors"][0].as_str().unwrap();
                assert_eq!(
                    name.replacen(&source(entry), mirror, 1),
                    loaded(image, destination, rule)
                );
                // Neither has a scheme, a tag or a digest.
                for text in [source(entry), mirror.to_owned()] {
                    let path = text.split_once('/').unwrap().1;
                    assert!(
                        !text.contains("://") && !path.contains([':', '@']),
                        "{text}"
                    );
                }
            }
        }
    });
}

#[test]
fn docker_mirrors_docker_hub_and_says_what_it_does_not_reach() {
    let all = all();
    let made = made(
        MirrorFormat::Docker,
        &all,
        "registry.corp:5000",
        NamingRule::Keep,
    );
    let file: Value = serde_json::from_str(&text(&made, "daemon.json")).unwrap();
    assert_eq!(
        file,
        serde_json::json!({"registry-mirrors": ["https://registry.corp:5000"]})
    );
    let notes = made.notes.join("\n");
    assert!(
        notes.contains("quay.io/tigera/operator:v1.36.16") && !notes.contains("calico/node"),
        "{notes}"
    );
}

#[test]
fn what_a_format_cannot_follow_is_refused() {
    let all = all();
    let refused = |format, destination: &str, rule, prefix: &str| {
        let destination = destination.parse().unwrap();
        let naming = Naming::new(rule).with_prefix(prefix).unwrap();
        mirror_files(
            format,
            &MirrorRequest {
                images: &all,
                destination: &destination,
                naming: &naming,
                plain_http: false,
            },
        )
        .unwrap_err()
        .to_string()
    };
    for format in MirrorFormat::ALL {
        assert!(
            refused(format, "registry.corp", NamingRule::Flat, "")
                .contains("expected the naming rule keep"),
            "{format}"
        );
        assert!(
            refused(format, "registry.corp", NamingRule::Keep, "pre-").contains("cannot follow"),
            "{format}"
        );
        let destination = "registry.corp".parse().unwrap();
        let empty = mirror_files(
            format,
            &MirrorRequest {
                images: &[],
                destination: &destination,
                naming: &Naming::default(),
                plain_http: false,
            },
        );
        assert!(empty.is_err());
    }
    assert!(
        refused(
            MirrorFormat::Docker,
            "registry.corp/a",
            NamingRule::Keep,
            ""
        )
        .contains("without a path")
    );
    assert!(refused(MirrorFormat::Docker, "registry.corp", NamingRule::Host, "").contains("keep"));
    assert!("hosts".parse::<MirrorFormat>().is_err());
}

#[test]
fn plain_http_is_written_where_the_format_wants_it() {
    let all = all();
    let destination = "localhost:5000".parse().unwrap();
    let request = MirrorRequest {
        images: &all,
        destination: &destination,
        naming: &Naming::default(),
        plain_http: true,
    };
    let file = |format, name: &str| text(&mirror_files(format, &request).unwrap(), name);
    assert!(
        file(MirrorFormat::Containerd, "docker.io/hosts.toml")
            .contains("[host.\"http://localhost:5000\"]")
    );
    assert!(file(MirrorFormat::RegistriesConf, "registries.conf").contains("insecure = true"));
    assert!(file(MirrorFormat::K3s, "registries.yaml").contains("http://localhost:5000"));
    assert!(file(MirrorFormat::Docker, "daemon.json").contains("insecure-registries"));
}

#[test]
fn a_policy_holds_for_each_name_at_the_destination_and_for_the_one_that_was_signed() {
    let all = all();
    for rule in [NamingRule::Keep, NamingRule::Host, NamingRule::Flat] {
        let destination = "registry.corp:5000/mirror".parse().unwrap();
        let naming = Naming::new(rule);
        let request = MirrorRequest {
            images: &all,
            destination: &destination,
            naming: &naming,
            plain_http: false,
        };
        let key = PolicyKey {
            kind: SignatureKind::Sigstore,
            path: "/etc/pki/cosign.pub".to_owned(),
        };
        let files = policy_files(&request, &key).unwrap();
        let policy: Value = serde_json::from_slice(&files[0].bytes).unwrap();
        let lookup = sealift_yaml::document("lookup", &files[1].bytes).unwrap();
        let registry = &lookup["docker"]["registry.corp:5000"];
        assert_eq!(registry["use-sigstore-attachments"], true);
        assert!(policy["default"].is_array());
        for image in &all {
            let at = naming.reference_at(image, &destination).unwrap().name();
            let requirement = &policy["transports"]["docker"][&at][0];
            assert_eq!(requirement["type"], "sigstoreSigned");
            assert_eq!(requirement["keyPath"], "/etc/pki/cosign.pub");
            let identity = &requirement["signedIdentity"];
            assert_eq!(identity["type"], "remapIdentity");
            // The prefix has to match the image's name, and what takes its place must be the signed one.
            let signed = at.replacen(
                identity["prefix"].as_str().unwrap(),
                identity["signedPrefix"].as_str().unwrap(),
                1,
            );
            assert_eq!(signed, image.name());
            // A node with a mirror asks by the publisher's name.
            let own = &policy["transports"]["docker"][&image.name()][0];
            assert_eq!(own["type"], "sigstoreSigned");
            assert_eq!(own.get("signedIdentity"), None);
        }
    }
    let twins: Vec<Reference> = vec![
        "docker.io/a/node:1".parse().unwrap(),
        "quay.io/b/node:1".parse().unwrap(),
    ];
    let destination = "r.corp".parse().unwrap();
    let naming = Naming::new(NamingRule::Flat);
    let request = MirrorRequest {
        images: &twins,
        destination: &destination,
        naming: &naming,
        plain_http: false,
    };
    let key = PolicyKey {
        kind: SignatureKind::Gpg,
        path: "/k".to_owned(),
    };
    assert!(
        policy_files(&request, &key)
            .unwrap_err()
            .to_string()
            .contains("same name")
    );
}
