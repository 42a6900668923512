//! Only the modules that own files use the file system; everything else works on readers, writers and stores.

use super::source::{Crate, Module};

/// Which modules may use the file system or its paths, and what for.
const OWNERS: &[(&str, &str)] = &[
    (
        "crates/archive/src/target",
        "files that bundles are written to",
    ),
    (
        "crates/archive/src/store",
        "bundles, layouts and archives that are read",
    ),
    (
        "crates/archive/src/files",
        "files that are carried and extracted",
    ),
    ("crates/archive/src/local", "images that are on disk"),
    (
        "crates/archive/src/reading.rs",
        "opens a bundle from a path",
    ),
    ("crates/archive/src/bundle.rs", "opens a bundle from a path"),
    ("crates/archive/src/bases.rs", "opens bases from paths"),
    ("crates/archive/src/checksum.rs", "the checksum of a file"),
    (
        "crates/load/src/base.rs",
        "the scratch folder of base blobs",
    ),
    ("crates/load/src/context.rs", "the scratch folder"),
    ("crates/load/src/sessions.rs", "the file of upload sessions"),
    ("crates/report/src/facts.rs", "the bundle's path"),
    (
        "crates/request/src",
        "paths of a request, and request files",
    ),
    ("crates/archive/src/resources.rs", "scratch folders"),
    (
        "crates/archive/src/scratch.rs",
        "the space in scratch folders",
    ),
    (
        "crates/archive/src/profile",
        "paths in errors and scratch folders",
    ),
    (
        "crates/bundle/src/spool.rs",
        "manifests that are kept on scratch space",
    ),
    ("crates/bundle/src/stamp.rs", "images on disk"),
    ("crates/bundle/src/sources.rs", "images on disk"),
    ("crates/bundle/src/request.rs", "paths of a request"),
    ("crates/bundle/src/context.rs", "the scratch folder"),
    ("crates/bundle/src/execute", "the output and its folder"),
    ("crates/bundle/src/plan/saved.rs", "paths of a plan"),
    ("crates/pack/src/storage.rs", "a file as scratch space"),
    ("crates/relate/src/content.rs", "a file as content"),
    ("crates/registry/src/keychain", "credential files"),
    ("crates/registry/src/connect/trust.rs", "certificate files"),
    (
        "crates/registry/src/options.rs",
        "paths of credential and certificate files",
    ),
    ("crates/cli/", "the command line"),
    ("crates/testkit/", "for tests"),
    ("xtask/", "for developers"),
];

/// Modules that use the file system and are not in the table.
pub(super) fn outside(krate: &Crate) -> Vec<String> {
    let used = krate.modules.iter().filter(|module| uses_files(module));
    let outside = used.filter(|module| owner(module).is_none());
    outside
        .map(|module| {
            format!(
                "{} uses the file system and is not in the table of xtask/src/check/files.rs",
                module.file
            )
        })
        .collect()
}

/// Rows of the table that no module needs.
pub(super) fn stale(crates: &[Crate]) -> Vec<String> {
    let needed = |prefix: &str| {
        let mut modules = crates.iter().flat_map(|krate| &krate.modules);
        modules.any(|module| uses_files(module) && module.file.starts_with(prefix))
    };
    let stale = OWNERS.iter().filter(|(prefix, _)| !needed(prefix));
    stale
        .map(|(prefix, _)| {
            format!("the table of xtask/src/check/files.rs lists {prefix}, which does not use the file system")
        })
        .collect()
}

fn owner(module: &Module) -> Option<&'static str> {
    let found = OWNERS
        .iter()
        .find(|(prefix, _)| module.file.starts_with(prefix));
    found.map(|(_, reason)| *reason)
}

fn uses_files(module: &Module) -> bool {
    module.external.iter().any(|path| {
        let start: Vec<&str> = path.iter().take(2).map(String::as_str).collect();
        matches!(start[..], ["std", "fs" | "path"] | ["rustix", "fs"])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_that_uses_files_must_be_in_the_table() {
        let text = "use std::{fs::File, io};";
        assert_eq!(outside(&Crate::of(&[("c/src/a.rs", text)])).len(), 1);
        let owner = ("crates/archive/src/target/a.rs", text);
        assert!(outside(&Crate::of(&[owner])).is_empty());
        assert!(outside(&Crate::of(&[("c/src/a.rs", "use std::io;")])).is_empty());
    }
}
