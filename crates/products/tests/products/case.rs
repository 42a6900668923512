//! A request for the files to apply, with defaults for what a test is not about.

use std::collections::BTreeMap;

use sealift_oci::{Digest, NamingRule, Reference};
use sealift_products::calico::{
    ApplyFiles, ApplyRequest, CalicoError, Install, InstallationKind, Manifest, PullSecret, Target,
    apply_files,
};
use sealift_products::{OutputFile, ProductImage};
use serde_json::Value;

use crate::shared::{built_in, images, release};

pub(crate) const CREDENTIALS: &[u8] =
    br#"{"auths":{"https://registry.corp:5000/v1/":{"auth":"bWU6Y2FuYXJ5"}}}"#;

pub(crate) struct Case<'a> {
    pub(crate) spec: &'a str,
    pub(crate) features: &'a [&'a str],
    pub(crate) destination: &'a str,
    pub(crate) rule: NamingRule,
    pub(crate) install: Install,
    pub(crate) secret: PullSecret,
    pub(crate) digests: bool,
    pub(crate) prefix: Option<&'a str>,
    pub(crate) manifests: &'a [Manifest],
    pub(crate) chart: Option<&'a str>,
}

impl Default for Case<'_> {
    fn default() -> Self {
        Self {
            spec: "calico@v3.32.1",
            features: &[],
            destination: "registry.corp:5000/mirror",
            rule: NamingRule::Keep,
            install: Install::Operator(InstallationKind::Fresh),
            secret: PullSecret::None,
            digests: true,
            prefix: None,
            manifests: &[],
            chart: None,
        }
    }
}

pub(crate) fn digests(images: &[ProductImage]) -> BTreeMap<Reference, Digest> {
    let pair = |image: &ProductImage| {
        (
            image.reference.clone(),
            Digest::sha256(image.reference.to_string().as_bytes()),
        )
    };
    images.iter().map(pair).collect()
}

pub(crate) fn made(case: &Case<'_>) -> Result<ApplyFiles, CalicoError> {
    let catalogue = built_in();
    let images = images(catalogue, case.spec, case.features).images;
    let target = Target::new(case.destination.parse().unwrap(), case.rule, case.prefix)?;
    let digests = digests(&images);
    apply_files(&ApplyRequest {
        release: release(catalogue, case.spec),
        images: &images,
        target: &target,
        naming: target.naming(),
        digests: &digests,
        image_set: case.digests,
        pull_secret: &case.secret,
        install: case.install,
        manifests: case.manifests,
        chart: case.chart,
        bundle: "../calico.tar",
        load_options: "",
        identity: Some("sha256:1234"),
    })
}

pub(crate) fn from_file() -> PullSecret {
    PullSecret::FromFile {
        name: "pull".to_owned(),
        file: "auth.json".to_owned(),
        bytes: CREDENTIALS.to_vec(),
    }
}

pub(crate) fn file<'f>(made: &'f ApplyFiles, name: &str) -> &'f OutputFile {
    made.files
        .iter()
        .find(|file| file.name == name)
        .unwrap_or_else(|| panic!("no {name}"))
}

pub(crate) fn text<'f>(made: &'f ApplyFiles, name: &str) -> &'f str {
    std::str::from_utf8(&file(made, name).bytes).unwrap()
}

pub(crate) fn value(made: &ApplyFiles, name: &str) -> Value {
    sealift_yaml::document(name, &file(made, name).bytes).unwrap()
}
