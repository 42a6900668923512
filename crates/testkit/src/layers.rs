//! Layers as the tools of the container world write them, out of one root file system.
//!
//! Every tool pushes to a registry of its own kind or writes a layout, the way its users do; what is read
//! back are the blobs. A tool that is not installed says so as [`require`] does.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::real::{Podman, RealRegistry, Skopeo, require, run_ok};

/// A gzip layer, and what wrote it.
#[derive(Debug)]
pub struct Layer {
    /// The tool and its command.
    pub made_by: &'static str,
    /// The blob.
    pub bytes: Vec<u8>,
}

/// Where layers are made: a root file system, a registry to push to, and room for storage.
#[derive(Debug)]
pub struct LayerMaker {
    folder: TempDir,
    registry: RealRegistry,
    rootfs: PathBuf,
}

impl LayerMaker {
    /// Takes a folder as root file system; nothing, after having said so, where docker-registry is missing.
    ///
    /// # Panics
    /// Where the folder cannot be put in an archive.
    pub fn new(rootfs: &Path) -> Option<Self> {
        let registry = RealRegistry::distribution2()?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("rootfs.tar");
        fs::write(path, archive(rootfs)).expect("the archive can be written");
        Some(Self {
            folder,
            registry,
            rootfs: rootfs.to_owned(),
        })
    }

    /// The root file system as an archive, without compression.
    pub fn archive(&self) -> PathBuf {
        self.folder.path().join("rootfs.tar")
    }

