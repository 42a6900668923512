//! Pull secrets in workloads and service accounts.
#![allow(clippy::unwrap_used)]

mod common;
mod mutate;

use std::fs;

use common::{data, yaml_files};
use mutate::{Mutator, SEEDS};
use sealift_imagerefs::{
    PullSecret, PullSecretError, Reason, Relocation, Resource, RewriteError, find,
    plan_pull_secret, plan_rewrite,
};
use sealift_oci::{Destination, Naming};

fn plan(text: &str) -> PullSecret {
    plan_pull_secret("text", text.as_bytes(), "corp-pull", &|_| true).unwrap()
}

/// Puts the secret in, and again to see that nothing changes then.
fn with_secret(text: &str) -> String {
    let out = plan(text).apply(text.as_bytes()).unwrap();
    let out = String::from_utf8(out).unwrap();
    let again = plan(&out);
    assert_eq!(again.edits, [], "a second run changes\n{out}");
    assert!(!again.settled.is_empty());
    out
}

const DEPLOYMENT: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: d\nspec:\n  template:\n    spec:\n      # first\n      nodeSelector:\n        os: linux\n      serviceAccountName: me # who\n      # then\n      hostNetwork: true\n      containers:\n        - image: a/b:1\n";

#[test]
fn a_workload_names_the_secret_after_its_service_account() {
    let expected = DEPLOYMENT.replace(
        "# who\n",
        "# who\n      imagePullSecrets:\n      - name: corp-pull\n",
    );
    assert_eq!(with_secret(DEPLOYMENT), expected);
    let edit = &plan(DEPLOYMENT).edits[0];
    assert_eq!(edit.why, "Deployment/d gets the pull secret corp-pull");
    assert_eq!((edit.line, edit.column), (12, 1));

    let windows = DEPLOYMENT.replace('\n', "\r\n");
    assert_eq!(with_secret(&windows), expected.replace('\n', "\r\n"));
    let marked = format!("\u{feff}{DEPLOYMENT}");
    assert_eq!(with_secret(&marked), format!("\u{feff}{expected}"));
}

#[test]
fn every_way_of_writing_a_pod_has_a_place_for_it() {
    let head = "apiVersion: v1\nkind: Pod\nspec:\n";
    for (spec, expected) in [
        (
            "  containers:\n  - image: a\n",
            "  imagePullSecrets:\n  - name: corp-pull\n  containers:\n  - image: a\n",
        ),
        (
            "  containers: [{image: a}]\n  dnsPolicy: x",
            "  containers: [{image: a}]\n  dnsPolicy: x\n  imagePullSecrets:\n  - name: corp-pull",
        ),
        (
            "  {containers: [{image: a}]}\n",
            "  {imagePullSecrets: [{name: corp-pull}], containers: [{image: a}]}\n",
        ),
        (
            "  containers: []\n  imagePullSecrets: [] # none\n",
            "  containers: []\n  imagePullSecrets: [{name: corp-pull}] # none\n",
        ),
        (
            "  containers: []\n  imagePullSecrets:\n    []\n",
            "  containers: []\n  imagePullSecrets:\n    - name: corp-pull\n",
        ),
        (
            "  containers: []\n  imagePullSecrets:\n  - name: other\n",
            "  containers: []\n  imagePullSecrets:\n  - name: corp-pull\n  - name: other\n",
        ),
        (
            "  containers: []\n  imagePullSecrets: [{name: other}]\n",
            "  containers: []\n  imagePullSecrets: [{name: corp-pull}, {name: other}]\n",
        ),
        (
            "  imagePullSecrets:\n  containers: []\n",
            "  imagePullSecrets: [{name: corp-pull}]\n  containers: []\n",
        ),
        (
            "  imagePullSecrets: ~\n  containers: []\n",
            "  imagePullSecrets: [{name: corp-pull}]\n  containers: []\n",
        ),
    ] {
        assert_eq!(
            with_secret(&format!("{head}{spec}")),
            format!("{head}{expected}")
        );
    }
}

