//! Makes layers and reads them.

use std::io::Write;

use sealift_inventory::{FileTree, Inventory, Scan, Scanner};

/// A tar with these files; `->` before a content makes it a symbolic link.
pub(crate) fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        if let Some(target) = content.strip_prefix(b"->") {
            header.set_size(0);
            header.set_entry_type(tar::EntryType::Symlink);
            let target = std::str::from_utf8(target).unwrap();
            builder.append_link(&mut header, name, target).unwrap();
        } else {
            header.set_size(content.len() as u64);
            builder.append_data(&mut header, name, *content).unwrap();
        }
    }
    builder.into_inner().unwrap()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn scan(layer: &[u8]) -> Scan {
    Scanner::new(true).layer(layer).unwrap()
}

/// The files of an image with these layers.
pub(crate) fn tree(layers: &[Vec<u8>]) -> FileTree {
    let mut tree = FileTree::default();
    for layer in layers {
        tree.apply(&scan(layer)).unwrap();
    }
    tree
}

/// What is installed in an image of one layer.
pub(crate) fn inventory(files: &[(&str, &[u8])]) -> Inventory {
    Inventory::of(&tree(&[tar(files)]))
}

/// Packages as `kind name version`.
pub(crate) fn packages(inventory: &Inventory) -> Vec<String> {
    let packages = inventory.packages.iter();
    packages
        .map(|package| format!("{} {} {}", package.kind, package.name, package.version))
        .collect()
}

/// Notes as `path: what`.
pub(crate) fn notes(inventory: &Inventory) -> Vec<String> {
    let notes = inventory.notes.iter();
    notes
        .map(|note| format!("{}: {}", note.path, note.what))
        .collect()
}
