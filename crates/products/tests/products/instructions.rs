//! The README of the folder: what it says to run works there, in that order.

use std::collections::BTreeSet;

use sealift_oci::NamingRule;
use sealift_products::calico::{ApplyFiles, Install, InstallationKind, Manifest, PullSecret};

use crate::case::{Case, from_file, made, text};

const FRESH: InstallationKind = InstallationKind::Fresh;
const PATCH: InstallationKind = InstallationKind::Patch;

const WAIT: &str = "kubectl wait --for=condition=Established --timeout=60s crd/imagesets.operator.tigera.io crd/installations.operator.tigera.io";

const DEPLOYMENT: &str =
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: tigera-operator}\n";
const DEFINITION: &str = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: installations.operator.tigera.io}\nspec: {group: operator.tigera.io}\n";
const INSTALLATION: &str =
    "apiVersion: operator.tigera.io/v1\nkind: Installation\nmetadata: {name: default}\nspec: {}\n";
const NODE: &str =
    "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: calico-node, namespace: kube-system}\n";
const API_SERVER: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: calico-apiserver}\n";

fn manifest(name: &str, parts: &[&str]) -> Manifest {
    Manifest::read(name, parts.join("---\n").as_bytes())
}

/// Every manifest of a release that people give, those of all ways to install together.
fn manifests() -> Vec<Manifest> {
    vec![
        manifest("operator-crds.yaml", &[DEFINITION]),
        manifest("tigera-operator.yaml", &[DEPLOYMENT]),
        manifest("operator-and-definitions.yaml", &[DEFINITION, DEPLOYMENT]),
        manifest("custom-resources.yaml", &[INSTALLATION]),
        manifest("02-tigera-operator.yaml", &[DEPLOYMENT]),
        manifest("03-cr-installation.yaml", &[INSTALLATION]),
        manifest("tigera-operator-ocp-upgrade.yaml", &[DEPLOYMENT]),
        manifest("calico.yaml", &[NODE]),
        manifest("apiserver.yaml", &[API_SERVER]),
        manifest("whisker.yaml", &[]),
    ]
}

/// Every second subset and all that have one or two members: each pair meets, with and without others.
fn subsets(all: &[Manifest]) -> Vec<Vec<Manifest>> {
    let masks = (0_u32..1 << all.len()).filter(|mask| mask.count_ones() < 3 || mask % 37 == 0);
    let subset = |mask: u32| {
        let chosen = all.iter().enumerate();
        let chosen = chosen.filter(|(at, _)| mask >> at & 1 == 1);
        chosen.map(|(_, manifest)| manifest.clone()).collect()
    };
    masks.map(subset).collect()
}

/// The commands of a README, as lines.
fn commands(readme: &str) -> Vec<&str> {
    let lines = readme.lines();
    lines
        .filter_map(|line| line.strip_prefix("       "))
        .collect()
}

/// Everything in a text that reads as the name of a file.
fn file_names(text: &str) -> BTreeSet<String> {
    let ends = |c: char| c.is_whitespace() || "`,;()=\"'".contains(c);
    let words = text
        .split(ends)
        .map(|word| word.trim_end_matches(['.', ':']));
    let names = words.filter(|word| is_file_name(word));
    names.map(str::to_owned).collect()
}

fn is_file_name(word: &str) -> bool {
    [".yaml", ".yml", ".json", ".tgz", ".tar", ".md", ".gz"]
        .iter()
        .any(|ending| word.ends_with(ending))
}

/// The names of all files in the folder.
fn folder(case: &Case<'_>, made: &ApplyFiles) -> BTreeSet<String> {
    let written = made.files.iter().map(|file| file.name.clone());
    let given = case.manifests.iter().map(|manifest| manifest.name.clone());
    let chart = case.chart.map(str::to_owned);
    written.chain(given).chain(chart).collect()
}