#[test]
fn json_stays_json() {
    let pod = |spec: &str| format!(r#"{{"apiVersion": "v1", "kind": "Pod", "spec": {spec}}}"#);
    for (spec, expected) in [
        (
            r#"{"containers": []}"#,
            r#"{"imagePullSecrets": [{"name": "corp-pull"}], "containers": []}"#,
        ),
        (
            "{\n  \"containers\": []\n}",
            "{\n  \"imagePullSecrets\": [{\"name\": \"corp-pull\"}],\n  \"containers\": []\n}",
        ),
        (
            r#"{"containers": [], "imagePullSecrets": [{"name": "a"}]}"#,
            r#"{"containers": [], "imagePullSecrets": [{"name": "corp-pull"}, {"name": "a"}]}"#,
        ),
        (
            r#"{"containers": [], "imagePullSecrets": []}"#,
            r#"{"containers": [], "imagePullSecrets": [{"name": "corp-pull"}]}"#,
        ),
    ] {
        let text = with_secret(&pod(spec));
        assert_eq!(text, pod(expected));
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    }
}

#[test]
fn a_service_account_names_it_at_its_top() {
    let text = "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: a\n";
    assert_eq!(
        with_secret(text),
        "apiVersion: v1\nkind: ServiceAccount\nimagePullSecrets:\n- name: corp-pull\nmetadata:\n  name: a\n"
    );
}

#[test]
fn only_what_is_wanted_gets_it() {
    let two = format!(
        "{DEPLOYMENT}---\n{}",
        DEPLOYMENT.replace("name: d", "name: e")
    );
    let wanted = |resource: &Resource| {
        resource.kind == "Deployment" && resource.name.as_deref() == Some("e")
    };
    let plan = plan_pull_secret("t", two.as_bytes(), "s", &wanted).unwrap();
    assert_eq!(plan.edits.len(), 1);
    assert!(plan.edits[0].line > 16);
    let none = plan_pull_secret("t", two.as_bytes(), "s", &|_| false).unwrap();
    assert_eq!(none.apply(two.as_bytes()).unwrap(), two.as_bytes());
}

#[test]
fn names_that_no_secret_has_are_refused_and_odd_ones_get_quotes() {
    for name in [
        "",
        "A",
        "a_b",
        "-a",
        "a-",
        "a..b",
        "a b",
        "a\nb",
        &"a".repeat(254),
    ] {
        let error = plan_pull_secret("t", b"a: b\n", name, &|_| true).unwrap_err();
        assert!(matches!(error, PullSecretError::Name { .. }), "{error}");
    }
    let plan = plan_pull_secret("t", DEPLOYMENT.as_bytes(), "0123", &|_| true).unwrap();
    assert!(
        plan.edits[0].new.contains("- name: \"0123\""),
        "{}",
        plan.edits[0].new
    );
    plan.apply(DEPLOYMENT.as_bytes()).unwrap();
}

#[test]
fn what_cannot_be_edited_in_place_is_listed() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {annotations: &s [{name: x}]}\nspec:\n  imagePullSecrets: *s\n  containers: []\n";
    let plan = plan(text);
    assert_eq!(plan.edits, []);
    assert_eq!(plan.not_understood[0].reason, Reason::SharedValue);
    let other = DEPLOYMENT.replace("who", "whom");
    assert_eq!(
        self::plan(DEPLOYMENT).apply(other.as_bytes()),
        Err(RewriteError::Changed)
    );
}

#[test]
fn the_documentations_sed_and_ours_give_the_same_bytes() {
    let Some(data) = data() else { return };
    let destination: Destination = "registry.corp.example:5000/mirror".parse().unwrap();
    let naming = Naming::default();
    for version in ["v3.25.0", "v3.28.5", "v3.32.1"] {
        let path = data.join(format!("calico/manifests/{version}/tigera-operator.yaml"));
        let before = fs::read_to_string(path).unwrap();
        // The two commands of the page, as the golden differences show them.
        let account = "      serviceAccountName: tigera-operator\n";
        assert_eq!(before.matches(account).count(), 1);
        let sed = before
            .replace(
                "image: quay.io/",
                "image: registry.corp.example:5000/mirror/",
            )
            .replace(
                account,
                &format!("{account}      imagePullSecrets:\n      - name: corp-pull\n"),
            );
        let images = plan_rewrite(
            "t",
            before.as_bytes(),
            &Relocation::new(&destination, &naming),
        );
        let after = images.unwrap().apply(before.as_bytes()).unwrap();
        let wanted = |resource: &Resource| resource.kind == "Deployment";
        let secret = plan_pull_secret("t", &after, "corp-pull", &wanted).unwrap();
        let after = secret.apply(&after).unwrap();
        assert!(after == sed.as_bytes(), "{version}");

        let golden = data.join(format!("calico/sed-golden/{version}.tigera-operator.diff"));
        let golden = fs::read_to_string(golden).unwrap();
        let added = golden
            .lines()
            .filter(|line| line.starts_with('+') && !line.starts_with("+++"));
        let after = String::from_utf8(after).unwrap();
        for line in added {
            assert!(
                after.lines().any(|ours| ours == &line[1..]),
                "{version}: {line}"
            );
        }
    }
}

#[test]
fn the_operators_workload_and_service_account_get_it_in_every_variant() {
    let Some(data) = data() else { return };
    let mut changed = 0;
    for path in yaml_files(&data.join("calico/manifests")) {
        let before = fs::read_to_string(&path).unwrap();
        let workloads = before.lines().filter(|line| {
            let kinds = ["Deployment", "DaemonSet", "Job", "Pod"];
            kinds.iter().any(|kind| *line == format!("kind: {kind}"))
        });
        let accounts = before
            .lines()
            .filter(|line| *line == "kind: ServiceAccount");
        let expected = workloads.count() + accounts.count();
        let plan = plan(&before);
        assert_eq!(plan.not_understood, [], "{}", path.display());
        assert_eq!(plan.edits.len(), expected, "{}", path.display());
        if expected > 0 {
            let after = with_secret(&before);
            let images = |text: &str| {
                let found = find("t", text.as_bytes()).unwrap().occurrences;
                found
                    .into_iter()
                    .map(|image| (image.path, image.text))
                    .collect::<Vec<_>>()
            };
            assert_eq!(images(&before), images(&after));
            changed += 1;
        } else {
            assert_eq!(plan.edits, []);
        }
    }
    assert!(changed > 30, "only {changed} files have workloads");
}

#[test]
fn any_bytes_get_it_once_and_read_as_intended_or_stay() {
    let mut mutator = Mutator::new(0xcafe);
    let (mut done, mut odd) = (0, 0);
    for round in 0..18_000 {
        let bytes = mutator.mutate(SEEDS[1 + round % (SEEDS.len() - 1)].as_bytes());
        let Ok(plan) = plan_pull_secret("m", &bytes, "corp-pull", &|_| true) else {
            continue;
        };
        let Ok(after) = plan.apply(&bytes) else {
            odd += 1;
            continue;
        };
        let again = plan_pull_secret("m", &after, "corp-pull", &|_| true).unwrap();
        assert_eq!(again.edits, [], "{}", String::from_utf8_lossy(&bytes));
        done += usize::from(after != bytes);
    }
    assert!(
        done > 600 && odd < done / 20,
        "{done} done, {odd} refused when applied"
    );
}
