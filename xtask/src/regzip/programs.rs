//! The real encoders: programs of the machine, and writers in Go that are built here.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sealift_testkit::real::require;

use crate::workspace::root;

/// The last Go release with the old encoder, and the release that brought the new one.
pub(crate) const OLD_GO: &str = "go1.26.8";
pub(crate) const NEW_GO: &str = "go1.27.1";

/// Where the encoders are; nothing where one is not installed.
pub(crate) struct Programs {
    pub(crate) old_go: Option<PathBuf>,
    pub(crate) new_go: Option<PathBuf>,
    /// Versions of klauspost/compress, and the writer with each.
    pub(crate) klauspost: Vec<(String, PathBuf)>,
    pub(crate) layer: Option<PathBuf>,
    pub(crate) python: Option<PathBuf>,
    pub(crate) gzip: Option<PathBuf>,
    pub(crate) pigz: Option<PathBuf>,
}

impl Programs {
    /// Finds the programs and builds the writers into `folder`.
    pub(crate) fn new(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let mut programs = Self {
            old_go: None,
            new_go: None,
            klauspost: Vec::new(),
            layer: None,
            python: require("python3"),
            gzip: require("gzip"),
            pigz: require("pigz"),
        };
        if require("go").is_none() {
            return Ok(programs);
        }
        let folder = folder.join("writers");
        fs::create_dir(&folder)?;
        let build = |source: &str, version: &str, modules: Option<&str>| {
            let name = format!("{source}-{version}-{}", modules.unwrap_or_default());
            let target = folder.join(name);
            let output = target.display().to_string();
            let modules = modules.map(|file| format!("-modfile={file}"));
            let flags = ["build", "-o", &output]
                .into_iter()
                .chain(modules.as_deref());
            let arguments: Vec<&str> = flags.chain(["."]).collect();
            go(version, &sources().join(source), &arguments)?;
            Ok::<_, Box<dyn Error>>(target)
        };
        programs.old_go = Some(build("go", OLD_GO, None)?);
        programs.new_go = Some(build("go", NEW_GO, None)?);
        programs.layer = Some(build("layer", OLD_GO, None)?);
        for (version, file) in klauspost_versions()? {
            let writer = build("klauspost", OLD_GO, Some(&file))?;
            programs.klauspost.push((version, writer));
        }
        Ok(programs)
    }
}

/// The writers' sources, which the crate's tests use too.
fn sources() -> PathBuf {
    root().join("crates/regzip/tests/encoders")
}

/// Runs the go command of one release, which Go's toolchain mechanism fetches where it is not installed.
pub(crate) fn go(
    version: &str,
    folder: &Path,
    arguments: &[&str],
) -> Result<String, Box<dyn Error>> {
    let output = Command::new("go")
        .args(arguments)
        .env("GOTOOLCHAIN", version)
        .current_dir(folder)
        .output()?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{version} {arguments:?} in {}: {said}", folder.display()).into())
}

/// The versions of klauspost/compress that have a `.mod` file, and the file; oldest first.
fn klauspost_versions() -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let mut versions = Vec::new();
    for entry in fs::read_dir(sources().join("klauspost"))? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "mod") {
            continue;
        }
        let required = "github.com/klauspost/compress v";
        let text = fs::read_to_string(&path)?;
        let line = text.lines().find_map(|line| line.split_once(required));
        let (_, version) = line.ok_or_else(|| format!("{}: no klauspost", path.display()))?;
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        versions.push((version.trim().to_owned(), file.into_owned()));
    }
    versions.sort_by_key(|(version, _)| {
        let parts = version.split('.').map(|part| part.parse().unwrap_or(0));
        parts.collect::<Vec<u32>>()
    });
    Ok(versions)
}
