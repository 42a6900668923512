//! Which crate may use which: the rule of docs/architecture.md, as a table.

use std::collections::BTreeSet;

use crate::workspace::Member;

/// Which of our crates each crate may use. A crate that is not in this table fails the check: whoever
/// adds one says here where it stands.
const MAY_USE: &[(&str, &[&str])] = &[
    ("sealift-oci", &[]),
    ("regzip", &[]),
    ("relate", &[]),
    ("sealift-mixing", &[]),
    ("sealift-allocator", &[]),
    ("sealift-imagerefs", &["sealift-oci"]),
    ("sealift-yaml", &[]),
    ("sealift-request", &["sealift-oci", "sealift-yaml"]),
    ("sealift-products", &["sealift-oci", "sealift-yaml"]),
    ("sealift-inventory", &[]),
    ("sealift-testkit", &["sealift-oci"]),
    ("sealift-pipeline", &["sealift-oci"]),
    (
        "sealift-archive",
        &[
            "sealift-pack",
            "sealift-pipeline",
            "sealift-oci",
            "sealift-yaml",
        ],
    ),
    ("sealift-registry", &["sealift-pipeline", "sealift-oci"]),
    (
        "sealift-pack",
        &[
            "regzip",
            "relate",
            "sealift-mixing",
            "sealift-pipeline",
            "sealift-oci",
        ],
    ),
    (
        "sealift-bundle",
        &[
            "sealift-registry",
            "sealift-archive",
            "sealift-pipeline",
            "sealift-oci",
            "sealift-imagerefs",
            "sealift-products",
            "sealift-yaml",
        ],
    ),
    (
        "sealift-load",
        &[
            "sealift-registry",
            "sealift-archive",
            "sealift-pipeline",
            "sealift-oci",
        ],
    ),
    (
        "sealift-report",
        &[
            "sealift-archive",
            "sealift-inventory",
            "sealift-pipeline",
            "sealift-oci",
        ],
    ),
    (
        "sealift-serve",
        &["sealift-archive", "sealift-pipeline", "sealift-oci"],
    ),
    (
        "sealift",
        &[
            "sealift-allocator",
            "sealift-bundle",
            "sealift-load",
            "sealift-serve",
            "sealift-report",
            "sealift-inventory",
            "sealift-registry",
            "sealift-archive",
            "sealift-pipeline",
            "sealift-oci",
            "sealift-imagerefs",
            "sealift-products",
            "sealift-request",
        ],
    ),
];

/// Used by the tests of every crate: what is made for tests, and what makes gzip streams as builders do.
const FOR_TESTS: [&str; 2] = ["sealift-testkit", "regzip"];

/// Dependencies that the table does not allow.
pub(super) fn direction(members: &[Member]) -> Vec<String> {
    let ours: BTreeSet<&str> = members.iter().map(|member| member.name.as_str()).collect();
    let mut faults = Vec::new();
    for member in members {
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == member.name) else {
            faults.push(format!(
                "{} is not in the table of xtask/src/check.rs",
                member.name
            ));
            continue;
        };
        let used = |names: &BTreeSet<String>| -> Vec<String> {
            let mine = names.iter().filter(|name| ours.contains(name.as_str()));
            mine.cloned().collect()
        };
        for name in used(&member.dependencies) {
            if !allowed.contains(&name.as_str()) {
                faults.push(format!(
                    "{} may not use {name} (docs/architecture.md)",
                    member.name
                ));
            }
        }
        for name in used(&member.dev_dependencies) {
            if !FOR_TESTS.contains(&name.as_str()) && !allowed.contains(&name.as_str()) {
                faults.push(format!("the tests of {} may not use {name}", member.name));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, dependencies: &[&str]) -> Member {
        Member {
            name: name.to_owned(),
            folder: String::new(),
            dependencies: dependencies.iter().map(|name| (*name).to_owned()).collect(),
            dev_dependencies: BTreeSet::new(),
        }
    }

    #[test]
    fn a_dependency_against_the_direction_is_a_fault() {
        let down = [
            member("sealift-oci", &[]),
            member("sealift-pipeline", &["sealift-oci"]),
        ];
        assert!(direction(&down).is_empty());
        let up = [
            member("sealift-oci", &["sealift-pipeline"]),
            member("sealift-pipeline", &[]),
        ];
        assert_eq!(direction(&up).len(), 1);
    }

    #[test]
    fn a_crate_that_is_not_in_the_table_is_a_fault() {
        assert_eq!(direction(&[member("sealift-new", &[])]).len(), 1);
    }
}