/// Where the first command with `words` is.
fn position(commands: &[&str], words: &str) -> Option<usize> {
    commands.iter().position(|command| command.contains(words))
}

#[track_caller]
fn in_order(commands: &[&str], first: &str, second: &str) {
    if let (Some(first), Some(second)) = (position(commands, first), position(commands, second)) {
        assert!(first < second, "{commands:#?}");
    }
}

/// Checks what holds for every folder.
fn check(case: &Case<'_>) {
    let made = made(case).unwrap();
    let readme = text(&made, "README.md");
    let folder = folder(case, &made);
    for document in ["README.md", "CHECKLIST.md"] {
        let mut named = file_names(text(&made, document));
        named.remove("../calico.tar");
        let absent: Vec<&String> = named.difference(&folder).collect();
        assert_eq!(absent, Vec::<&String>::new(), "{document}: {readme}");
    }
    let named = file_names(readme);
    for file in folder.iter().filter(|file| !is_documentation(file)) {
        assert!(named.contains(file), "no step names {file}: {readme}");
    }
    order(case, &commands(readme));
}

fn is_documentation(file: &str) -> bool {
    matches!(file, "README.md" | "CHECKLIST.md")
}

fn order(case: &Case<'_>, commands: &[&str]) {
    assert!(commands[0].starts_with("sealift load "), "{commands:#?}");
    assert_eq!(position(commands, "kubectl create"), None, "{commands:#?}");
    // Where the operator brings the definitions, a new cluster cannot have an ImageSet before it.
    let together = |manifest: &Manifest| manifest.operator && manifest.definitions;
    if case.install == Install::Operator(PATCH) || !case.manifests.iter().any(together) {
        let operators = case.manifests.iter().filter(|manifest| manifest.operator);
        for manifest in operators {
            in_order(
                commands,
                "-f imageset.yaml",
                &format!("-f {}", manifest.name),
            );
        }
    }
    in_order(commands, "-f operator-crds.yaml", "-f imageset.yaml");
    in_order(commands, "-f imageset.yaml", "installation-patch.yaml");
    in_order(commands, "-f imageset.yaml", "-f installation.yaml");
    in_order(commands, "-f imageset.yaml", "-f custom-resources.yaml");
    in_order(commands, "-f imageset.yaml", "helm upgrade");
    in_order(
        commands,
        "-f namespace-",
        "-f pull-secret-tigera-operator.yaml",
    );
    in_order(
        commands,
        "-f pull-secret-tigera-operator.yaml",
        "-f tigera-operator.yaml",
    );
    in_order(
        commands,
        "-f pull-secret-tigera-operator.yaml",
        "helm upgrade",
    );
    in_order(
        commands,
        "-f pull-secret-kube-system.yaml",
        "-f calico.yaml",
    );
    if let Some(installer) = position(commands, "openshift-install create cluster") {
        let before = &commands[..installer];
        assert_eq!(position(before, "kubectl"), None, "{commands:#?}");
    }
}

#[test]
fn no_readme_names_a_file_that_is_not_in_its_folder() {
    let subsets = subsets(&manifests());
    let installs = [
        Install::Operator(FRESH),
        Install::Operator(PATCH),
        Install::OpenShift(FRESH),
        Install::OpenShift(PATCH),
        Install::Helm,
        Install::Manifests,
    ];
    let secrets = [
        PullSecret::None,
        PullSecret::Named("pull".to_owned()),
        from_file(),
    ];
    let namings = [
        (NamingRule::Keep, None),
        (NamingRule::Keep, Some("corp-")),
        (NamingRule::Flat, None),
        (NamingRule::Flat, Some("corp-")),
    ];
    let specs = [
        ("calico@v3.24.5", &["windows"][..]),
        ("calico@v3.26.5", &["windows"]),
        ("calico@v3.29.7", &[]),
        ("calico@v3.32.1", &["openshift"]),
    ];
    let mut at = 0;
    for install in installs {
        for secret in &secrets {
            for (rule, prefix) in namings {
                for (spec, features) in specs {
                    // All subsets meet all other choices once each, not the product of both.
                    for subset in subsets.iter().skip(at % 5).step_by(5) {
                        check(&Case {
                            spec,
                            features,
                            rule,
                            prefix,
                            install,
                            secret: secret.clone(),
                            digests: at % 3 != 0,
                            manifests: subset,
                            chart: (at % 2 == 0 && install == Install::Helm)
                                .then_some("tigera-operator.tgz"),
                            ..Case::default()
                        });
                    }
                    at += 1;
                }
            }
        }
    }
}

