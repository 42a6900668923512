//! The words that go with the files: what to run, in which order, and what to look at before signing.

use std::borrow::Cow;
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
            word(request.bundle)
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
    match request.install {
        Install::Operator(kind) => {
            if !given(request, OPERATOR) {
                operator_manifest(request, OPERATOR, naming, steps);
            }
            let definitions = definitions_apart(request).then_some(DEFINITIONS);
            let parts = definitions.into_iter().chain([OPERATOR]);
            let commands: Vec<String> = parts.map(apply).collect();
            steps.add(
                "Install the operator and its resource definitions.",
                &commands,
            );
            resources(request, kind, files, steps);
        }
        Install::OpenShift(kind) => {
            openshift(request, kind, files, naming, steps);
        }
        Install::Helm => helm(request, files, arguments, steps),
        Install::Manifests => manifests(request, files, naming, steps),
    }
    others(request, steps);
}

const OPERATOR: &str = "tigera-operator.yaml";
const DEFINITIONS: &str = "operator-crds.yaml";
const OPENSHIFT: &str = "02-tigera-operator.yaml";
const OPENSHIFT_UPGRADE: &str = "tigera-operator-ocp-upgrade.yaml";

/// From v3.30 on the release has the resource definitions in a file of their own.
fn definitions_apart(request: &ApplyRequest<'_>) -> bool {
    request.release.version.series() >= (3, 30)
}

fn given(request: &ApplyRequest<'_>, name: &str) -> bool {
    request.manifests.iter().any(|given| given.name == name)
}

fn apply(file: &str) -> String {
    format!("kubectl apply --server-side -f {}", word(file))
}

/// A path as one word of a shell's line.
fn word(path: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "./_-+@:,=%".contains(c);
    if !path.is_empty() && path.chars().all(plain) {
        return Cow::Borrowed(path);
    }
    Cow::Owned(format!("'{}'", path.replace('\'', "'\\''")))
}

fn rewrite(request: &ApplyRequest<'_>, file: &str, naming: &str) -> String {
    let destination = request.target.destination();
    let secret = request.pull_secret.name();
    let secret = secret.map(|name| format!(" --pull-secret {name}"));
    format!(
        "sealift rewrite {file} --to {destination}{naming}{}",
        secret.unwrap_or_default()
    )
}

/// Image and, where there is a pull secret, pod template of the operator's own Deployment.
fn operator_manifest(request: &ApplyRequest<'_>, file: &str, naming: &str, steps: &mut Steps) {
    let secret = match request.pull_secret.name() {
        Some(_) => ", and the pull secret",
        None => "",
    };
    steps.add(
        &format!("Let the operator's manifest name the image at the destination{secret}."),
        &[rewrite(request, file, naming)],
    );
}

fn openshift(
    request: &ApplyRequest<'_>,
    kind: InstallationKind,
    files: &[OutputFile],
    naming: &str,
    steps: &mut Steps,
) {
    if given(request, OPENSHIFT_UPGRADE) {
        steps.add(
            "Upgrade the operator of the cluster.",
            &[apply(OPENSHIFT_UPGRADE)],
        );
        resources(request, kind, files, steps);
        return;
    }
    if !given(request, OPENSHIFT) {
        operator_manifest(request, &format!("manifests/{OPENSHIFT}"), naming, steps);
    }
    let names = request.manifests.iter().map(|given| given.name.as_str());
    let made = ["imageset.yaml", "installation.yaml"]
        .into_iter()
        .filter(|name| has(files, name));
    let names: Vec<_> = names.chain(made).map(word).collect();
    let what = if has(files, "installation.yaml") {
        "Put these into the installer's folder, and take the release's cr-installation.yaml out of it. Add to the Installation what your cluster needs."
    } else {
        "Put these into the installer's folder, over the release's."
    };
    if !names.is_empty() {
        steps.add(what, &[format!("cp {} manifests/", names.join(" "))]);
    }
    steps.add(
        "Hand the manifests to the installer; or, on a running cluster, apply them.",
        &[apply("manifests/")],
    );
    if kind == InstallationKind::Patch {
        patch(steps);
    }
}

