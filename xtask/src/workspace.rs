//! The workspace's manifests, as far as the checks need them.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// One member of the workspace.
pub(crate) struct Member {
    /// The package's name.
    pub(crate) name: String,
    /// Its folder, relative to the workspace's.
    pub(crate) folder: String,
    /// Names of the packages that it needs to build and run.
    pub(crate) dependencies: BTreeSet<String>,
    /// Names of the packages that only its tests need.
    pub(crate) dev_dependencies: BTreeSet<String>,
}

/// The workspace's folder.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}

/// Every member below `crates/`, by name.
pub(crate) fn members(root: &Path) -> Result<Vec<Member>, Box<dyn Error>> {
    let mut members = Vec::new();
    for entry in fs::read_dir(root.join("crates"))? {
        let manifest = entry?.path().join("Cargo.toml");
        if manifest.is_file() {
            members.push(member(&manifest)?);
        }
    }
    members.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(members)
}

/// The names that `[workspace.dependencies]` lists.
pub(crate) fn workspace_dependencies(root: &Path) -> Result<BTreeSet<String>, Box<dyn Error>> {
    let manifest: toml::Table = toml::from_str(&fs::read_to_string(root.join("Cargo.toml"))?)?;
    let workspace = manifest.get("workspace").and_then(toml::Value::as_table);
    Ok(workspace
        .map(|table| names(table, "dependencies"))
        .unwrap_or_default())
}

/// Reads one member's manifest.
pub(crate) fn member(manifest: &Path) -> Result<Member, Box<dyn Error>> {
    let table: toml::Table = toml::from_str(&fs::read_to_string(manifest)?)
        .map_err(|error| format!("{}: {error}", manifest.display()))?;
    let name = table
        .get("package")
        .and_then(|package| package.get("name"))
        .and_then(toml::Value::as_str)
        .ok_or_else(|| format!("{}: no package.name", manifest.display()))?;
    let mut dependencies = names(&table, "dependencies");
    dependencies.extend(names(&table, "build-dependencies"));
    if let Some(targets) = table.get("target").and_then(toml::Value::as_table) {
        for target in targets.values().filter_map(toml::Value::as_table) {
            dependencies.extend(names(target, "dependencies"));
        }
    }
    let folder = manifest.parent().unwrap_or(manifest);
    let folder = folder.strip_prefix(root()).unwrap_or(folder);
    Ok(Member {
        name: name.to_owned(),
        folder: folder.to_string_lossy().into_owned(),
        dependencies,
        dev_dependencies: names(&table, "dev-dependencies"),
    })
}

fn names(table: &toml::Table, section: &str) -> BTreeSet<String> {
    let section = table.get(section).and_then(toml::Value::as_table);
    section
        .into_iter()
        .flat_map(|table| table.keys().cloned())
        .collect()
}
