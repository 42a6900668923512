//! The words that go with the files: what to run, in which order, and what to look at before signing.

use std::fmt::Write as _;

use sealift_oci::NamingRule;

use super::plan::OPERATOR_NAMESPACE;
use super::{ApplyRequest, Install, InstallationKind, Proof, ProvedBy};
use crate::OutputFile;

/// `README.md`: the commands in their order.
pub(super) fn readme(
    request: &ApplyRequest<'_>,
    files: &[OutputFile],
    arguments: &[String],
    warnings: &[String],
) -> OutputFile {
    let mut steps = Steps::default();
    let naming = naming_flags(request);
    let destination = request.target.destination();
    steps.add(
        "Put the images into the registry (a second run sends only what is missing).",
        &[format!(
            "sealift load {} {destination}{naming}",
            request.bundle
        )],
    );
    before_install(request, files, &mut steps);
    install(request, files, arguments, &naming, &mut steps);
    look(request, &mut steps);
    let mut text = format!(
        "# {} {} from {destination}\n\nRun these in order, in this folder, beside the release's manifests.\n",
        "Calico", request.release.version
    );
    text.push_str(&steps.text);
    if !warnings.is_empty() {
        text.push_str("\n## What to know\n\n");
        for warning in warnings {
            let _ = writeln!(text, "- {warning}");
        }
    }
    OutputFile::text("README.md", text)
}

fn naming_flags(request: &ApplyRequest<'_>) -> String {
    let rule = match request.target.rule() {
        NamingRule::Keep => String::new(),
        rule => format!(" --naming {rule}"),
    };
    let prefix = request.target.fields().image_prefix;
    let prefix = prefix.map(|prefix| format!(" --image-prefix {prefix}"));
    format!("{rule}{}", prefix.unwrap_or_default())
}

#[derive(Default)]
struct Steps {
    text: String,
    count: usize,
}

impl Steps {
    fn add(&mut self, what: &str, commands: &[String]) {
        self.count += 1;
        let _ = write!(self.text, "\n{}. {what}\n", self.count);
        if !commands.is_empty() {
            self.text.push('\n');
        }
        for command in commands {
            let _ = writeln!(self.text, "       {command}");
        }
    }
}

fn has(files: &[OutputFile], name: &str) -> bool {
    files.iter().any(|file| file.name == name)
}

/// The Secret has to be there before the first pod asks for it, and its namespace before that.
fn before_install(request: &ApplyRequest<'_>, files: &[OutputFile], steps: &mut Steps) {
    let operator = format!("pull-secret-{OPERATOR_NAMESPACE}.yaml");
    if has(files, &operator) {
        steps.add(
            "Make the operator's namespace and the pull secret. The operator copies the secret to where it is needed.",
            &[
                format!("kubectl create namespace {OPERATOR_NAMESPACE} --dry-run=client -o yaml | kubectl apply -f -"),
                format!("kubectl apply -f {operator}"),
            ],
        );
    } else if let (Some(name), false) = (
        request.pull_secret.name(),
        request.install == Install::Manifests || request.install == Install::Helm,
    ) {
        steps.add(
            &format!("See that the Secret {name} is in the namespace {OPERATOR_NAMESPACE}."),
            &[format!("kubectl get secret {name} -n {OPERATOR_NAMESPACE}")],
        );
    }
    if has(files, "pull-secret-kube-system.yaml") {
        steps.add(
            "Make the pull secret.",
            &["kubectl apply -f pull-secret-kube-system.yaml".to_owned()],
        );
    }
}

fn install(
    request: &ApplyRequest<'_>,
    files: &[OutputFile],
    arguments: &[String],
    naming: &str,
    steps: &mut Steps,
) {
    let destination = request.target.destination();
    let rewrite = |file: &str| format!("sealift rewrite {file} --to {destination}{naming}");
    match request.install {
        Install::Operator(kind) => {
            operator_manifest(request, rewrite("tigera-operator.yaml"), steps);
            // From v3.30 on the definitions are a file of their own.
            let crds = request.release.version.series() >= (3, 30);
            let mut commands = Vec::new();
            if crds {
                commands.push("kubectl apply --server-side -f operator-crds.yaml".to_owned());
            }
            commands.push("kubectl apply --server-side -f tigera-operator.yaml".to_owned());
            steps.add(
                "Install the operator and its resource definitions.",
                &commands,
            );
            resources(kind, files, "custom-resources.yaml", steps);
        }
        Install::OpenShift(kind) => {
            operator_manifest(request, rewrite("manifests/02-tigera-operator.yaml"), steps);
            steps.add(
                "Hand the manifests to the installer, with the resources of this folder among them in place of the release's cr-installation.yaml; or, on a running cluster, apply them.",
                &["kubectl apply --server-side -f manifests/".to_owned()],
            );
            resources(kind, files, "the release's cr-*.yaml", steps);
        }
        Install::Helm => helm(request, files, arguments, steps),
        Install::Manifests => manifests(request, files, &rewrite("calico.yaml"), steps),
    }
}

/// Image and, where there is a pull secret, pod template of the operator's own Deployment.
fn operator_manifest(request: &ApplyRequest<'_>, mut command: String, steps: &mut Steps) {
    let what = match request.pull_secret.name() {
        Some(name) => {
            let _ = write!(command, " --pull-secret {name}");
            "Let the operator's manifest name the image at the destination, and the pull secret."
        }
        None => "Let the operator's manifest name the image at the destination.",
    };
    steps.add(what, &[command]);
}

