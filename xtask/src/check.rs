//! `cargo xtask check`: what the compiler cannot know about the architecture.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::Path;

use crate::book;
use crate::workspace::{Member, member, members, root, workspace_dependencies};

/// Which of our crates each crate may use. A crate that is not in this table fails the check: whoever
/// adds one says here where it stands.
const MAY_USE: &[(&str, &[&str])] = &[
    ("sealift-oci", &[]),
    ("regzip", &[]),
    ("relate", &[]),
    ("sealift-imagerefs", &["sealift-oci"]),
    ("sealift-yaml", &[]),
    ("sealift-request", &["sealift-oci"]),
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
        &["regzip", "relate", "sealift-pipeline", "sealift-oci"],
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

/// Used by tests alone, and by every crate's.
const TESTKIT: &str = "sealift-testkit";

/// No source file is longer; well before that it wants to be two.
const MAX_LINES: usize = 800;

/// Runs every check and reports all faults at once.
pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    let root = root();
    let members = members(&root)?;
    let mut faults = direction(&members);
    faults.extend(documented(&root)?);
    faults.extend(unused(&root, &members)?);
    faults.extend(book::faults(&root)?);
    for folder in ["crates", "xtask"] {
        lengths(&root.join(folder), &mut faults)?;
    }
    if faults.is_empty() {
        println!(
            "{} crates: directions, dependencies, file lengths and links are in order",
            members.len()
        );
        return Ok(());
    }
    Err(faults.join("\nerror: ").into())
}

fn direction(members: &[Member]) -> Vec<String> {
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
            if name != TESTKIT && !allowed.contains(&name.as_str()) {
                faults.push(format!("the tests of {} may not use {name}", member.name));
            }
        }
    }
    faults
}

/// Every external dependency has its reason in `docs/dependencies.md`, and nothing else has.
fn documented(root: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let text = fs::read_to_string(root.join("docs/dependencies.md"))?;
    let rows: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name)
        .collect();
    let listed = workspace_dependencies(root)?;
    let external: BTreeSet<&str> = listed
        .iter()
        .map(String::as_str)
        .filter(|name| !name.starts_with("sealift-") && !["regzip", "relate"].contains(name))
        .collect();
    let missing = external
        .difference(&rows)
        .map(|name| format!("docs/dependencies.md has no row for {name}"));
    let stale = rows.difference(&external).map(|name| {
        format!("docs/dependencies.md has a row for {name}, which the workspace does not use")
    });
    Ok(missing.chain(stale).collect())
}

/// What the root manifest lists and no member uses.
fn unused(root: &Path, members: &[Member]) -> Result<Vec<String>, Box<dyn Error>> {
    let own = member(&root.join("xtask/Cargo.toml"))?;
    let all = members.iter().chain([&own]);
    let used: BTreeSet<&String> = all
        .flat_map(|member| member.dependencies.iter().chain(&member.dev_dependencies))
        .collect();
    let listed = workspace_dependencies(root)?;
    let unused = listed.iter().filter(|name| !used.contains(name));
    Ok(unused
        .map(|name| format!("the workspace lists {name}, which no member uses"))
        .collect())
}

fn lengths(folder: &Path, faults: &mut Vec<String>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            lengths(&path, faults)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let lines = fs::read_to_string(&path)?.lines().count();
            if lines > MAX_LINES {
                faults.push(format!(
                    "{} has {lines} lines, more than {MAX_LINES}",
                    path.display()
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, dependencies: &[&str]) -> Member {
        Member {
            name: name.to_owned(),
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
    fn a_crate_without_a_place_is_a_fault() {
        assert_eq!(direction(&[member("sealift-new", &[])]).len(), 1);
    }

    #[test]
    fn the_workspace_is_in_order() {
        run().unwrap();
    }
}
