//! Everything that has to be applied for one bundle, destination and operator.

use std::collections::BTreeMap;

use sealift_oci::{Digest, Naming, Reference};

use super::instructions::{checklist, readme};
use super::pull_secret::pull_secret_manifest;
use super::{
    CalicoError, InstallationKind, Proof, PullSecret, Target, helm_values, image_set,
    image_set_on_openshift, installation, prove,
};
use crate::{OutputFile, ProductImage, Release};

/// How Calico gets into the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Install {
    /// `tigera-operator.yaml` and an Installation resource.
    Operator(InstallationKind),
    /// `OpenShift`'s manifests, which the operator belongs to.
    OpenShift(InstallationKind),
    /// The chart `tigera-operator`.
    Helm,
    /// `calico.yaml`, `canal.yaml` and their like, without the operator.
    Manifests,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct ApplyRequest<'a> {
    /// The release.
    pub release: &'a Release,
    /// Its images that are in the bundle.
    pub images: &'a [ProductImage],
    /// Where they go.
    pub target: &'a Target,
    /// The naming that `load` uses: the target's own unless there are explicit maps.
    pub naming: &'a Naming,
    /// The digests in the bundle by reference.
    pub digests: &'a BTreeMap<Reference, Digest>,
    /// Whether images go by digest: whether an `ImageSet` is wanted.
    pub image_set: bool,
    /// The pull secret.
    pub pull_secret: &'a PullSecret,
    /// How Calico is installed.
    pub install: Install,
    /// The bundle's path as it is seen from the folder of the files, for the instructions.
    pub bundle: &'a str,
    /// The release's manifests that are written, rewritten, into the same folder.
    pub manifests: &'a [Manifest],
    /// The bundle's identity, for the checklist.
    pub identity: Option<&'a str>,
}

/// One of the release's manifests that goes into the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Its file name there.
    pub name: String,
    /// Whether it has the Installation resource, which then needs no file of its own.
    pub installation: bool,
}

/// What is to be written, and what to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplyFiles {
    /// The files, `README.md` and `CHECKLIST.md` last.
    pub files: Vec<OutputFile>,
    /// Sentences for a person.
    pub warnings: Vec<String>,
    /// That the operator and load agree on every name.
    pub proof: Proof,
}

/// The namespace in which the operator runs, and in which it looks for pull secrets to copy.
pub(crate) const OPERATOR_NAMESPACE: &str = "tigera-operator";

/// The namespaces of the manifests for installs without the operator.
pub(crate) const MANIFEST_NAMESPACES: &[&str] = &["kube-system", "calico-apiserver"];

/// Makes all files for `request`. The same request gives the same bytes.
///
/// # Errors
/// The first thing that would not work at the destination; nothing is made then.
pub fn apply_files(request: &ApplyRequest<'_>) -> Result<ApplyFiles, CalicoError> {
    let proof = prove(
        request.release,
        request.images,
        request.target,
        request.naming,
    )?;
    let mut files = Vec::new();
    let mut warnings = Vec::new();
    let mut arguments = Vec::new();
    let namespaces = match request.install {
        Install::Manifests => MANIFEST_NAMESPACES,
        _ => &[OPERATOR_NAMESPACE],
    };
    let helm = match request.install {
        Install::Helm => Some(helm_values(
            request.release,
            request.target,
            request.pull_secret,
        )?),
        _ => None,
    };
    // Charts that make the Secret themselves must not find one that Helm does not own.
    let by_chart = helm.as_ref().is_some_and(|helm| !helm.arguments.is_empty());
    for namespace in namespaces {
        let registry = request.target.destination().registry();
        let secret = pull_secret_manifest(request.pull_secret, namespace, registry)?;
        files.extend(secret.filter(|_| !by_chart));
    }
    if let Some(helm) = helm {
        files.push(helm.file);
        warnings.extend(helm.warnings);
        arguments = helm.arguments;
    }
    let secrets: Vec<String> = request
        .pull_secret
        .name()
        .map(str::to_owned)
        .into_iter()
        .collect();
    let given = request.manifests.iter().any(|given| given.installation);
    if let Install::Operator(kind) | Install::OpenShift(kind) = request.install
        && !(given && kind == InstallationKind::Fresh)
    {
        files.push(installation(kind, &proof.fields, &secrets));
    }
    if request.image_set && request.install != Install::Manifests {
        let set = image_set(request.release, request.images, request.digests)?;
        warnings.extend(set.warnings);
        if let Install::OpenShift(_) = request.install {
            warnings.extend(image_set_on_openshift(request.release));
        }
        files.push(set.file);
    }
    files.push(readme(request, &files, &arguments, &warnings));
    files.push(checklist(request, &proof, &files));
    Ok(ApplyFiles {
        files,
        warnings,
        proof,
    })
}
