//! `README.md`: the commands to run, in their order.
//!
//! The order is that of Calico's own instructions, with two rules of our own: the `ImageSet` exists before an
//! operator that would otherwise start pods by tag, and nothing is named that is not in the folder.

use std::fmt::Write as _;

use super::folder::Folder;
use super::helm::HelmEra;
use super::install::{Install, InstallationKind};
use super::manifest::Manifest;
use super::pull_secret::{OPERATOR_NAMESPACE, SYSTEM_NAMESPACE};
use super::release::OPERATOR_IMAGE;
use super::request::ApplyRequest;
use super::steps::{Steps, apply, apply_own, apply_release, word};
use super::target::Proof;
use crate::file::OutputFile;

const IMAGE_SET: &str = "imageset.yaml";
const INSTALLATION: &str = "installation.yaml";
const PATCH: &str = "installation-patch.yaml";

/// The instructions for `folder`; `arguments` are further arguments for Helm, `notes` what the reader should
/// know.
pub(super) fn readme(
    request: &ApplyRequest<'_>,
    folder: Folder<'_>,
    proof: &Proof,
    arguments: &[String],
    notes: &[String],
) -> OutputFile {
    let mut readme = Readme {
        request,
        folder,
        proof,
        steps: Steps::default(),
    };
    readme.load();
    match request.install() {
        Install::Operator(kind) => readme.operator(kind),
        Install::OpenShift(InstallationKind::Fresh) => readme.openshift_install(),
        Install::OpenShift(InstallationKind::Patch) => readme.upgrade(),
        Install::Helm => readme.helm(arguments),
        Install::Manifests => readme.manifests(),
    }
    readme.check();
    let mut text = format!(
        "# Calico {} from {}\n\nRun these commands in order, in this folder.\n{}",
        request.release.version,
        request.target.destination(),
        readme.steps.into_text()
    );
    if !notes.is_empty() {
        text.push_str("\n## What to know\n\n");
        for note in notes {
            let _ = writeln!(text, "- {note}");
        }
    }
    OutputFile::text("README.md", text)
}

/// A resource can only be applied once its definition is established.
fn wait_for_definitions() -> String {
    "kubectl wait --for=condition=Established --timeout=60s crd/imagesets.operator.tigera.io crd/installations.operator.tigera.io".to_owned()
}

struct Readme<'a> {
    request: &'a ApplyRequest<'a>,
    folder: Folder<'a>,
    proof: &'a Proof,
    steps: Steps,
}

