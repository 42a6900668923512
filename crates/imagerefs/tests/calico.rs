//! Rewrites of Calico's own manifests, against the documentation's sed and an independent YAML reader.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use common::{data, yaml_files};
use sealift_imagerefs::{Relocation, Rewrite, find, plan_rewrite, unified_diff};
use sealift_oci::{Destination, Naming, NamingRule};
use serde::Deserialize as _;
use yaml_serde::Value;

fn rewrite(path: &Path, to: &str, rule: NamingRule) -> (Rewrite, Vec<u8>, Vec<u8>) {
    let before = fs::read(path).unwrap();
    let destination: Destination = to.parse().unwrap();
    let naming = Naming::new(rule);
    let mapping = Relocation::new(&destination, &naming);
    let name = path.display().to_string();
    let plan = plan_rewrite(&name, &before, &mapping).unwrap_or_else(|error| panic!("{error}"));
    let after = plan
        .apply(&before)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let again = plan_rewrite(&name, &after, &mapping).unwrap();
    assert_eq!(again.edits, [], "{name}");
    (plan, before, after)
}

fn documents(text: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(text).unwrap();
    yaml_serde::Deserializer::from_str(text)
        .map(|document| Value::deserialize(document).unwrap())
        .collect()
}

/// The pairs of strings in which two values differ; anything else that differs is a failure.
fn differences(before: &Value, after: &Value, out: &mut Vec<(String, String)>) {
    match (before, after) {
        (Value::Mapping(a), Value::Mapping(b)) => {
            assert!(a.keys().eq(b.keys()), "keys or their order changed");
            for (a, b) in a.values().zip(b.values()) {
                differences(a, b, out);
            }
        }
        (Value::Sequence(a), Value::Sequence(b)) => {
            assert_eq!(a.len(), b.len());
            for (a, b) in a.iter().zip(b) {
                differences(a, b, out);
            }
        }
        (Value::String(a), Value::String(b)) if a != b => out.push((a.clone(), b.clone())),
        (a, b) => assert_eq!(a, b),
    }
}

#[test]
fn an_independent_reader_sees_the_references_change_and_nothing_else() {
    let Some(data) = data() else { return };
    let mut total = 0;
    for path in yaml_files(&data.join("calico/manifests")) {
        for (to, rule) in [
            ("registry.corp.example:5000/mirror", NamingRule::Keep),
            ("r.corp/a/b", NamingRule::Flat),
            ("r.corp", NamingRule::Host),
        ] {
            let (plan, before, after) = rewrite(&path, to, rule);
            let mut expected: Vec<_> = plan
                .replaced
                .iter()
                .map(|(occurrence, new)| (occurrence.text.clone(), new.to_string()))
                .collect();
            total += expected.len();
            let (before, after) = (documents(&before), documents(&after));
            assert_eq!(before.len(), after.len());
            let mut seen = Vec::new();
            for (before, after) in before.iter().zip(&after) {
                differences(before, after, &mut seen);
            }
            seen.sort();
            expected.sort();
            assert_eq!(seen, expected, "{}", path.display());
            assert!(seen.iter().all(|(_, new)| new.starts_with(to)));
        }
    }
    assert!(total > 270, "only {total} references");
}

#[test]
fn only_image_lines_change() {
    let Some(data) = data() else { return };
    for path in yaml_files(&data.join("calico/manifests")) {
        let (plan, before, after) = rewrite(&path, "r.corp:5000/mirror", NamingRule::Keep);
        let (before, after) = (
            String::from_utf8(before).unwrap(),
            String::from_utf8(after).unwrap(),
        );
        assert_eq!(before.lines().count(), after.lines().count());
        let mut changed = 0;
        for (old, new) in before
            .split_inclusive('\n')
            .zip(after.split_inclusive('\n'))
        {
            if old != new {
                changed += 1;
                let (start, reference) = old.split_once("image: ").unwrap();
                assert!(!start.trim_start().starts_with('#'), "{old}");
                let short = reference.trim_end().trim_start_matches("docker.io/");
                let short = short.trim_start_matches("quay.io/");
                let end = &reference[reference.trim_end().len()..];
                assert_eq!(
                    new,
                    format!("{start}image: r.corp:5000/mirror/{short}{end}")
                );
            }
        }
        assert_eq!(changed, plan.edits.len(), "{}", path.display());
    }
}

#[test]
fn files_of_definitions_stay_byte_for_byte() {
    let Some(data) = data() else { return };
    let path = data.join("calico/manifests/v3.32.1/operator-crds.yaml");
    let (plan, before, after) = rewrite(&path, "r.corp", NamingRule::Keep);
    assert!(plan.edits.is_empty() && plan.not_understood.is_empty());
    assert!(before == after);
}

/// The `image:` lines that a diff takes away and puts in.
fn image_changes(diff: &str) -> BTreeSet<(char, String)> {
    let lines = diff.lines().filter(|line| line.contains("image: "));
    lines
        .filter_map(|line| Some((line.chars().next()?, line.get(1..)?.to_owned())))
        .filter(|(sign, _)| matches!(sign, '-' | '+'))
        .collect()
}

#[test]
fn where_the_documentations_sed_is_right_the_result_is_the_same_and_where_it_misses_an_image_better()
 {
    let Some(data) = data() else { return };
    let to = "registry.corp.example:5000/mirror";
    let mut missed = Vec::new();
    for version in ["v3.25.0", "v3.28.5", "v3.32.1"] {
        let manifests = data.join("calico/manifests").join(version);
        for (golden, file) in [
            ("tigera-operator", "tigera-operator.yaml"),
            ("ocp-02-tigera-operator", "ocp/02-tigera-operator.yaml"),
        ] {
            let golden = data.join(format!("calico/sed-golden/{version}.{golden}.diff"));
            let sed = image_changes(&fs::read_to_string(golden).unwrap());
            assert!(!sed.is_empty());
            let path = manifests.join(file);
            let (_, before, after) = rewrite(&path, to, NamingRule::Keep);
            let ours = image_changes(&unified_diff(file, &before, &after));
            assert!(ours.is_superset(&sed), "{version} {file}");
            let more = ours.difference(&sed).filter(|(sign, _)| *sign == '+');
            missed.extend(more.map(|(_, line)| (version, line.trim().to_owned())));
            let found = find(file, &after).unwrap();
            let left = found.occurrences.iter();
            assert_eq!(
                left.filter(|o| !o.text.starts_with(to)).count(),
                0,
                "{version} {file}"
            );
        }
    }
    let ctl = |version| (version, format!("image: {to}/calico/ctl:{version}"));
    assert_eq!(missed, [ctl("v3.25.0"), ctl("v3.28.5")]);
}
