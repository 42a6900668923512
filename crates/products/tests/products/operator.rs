//! Plays Calico's operator: reads the resources that were written, composes references by the rules of
//! its version, and asks a registry that holds exactly what load writes.
//!
//! Nothing here uses the composition of the crate. The rows are what operators of each version were seen
//! to compose.

use std::collections::BTreeMap;

use sealift_oci::{Digest, NamingRule, Reference};
use sealift_products::calico::{
    ApplyRequest, Install, InstallationKind, PullSecret, Target, apply_files,
};
use sealift_products::{ProductImage, Release};
use serde_json::Value;

use crate::shared::{catalogue, images, release};

/// `(operator, registry, imagePath, imagePrefix, default image, tag, composed)`.
const SEEN: &[(&str, &str, &str, &str, &str, &str, &str)] = &[
    (
        "v1.20.0",
        "myregistry.com/",
        "",
        "",
        "calico/node",
        "v3.20.0",
        "myregistry.com/calico/node:v3.20.0",
    ),
    (
        "v1.20.0",
        "myregistry.com/",
        "",
        "",
        "tigera/key-cert-provisioner",
        "v1.1.0",
        "myregistry.com/tigera/key-cert-provisioner:v1.1.0",
    ),
    (
        "v1.29.0",
        "UseDefault",
        "UseDefault",
        "UseDefault",
        "calico/node",
        "v3.25.0",
        "docker.io/calico/node:v3.25.0",
    ),
    (
        "v1.34.13",
        "myregistry.com/",
        "a/b",
        "",
        "calico/node",
        "v3.28.5",
        "myregistry.com/a/b/node:v3.28.5",
    ),
    (
        "v1.38.13",
        "myregistry.com/",
        "imgs/",
        "",
        "calico/node",
        "v3.30.7",
        "myregistry.com/imgs//node:v3.30.7",
    ),
    (
        "v1.40.15",
        "myregistry.com:5000/a/b",
        "",
        "pre-",
        "calico/node",
        "v3.31.7",
        "myregistry.com:5000/a/b/calico/pre-node:v3.31.7",
    ),
    (
        "v1.40.15",
        "myregistry.com:5000/a/b",
        "imgs",
        "pre-",
        "calico/node",
        "v3.31.7",
        "myregistry.com:5000/a/b/imgs/pre-node:v3.31.7",
    ),
    (
        "v1.40.15",
        "",
        "",
        "",
        "calico/node",
        "v3.31.7",
        "quay.io/calico/node:v3.31.7",
    ),
    (
        "v1.42.3",
        "myregistry.com",
        "imgs/",
        "",
        "calico/node",
        "v3.32.1",
        "myregistry.com/imgs/node:v3.32.1",
    ),
    (
        "v1.42.3",
        "myregistry.com//",
        "/a/b/",
        "pre-",
        "calico/csi",
        "v3.32.1",
        "myregistry.com/a/b/pre-csi:v3.32.1",
    ),
    (
        "v1.42.3",
        "",
        "",
        "",
        "tigera/operator",
        "v1.42.3",
        "quay.io/tigera/operator:v1.42.3",
    ),
];

/// An operator of a version, as far as images go.
struct Operator {
    minor: u32,
    default_registry: &'static str,
}

impl Operator {
    fn new(version: &str) -> Self {
        let numbers: Vec<u32> = version
            .trim_start_matches('v')
            .split('.')
            .map(|n| n.parse().unwrap())
            .collect();
        let hub = (numbers[1], numbers[2]) <= (38, 6);
        Self {
            minor: numbers[1],
            default_registry: if hub { "docker.io/" } else { "quay.io/" },
        }
    }