impl Readme<'_> {
    fn load(&mut self) {
        let command = format!(
            "sealift load {} {}{}",
            word(self.request.bundle),
            self.request.target.destination(),
            self.request.load_options
        );
        self.steps.add(
            "Load the images into the registry. If they are there already, nothing is sent.",
            &[command],
        );
    }

    fn operator(&mut self, kind: InstallationKind) {
        if kind == InstallationKind::Patch {
            return self.upgrade();
        }
        self.operator_secret();
        let apart = self.definitions_apart();
        if apart {
            self.definitions();
            self.image_set("so that the operator finds it when it starts");
        }
        self.operator_manifest();
        if !apart {
            self.image_set("before the Installation, so that no pod starts by tag");
        }
        self.create_installation();
        self.others();
    }

    /// The cluster runs Calico: what the new operator looks for is there before it starts.
    fn upgrade(&mut self) {
        self.existing_secret();
        let upgraded = self.folder.has_operator() || self.folder.has_definitions();
        if upgraded && self.definitions_apart() {
            self.definitions();
        }
        self.image_set("before the operator, which otherwise would pull by tag or wait for it");
        if let Some(patch) = self.folder.file(PATCH) {
            self.steps.add(
                "Point the Installation in the cluster at the destination.",
                &[format!(
                    "kubectl patch installation default --type merge --patch-file {patch}"
                )],
            );
        }
        if self.folder.has_operator() {
            self.operator_manifest();
        }
        self.others();
    }

    /// The Secret has to exist before the first pod asks for it, and its namespace before that.
    fn operator_secret(&mut self) {
        let file = format!("pull-secret-{OPERATOR_NAMESPACE}.yaml");
        let namespace = format!("namespace-{OPERATOR_NAMESPACE}.yaml");
        let files = (self.folder.file(&namespace), self.folder.file(&file));
        let (Some(namespace), Some(file)) = files else {
            return self.existing_secret();
        };
        self.steps.add(
            "Create the pull secret and the operator's namespace. The operator copies the secret to other namespaces.",
            &[
                format!("kubectl apply --server-side --field-manager=sealift -f {namespace}"),
                apply(file),
            ],
        );
    }

    /// In a namespace that exists, or that somebody else creates.
    fn existing_secret(&mut self) {
        let file = format!("pull-secret-{OPERATOR_NAMESPACE}.yaml");
        if let Some(file) = self.folder.file(&file) {
            self.steps.add("Apply the pull secret.", &[apply(file)]);
            return;
        }
        self.check_secret(OPERATOR_NAMESPACE);
    }

    fn check_secret(&mut self, namespace: &str) {
        if let Some(name) = self.request.pull_secret.name() {
            self.steps.add(
                &format!("Check that the Secret {name} exists in the namespace {namespace}."),
                &[format!("kubectl get secret {name} -n {namespace}")],
            );
        }
    }

    /// Whether the definitions of the operator's resources are in another manifest than the operator: the
    /// manifests in hand decide, else the release (from v3.30).
    fn definitions_apart(&self) -> bool {
        if self.folder.has_definitions() || self.folder.has_operator() {
            let together = |manifest: &Manifest| manifest.operator && manifest.definitions;
            return !self.separate_definitions().is_empty()
                || self.folder.named(together).is_empty();
        }
        self.request.release.version.series() >= (3, 30)
    }

    fn separate_definitions(&self) -> Vec<&str> {
        self.folder
            .named(|manifest| manifest.definitions && !manifest.operator)
    }

    fn definitions(&mut self) {
        let names = self.separate_definitions();
        let (what, applied) = if names.is_empty() {
            let what = "Apply the release's definitions of the operator's resources, which are not in this folder, and wait for them.";
            (what, Vec::new())
        } else {
            let applied = names.into_iter().map(apply_release).collect();
            (
                "Apply the definitions of the operator's resources.",
                applied,
            )
        };
        let commands: Vec<String> = applied
            .into_iter()
            .chain([wait_for_definitions()])
            .collect();
        self.steps.add(what, &commands);
    }

    fn image_set(&mut self, why: &str) {
        if let Some(file) = self.folder.file(IMAGE_SET) {
            self.steps
                .add(&format!("Apply the ImageSet, {why}."), &[apply(file)]);
        }
    }

    fn operator_manifest(&mut self) {
        let names = self.folder.named(|manifest| manifest.operator);
        if names.is_empty() {
            let text = format!(
                "Apply the release's operator manifest, which is not in this folder, {}.",
                self.operator_changes(&[OPERATOR_IMAGE])
            );
            self.steps.add(&text, &[]);
            return;
        }
        let mut commands: Vec<String> = names.into_iter().map(apply_release).collect();
        if !self.definitions_apart() {
            commands.push(wait_for_definitions());
        }
        self.steps
            .add("Install or upgrade the operator.", &commands);
    }

    /// What has to be changed in the operator's manifest before it is applied.
    fn operator_changes(&self, repositories: &[&str]) -> String {
        let names = repositories.iter();
        let names: Vec<String> = names
            .filter_map(|repository| self.proof.destination_of(repository))
            .map(|name| format!("`{name}`"))
            .collect();
        let images = match names.as_slice() {
            [] => "with its images renamed for the destination".to_owned(),
            [one] => format!("with {one} as its image"),
            many => format!("with {} as its images", many.join(" and ")),
        };
        match self.request.pull_secret.name() {
            Some(name) => format!("{images} and `{name}` as pull secret of its pods"),
            None => images,
        }
    }

    fn create_installation(&mut self) {
        let given = self
            .folder
            .named(|manifest| manifest.installation && !manifest.operator);
        if let Some(file) = self.folder.file(INSTALLATION) {
            self.steps.add(
                "Create the Installation. First add what your cluster needs (address pools and so on), and afterwards create the other resources that the release creates together with it.",
                &[apply_own(file)],
            );
        } else if !given.is_empty() {
            let commands: Vec<String> = given.into_iter().map(apply_own).collect();
            self.steps.add(
                "Create the Installation and the resources that belong to it. First change what your cluster needs otherwise (address pools and so on).",
                &commands,
            );
        }
    }

    /// Manifests that no other step applies.
    fn others(&mut self) {
        let names = self.folder.named(|manifest| {
            !manifest.installation && !manifest.operator && !manifest.definitions
        });
        let commands: Vec<String> = names.into_iter().map(apply_release).collect();
        if !commands.is_empty() {
            self.steps.add(
                "Apply the other manifests, as far as you use them.",
                &commands,
            );
        }
    }

    /// Before there is a cluster everything goes through the installer.
    fn openshift_install(&mut self) {
        if !self.folder.has_operator() {
            let text = format!(
                "The operator's manifest is not in this folder: pass the release's to the installer {}.",
                self.operator_changes(&[OPERATOR_IMAGE, "calico/ctl"])
            );
            self.steps.add(&text, &[]);
        }
        let secret = format!("pull-secret-{OPERATOR_NAMESPACE}.yaml");
        let ours = [secret.as_str(), IMAGE_SET, INSTALLATION].into_iter();
        let ours = ours.filter_map(|name| self.folder.file(name));
        let names = self.folder.named(|_| true).into_iter().chain(ours);
        let names: Vec<_> = names.map(word).collect();
        let one = if self.folder.file(INSTALLATION).is_some() {
            " No other manifest there may contain an Installation: move the settings that your cluster needs from the release's into installation.yaml, and delete the release's."
        } else {
            ""
        };
        if !names.is_empty() {
            self.steps.add(
                &format!("After `openshift-install create manifests`, copy the release's OpenShift manifests into the folder `manifests` of the installer's directory, and then these files over them. INSTALL_DIR is the installer's directory; if it is not set, the current one is used.{one}"),
                &[format!("cp {} \"${{INSTALL_DIR:-.}}/manifests/\"", names.join(" "))],
            );
        }
        let secret_elsewhere = match (self.request.pull_secret.name(), self.folder.file(&secret)) {
            (Some(name), None) => format!(
                " Add a manifest of the Secret {name} in the namespace {OPERATOR_NAMESPACE} to them, if no other does."
            ),
            _ => String::new(),
        };
        self.steps.add(
            &format!("Create the cluster with these manifests.{secret_elsewhere}"),
            &["openshift-install create cluster --dir \"${INSTALL_DIR:-.}\"".to_owned()],
        );
    }

    fn helm(&mut self, arguments: &[String]) {
        let chart = match self.folder.chart {
            Some(name) => word(name).into_owned(),
            None => "\"$CHART\"".to_owned(),
        };
        if self.folder.chart.is_none() {
            let version = &self.request.release.version;
            self.steps.add(
                &format!("Set CHART to the path of the chart tigera-operator {version}, which is not in this folder."),
                &[],
            );
        }
        if arguments
            .iter()
            .any(|argument| argument.contains("$CREDENTIALS"))
        {
            self.steps.add(
                "Set CREDENTIALS to the path of a Docker credentials file for the registry; the chart creates the pull secret from it.",
                &[],
            );
        }
        if HelmEra::of(self.request.release) == HelmEra::Merged {
            self.operator_secret();
        }
        self.helm_definitions(&chart);
        self.image_set("before the chart, so that no pod starts by tag");
        self.helm_upgrade(&chart, arguments);
        self.others();
    }

    /// Helm installs the definitions in a chart, but never upgrades them.
    fn helm_definitions(&mut self, chart: &str) {
        if self.folder.has_definitions() || self.definitions_apart() {
            self.definitions();
            return;
        }
        self.steps.add(
            "Apply the definitions of the operator's resources from the chart: Helm does not upgrade them.",
            &[
                format!("helm show crds {chart} | kubectl apply --server-side --force-conflicts -f -"),
                wait_for_definitions(),
            ],
        );
    }

    fn helm_upgrade(&mut self, chart: &str, arguments: &[String]) {
        let mut command = format!(
            "helm upgrade --install calico {chart} --namespace {OPERATOR_NAMESPACE} --create-namespace -f values.yaml"
        );
        for argument in arguments {
            let _ = write!(command, " {argument}");
        }
        let mut commands = vec![command];
        let era = HelmEra::of(self.request.release);
        if let (Some(name), HelmEra::MapOnly) = (self.request.pull_secret.name(), era) {
            commands.push(format!(
                "kubectl patch serviceaccount tigera-operator -n {OPERATOR_NAMESPACE} -p '{{\"imagePullSecrets\":[{{\"name\":\"{name}\"}}]}}'"
            ));
        }
        self.steps.add("Install or upgrade the chart.", &commands);
    }

    fn manifests(&mut self) {
        let system = format!("pull-secret-{SYSTEM_NAMESPACE}.yaml");
        match self.folder.file(&system) {
            Some(file) => self.steps.add("Apply the pull secret.", &[apply(file)]),
            None => self.check_secret(SYSTEM_NAMESPACE),
        }
        let names = self.folder.named(|manifest| !manifest.installation);
        if names.is_empty() {
            self.steps.add(
                "Apply the release's manifests that you use, which are not in this folder, with the images of the checklist in them.",
                &[],
            );
        } else {
            let commands: Vec<String> = names.into_iter().map(apply_release).collect();
            self.steps.add("Apply the manifests.", &commands);
        }
        if let Some(file) = self.folder.file("pull-secret-calico-apiserver.yaml") {
            self.steps.add(
                "If you use the API server, apply its pull secret once its namespace exists.",
                &[apply(file)],
            );
        }
    }

    fn check(&mut self) {
        if self.request.install == Install::Manifests {
            self.steps.add(
                "Check that all pods run.",
                &[format!("kubectl get pods -n {SYSTEM_NAMESPACE}")],
            );
            return;
        }
        self.steps.add(
            "Check that everything becomes available. An image that the registry does not serve is shown as Degraded, by name.",
            &[
                "kubectl get tigerastatus".to_owned(),
                "kubectl get pods -n calico-system".to_owned(),
            ],
        );
    }
}
