//! The files to apply: what is in them, and that Kubernetes takes them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sealift_oci::{Digest, NamingRule, Reference};
use sealift_products::calico::{
    ApplyFiles, ApplyRequest, CalicoError, Install, InstallationKind, Manifest, PullSecret, Target,
    apply_files, image_set_names,
};
use sealift_products::{OutputFile, ProductImage, read_yaml_one};
use serde_json::Value;

use crate::schema::{faults, schema};
use crate::shared::{catalogue, images, release};

const CREDENTIALS: &[u8] =
    br#"{"auths":{"https://registry.corp:5000/v1/":{"auth":"bWU6Y2FuYXJ5"}}}"#;

struct Case<'a> {
    spec: &'a str,
    features: &'a [&'a str],
    destination: &'a str,
    rule: NamingRule,
    install: Install,
    secret: PullSecret,
    digests: bool,
}

impl Default for Case<'_> {
    fn default() -> Self {
        Self {
            spec: "calico@v3.32.1",
            features: &[],
            destination: "registry.corp:5000/mirror",
            rule: NamingRule::Keep,
            install: Install::Operator(InstallationKind::Fresh),
            secret: PullSecret::None,
            digests: true,
        }
    }
}

fn digests(images: &[ProductImage]) -> BTreeMap<Reference, Digest> {
    let pair = |image: &ProductImage| {
        (
            image.reference.clone(),
            Digest::sha256(image.reference.to_string().as_bytes()),
        )
    };
    images.iter().map(pair).collect()
}

fn made(case: &Case<'_>) -> Result<ApplyFiles, CalicoError> {
    with_manifests(case, &[])
}

fn with_manifests(case: &Case<'_>, manifests: &[Manifest]) -> Result<ApplyFiles, CalicoError> {
    let catalogue = catalogue();
    let images = images(&catalogue, case.spec, case.features).images;
    let target = Target::new(case.destination.parse().unwrap(), case.rule, None)?;
    let digests = digests(&images);
    apply_files(&ApplyRequest {
        release: release(&catalogue, case.spec),
        images: &images,
        target: &target,
        naming: target.naming(),
        digests: &digests,
        image_set: case.digests,
        pull_secret: &case.secret,
        install: case.install,
        bundle: "calico.tar",
        manifests,
        identity: Some("sha256:1234"),
    })
}

fn from_file() -> PullSecret {
    PullSecret::FromFile {
        name: "pull".to_owned(),
        file: "auth.json".to_owned(),
        bytes: CREDENTIALS.to_vec(),
    }
}

fn file<'f>(made: &'f ApplyFiles, name: &str) -> &'f OutputFile {
    made.files
        .iter()
        .find(|file| file.name == name)
        .unwrap_or_else(|| panic!("no {name}"))
}

fn text<'f>(made: &'f ApplyFiles, name: &str) -> &'f str {
    std::str::from_utf8(&file(made, name).bytes).unwrap()
}

fn value(made: &ApplyFiles, name: &str) -> Value {
    read_yaml_one(name, &file(made, name).bytes).unwrap()
}

#[test]
fn the_installation_says_where_the_images_are() {
    let made = made(&Case {
        secret: PullSecret::Named("pull".to_owned()),
        ..Case::default()
    })
    .unwrap();
    assert_eq!(
        text(&made, "installation.yaml"),
        "apiVersion: operator.tigera.io/v1\nkind: Installation\nmetadata:\n  name: default\nspec:\n  variant: Calico\n  registry: registry.corp:5000/mirror/\n  imagePullSecrets:\n  - name: pull\n"
            .replace("registry.corp:5000/mirror/", "\"registry.corp:5000/mirror/\"")
    );
}

#[test]
fn a_patch_clears_what_an_older_setting_may_have_left() {
    let install = Install::Operator(InstallationKind::Patch);
    let flat = made(&Case {
        rule: NamingRule::Flat,
        install,
        ..Case::default()
    })
    .unwrap();
    let patch = value(&flat, "installation-patch.yaml");
    assert_eq!(patch["spec"]["registry"], "registry.corp:5000/");
    assert_eq!(patch["spec"]["imagePath"], "mirror");
    assert_eq!(patch["spec"]["imagePrefix"], "");
    let keep = made(&Case {
        install,
        ..Case::default()
    })
    .unwrap();
    assert_eq!(
        value(&keep, "installation-patch.yaml")["spec"]["imagePath"],
        ""
    );
}

