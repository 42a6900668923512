//! The files to apply: what is in them, and that Kubernetes takes them.

use sealift_oci::NamingRule;
use sealift_products::calico::{Install, InstallationKind, Manifest, PullSecret};

use crate::case::{Case, from_file, made, text, value, with_manifests};
use crate::schema::{faults, schema};

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