fn readme(install: Install, manifests: &[Manifest]) -> String {
    let made = made(&Case {
        install,
        manifests,
        secret: PullSecret::Named("pull".to_owned()),
        ..Case::default()
    });
    text(&made.unwrap(), "README.md").to_owned()
}

#[test]
fn a_new_install_runs_its_commands_in_the_order_of_calicos_own_page() {
    let manifests = [
        manifest("tigera-operator.yaml", &[DEPLOYMENT]),
        manifest("operator-crds.yaml", &[DEFINITION]),
        manifest("my resources.yaml", &[INSTALLATION]),
        manifest("whisker's.yaml", &[]),
    ];
    let made = made(&Case {
        secret: from_file(),
        manifests: &manifests,
        ..Case::default()
    })
    .unwrap();
    assert_eq!(
        commands(text(&made, "README.md")),
        [
            "sealift load ../calico.tar registry.corp:5000/mirror",
            "kubectl apply --server-side --field-manager=sealift -f namespace-tigera-operator.yaml",
            "kubectl apply -f pull-secret-tigera-operator.yaml",
            "kubectl apply --server-side --force-conflicts -f operator-crds.yaml",
            WAIT,
            "kubectl apply -f imageset.yaml",
            "kubectl apply --server-side --force-conflicts -f tigera-operator.yaml",
            "kubectl apply --server-side -f 'my resources.yaml'",
            "kubectl apply --server-side --force-conflicts -f 'whisker'\\''s.yaml'",
            "kubectl get tigerastatus",
            "kubectl get pods -n calico-system",
        ]
    );
}

#[test]
fn an_upgrade_applies_the_image_set_first_and_creates_nothing_that_exists() {
    let operator = manifest("tigera-operator.yaml", &[DEFINITION, DEPLOYMENT]);
    let made = made(&Case {
        spec: "calico@v3.29.7",
        install: Install::Operator(PATCH),
        secret: from_file(),
        manifests: std::slice::from_ref(&operator),
        ..Case::default()
    })
    .unwrap();
    assert_eq!(
        commands(text(&made, "README.md")),
        [
            "sealift load ../calico.tar registry.corp:5000/mirror",
            "kubectl apply -f pull-secret-tigera-operator.yaml",
            "kubectl apply -f imageset.yaml",
            "kubectl patch installation default --type merge --patch-file installation-patch.yaml",
            "kubectl apply --server-side --force-conflicts -f tigera-operator.yaml",
            WAIT,
            "kubectl get tigerastatus",
            "kubectl get pods -n calico-system",
        ]
    );
}

#[test]
fn before_there_is_a_cluster_everything_goes_through_the_installer() {
    let given = [
        manifest("02-tigera-operator.yaml", &[DEPLOYMENT]),
        manifest("03-cr-installation.yaml", &[INSTALLATION]),
    ];
    let case = |manifests| Case {
        install: Install::OpenShift(FRESH),
        secret: from_file(),
        manifests,
        ..Case::default()
    };
    let made_with = |manifests| made(&case(manifests)).unwrap();
    let with = made_with(&given);
    let copy = "cp 02-tigera-operator.yaml 03-cr-installation.yaml pull-secret-tigera-operator.yaml imageset.yaml \"${INSTALL_DIR:-.}/manifests/\"";
    assert_eq!(
        commands(text(&with, "README.md"))[1..3],
        [
            copy,
            "openshift-install create cluster --dir \"${INSTALL_DIR:-.}\"",
        ]
    );
    let without = made_with(&[]);
    let readme = text(&without, "README.md");
    assert!(
        readme.contains("imageset.yaml installation.yaml \"$"),
        "{readme}"
    );
    let image = "`registry.corp:5000/mirror/tigera/operator:v1.42.3`";
    assert!(readme.contains(image), "{readme}");
}

