//! The licences of the packages that are compiled into the program, in one file: most ask for that.

use std::error::Error;
use std::fs;
use std::path::Path;

use super::metadata::{Package, Packages};

/// A licence file is small; what is longer is something else.
const MAX_BYTES: u64 = 256 << 10;

/// The text of every licence file of every package from a registry, in the order of names.
pub(super) fn licences(packages: &Packages) -> Result<String, Box<dyn Error>> {
    let mut foreign: Vec<&Package> = packages
        .all
        .values()
        .filter(|package| package.checksum.is_some())
        .collect();
    foreign.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    let mut out = String::from(
        "sealift contains the packages below. It also contains Rust's standard library (MIT or Apache-2.0)\n\
         and is linked with the GNU C Library (LGPL-2.1-or-later); sealift's source code and the commands that\n\
         build it, which are needed to link it with another version of that library, are in its repository.\n",
    );
    for package in foreign {
        let expression = package.license.as_deref().unwrap_or("see below");
        out.extend([format!(
            "\n==== {} {} ({expression})\n",
            package.name, package.version
        )]);
        for text in texts(&package.folder)? {
            out.push('\n');
            out.push_str(text.trim_end());
            out.push('\n');
        }
    }
    Ok(out)
}

/// The licence files at the top of a package, and of the C sources that it brings along.
fn texts(folder: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let mut paths = Vec::new();
    for folder in [folder.to_owned(), folder.join("zstd")] {
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let name = name.to_ascii_uppercase();
            let licence = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE"];
            if path.is_file()
                && fs::metadata(&path)?.len() <= MAX_BYTES
                && licence.iter().any(|start| name.starts_with(start))
            {
                paths.push(path);
            }
        }
    }
    paths.sort();
    let texts = paths.iter().map(|path| {
        let bytes = fs::read(path)?;
        Ok(String::from_utf8_lossy(&bytes).replace("\r\n", "\n"))
    });
    texts.collect()
}
