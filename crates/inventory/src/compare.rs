//! What differs between two images: files and packages.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;

use serde::Serialize;

use crate::inventory::Inventory;
use crate::tree::{FileTree, Node};

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum FileState {
    /// A file.
    File {
        /// Its size in bytes.
        size: u64,
        /// Its permissions, in octal.
        mode: String,
    },
    /// A symbolic link.
    Symlink {
        /// Where it leads.
        target: String,
    },
    /// A device or pipe.
    Other,
}

/// A path whose content, permissions or kind is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangedFile {
    /// The path, without the first `/`.
    pub path: String,
    /// What was there; `None` for what was added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<FileState>,
    /// What is there now; `None` for what was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<FileState>,
}

/// What differs between the files of two images. Folders are not compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileChanges {
    /// Only in the new one.
    pub added: Vec<ChangedFile>,
    /// Only in the old one.
    pub removed: Vec<ChangedFile>,
    /// In both, and not equal.
    pub changed: Vec<ChangedFile>,
    /// How many are equal.
    pub same: u64,
}

/// A package with its place: what `PlacedPackage`s of two images are compared by, and its version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlacedPackage {
    /// `apk`, `dpkg`, `rpm`, or `go` for a module of a program.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// The architecture that it was built for, if its database says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// The program that contains it, for a Go module.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// Its version.
    pub version: String,
}

/// A package that is there in another version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangedPackage {
    /// The package, with its new version.
    pub package: PlacedPackage,
    /// Its version before.
    pub old_version: String,
    /// Whether the new version is higher, by the rules of its kind; `None` if that is not known.
    pub upgrade: Option<bool>,
}

/// What differs between the packages of two images.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PackageChanges {
    /// Only in the new one.
    pub added: Vec<PlacedPackage>,
    /// Only in the old one.
    pub removed: Vec<PlacedPackage>,
    /// In both, in different versions.
    pub changed: Vec<ChangedPackage>,
    /// How many are equal.
    pub same: u64,
}

/// Compares the files of two images that were scanned with digests.
pub fn compare_files(old: &FileTree, new: &FileTree) -> FileChanges {
    let mut changes = FileChanges::default();
    let is_file = |(_, node): &(&str, &Node)| !matches!(node, Node::Directory);
    let mut old = old.nodes().filter(is_file).peekable();
    let mut new = new.nodes().filter(is_file).peekable();
    while let Some((path, old, new)) = next_of_both(&mut old, &mut new) {
        let changed = || ChangedFile {
            path: path.to_owned(),
            old: old.map(state),
            new: new.map(state),
        };
        match (old, new) {
            (Some(old), Some(new)) if equal(old, new) => changes.same += 1,
            (Some(_), Some(_)) => changes.changed.push(changed()),
            (Some(_), None) => changes.removed.push(changed()),
            _ => changes.added.push(changed()),
        }
    }
    changes
}

/// The lowest path of two sorted lists, and what each has there.
fn next_of_both<'a>(
    old: &mut Peekable<impl Iterator<Item = (&'a str, &'a Node)>>,
    new: &mut Peekable<impl Iterator<Item = (&'a str, &'a Node)>>,
) -> Option<(&'a str, Option<&'a Node>, Option<&'a Node>)> {
    let paths = [old.peek(), new.peek()].map(|node| node.map(|(path, _)| *path));
    let path = paths.into_iter().flatten().min()?;
    let old = old.next_if(|(at, _)| *at == path).map(|(_, node)| node);
    let new = new.next_if(|(at, _)| *at == path).map(|(_, node)| node);
    Some((path, old, new))
}

fn equal(old: &Node, new: &Node) -> bool {
    match (old, new) {
        (Node::File(old), Node::File(new)) => {
            (old.size, old.mode, old.sha256) == (new.size, new.mode, new.sha256)
        }
        (Node::Symlink(old), Node::Symlink(new)) => old == new,
        (Node::Other, Node::Other) => true,
        _ => false,
    }
}

fn state(node: &Node) -> FileState {
    match node {
        Node::File(file) => FileState::File {
            size: file.size,
            mode: format!("{:04o}", file.mode),
        },
        Node::Symlink(target) => FileState::Symlink {
            target: target.to_string(),
        },
        Node::Directory | Node::Other => FileState::Other,
    }
}

/// Compares the packages of two images, and the modules of their Go programs. Go's standard library is the
/// module `std`.
pub fn compare_packages(old: &Inventory, new: &Inventory) -> PackageChanges {
    let (old, new) = (versions(old), versions(new));
    let places: BTreeSet<&Place> = old.keys().chain(new.keys()).collect();
    let mut changes = PackageChanges::default();
    let none = BTreeSet::new();
    for place in places {
        let old = old.get(place).unwrap_or(&none);
        let new = new.get(place).unwrap_or(&none);
        changes.same += old.intersection(new).count() as u64;
        let gone: Vec<&String> = old.difference(new).collect();
        let come: Vec<&String> = new.difference(old).collect();
        if let ([old], [new]) = (gone.as_slice(), come.as_slice()) {
            changes.changed.push(ChangedPackage {
                package: place.with(new),
                old_version: (*old).clone(),
                upgrade: crate::version::compare(place.kind, old, new)
                    .map(std::cmp::Ordering::is_lt),
            });
            continue;
        }
        changes
            .removed
            .extend(gone.into_iter().map(|version| place.with(version)));
        changes
            .added
            .extend(come.into_iter().map(|version| place.with(version)));
    }
    changes
}

/// What packages of two images are compared by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    kind: &'static str,
    name: String,
    architecture: Option<String>,
    program: Option<String>,
}

impl Place {
    fn with(&self, version: &str) -> PlacedPackage {
        PlacedPackage {
            kind: self.kind,
            name: self.name.clone(),
            architecture: self.architecture.clone(),
            program: self.program.clone(),
            version: version.to_owned(),
        }
    }
}

/// Every package with its versions: kernels and others may be installed several times.
fn versions(inventory: &Inventory) -> BTreeMap<Place, BTreeSet<String>> {
    let mut versions: BTreeMap<Place, BTreeSet<String>> = BTreeMap::new();
    let mut add = |place: Place, version: &str| {
        versions
            .entry(place)
            .or_default()
            .insert(version.to_owned());
    };
    for package in &inventory.packages {
        let place = Place {
            kind: package.kind.name(),
            name: package.name.clone(),
            architecture: package.architecture.clone(),
            program: None,
        };
        add(place, &package.version);
    }
    for program in &inventory.programs {
        let place = |name: &str| Place {
            kind: "go",
            name: name.to_owned(),
            architecture: None,
            program: Some(program.path.clone()),
        };
        let built_from = &program.built_from;
        add(place("std"), &built_from.go);
        for module in built_from.main.iter().chain(&built_from.modules) {
            let used = module.replaced_by.as_deref().unwrap_or(module);
            add(place(&used.path), &used.version);
        }
    }
    versions
}
