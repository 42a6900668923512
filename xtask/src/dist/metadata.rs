//! What cargo knows about the packages that the program is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::workspace::root;

/// The packages of a program and what each needs.
pub(super) struct Packages {
    /// By cargo's identifier of the package.
    pub(super) all: BTreeMap<String, Package>,
    /// The program's own identifier.
    pub(super) program: String,
}

/// One package.
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    /// The licence expression.
    pub(super) license: Option<String>,
    pub(super) repository: Option<String>,
    /// Where its sources are on this machine.
    pub(super) folder: PathBuf,
    /// SHA-256 of its archive in the package registry; nothing for the workspace's own.
    pub(super) checksum: Option<String>,
    /// The packages that it is built with, by identifier.
    pub(super) needs: BTreeSet<String>,
}

/// The packages that `sealift` is built of for `target`, tests and their tools excluded.
pub(super) fn packages(target: &str) -> Result<Packages, Box<dyn Error>> {
    let output = Command::new(crate::binary::cargo())
        .args([
            "metadata",
            "--format-version=1",
            "--locked",
            "--filter-platform",
            target,
        ])
        .current_dir(root())
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let checksums = checksums()?;
    let mut known: BTreeMap<String, Package> = BTreeMap::new();
    for package in list(&metadata["packages"]) {
        known.insert(text(&package["id"]), read(package, &checksums));
    }
    for node in list(&metadata["resolve"]["nodes"]) {
        if let Some(package) = known.get_mut(&text(&node["id"])) {
            package.needs = needs(node);
        }
    }
    let program = known
        .iter()
        .find(|(_, package)| package.name == "sealift")
        .map(|(id, _)| id.clone())
        .ok_or("cargo does not know the package sealift")?;
    Ok(reachable(known, program))
}

fn read(package: &Value, checksums: &BTreeMap<(String, String), String>) -> Package {
    let (name, version) = (text(&package["name"]), text(&package["version"]));
    let manifest = PathBuf::from(text(&package["manifest_path"]));
    Package {
        license: package["license"].as_str().map(str::to_owned),
        repository: package["repository"].as_str().map(str::to_owned),
        folder: manifest.parent().map(PathBuf::from).unwrap_or_default(),
        checksum: checksums.get(&(name.clone(), version.clone())).cloned(),
        needs: BTreeSet::new(),
        name,
        version,
    }
}

/// What a package needs to be built; what only its tests need is not part of the program.
fn needs(node: &Value) -> BTreeSet<String> {
    let needed = list(&node["deps"]).iter().filter(|dependency| {
        list(&dependency["dep_kinds"])
            .iter()
            .any(|kind| kind["kind"].as_str() != Some("dev"))
    });
    needed.map(|dependency| text(&dependency["pkg"])).collect()
}

fn reachable(mut known: BTreeMap<String, Package>, program: String) -> Packages {
    let mut all = BTreeMap::new();
    let mut next = vec![program.clone()];
    while let Some(id) = next.pop() {
        if let Some(package) = known.remove(&id) {
            next.extend(package.needs.iter().cloned());
            all.insert(id, package);
        }
    }
    Packages { all, program }
}

/// The checksums in `Cargo.lock`, by name and version.
fn checksums() -> Result<BTreeMap<(String, String), String>, Box<dyn Error>> {
    let lock: toml::Table = toml::from_str(&std::fs::read_to_string(root().join("Cargo.lock"))?)?;
    let packages = lock.get("package").and_then(toml::Value::as_array);
    let field = |package: &toml::Value, name: &str| {
        package
            .get(name)
            .and_then(toml::Value::as_str)
            .map(str::to_owned)
    };
    let known = packages.into_iter().flatten().filter_map(|package| {
        let key = (field(package, "name")?, field(package, "version")?);
        Some((key, field(package, "checksum")?))
    });
    Ok(known.collect())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
