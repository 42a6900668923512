//! `cargo xtask dist`: everything that a release consists of, the same bytes every time.
//!
//! A static program with its manual pages, completions and licences, as an archive and as a Debian package; the
//! line tables of the program in a file of their own; the list of what it is built of; checksums of all of these.
//! Times are those of the commit, or of `SOURCE_DATE_EPOCH`; no path, user or host name gets into a file.

mod check;
mod deb;
mod files;
mod licences;
mod metadata;
mod package;
mod sbom;
mod twice;

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use clap::Args;
use sealift_oci::Digest;

use crate::binary;
use crate::workspace::root;
use files::Built;
use package::{Packaged, gzip, tar};

/// The machine that this was compiled for.
const HOST: &str = "x86_64-unknown-linux-gnu";

/// What to build, and where to.
#[derive(Args)]
pub(crate) struct DistArguments {
    /// The folder for the files; files of an earlier run are replaced
    #[arg(long, value_name = "DIR", default_value = "target/dist")]
    out_dir: PathBuf,
    /// The target, which cargo has to be able to build for
    #[arg(long, value_name = "TRIPLE", default_value = HOST)]
    target: String,
    /// Build the program once, instead of a second time in other folders to compare the two
    #[arg(long)]
    once: bool,
    /// Instead of a release, package the program that `demo` builds, twice, and check everything: equal
    /// bytes, checksums, and that the Debian package runs in a folder that contains nothing else
    #[arg(long, conflicts_with_all = ["target", "once"])]
    check: bool,
}

/// Builds a release, or checks how one is built.
pub(crate) fn run(arguments: &DistArguments) -> Result<(), Box<dyn Error>> {
    let out = root().join(&arguments.out_dir);
    if arguments.check {
        let program = binary::sealift()?;
        let built = Built::new(&program, &program, HOST)?;
        let folder = tempfile::tempdir()?;
        let release = Release::new(HOST)?;
        let first = release.write(&built, &folder.path().join("first"))?;
        let again = Built::new(&program, &program, HOST)?;
        let second = Release::new(HOST)?.write(&again, &folder.path().join("second"))?;
        check::equal(&first, &second)?;
        return check::release(&folder.path().join("first"), &release);
    }
    let folder = binary::target_folder()?.join("release-build");
    let program = binary::release(&root(), &arguments.target, &folder)?;
    if !arguments.once {
        twice::check(&program, &arguments.target)?;
    }
    // Manual pages and completions are printed by the program itself, so one has to run here.
    let runs_here = if arguments.target == HOST {
        program.clone()
    } else {
        binary::sealift()?
    };
    let built = Built::new(&program, &runs_here, &arguments.target)?;
    let written = Release::new(&arguments.target)?.write(&built, &out)?;
    for path in written {
        println!("{}", path.display());
    }
    Ok(())
}

/// The names and times of one release.
struct Release {
    target: String,
    version: String,
    homepage: String,
    /// Seconds since 1970.
    time: u64,
}

impl Release {
    fn new(target: &str) -> Result<Self, Box<dyn Error>> {
        let manifest: toml::Table =
            toml::from_str(&fs::read_to_string(root().join("Cargo.toml"))?)?;
        let field = |name: &str| {
            let package = manifest.get("workspace")?.get("package")?;
            package.get(name)?.as_str().map(str::to_owned)
        };
        Ok(Self {
            target: target.to_owned(),
            version: field("version").ok_or("the workspace has no version")?,
            homepage: field("repository").ok_or("the workspace has no repository")?,
            time: time()?,
        })
    }

    /// `sealift-0.1.0-x86_64-linux`: the folder in the archive, and how all names begin.
    fn name(&self) -> String {
        let parts: Vec<&str> = self.target.split('-').collect();
        let system = parts.iter().find(|part| ["linux", "darwin"].contains(part));
        format!(
            "sealift-{}-{}-{}",
            self.version,
            parts.first().unwrap_or(&"unknown"),
            system.unwrap_or(&"unknown")
        )
    }

    /// Debian's name of the package's file, if Debian has a name for the architecture.
    fn deb_name(&self) -> Option<String> {
        let architecture = self.debian_architecture()?;
        Some(format!("sealift_{}-1_{architecture}.deb", self.version))
    }

    fn debian_architecture(&self) -> Option<&'static str> {
        match self.target.as_str() {
            "x86_64-unknown-linux-gnu" => Some("amd64"),
            "aarch64-unknown-linux-gnu" => Some("arm64"),
            _ => None,
        }
    }

    /// Writes all files to `folder` and returns their paths.
    fn write(&self, built: &Built, folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
        let name = self.name();
        let time = humantime::format_rfc3339_seconds(
            SystemTime::UNIX_EPOCH + Duration::from_secs(self.time),
        );
        let packages = metadata::packages(&self.target)?;
        let files = built.files(&licences::licences(&packages)?);
        let archive = gzip(&tar(&files, &format!("{name}/"), self.time)?)?;
        let mut outputs = vec![
            Packaged::new(format!("{name}.tar.gz"), archive),
            Packaged::new(format!("{name}.debug"), built.debug.clone()),
            Packaged::new(
                format!("{name}.cdx.json"),
                sbom::sbom(&packages, &time.to_string()),
            ),
        ];
        if let (Some(name), Some(architecture)) = (self.deb_name(), self.debian_architecture()) {
            let control = deb::Control {
                version: &self.version,
                architecture,
                homepage: &self.homepage,
            };
            let files = files::for_debian(&files)?;
            outputs.push(Packaged::new(name, deb::deb(&control, &files, self.time)?));
        }
        outputs.sort_by(|a, b| a.path.cmp(&b.path));
        let sums: Vec<String> = outputs
            .iter()
            .map(|file| format!("{}  {}\n", Digest::sha256(&file.bytes).hex(), file.path))
            .collect();
        outputs.push(Packaged::new("SHA256SUMS", sums.concat()));
        fs::create_dir_all(folder)?;
        let mut written = Vec::with_capacity(outputs.len());
        for file in outputs {
            let path = folder.join(&file.path);
            fs::write(&path, &file.bytes)?;
            written.push(path);
        }
        Ok(written)
    }
}

/// When the release is from: `SOURCE_DATE_EPOCH`, or the time of the commit, in seconds since 1970.
fn time() -> Result<u64, Box<dyn Error>> {
    let text = if let Ok(text) = env::var("SOURCE_DATE_EPOCH") {
        text
    } else {
        let log = Command::new("git")
            .args(["log", "-1", "--format=%ct"])
            .current_dir(root())
            .output()?;
        String::from_utf8(log.stdout)?
    };
    let time = text.trim().parse();
    time.map_err(|_| format!("not a number of seconds since 1970: {:?}", text.trim()).into())
}