    fn composes(
        &self,
        spec: &Value,
        image: &str,
        tag: &str,
        set: Option<&Value>,
    ) -> Result<String, String> {
        let field = |name: &str| {
            spec[name]
                .as_str()
                .filter(|text| !text.is_empty() && *text != "UseDefault")
        };
        let own = if image.starts_with("tigera/") {
            "quay.io/"
        } else {
            self.default_registry
        };
        let mut registry = field("registry").unwrap_or(own).to_owned();
        let (path, name) = image.split_once('/').unwrap();
        let path = field("imagePath").unwrap_or(path);
        let name = format!("{}{name}", field("imagePrefix").unwrap_or(""));
        let whole = if self.minor >= 41 {
            let joined = format!("{registry}/{path}/{name}");
            joined
                .split('/')
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join("/")
        } else {
            if !registry.ends_with('/') {
                registry += "/";
            }
            registry + path + "/" + &name
        };
        let Some(set) = set else {
            return Ok(format!("{whole}:{tag}"));
        };
        let rows = set["spec"]["images"].as_array().unwrap();
        let row = rows.iter().find(|row| row["image"] == image);
        row.map(|row| format!("{whole}@{}", row["digest"].as_str().unwrap()))
            .ok_or_else(|| format!("ImageSet did not contain image {image}"))
    }

    /// The check of the whole set, before anything is rendered.
    fn accepts(&self, set: &Value, known: &[String], release: &str) -> Result<(), String> {
        if set["metadata"]["name"] != format!("calico-{release}") {
            return Err("ImageSets exist but none with the expected name".to_owned());
        }
        for row in set["spec"]["images"].as_array().unwrap() {
            let image = row["image"].as_str().unwrap();
            let own = image == "tigera/operator";
            if (own && self.minor >= 36) || !known.iter().any(|known| known == image) {
                return Err(format!("unexpected images: {image}"));
            }
            if !row["digest"].as_str().unwrap().starts_with("sha256:") {
                return Err(format!("bad digest images: {image}"));
            }
        }
        Ok(())
    }
}

#[test]
fn the_player_composes_what_operators_were_seen_to_compose() {
    for (version, registry, path, prefix, image, tag, expected) in SEEN {
        let spec =
            serde_json::json!({"registry": registry, "imagePath": path, "imagePrefix": prefix});
        let composed = Operator::new(version)
            .composes(&spec, image, tag, None)
            .unwrap();
        assert_eq!(composed, *expected, "{version}");
    }
}

/// Destination, rule and prefix.
const TARGETS: &[(&str, NamingRule, Option<&str>)] = &[
    ("registry.corp:5000", NamingRule::Keep, None),
    ("registry.corp:5000/mirror", NamingRule::Keep, None),
    ("registry.corp/a/b/c", NamingRule::Keep, Some("pre-")),
    ("registry.corp:5000/calico", NamingRule::Flat, None),
    ("registry.corp:5000/a/b/c", NamingRule::Flat, None),
    ("registry.corp/imgs", NamingRule::Flat, Some("pre-")),
];

/// What load leaves at the destination: each image by tag and by digest.
fn loaded(images: &[ProductImage], target: &Target) -> BTreeMap<String, Digest> {
    let mut registry = BTreeMap::new();
    for image in images {
        let at = target
            .naming()
            .reference_at(&image.reference, target.destination())
            .unwrap();
        let digest = digest(&image.reference);
        registry.insert(at.to_string(), digest);
        registry.insert(format!("{}@{digest}", at.name()), digest);
    }
    registry
}

fn digest(image: &Reference) -> Digest {
    Digest::sha256(image.to_string().as_bytes())
}

fn digests(images: &[ProductImage]) -> BTreeMap<Reference, Digest> {
    images
        .iter()
        .map(|image| (image.reference.clone(), digest(&image.reference)))
        .collect()
}