#[test]
fn the_resources_fit_the_definitions_of_their_release() {
    let manifests = [
        (
            "calico@v3.25.0",
            "calico/manifests/v3.25.0/tigera-operator.yaml",
            &["windows"][..],
        ),
        (
            "calico@v3.28.5",
            "calico/manifests/v3.28.5/tigera-operator.yaml",
            &[][..],
        ),
        (
            "calico@v3.32.1",
            "calico/manifests/v3.32.1/operator-crds.yaml",
            &["istio", "gateway-api"][..],
        ),
    ];
    for (spec, path, features) in manifests {
        let (Some(installation), Some(image_set)) =
            (schema(path, "Installation"), schema(path, "ImageSet"))
        else {
            return;
        };
        for rule in [NamingRule::Keep, NamingRule::Flat] {
            let case = |kind| Case {
                spec,
                features,
                rule,
                secret: PullSecret::Named("pull".to_owned()),
                install: Install::Operator(kind),
                ..Case::default()
            };
            let fresh = made(&case(InstallationKind::Fresh)).unwrap();
            assert_eq!(
                faults(&installation, &value(&fresh, "installation.yaml"), false),
                Vec::<String>::new(),
                "{spec}"
            );
            assert_eq!(
                faults(&image_set, &value(&fresh, "imageset.yaml"), false),
                Vec::<String>::new(),
                "{spec}"
            );
            let patch = made(&case(InstallationKind::Patch)).unwrap();
            assert_eq!(
                faults(
                    &installation,
                    &value(&patch, "installation-patch.yaml"),
                    true
                ),
                Vec::<String>::new(),
                "{spec}"
            );
        }
    }
}

