//! Real files that are kept beside the checkout.
#![allow(dead_code, clippy::unwrap_used, clippy::print_stdout)]

use std::path::{Path, PathBuf};

/// The folder of real files, or nothing after saying that the test is skipped.
pub(crate) fn data() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../..")
        .join("shared");
    let shared = std::env::var_os("SEALIFT_SHARED").map_or(root, PathBuf::from);
    let data = shared.join("data");
    if data.is_dir() {
        return Some(data);
    }
    assert!(
        std::env::var("SEALIFT_REQUIRE_REAL").as_deref() != Ok("1"),
        "the real files are compulsory and {} is not there",
        data.display()
    );
    println!("SKIPPED: {} is not there", data.display());
    None
}

/// All YAML files below a folder, sorted.
pub(crate) fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "yaml")
            {
                out.push(path);
            }
        }
    }
    out.sort();
    out
}