/// Asks for every image of the set that the operator can render; what the registry does not have, or
/// has with another digest, comes back.
fn missing(
    release: &Release,
    images: &[ProductImage],
    target: &Target,
    by_digest: bool,
    registry: &BTreeMap<String, Digest>,
) -> Vec<String> {
    let digests = digests(images);
    let request = ApplyRequest {
        release,
        images,
        target,
        naming: target.naming(),
        digests: &digests,
        image_set: by_digest,
        pull_secret: &PullSecret::None,
        install: Install::Operator(InstallationKind::Fresh),
        chart: None,
        bundle: "calico.tar",
        load_options: "",
        manifests: &[],
        identity: None,
    };
    let made = apply_files(&request).unwrap();
    let file = |name: &str| {
        let file = made.files.iter().find(|file| file.name == name)?;
        Some(sealift_yaml::document(name, &file.bytes).unwrap())
    };
    let installation = file("installation.yaml").unwrap();
    let set = file("imageset.yaml");
    let version = release.operator.as_ref().unwrap();
    let operator = Operator::new(version.as_str());
    let rendered = images.iter().filter(|image| {
        image
            .named_by
            .iter()
            .any(|source| source.as_str() == "operator")
    });
    let rendered: Vec<&ProductImage> = rendered.collect();
    if let Some(set) = &set {
        let known: Vec<String> = rendered
            .iter()
            .map(|image| image.published.repository().to_owned())
            .collect();
        let built_for = release
            .operator_release
            .as_ref()
            .unwrap_or(&release.version);
        operator.accepts(set, &known, built_for.as_str()).unwrap();
    }
    let mut missing = Vec::new();
    for image in rendered {
        let name = image.published.repository();
        // Its own image the operator takes from its Deployment, and from v1.36 on not from the set.
        let set = set.as_ref().filter(|_| name != "tigera/operator");
        let asked = operator
            .composes(
                &installation["spec"],
                name,
                image.published.tag().unwrap(),
                set,
            )
            .unwrap();
        if registry.get(&asked) != Some(&digest(&image.reference)) {
            missing.push(asked);
        }
    }
    missing
}

#[test]
fn every_operator_finds_every_image_where_load_put_it() {
    let catalogue = catalogue();
    let releases = &catalogue.product("calico").unwrap().releases;
    let mut asked = 0;
    for release in releases {
        let spec = format!("calico@{}", release.version);
        let features: Vec<&str> = [
            "windows",
            "gateway-api",
            "istio",
            "cluster-connection",
            "webhooks",
        ]
        .into_iter()
        .filter(|feature| {
            release
                .images
                .iter()
                .any(|row| row.features.iter().any(|f| f == feature))
        })
        .collect();
        let images = images(&catalogue, &spec, &features).images;
        for (destination, rule, prefix) in TARGETS {
            let target = Target::new(destination.parse().unwrap(), *rule, *prefix).unwrap();
            let registry = loaded(&images, &target);
            for by_digest in [false, true] {
                let missing = missing(release, &images, &target, by_digest, &registry);
                assert_eq!(missing, Vec::<String>::new(), "{spec} {destination} {rule}");
                asked += images.len();
            }
        }
    }
    assert!(asked > 10_000, "{asked}");
}

#[test]
fn an_image_that_was_left_out_is_noticed() {
    let catalogue = catalogue();
    let images = images(&catalogue, "calico@v3.32.1", &[]).images;
    let release = release(&catalogue, "calico@v3.32.1");
    let target = Target::new(
        "registry.corp/mirror".parse().unwrap(),
        NamingRule::Keep,
        None,
    )
    .unwrap();
    for left_out in &images {
        let others: Vec<ProductImage> = images
            .iter()
            .filter(|image| *image != left_out)
            .cloned()
            .collect();
        let registry = loaded(&others, &target);
        for by_digest in [false, true] {
            let missing = missing(release, &images, &target, by_digest, &registry);
            assert_eq!(missing.len(), 1, "{}", left_out.reference);
            assert!(missing[0].contains(left_out.reference.repository()));
        }
    }
}

#[test]
fn names_given_by_another_rule_than_the_targets_are_refused_in_the_plan() {
    let catalogue = catalogue();
    let images = images(&catalogue, "calico@v3.32.1", &[]).images;
    let release = release(&catalogue, "calico@v3.32.1");
    let keep = Target::new(
        "registry.corp/mirror".parse().unwrap(),
        NamingRule::Keep,
        None,
    )
    .unwrap();
    let flat = Target::new(
        "registry.corp/mirror".parse().unwrap(),
        NamingRule::Flat,
        None,
    )
    .unwrap();
    let error =
        sealift_products::calico::prove(release, &images, &keep, flat.naming()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("will ask for registry.corp/mirror/tigera/operator:v1.42.3"),
        "{error}"
    );
}