fn patch(steps: &mut Steps) {
    steps.add(
        "Point the Installation that is there at the destination.",
        &[
            "kubectl patch installation default --type merge --patch-file installation-patch.yaml"
                .to_owned(),
        ],
    );
}

fn resources(
    request: &ApplyRequest<'_>,
    kind: InstallationKind,
    files: &[OutputFile],
    steps: &mut Steps,
) {
    if has(files, "imageset.yaml") {
        steps.add(
            "Apply the ImageSet before the Installation, so that no pod starts by tag.",
            &["kubectl apply -f imageset.yaml".to_owned()],
        );
    }
    let own = request.manifests.iter().filter(|given| given.installation);
    let own: Vec<String> = own
        .map(|given| format!("kubectl create -f {}", word(&given.name)))
        .collect();
    match kind {
        InstallationKind::Fresh if !own.is_empty() => {
            steps.add(
                "Create the Installation and the resources beside it. Change before what your cluster needs (address pools and so on).",
                &own,
            );
        }
        InstallationKind::Fresh => steps.add(
            "Create the Installation. Add to it what your cluster needs (address pools and so on), and create the other resources of custom-resources.yaml, without its Installation.",
            &["kubectl create -f installation.yaml".to_owned()],
        ),
        InstallationKind::Patch => patch(steps),
    }
}

/// Manifests of the folder that no other step has.
fn others(request: &ApplyRequest<'_>, steps: &mut Steps) {
    let used: &[&str] = match request.install {
        Install::Operator(_) => &[OPERATOR, DEFINITIONS],
        Install::OpenShift(_) if given(request, OPENSHIFT_UPGRADE) => &[OPENSHIFT_UPGRADE],
        Install::Helm => &[DEFINITIONS],
        Install::OpenShift(_) | Install::Manifests => return,
    };
    let rest = request
        .manifests
        .iter()
        .filter(|given| !given.installation && !used.contains(&given.name.as_str()));
    let rest: Vec<String> = rest.map(|given| apply(&given.name)).collect();
    if !rest.is_empty() {
        steps.add("Apply the other manifests, as far as you use them.", &rest);
    }
}

fn helm(request: &ApplyRequest<'_>, files: &[OutputFile], arguments: &[String], steps: &mut Steps) {
    let mut extra = String::new();
    for argument in arguments {
        let _ = write!(extra, " {argument}");
    }
    if has(files, "imageset.yaml") {
        // A release that has them apart may have a chart without them.
        let definitions = if definitions_apart(request) {
            apply(DEFINITIONS)
        } else {
            "helm show crds tigera-operator.tgz | kubectl apply --server-side -f -".to_owned()
        };
        steps.add(
            "Install the resource definitions and the ImageSet, so that no pod starts by tag.",
            &[definitions, "kubectl apply -f imageset.yaml".to_owned()],
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

fn manifests(request: &ApplyRequest<'_>, files: &[OutputFile], naming: &str, steps: &mut Steps) {
    let mut names: Vec<&str> = request.manifests.iter().map(|m| m.name.as_str()).collect();
    if names.is_empty() {
        steps.add(
            "Let the manifests that you use name the images at the destination: calico.yaml, or canal.yaml, calico-typha.yaml, apiserver.yaml and so on.",
            &[rewrite(request, "calico.yaml", naming)],
        );
        names.push("calico.yaml");
    }
    let commands: Vec<String> = names.into_iter().map(apply).collect();
    steps.add("Apply the manifests.", &commands);
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
            word(request.bundle)
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
    for given in request.manifests {
        let _ = writeln!(text, "- [ ] `{}` was read.", given.name);
    }
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
        let digest = request.digests.get(&row.image);
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
