//! Pull secrets: where they are, and that credentials are nowhere else.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sealift_products::OutputFile;
use sealift_products::calico::{Install, InstallationKind, PullSecret};
use serde_json::Value;

use crate::case::{Case, from_file, made, value};

#[test]
fn the_pull_secret_is_in_the_namespace_where_the_operator_looks() {
    let made = made(&Case {
        secret: from_file(),
        ..Case::default()
    })
    .unwrap();
    let secrets: Vec<&OutputFile> = made.files.iter().filter(|file| file.secret).collect();
    assert_eq!(secrets.len(), 1);
    let secret = sealift_yaml::document("s", &secrets[0].bytes).unwrap();
    assert_eq!(secret["metadata"]["namespace"], "tigera-operator");
    assert_eq!(secret["type"], "kubernetes.io/dockerconfigjson");
    assert!(secret["data"][".dockerconfigjson"].is_string());
}

#[test]
fn credentials_are_in_the_secret_and_nowhere_else() {
    for install in [
        Install::Operator(InstallationKind::Fresh),
        Install::OpenShift(InstallationKind::Patch),
        Install::Helm,
        Install::Manifests,
    ] {
        for spec in ["calico@v3.25.0", "calico@v3.32.1"] {
            let case = Case {
                spec,
                install,
                secret: from_file(),
                digests: false,
                ..Case::default()
            };
            let made = made(&case).unwrap();
            for file in made.files.iter().filter(|file| !file.secret) {
                let text = String::from_utf8_lossy(&file.bytes);
                assert!(
                    !text.contains("canary") && !text.contains("bWU6Y2FuYXJ5"),
                    "{}",
                    file.name
                );
            }
            assert!(!made.warnings.concat().contains("bWU6Y2FuYXJ5"));
        }
    }
    assert!(!format!("{:?}", from_file()).contains("bWU6"));
}

#[test]
fn only_the_credentials_of_the_destination_get_into_the_cluster() {
    let file = serde_json::json!({
        "auths": {
            "registry.corp:5000": {"auth": "bWU6Y2FuYXJ5"},
            "https://registry.corp:5000/mirror": {"username": "me", "password": "too"},
            "registry.corp:5000/other": {"identitytoken": "secret"},
            "registry.corp": {"auth": "b3RoZXI6cG9ydA=="},
            "quay.io": {"auth": "b3RoZXI6c2VjcmV0"},
        },
        "credsStore": "desktop",
        "HttpHeaders": {"X-Token": "secret"},
    });
    let made = made(&Case {
        secret: PullSecret::FromFile {
            name: "pull".to_owned(),
            file: "auth.json".to_owned(),
            bytes: file.to_string().into_bytes(),
        },
        ..Case::default()
    })
    .unwrap();
    let secret = value(&made, "pull-secret-tigera-operator.yaml");
    assert_eq!(secret["type"], "kubernetes.io/dockerconfigjson");
    let encoded = secret["data"][".dockerconfigjson"].as_str().unwrap();
    let config: Value = serde_json::from_slice(&STANDARD.decode(encoded).unwrap()).unwrap();
    let expected = serde_json::json!({"auths": {
        "registry.corp:5000": {"auth": "bWU6Y2FuYXJ5"},
        "https://registry.corp:5000/mirror": {"username": "me", "password": "too"},
    }});
    assert_eq!(config, expected);
}

#[test]
fn installs_without_the_operator_get_their_secrets_where_their_pods_are() {
    let made = made(&Case {
        install: Install::Manifests,
        secret: from_file(),
        digests: false,
        ..Case::default()
    })
    .unwrap();
    let names: Vec<&str> = made.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "pull-secret-kube-system.yaml",
            "pull-secret-calico-apiserver.yaml",
            "README.md",
            "CHECKLIST.md"
        ]
    );
}
