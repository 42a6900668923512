//! Values for the chart `tigera-operator`.
//!
//! The chart's template for the operator is `registry/image:version`, with no place for a digest. What
//! it does with pull secrets changed twice.

use sealift_oci::NamingRule;

use super::{CalicoError, PullSecret, Target, operator};
use crate::emit::{Node, document, list, map};
use crate::{OutputFile, Release};

/// What a chart does with pull secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelmEra {
    /// To v3.24: Installation gets the names in the map `imagePullSecrets` and nothing else, whatever
    /// `installation.imagePullSecrets` says; the operator's own `ServiceAccount` gets none.
    MapOnly,
    /// v3.25 and v3.26: the same, and the `ServiceAccount` gets the names too.
    MapAndAccount,
    /// From v3.27: names of the map and of `installation.imagePullSecrets` together.
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

/// A values file and what to know about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelmValues {
    /// The values.
    pub file: OutputFile,
    /// Arguments that `helm install` or `helm upgrade` needs besides.
    pub arguments: Vec<String>,
    /// Sentences for the person who runs it.
    pub warnings: Vec<String>,
}

/// The values with which this release's chart looks for images at the target. Credentials never go
/// into them: charts to v3.26, which have no other way, get the file by `--set-file`.
///
/// # Errors
/// Where the release has no operator.
pub fn helm_values(
    release: &Release,
    target: &Target,
    secret: &PullSecret,
) -> Result<HelmValues, CalicoError> {
    let operator = operator(release)?;
    let era = HelmEra::of(release);
    let fields = target.fields();
    let mut installation = vec![("registry".to_owned(), Node::from(fields.registry))];
    installation.extend(
        fields
            .image_path
            .map(|path| ("imagePath".to_owned(), Node::from(path))),
    );
    installation.extend(
        fields
            .image_prefix
            .map(|prefix| ("imagePrefix".to_owned(), Node::from(prefix))),
    );
    let mut arguments = Vec::new();
    let mut warnings = Vec::new();
    if let Some(name) = secret.name() {
        if era == HelmEra::Merged {
            let names = list([map([("name", Node::from(name))])]);
            installation.push(("imagePullSecrets".to_owned(), names));
        } else {
            arguments.push(format!(
                "--set-file imagePullSecrets.{}=CREDENTIALS.json",
                name.replace('.', "\\.")
            ));
            warnings.push(format!("the chart of {} takes pull secrets from the map imagePullSecrets alone and makes the Secret itself: give it the credentials file by --set-file, and do not create the Secret beforehand", release.version));
        }
        if era == HelmEra::MapOnly {
            warnings.push(format!("the chart of {} gives the operator's own Deployment no pull secret: add it to the ServiceAccount tigera-operator (the command is in the README)", release.version));
        }
    }
    if release.version.series() >= (3, 32) {
        warnings.push("from v3.32 the chart turns the CSI driver off unless installation.kubeletVolumePluginPath is set; its two images are in the bundle all the same".to_owned());
    }
    let root = destination_path(target);
    let name = |image: &str| match (target.rule(), image.rsplit_once('/')) {
        (NamingRule::Flat, Some((_, last))) => prefixed("", last, target),
        (_, Some((path, last))) => prefixed(&format!("{path}/"), last, target),
        (_, None) => prefixed("", image, target),
    };
    let values = map([
        ("installation", Node::Map(installation)),
        (
            "tigeraOperator",
            map([
                ("image", Node::from(name("tigera/operator"))),
                ("version", operator.as_str().into()),
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
    ]);
    Ok(HelmValues {
        file: OutputFile::text("values.yaml", document(&values)),
        arguments,
        warnings,
    })
}

fn prefixed(path: &str, last: &str, target: &Target) -> String {
    format!(
        "{path}{}{last}",
        target.fields().image_prefix.unwrap_or_default()
    )
}

/// Registry and path, under which names start.
fn destination_path(target: &Target) -> String {
    target.destination().to_string()
}
