//! Everything that has to be applied for one bundle, destination and operator.

use super::checklist::checklist;
use super::error::CalicoError;
use super::folder::Folder;
use super::helm::{HelmEra, helm_values};
use super::imageset::{image_set, image_set_on_openshift};
use super::install::{Install, InstallationKind};
use super::installation::installation;
use super::pull_secret::{
    API_SERVER_NAMESPACE, OPERATOR_NAMESPACE, SYSTEM_NAMESPACE, namespace_manifest,
    pull_secret_manifest,
};
use super::readme::readme;
use super::release::OPERATOR_IMAGE;
use super::request::ApplyRequest;
use super::target::{Proof, prove};
use crate::file::OutputFile;

/// The files to write, and what to report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplyFiles {
    /// The files, `README.md` and `CHECKLIST.md` last.
    pub files: Vec<OutputFile>,
    /// Notes for a person.
    pub warnings: Vec<String>,
    /// The proof that the operator and `load` agree on every name.
    pub proof: Proof,
}

/// Creates all files for `request`. The same request gives the same bytes.
///
/// # Errors
/// The first thing that would not work at the destination.
pub fn apply_files(request: &ApplyRequest<'_>) -> Result<ApplyFiles, CalicoError> {
    let proof = prove(
        request.release,
        request.images,
        request.target,
        request.naming,
    )?;
    let mut plan = Plan {
        request,
        install: request.install(),
        files: Vec::new(),
        arguments: Vec::new(),
        warnings: Vec::new(),
    };
    plan.pull_secrets()?;
    plan.helm()?;
    plan.installation(&proof);
    plan.image_set()?;
    plan.not_applied();
    plan.operator_as_it_is(&proof);
    let folder = Folder {
        files: &plan.files,
        manifests: request.manifests,
        chart: request.chart,
    };
    let text = readme(request, folder, &proof, &plan.arguments, &plan.warnings);
    plan.files.push(text);
    plan.files.push(checklist(request, &proof, &plan.files));
    Ok(ApplyFiles {
        files: plan.files,
        warnings: plan.warnings,
        proof,
    })
}

/// The files so far.
struct Plan<'a> {
    request: &'a ApplyRequest<'a>,
    install: Install,
    files: Vec<OutputFile>,
    /// Further arguments for Helm.
    arguments: Vec<String>,
    warnings: Vec<String>,
}

impl Plan<'_> {
    fn pull_secrets(&mut self) -> Result<(), CalicoError> {
        let secret = self.request.pull_secret;
        let registry = self.request.target.destination().registry();
        let mut add = |namespace| -> Result<bool, CalicoError> {
            let manifest = pull_secret_manifest(secret, namespace, registry)?;
            let written = manifest.is_some();
            self.files.extend(manifest);
            Ok(written)
        };
        match self.install {
            Install::Manifests => {
                add(SYSTEM_NAMESPACE)?;
                if self.request.may_have_api_server() {
                    add(API_SERVER_NAMESPACE)?;
                }
            }
            // A chart that creates the Secret itself refuses one that exists.
            Install::Helm if HelmEra::of(self.request.release) != HelmEra::Merged => {}
            _ => {
                let written = add(OPERATOR_NAMESPACE)?;
                // Without a cluster, or with the operator in it, the namespace is not ours to create.
                let fresh = matches!(
                    self.install,
                    Install::Operator(InstallationKind::Fresh) | Install::Helm
                );
                if written && fresh {
                    self.files.push(namespace_manifest(OPERATOR_NAMESPACE));
                }
            }
        }
        Ok(())
    }

    fn helm(&mut self) -> Result<(), CalicoError> {
        if self.install != Install::Helm {
            return Ok(());
        }
        let request = self.request;
        let helm = helm_values(request.release, request.target, request.pull_secret)?;
        self.files.push(helm.file);
        self.files.extend(helm.credentials);
        self.arguments = helm.arguments;
        self.warnings.extend(helm.warnings);
        Ok(())
    }

    /// The Installation, unless one of the manifests contains it.
    fn installation(&mut self, proof: &Proof) {
        let Some(kind) = self.install.installation() else {
            return;
        };
        let mut manifests = self.request.manifests.iter();
        let given = manifests.any(|manifest| manifest.installation);
        if given && kind == InstallationKind::Fresh {
            return;
        }
        let secret = self.request.pull_secret.name().map(str::to_owned);
        let secrets: Vec<String> = secret.into_iter().collect();
        self.files.push(installation(kind, &proof.fields, &secrets));
    }

    fn image_set(&mut self) -> Result<(), CalicoError> {
        let request = self.request;
        if !request.image_set || self.install == Install::Manifests {
            return Ok(());
        }
        let set = image_set(request.release, request.images, request.digests)?;
        self.warnings.extend(set.warnings);
        if let Install::OpenShift(_) = self.install {
            self.warnings
                .extend(image_set_on_openshift(request.release));
        }
        self.files.push(set.file);
        Ok(())
    }

    /// Manifests that no step applies.
    fn not_applied(&mut self) {
        let why = match self.install {
            Install::Operator(InstallationKind::Fresh)
            | Install::OpenShift(InstallationKind::Fresh) => return,
            Install::Operator(InstallationKind::Patch)
            | Install::OpenShift(InstallationKind::Patch) => {
                "the Installation in the cluster is patched instead"
            }
            Install::Helm => "the chart installs the operator and its Installation",
            Install::Manifests => "there is no operator to read it",
        };
        for manifest in self.request.manifests {
            let what = match (manifest.operator, manifest.installation, self.install) {
                (true, _, Install::Helm) => "the operator",
                (false, true, _) => "an Installation",
                _ => continue,
            };
            self.warnings.push(format!(
                "{} contains {what} and is not applied: {why}; other resources in it that the cluster does not have are yours to apply",
                manifest.name
            ));
        }
    }

    /// A patch alone leaves the operator's own Deployment as it is.
    fn operator_as_it_is(&mut self, proof: &Proof) {
        let patch = self.install.installation() == Some(InstallationKind::Patch);
        let mut manifests = self.request.manifests.iter();
        if !patch || manifests.any(|manifest| manifest.operator) {
            return;
        }
        if let Some(name) = proof.destination_of(OPERATOR_IMAGE) {
            self.warnings.push(format!(
                "these files do not change the operator's own Deployment; at the destination its image is {name}"
            ));
        }
    }
}

impl ApplyRequest<'_> {
    /// Whether the manifests of an install without the operator may start the API server.
    fn may_have_api_server(&self) -> bool {
        let mut manifests = self.manifests.iter();
        self.manifests.is_empty() || manifests.any(|manifest| manifest.api_server)
    }
}
