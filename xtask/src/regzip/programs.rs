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

/// One release of klauspost/compress from each stretch that writes the same bytes.
const KLAUSPOST: [&str; 17] = [
    "1.9.7", "1.10.0", "1.10.1", "1.11.12", "1.12.1", "1.12.2", "1.13.6", "1.14.1", "1.14.2",
    "1.14.4", "1.15.9", "1.15.10", "1.15.14", "1.17.11", "1.18.0", "1.18.1", "1.18.2",
];

/// Where the encoders are; nothing where one is not installed.
pub(crate) struct Programs {
    pub(crate) old_go: Option<PathBuf>,
    pub(crate) new_go: Option<PathBuf>,
    /// Releases of klauspost/compress, and the writer with each.
    pub(crate) klauspost: Vec<(&'static str, PathBuf)>,
    /// Writers of layers, with both of Go's encoders.
    pub(crate) layers: Option<[PathBuf; 2]>,
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
            layers: None,
            python: require("python3"),
            gzip: require("gzip"),
            pigz: require("pigz"),
        };
        if require("go").is_none() {
            return Ok(programs);
        }
        let folder = folder.join("writers");
        fs::create_dir(&folder)?;
        programs.old_go = Some(build("go", OLD_GO, &folder, &[])?);
        programs.new_go = Some(build("go", NEW_GO, &folder, &[])?);
        programs.layers = Some([
            build("layer", OLD_GO, &folder, &[])?,
            build("layer", NEW_GO, &folder, &[])?,
        ]);
        for release in KLAUSPOST {
            let writer = klauspost(release, &folder)?;
            programs.klauspost.push((release, writer));
        }
        Ok(programs)
    }
}

/// Builds a writer with a release of Go.
fn build(
    source: &str,
    version: &str,
    folder: &Path,
    flags: &[&str],
) -> Result<PathBuf, Box<dyn Error>> {
    let target = folder.join(format!("{source}-{version}"));
    let output = target.display().to_string();
    let arguments = [&["build", "-o", &output], flags, &["."]].concat();
    go(version, &sources().join(source), &arguments)?;
    Ok(target)
}

/// Builds the writer with a release of klauspost/compress, which stands in its list of modules then.
fn klauspost(release: &str, folder: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let source = sources().join("klauspost");
    let folder = folder.join(release);
    fs::create_dir(&folder)?;
    let list = fs::read_to_string(source.join("go.mod"))?;
    let module = "github.com/klauspost/compress";
    let modules = folder.join("go.mod");
    fs::write(
        &modules,
        format!("{list}\nreplace {module} => {module} v{release}\n"),
    )?;
    fs::copy(source.join("go.sum"), folder.join("go.sum"))?;
    let flag = format!("-modfile={}", modules.display());
    build("klauspost", OLD_GO, &folder, &[&flag])
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
