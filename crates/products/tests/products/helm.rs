//! Helm values against the chart's own values file and what its templates make of them.

use sealift_oci::NamingRule;
use sealift_products::calico::{HelmEra, PullSecret, Target, helm_values};
use serde_json::Value;

use crate::schema::schema;
use crate::shared::{catalogue, release, upstream};

const CHARTS: &[(&str, &str)] = &[
    ("v3.25.0", "calico/manifests/v3.25.0/tigera-operator.yaml"),
    ("v3.28.5", "calico/manifests/v3.28.5/tigera-operator.yaml"),
    ("v3.32.1", "calico/manifests/v3.32.1/operator-crds.yaml"),
];

fn values(version: &str, target: &Target, secret: &PullSecret) -> (Value, Vec<String>) {
    let catalogue = catalogue();
    let made = helm_values(
        release(&catalogue, &format!("calico@{version}")),
        target,
        secret,
    )
    .unwrap();
    (
        sealift_yaml::document("values.yaml", &made.file.bytes).unwrap(),
        made.arguments,
    )
}

fn targets() -> Vec<Target> {
    let target = |destination: &str, rule, prefix| {
        Target::new(destination.parse().unwrap(), rule, prefix).unwrap()
    };
    vec![
        target("registry.corp:5000", NamingRule::Keep, None),
        target("registry.corp:5000/a/b", NamingRule::Keep, Some("pre-")),
        target("registry.corp:5000/a/b", NamingRule::Flat, None),
        target("registry.corp:5000/imgs", NamingRule::Flat, Some("pre-")),
    ]
}

#[test]
fn every_key_is_one_that_the_chart_has() {
    for (version, crds) in CHARTS {
        let Some(chart) = upstream(&format!("calico/charts/{version}/values.yaml")) else {
            return;
        };
        let chart = sealift_yaml::document("values.yaml", &chart).unwrap();
        let Some(definition) = schema(crds, "Installation") else {
            return;
        };
        let fields = &definition["properties"]["spec"]["properties"];
        for target in targets() {
            let (ours, _) = values(version, &target, &PullSecret::Named("pull".to_owned()));
            for (key, inner) in ours.as_object().unwrap() {
                for below in inner.as_object().unwrap().keys() {
                    // The chart hands installation to the resource as it is.
                    let known = if key == "installation" {
                        fields.get(below)
                    } else {
                        chart[key].get(below)
                    };
                    assert!(known.is_some(), "{version}: {key}.{below}");
                }
                assert!(chart.get(key).is_some(), "{version}: {key}");
            }
        }
    }
}

#[test]
fn the_chart_renders_the_names_that_load_writes() {
    let catalogue = catalogue();
    for (version, _) in CHARTS {
        let release = release(&catalogue, &format!("calico@{version}"));
        let loaded = |repository: &str, target: &Target| {
            let row = release
                .images
                .iter()
                .find(|row| row.reference.repository() == repository)
                .unwrap();
            target.reference(&row.reference).unwrap().to_string()
        };
        for target in targets() {
            let (ours, _) = values(version, &target, &PullSecret::None);
            let text = |path: &str| ours.pointer(path).unwrap().as_str().unwrap();
            // templates/_helpers.tpl: registry without slashes at its ends, image, version.
            let operator = format!(
                "{}/{}:{}",
                text("/tigeraOperator/registry").trim_matches('/'),
                text("/tigeraOperator/image"),
                text("/tigeraOperator/version")
            );
            assert_eq!(operator, loaded("tigera/operator", &target), "{version}");
            let ctl = format!("{}:{}", text("/calicoctl/image"), text("/calicoctl/tag"));
            assert_eq!(ctl, loaded("calico/ctl", &target), "{version}");
        }
    }
}

#[test]
fn pull_secrets_go_the_way_that_the_chart_of_the_release_knows() {
    let catalogue = catalogue();
    let eras = [
        ("v3.20.0", HelmEra::MapOnly),
        ("v3.24.5", HelmEra::MapOnly),
        ("v3.25.0", HelmEra::MapAndAccount),
        ("v3.26.5", HelmEra::MapAndAccount),
        ("v3.27.0", HelmEra::Merged),
        ("v3.32.1", HelmEra::Merged),
    ];
    let target = &targets()[0];
    for (version, era) in eras {
        assert_eq!(
            HelmEra::of(release(&catalogue, &format!("calico@{version}"))),
            era,
            "{version}"
        );
        let (ours, arguments) = values(version, target, &PullSecret::Named("corp.pull".to_owned()));
        let merged = era == HelmEra::Merged;
        assert_eq!(
            ours.pointer("/installation/imagePullSecrets/0/name")
                .is_some(),
            merged,
            "{version}"
        );
        let expected: &[&str] = if merged {
            &[]
        } else {
            &["--set-file 'imagePullSecrets.corp\\.pull='\"$CREDENTIALS\""]
        };
        assert_eq!(arguments, expected, "{version}");
    }
}