#[test]
fn the_image_set_has_the_names_that_its_operator_accepts() {
    let catalogue = catalogue();
    let names = |spec: &str| {
        image_set_names(release(&catalogue, spec))
            .unwrap()
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    for (spec, own) in [
        ("calico@v3.20.0", true),
        ("calico@v3.28.5", true),
        ("calico@v3.29.0", false),
        ("calico@v3.32.1", false),
    ] {
        assert_eq!(
            names(spec).contains(&"tigera/operator".to_owned()),
            own,
            "{spec}"
        );
    }
    for (spec, name) in [
        ("calico@v3.25.0", "tigera/key-cert-provisioner"),
        ("calico@v3.28.0", "calico/key-cert-provisioner"),
    ] {
        let found: Vec<String> = names(spec)
            .into_iter()
            .filter(|name| name.ends_with("key-cert-provisioner"))
            .collect();
        assert_eq!(found, [name], "{spec}");
    }
    let set = value(&made(&Case::default()).unwrap(), "imageset.yaml");
    assert_eq!(set["metadata"]["name"], "calico-v3.32.1");
    let listed: Vec<&str> = set["spec"]["images"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["image"].as_str().unwrap())
        .collect();
    assert_eq!(listed.len(), 11, "{listed:?}");
    for name in [
        "calico/csi",
        "calico/node-driver-registrar",
        "calico/typha",
        "calico/goldmane",
        "calico/whisker",
        "calico/whisker-backend",
    ] {
        assert!(listed.contains(&name), "{name}");
    }
}

#[test]
fn an_operator_built_for_another_release_gets_a_set_of_that_name() {
    let case = Case {
        spec: "calico@v3.26.2",
        features: &["windows"],
        ..Case::default()
    };
    assert_eq!(
        value(&made(&case).unwrap(), "imageset.yaml")["metadata"]["name"],
        "calico-v3.26.1"
    );
}

#[test]
fn an_image_set_that_the_operator_would_refuse_is_not_written() {
    let error = made(&Case {
        spec: "calico@v3.25.0",
        ..Case::default()
    })
    .unwrap_err();
    assert!(
        error.to_string().contains("calico/windows-upgrade"),
        "{error}"
    );
    assert!(
        error.to_string().contains("with or without Windows nodes"),
        "{error}"
    );
    assert!(
        made(&Case {
            spec: "calico@v3.25.0",
            digests: false,
            ..Case::default()
        })
        .is_ok()
    );
    assert!(
        made(&Case {
            spec: "calico@v3.25.0",
            features: &["windows"],
            ..Case::default()
        })
        .is_ok()
    );
}

#[test]
fn an_older_set_that_would_block_is_warned_of() {
    let warnings = made(&Case::default()).unwrap().warnings.join("\n");
    assert!(
        warnings.contains("called exactly calico-v3.32.1"),
        "{warnings}"
    );
    assert!(warnings.contains("calico/istio-pilot"), "{warnings}");
}

#[test]
fn what_an_image_set_does_on_openshift_is_said_there_alone() {
    let warned = |spec, install| {
        let made = made(&Case {
            spec,
            install,
            ..Case::default()
        });
        let warnings = made.unwrap().warnings.join("\n");
        warnings.contains("OpenShift on AWS")
    };
    let fresh = InstallationKind::Fresh;
    assert!(warned("calico@v3.32.1", Install::OpenShift(fresh)));
    assert!(!warned("calico@v3.28.5", Install::OpenShift(fresh)));
    assert!(!warned("calico@v3.32.1", Install::Operator(fresh)));
}

#[test]
fn the_instructions_name_the_manifests_of_the_folder_and_quote_what_needs_it() {
    let given = |name: &str, installation| Manifest {
        name: name.to_owned(),
        installation,
    };
    let readme = |install, manifests: &[Manifest]| {
        let made = with_manifests(
            &Case {
                install,
                secret: PullSecret::Named("pull".to_owned()),
                ..Case::default()
            },
            manifests,
        );
        text(&made.unwrap(), "README.md").to_owned()
    };
    let operator = Install::Operator(InstallationKind::Fresh);
    let text = readme(
        operator,
        &[
            given("tigera-operator.yaml", false),
            given("my resources.yaml", true),
            given("whisker's.yaml", false),
        ],
    );
    assert!(!text.contains("sealift rewrite"), "{text}");
    assert!(!text.contains("installation.yaml"), "{text}");
    for command in [
        "kubectl apply --server-side -f tigera-operator.yaml\n",
        "kubectl create -f 'my resources.yaml'\n",
        "kubectl apply --server-side -f 'whisker'\\''s.yaml'\n",
        "kubectl get secret pull -n tigera-operator",
    ] {
        assert!(text.contains(command), "{command}: {text}");
    }
    let openshift = Install::OpenShift(InstallationKind::Patch);
    let upgrade = readme(
        openshift,
        &[given("tigera-operator-ocp-upgrade.yaml", false)],
    );
    assert!(
        upgrade.contains("kubectl apply --server-side -f tigera-operator-ocp-upgrade.yaml"),
        "{upgrade}"
    );
    assert!(!upgrade.contains("manifests/"), "{upgrade}");
    let fresh = Install::OpenShift(InstallationKind::Fresh);
    let own = [
        given("02-tigera-operator.yaml", false),
        given("03-cr-installation.yaml", true),
    ];
    let installer = readme(fresh, &own);
    let copied = "cp 02-tigera-operator.yaml 03-cr-installation.yaml imageset.yaml manifests/";
    assert!(installer.contains(copied), "{installer}");
    assert!(!installer.contains("kubectl create -f"), "{installer}");
    let installer = readme(fresh, &[]);
    assert!(
        installer.contains("cp imageset.yaml installation.yaml manifests/"),
        "{installer}"
    );
    assert!(
        installer.contains("sealift rewrite manifests/02-tigera-operator.yaml"),
        "{installer}"
    );
    // What belongs to another way of installing is not left without a word.
    let other = readme(operator, &[given("02-tigera-operator.yaml", false)]);
    assert!(
        other.contains("kubectl apply --server-side -f 02-tigera-operator.yaml"),
        "{other}"
    );
    let helm = readme(Install::Helm, &[given("operator-crds.yaml", false)]);
    assert_eq!(helm.matches("-f operator-crds.yaml").count(), 1, "{helm}");
    assert!(!helm.contains("helm show crds"), "{helm}");
    let others = readme(Install::Manifests, &[given("canal.yaml", false)]);
    assert!(others.contains("kubectl apply --server-side -f canal.yaml"));
    assert!(!others.contains("calico.yaml"), "{others}");
}

#[test]
fn the_pull_secret_is_in_the_namespace_where_the_operator_looks() {
    let made = made(&Case {
        secret: from_file(),
        ..Case::default()
    })
    .unwrap();
    let secrets: Vec<&OutputFile> = made.files.iter().filter(|file| file.secret).collect();
    assert_eq!(secrets.len(), 1);
    let secret = read_yaml_one("s", &secrets[0].bytes).unwrap();
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

#[test]
fn the_readme_gives_the_commands_in_their_order() {
    let made = made(&Case {
        rule: NamingRule::Flat,
        secret: from_file(),
        ..Case::default()
    })
    .unwrap();
    let readme = text(&made, "README.md");
    let order = [
        "sealift load calico.tar registry.corp:5000/mirror --naming flat",
        "kubectl create namespace tigera-operator",
        "kubectl apply -f pull-secret-tigera-operator.yaml",
        "sealift rewrite tigera-operator.yaml --to registry.corp:5000/mirror --naming flat --pull-secret pull",
        "kubectl apply --server-side -f operator-crds.yaml",
        "kubectl apply --server-side -f tigera-operator.yaml",
        "kubectl apply -f imageset.yaml",
        "kubectl create -f installation.yaml",
        "kubectl get tigerastatus",
    ];
    let mut last = 0;
    for command in order {
        let at = readme
            .find(command)
            .unwrap_or_else(|| panic!("{command} is not in {readme}"));
        assert!(at >= last, "{command}");
        last = at;
    }
}

#[test]
fn the_checklist_names_every_image_with_its_digest() {
    let made = made(&Case::default()).unwrap();
    let checklist = text(&made, "CHECKLIST.md");
    assert_eq!(checklist.matches("| [ ] |").count(), 12);
    assert!(checklist.contains("| quay.io/calico/typha:v3.32.1 | registry.corp:5000/mirror/calico/typha:v3.32.1 | the operator | sha256:"));
    assert!(checklist.contains("names the bundle `sha256:1234`"));
}

#[test]
fn the_same_request_gives_the_same_bytes() {
    let case = Case {
        secret: from_file(),
        ..Case::default()
    };
    assert_eq!(made(&case).unwrap(), made(&case).unwrap());
}