    /// The layers of every tool that is installed.
    pub fn all(&self) -> Vec<Layer> {
        let tools = [
            Self::buildah,
            Self::podman,
            Self::skopeo,
            Self::umoci,
            Self::crane,
            Self::pigz,
        ];
        let made = tools.iter().filter_map(|tool| tool(self));
        made.flatten().collect()
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// `buildah from scratch`, `copy`, `commit` and `push`.
    ///
    /// # Panics
    /// Where the tool fails, as all of these do.
    pub fn buildah(&self) -> Option<Vec<Layer>> {
        let program = require("buildah")?;
        let (root, runroot) = (self.path("buildah"), self.path("buildah-run"));
        let buildah = |arguments: &[&str]| {
            let own = ["--root", &root, "--runroot", &runroot];
            let own = own.into_iter().chain(["--storage-driver", "vfs"]);
            let all: Vec<&str> = own.chain(arguments.iter().copied()).collect();
            run_ok(&program, &all).trim().to_owned()
        };
        let container = buildah(&["from", "scratch"]);
        let rootfs = self.rootfs.display().to_string();
        buildah(&["copy", "-q", &container, &rootfs, "/"]);
        buildah(&["commit", "-q", &container, "layers"]);
        let to = self.docker("buildah");
        buildah(&["push", "-q", "--tls-verify=false", "layers", &to]);
        Some(self.pushed("buildah", "buildah push"))
    }

    /// `podman import` and `push`.
    pub fn podman(&self) -> Option<Vec<Layer>> {
        let podman = Podman::find()?;
        let archive = self.archive().display().to_string();
        podman.run_ok(&["import", "-q", &archive, "layers:1"]);
        let to = self.docker("podman");
        podman.run_ok(&["push", "-q", "--tls-verify=false", "layers:1", &to]);
        let folder = self.path("podman-dir");
        let to = format!("dir:{folder}");
        podman.run_ok(&["push", "-q", "--compress", "layers:1", &to]);
        let mut layers = self.pushed("podman", "podman push");
        layers.extend(gzip_files(
            Path::new(&folder),
            "podman push --compress dir:",
        ));
        Some(layers)
    }

    /// `skopeo copy` of an image whose layer is not compressed: into a registry, a layout, and a folder.
    pub fn skopeo(&self) -> Option<Vec<Layer>> {
        let skopeo = Skopeo::find()?;
        let podman = Podman::find()?;
        let archive = self.archive().display().to_string();
        podman.run_ok(&["import", "-q", &archive, "layers:1"]);
        let saved = self.path("saved.tar");
        podman.run_ok(&[
            "save",
            "-q",
            "--format=docker-archive",
            "-o",
            &saved,
            "layers:1",
        ]);
        let from = format!("docker-archive:{saved}");
        let (layout, folder) = (self.path("skopeo-oci"), self.path("skopeo-dir"));
        let copy = |more: &[&str], to: &str| {
            let own = ["--insecure-policy", "copy", "-q", "--dest-tls-verify=false"];
            let all = own.iter().chain(more).copied().chain([from.as_str(), to]);
            let output = skopeo.run(&all.collect::<Vec<_>>());
            assert!(
                output.status.success(),
                "skopeo copy to {to}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        };
        copy(&[], &self.docker("skopeo"));
        copy(&[], &format!("oci:{layout}:layers"));
        copy(&["--dest-compress"], &format!("dir:{folder}"));
        let mut layers = self.pushed("skopeo", "skopeo copy to a registry");
        layers.extend(gzip_files(Path::new(&layout), "skopeo copy to a layout"));
        layers.extend(gzip_files(
            Path::new(&folder),
            "skopeo copy --dest-compress",
        ));
        Some(layers)
    }

    /// `umoci insert`, and `unpack` and `repack` with changes.
    pub fn umoci(&self) -> Option<Vec<Layer>> {
        let umoci = require("umoci")?;
        let (inserted, repacked) = (self.path("umoci-insert"), self.path("umoci-repack"));
        let rootfs = self.rootfs.display().to_string();
        for layout in [&inserted, &repacked] {
            run_ok(&umoci, &["init", "--layout", layout]);
            run_ok(&umoci, &["new", "--image", &format!("{layout}:layers")]);
        }
        let image = format!("{inserted}:layers");
        run_ok(
            &umoci,
            &["insert", "--rootless", "--image", &image, &rootfs, "/data"],
        );
        let (image, bundle) = (format!("{repacked}:layers"), self.path("umoci-bundle"));
        run_ok(
            &umoci,
            &["unpack", "--rootless", "--image", &image, &bundle],
        );
        let archive = self.archive();
        let mut archive = tar::Archive::new(File::open(archive).expect("the archive"));
        let unpacked = archive.unpack(Path::new(&bundle).join("rootfs"));
        unpacked.expect("the root file system can be written");
        run_ok(&umoci, &["repack", "--image", &image, &bundle]);
        let mut layers = gzip_files(Path::new(&inserted), "umoci insert");
        layers.extend(gzip_files(Path::new(&repacked), "umoci repack"));
        Some(layers)
    }

    /// `crane append`, and `crane flatten` of what it made.
    pub fn crane(&self) -> Option<Vec<Layer>> {
        let crane = require("crane")?;
        let host = self.registry.host();
        let archive = self.archive().display().to_string();
        let (appended, flat) = (format!("{host}/crane:1"), format!("{host}/crane-flat:1"));
        run_ok(
            &crane,
            &["append", "--insecure", "-f", &archive, "-t", &appended],
        );
        run_ok(&crane, &["flatten", "--insecure", &appended, "-t", &flat]);
        let mut layers = self.pushed("crane", "crane append");
        layers.extend(self.pushed("crane-flat", "crane flatten"));
        Some(layers)
    }

    /// `pigz --best --no-time`, which writes Debian's root file systems.
    pub fn pigz(&self) -> Option<Vec<Layer>> {
        let pigz = require("pigz")?;
        let mut command = Command::new(pigz);
        command.args(["--best", "--no-time", "--stdout"]);
        let output = command.arg(self.archive()).output().expect("pigz starts");
        assert!(output.status.success(), "pigz fails");
        Some(vec![Layer {
            made_by: "pigz --best --no-time",
            bytes: output.stdout,
        }])
    }

    /// The name under which a tool pushes.
    fn docker(&self, repository: &str) -> String {
        format!("docker://{}/{repository}:1", self.registry.host())
    }

    /// What was pushed to a repository, out of the registry's storage.
    fn pushed(&self, repository: &str, made_by: &'static str) -> Vec<Layer> {
        let storage = self.registry.storage().join("docker/registry/v2");
        let links = storage.join(format!("repositories/{repository}/_layers/sha256"));
        let digests = fs::read_dir(&links).expect("the registry has the repository");
        let blobs = digests.map(|entry| {
            let digest = entry.expect("a readable folder").file_name();
            let digest = digest.to_string_lossy();
            storage.join(format!("blobs/sha256/{}/{digest}/data", &digest[..2]))
        });
        let mut blobs: Vec<PathBuf> = blobs.collect();
        blobs.sort();
        gzip_among(blobs, made_by)
    }
}

/// A folder as an archive, without owners and times.
///
/// # Panics
/// Where the folder cannot be read.
pub fn archive(folder: &Path) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    archive.mode(tar::HeaderMode::Deterministic);
    archive
        .append_dir_all(".", folder)
        .and_then(|()| archive.into_inner())
        .expect("the folder can be read")
}

/// All files below a folder, in order.
///
/// # Errors
///
/// A folder that cannot be read.
pub fn files_below(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let list = if path.is_dir() {
                &mut folders
            } else {
                &mut files
            };
            list.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// All gzip files below a folder.
fn gzip_files(folder: &Path, made_by: &'static str) -> Vec<Layer> {
    let files = files_below(folder).expect("a readable folder");
    gzip_among(files, made_by)
}

fn gzip_among(files: Vec<PathBuf>, made_by: &'static str) -> Vec<Layer> {
    let read = files.iter().map(|path| fs::read(path).expect("a blob"));
    read.filter(|bytes| bytes.starts_with(&[0x1f, 0x8b]))
        .map(|bytes| Layer { made_by, bytes })
        .collect()
}
