//! Files of Debian packages, for the machine's architecture or another one.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::relate::tools::succeed;

/// An architecture, and its name in paths of libraries.
#[derive(Clone, Copy)]
pub(super) struct Architecture {
    pub(super) arch: &'static str,
    pub(super) triplet: &'static str,
}

/// The architectures whose packages are measured.
pub(super) const ARCHITECTURES: [Architecture; 2] = [
    Architecture {
        arch: "amd64",
        triplet: "x86_64-linux-gnu",
    },
    Architecture {
        arch: "arm64",
        triplet: "aarch64-linux-gnu",
    },
];

impl Architecture {
    /// Unpacks a version of a package into a folder of its own, unless it is there already.
    pub(super) fn unpack(
        self,
        folder: &Path,
        package: &str,
        version: &str,
    ) -> Result<PathBuf, Box<dyn Error>> {
        let name = format!(
            "{package}-{}-{}",
            self.arch,
            version.replace([':', '~'], "-")
        );
        let target = folder.join(name);
        if target.is_dir() {
            return Ok(target);
        }
        let lists = self.lists(folder)?;
        let download = tempfile::tempdir_in(folder)?;
        let mut apt = Command::new("apt-get");
        apt.args(&lists)
            .args(["download", &format!("{package}={version}")]);
        succeed(apt.current_dir(download.path()))?;
        let archive = fs::read_dir(download.path())?
            .next()
            .ok_or("nothing downloaded")??;
        let mut unpack = Command::new("dpkg-deb");
        unpack.arg("-x").arg(archive.path()).arg(&target);
        succeed(&mut unpack)?;
        Ok(target)
    }

    /// Options of apt that make it use lists of this architecture, which are kept in the folder and fetched once.
    fn lists(self, folder: &Path) -> Result<Vec<String>, Box<dyn Error>> {
        let state = folder.join(format!("apt-{}", self.arch));
        let path = |name: &str| state.join(name).to_string_lossy().into_owned();
        let options = [
            format!("APT::Architecture={}", self.arch),
            format!("APT::Architectures={}", self.arch),
            format!("Dir::State={}", path("state")),
            "Dir::State::status=/dev/null".to_owned(),
            format!("Dir::Cache={}", path("cache")),
        ];
        let options: Vec<String> = options
            .into_iter()
            .flat_map(|option| ["-o".to_owned(), option])
            .collect();
        if !state.join("updated").is_file() {
            fs::create_dir_all(state.join("state/lists/partial"))?;
            fs::create_dir_all(state.join("cache/archives/partial"))?;
            succeed(Command::new("apt-get").args(&options).arg("update"))?;
            fs::write(state.join("updated"), "")?;
        }
        Ok(options)
    }
}
