//! Values for the chart `tigera-operator`.
//!
//! The chart's template for the operator is `registry/image:version`, which cannot hold a digest. How it
//! handles pull secrets changed twice.

use sealift_oci::NamingRule;

use super::error::CalicoError;
use super::pull_secret::{PullSecret, credentials_file};
use super::release::{OPERATOR_IMAGE, operator};
use super::steps::word;
use super::target::Target;
use crate::data::Release;
use crate::emit::{Node, document, list, map};
use crate::file::OutputFile;

/// How a chart handles pull secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelmEra {
    /// Up to v3.24: Installation gets only the names in the map `imagePullSecrets`, whatever
    /// `installation.imagePullSecrets` says; the operator's own `ServiceAccount` gets none.
    MapOnly,
    /// v3.25 and v3.26: the same, and the `ServiceAccount` gets the names too.
    MapAndAccount,
    /// From v3.27: the names in the map and in `installation.imagePullSecrets` together.
    Merged,
}

impl HelmEra {
    /// The era of this release's chart.
    pub fn of(release: &Release) -> Self {
        match release.version.series() {
            series if series <= (3, 24) => Self::MapOnly,
            series if series <= (3, 26) => Self::MapAndAccount,
            _ => Self::Merged,
        }
    }
}

/// A values file and how to use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelmValues {
    /// The values.
    pub file: OutputFile,
    /// Credentials that the chart reads from a file of their own.
    pub credentials: Option<OutputFile>,
    /// Further arguments of `helm upgrade`, quoted for a shell. `$CREDENTIALS` stands for a credentials file
    /// that is not in the folder.
    pub arguments: Vec<String>,
    /// Notes for the person who runs it.
    pub warnings: Vec<String>,
}

/// The values with which this release's chart looks for images at the target. They never contain
/// credentials: charts up to v3.26, which create the Secret themselves, read a file.
///
/// # Errors
/// If the release has no operator, or the credentials file cannot be used.
pub fn helm_values(
    release: &Release,
    target: &Target,
    secret: &PullSecret,
) -> Result<HelmValues, CalicoError> {
    let operator = operator(release)?;
    let era = HelmEra::of(release);
    let mut values = HelmValues {
        file: OutputFile::text(
            "values.yaml",
            document(&document_of(release, operator.as_str(), target, secret)),
        ),
        credentials: None,
        arguments: Vec::new(),
        warnings: warnings(release, secret),
    };
    if let (Some(name), true) = (secret.name(), era != HelmEra::Merged) {
        values.credentials = credentials_file(secret, target.destination().registry())?;
        let key = format!("imagePullSecrets.{}=", name.replace('.', "\\."));
        values.arguments.push(match &values.credentials {
            Some(file) => format!("--set-file {}", word(&format!("{key}{}", file.name))),
            None => format!("--set-file {}\"$CREDENTIALS\"", word(&key)),
        });
    }
    Ok(values)
}

fn document_of(release: &Release, operator: &str, target: &Target, secret: &PullSecret) -> Node {
    let root = target.destination().to_string();
    let name = |image: &str| name_below(image, target);
    map([
        ("installation", installation(release, target, secret)),
        (
            "tigeraOperator",
            map([
                ("image", Node::from(name(OPERATOR_IMAGE))),
                ("version", operator.into()),
                ("registry", root.as_str().into()),
            ]),
        ),
        (
            "calicoctl",
            map([
                (
                    "image",
                    Node::from(format!("{root}/{}", name("calico/ctl"))),
                ),
                ("tag", release.version.as_str().into()),
            ]),
        ),
    ])
}

fn installation(release: &Release, target: &Target, secret: &PullSecret) -> Node {
    let fields = target.fields();
    let mut pairs = vec![("registry".to_owned(), Node::from(fields.registry))];
    let optional = [
        ("imagePath", fields.image_path),
        ("imagePrefix", fields.image_prefix),
    ];
    for (key, value) in optional {
        pairs.extend(value.map(|value| (key.to_owned(), Node::from(value))));
    }
    if let (Some(name), HelmEra::Merged) = (secret.name(), HelmEra::of(release)) {
        let names = list([map([("name", Node::from(name))])]);
        pairs.push(("imagePullSecrets".to_owned(), names));
    }
    Node::Map(pairs)
}

fn warnings(release: &Release, secret: &PullSecret) -> Vec<String> {
    let version = &release.version;
    let era = HelmEra::of(release);
    let mut warnings = Vec::new();
    if secret.name().is_some() && era != HelmEra::Merged {
        warnings.push(format!("the chart of {version} reads pull secrets only from the map imagePullSecrets and creates the Secret itself: pass it the credentials file, and do not create the Secret beforehand"));
    }
    if secret.name().is_some() && era == HelmEra::MapOnly {
        warnings.push(format!("the chart of {version} gives the operator's own Deployment no pull secret: it has to be added to the ServiceAccount tigera-operator"));
    }
    if version.series() >= (3, 32) {
        warnings.push("from v3.32 the chart disables the CSI driver unless installation.kubeletVolumePluginPath is set; the bundle contains its two images all the same".to_owned());
    }
    warnings
}

/// An image's repository below the destination's registry and path.
fn name_below(image: &str, target: &Target) -> String {
    let prefix = target.fields().image_prefix.unwrap_or_default();
    match (target.rule(), image.rsplit_once('/')) {
        (NamingRule::Flat, Some((_, last))) => format!("{prefix}{last}"),
        (_, Some((path, last))) => format!("{path}/{prefix}{last}"),
        (_, None) => format!("{prefix}{image}"),
    }
}