fn resources(kind: InstallationKind, files: &[OutputFile], others: &str, steps: &mut Steps) {
    if has(files, "imageset.yaml") {
        steps.add(
            "Apply the ImageSet before the Installation, so that no pod starts by tag.",
            &["kubectl apply -f imageset.yaml".to_owned()],
        );
    }
    match kind {
        InstallationKind::Fresh => steps.add(
            &format!("Create the Installation. Add to it what your cluster needs (address pools and so on), and create the other resources of {others}, without its Installation."),
            &["kubectl create -f installation.yaml".to_owned()],
        ),
        InstallationKind::Patch => steps.add(
            "Point the Installation that is there at the destination.",
            &["kubectl patch installation default --type merge --patch-file installation-patch.yaml".to_owned()],
        ),
    }
}

fn helm(request: &ApplyRequest<'_>, files: &[OutputFile], arguments: &[String], steps: &mut Steps) {
    let mut extra = String::new();
    for argument in arguments {
        let _ = write!(extra, " {argument}");
    }
    if has(files, "imageset.yaml") {
        steps.add(
            "Install the resource definitions and the ImageSet, so that no pod starts by tag.",
            &[
                "helm show crds tigera-operator.tgz | kubectl apply --server-side -f -".to_owned(),
                "kubectl apply -f imageset.yaml".to_owned(),
            ],
        );
    }
    let mut commands = vec![format!(
        "helm upgrade --install calico tigera-operator.tgz --namespace {OPERATOR_NAMESPACE} --create-namespace -f values.yaml{extra}"
    )];
    if let (Some(name), super::HelmEra::MapOnly) = (
        request.pull_secret.name(),
        super::HelmEra::of(request.release),
    ) {
        commands.push(format!(
            "kubectl patch serviceaccount tigera-operator -n {OPERATOR_NAMESPACE} -p '{{\"imagePullSecrets\":[{{\"name\":\"{name}\"}}]}}'"
        ));
    }
    steps.add("Install or upgrade the chart.", &commands);
}

fn manifests(request: &ApplyRequest<'_>, files: &[OutputFile], rewrite: &str, steps: &mut Steps) {
    let secret = request
        .pull_secret
        .name()
        .map(|name| format!(" --pull-secret {name}"));
    steps.add(
        "Let the manifests that you use name the images at the destination: calico.yaml, or canal.yaml, calico-typha.yaml, apiserver.yaml and so on.",
        &[format!("{rewrite}{}", secret.unwrap_or_default())],
    );
    steps.add(
        "Apply them.",
        &["kubectl apply --server-side -f calico.yaml".to_owned()],
    );
    if has(files, "pull-secret-calico-apiserver.yaml") {
        steps.add(
            "Where you use apiserver.yaml, make its pull secret after it, since it brings its namespace.",
            &["kubectl apply -f pull-secret-calico-apiserver.yaml".to_owned()],
        );
    }
}

fn look(request: &ApplyRequest<'_>, steps: &mut Steps) {
    if request.install == Install::Manifests {
        steps.add(
            "See that all pods run.",
            &["kubectl get pods -n kube-system".to_owned()],
        );
        return;
    }
    steps.add(
        "See that everything becomes available. A reference that is not at the destination shows here as Degraded, with its name.",
        &["kubectl get tigerastatus".to_owned(), "kubectl get pods -n calico-system".to_owned()],
    );
}

/// `CHECKLIST.md`: what a second person compares and signs.
pub(super) fn checklist(
    request: &ApplyRequest<'_>,
    proof: &Proof,
    files: &[OutputFile],
) -> OutputFile {
    let operator = request
        .release
        .operator
        .as_ref()
        .map_or("none", |version| version.as_str());
    let mut text = format!(
        "# Checklist: Calico {} at {}\n\n- [ ] Operator {operator}, images named by the rule `{}`.\n",
        request.release.version,
        request.target.destination(),
        request.target.rule(),
    );
    if let Some(identity) = request.identity {
        let _ = writeln!(
            text,
            "- [ ] `sealift verify {}` names the bundle `{identity}`.",
            request.bundle
        );
    }
    let fields = &proof.fields;
    let _ = writeln!(
        text,
        "- [ ] Installation: `registry: {}`, `imagePath: {}`, `imagePrefix: {}`.",
        fields.registry,
        fields.image_path.as_deref().unwrap_or("(none)"),
        fields.image_prefix.as_deref().unwrap_or("(none)")
    );
    for file in files {
        let _ = writeln!(
            text,
            "- [ ] `{}` was read{}.",
            file.name,
            if file.secret {
                " by its owner alone; it holds credentials and is deleted after use"
            } else {
                ""
            }
        );
    }
    text.push_str("\n## Images\n\nThe registry answers for each of these with the digest given.\n\n| | source | destination | asked for by | digest |\n|---|---|---|---|---|\n");
    for row in &proof.rows {
        let digest = request.digests.and_then(|digests| digests.get(&row.image));
        let _ = writeln!(
            text,
            "| [ ] | {} | {} | {} | {} |",
            row.image,
            row.loaded,
            match row.by {
                ProvedBy::Operator => "the operator",
                ProvedBy::Manifest => "a manifest",
            },
            digest.map_or_else(|| "see the receipt".to_owned(), ToString::to_string)
        );
    }
    text.push_str("\nPrepared by: ____________________  Date: ____________\n\nChecked by: _____________________  Date: ____________\n");
    OutputFile::text("CHECKLIST.md", text)
}