#[test]
fn openshifts_upgrade_manifest_is_for_a_cluster_that_exists() {
    let upgrade = manifest("tigera-operator-ocp-upgrade.yaml", &[DEPLOYMENT]);
    for kind in [FRESH, PATCH] {
        let text = readme(Install::OpenShift(kind), std::slice::from_ref(&upgrade));
        let apply =
            "kubectl apply --server-side --force-conflicts -f tigera-operator-ocp-upgrade.yaml";
        assert!(text.contains(apply), "{text}");
        assert!(
            text.contains("--patch-file installation-patch.yaml"),
            "{text}"
        );
        assert!(!text.contains("openshift-install"), "{text}");
    }
}

#[test]
fn what_is_not_in_the_folder_is_described_by_its_images() {
    let text = readme(Install::Operator(FRESH), &[]);
    let image = "`registry.corp:5000/mirror/tigera/operator:v1.42.3`";
    assert!(text.contains(image), "{text}");
    assert!(
        text.contains("kubectl get secret pull -n tigera-operator"),
        "{text}"
    );
    let patch = readme(Install::Operator(PATCH), &[]);
    assert!(
        patch.contains("do not change the operator's own Deployment"),
        "{patch}"
    );
}

#[test]
fn helm_gets_definitions_before_the_chart_and_credentials_as_the_chart_reads_them() {
    let old = made(&Case {
        spec: "calico@v3.24.5",
        features: &["windows"],
        install: Install::Helm,
        secret: PullSecret::FromFile {
            name: "corp.pull".to_owned(),
            file: "auth.json".to_owned(),
            bytes: crate::case::CREDENTIALS.to_vec(),
        },
        chart: Some("tigera-operator.tgz"),
        ..Case::default()
    })
    .unwrap();
    assert_eq!(
        commands(text(&old, "README.md"))[1..5],
        [
            "helm show crds tigera-operator.tgz | kubectl apply --server-side --force-conflicts -f -",
            WAIT,
            "kubectl apply -f imageset.yaml",
            "helm upgrade --install calico tigera-operator.tgz --namespace tigera-operator --create-namespace -f values.yaml --set-file 'imagePullSecrets.corp\\.pull=pull-secret.json'",
        ]
    );
    let secret = old
        .files
        .iter()
        .find(|file| file.name == "pull-secret.json");
    assert!(secret.unwrap().secret);
    let definitions = [manifest("operator-crds.yaml", &[DEFINITION])];
    let new = readme(Install::Helm, &definitions);
    assert_eq!(new.matches("-f operator-crds.yaml").count(), 1, "{new}");
    assert!(
        new.contains("helm upgrade --install calico \"$CHART\""),
        "{new}"
    );
}

#[test]
fn an_installation_that_no_step_applies_is_reported() {
    let own = [manifest("custom-resources.yaml", &[INSTALLATION])];
    for install in [Install::Operator(PATCH), Install::Helm, Install::Manifests] {
        let made = made(&Case {
            install,
            manifests: &own,
            ..Case::default()
        })
        .unwrap();
        let readme = text(&made, "README.md");
        assert!(!readme.contains("-f custom-resources.yaml"), "{readme}");
        let note = "custom-resources.yaml contains an Installation and is not applied";
        assert!(
            made.warnings.iter().any(|text| text.starts_with(note)),
            "{readme}"
        );
    }
}
