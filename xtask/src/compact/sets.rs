//! The content that is measured: layers as people ship them, fetched or built once and kept.

use std::error::Error;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use regzip::{Encoder, Go, Pgzip, Strategy, Version, Zlib, nested};
use sealift_pack::Options;

use super::gzip::GzipFile;

/// A kind of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Programs in Go that share modules, in two versions, two of them for two architectures.
    Go,
    /// Debian's user land.
    Debian,
    /// Packages of Python, with compiled modules and extensions.
    Python,
    /// Packages of Node.js.
    Node,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Go, Self::Debian, Self::Python, Self::Node];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::Debian => "debian",
            Self::Python => "python",
            Self::Node => "node",
        }
    }
}

/// Layers of one kind.
pub(crate) struct Set {
    pub(crate) name: &'static str,
    pub(crate) layers: Vec<Layer>,
}

/// A layer as a tar and as the gzip stream that a registry serves.
#[derive(Clone)]
pub(crate) struct Layer {
    pub(crate) tar: PathBuf,
    pub(crate) gzip: PathBuf,
}

impl Layer {
    /// The tar with the streams in it opened, as a pack opens those in its files; written once and kept.
    pub(crate) fn opened(&self) -> Result<PathBuf, Box<dyn Error>> {
        let mut options = nested::Options::default();
        options.depth = Options::default().depth;
        let path = self.tar.with_extension(format!("opened-{}", options.depth));
        if !path.exists() {
            let mut expanded = tempfile::NamedTempFile::new_in(
                self.tar.parent().ok_or("a layer without a folder")?,
            )?;
            nested::open(File::open(&self.tar)?, &mut expanded, &options)?;
            expanded.persist(&path)?;
        }
        Ok(path)
    }
}

/// Commands of one module, in two versions: module, versions, packages.
pub(crate) type Module = (&'static str, [&'static str; 2], &'static [&'static str]);

pub(crate) const MODULES: [Module; 2] = [
    (
        "github.com/regclient/regclient",
        ["v0.8.2", "v0.8.3"],
        &["regctl", "regsync", "regbot"],
    ),
    (
        "github.com/google/go-containerregistry",
        ["v0.20.5", "v0.20.6"],
        &["crane", "gcrane"],
    ),
];

/// These are also built for arm64, in their second version.
const ON_ARM: [&str; 2] = ["regctl", "regsync"];

const NODE_PACKAGES: [&str; 5] = [
    "typescript@5.4.5",
    "webpack@5.91.0",
    "eslint@8.57.0",
    "express@4.19.2",
    "react-dom@18.3.1",
];

const PYTHON_PACKAGES: [&str; 5] = [
    "django==4.2.13",
    "sqlalchemy==2.0.30",
    "pydantic-core==2.18.2",
    "cryptography==42.0.7",
    "sympy==1.12",
];

/// A folder in which content is made.
pub(crate) struct Workshop {
    pub(crate) folder: PathBuf,
}

impl Workshop {
    pub(crate) fn new(folder: PathBuf) -> Result<Self, Box<dyn Error>> {
        for name in ["go", "layers", "node", "python"] {
            fs::create_dir_all(folder.join(name))?;
        }
        Ok(Self { folder })
    }

    /// The layers of a kind.
    pub(crate) fn set(&self, kind: Kind) -> Result<Set, Box<dyn Error>> {
        let layers = match kind {
            Kind::Go => self.go()?,
            Kind::Debian => vec![self.debian()?],
            Kind::Python => vec![self.python()?],
            Kind::Node => vec![self.node()?],
        };
        Ok(Set {
            name: kind.name(),
            layers,
        })
    }

    fn go(&self) -> Result<Vec<Layer>, Box<dyn Error>> {
        let mut layers = Vec::new();
        for (module, versions, commands) in MODULES {
            for version in versions {
                for command in commands {
                    layers.push(self.program(module, version, command, "amd64")?);
                    if ON_ARM.contains(command) && version == versions[1] {
                        layers.push(self.program(module, version, command, "arm64")?);
                    }
                }
            }
        }
        Ok(layers)
    }

    /// A layer with a program of Go.
    pub(crate) fn program(
        &self,
        module: &str,
        version: &str,
        command: &str,
        architecture: &str,
    ) -> Result<Layer, Box<dyn Error>> {
        let name = format!("{command}-{version}-{architecture}");
        let program = self.folder.join("go").join(&name);
        if !program.exists() {
            self.install(&format!("{module}/cmd/{command}@{version}"), architecture)?;
            let built = self.folder.join("gopath/bin");
            let built = match built.join(command) {
                path if path.exists() => path,
                _ => built.join(format!("linux_{architecture}")).join(command),
            };
            fs::rename(built, &program)?;
        }
        self.layer(&name, GO, |tar| {
            tar.arg("--transform=s,.*,usr/bin/program,");
            tar.arg("-C").arg(self.folder.join("go")).arg(&name);
        })
    }

    fn install(&self, package: &str, architecture: &str) -> Result<(), Box<dyn Error>> {
        let mut go = Command::new("go");
        go.args(["install", "-trimpath", package]);
        go.env("GOPATH", self.folder.join("gopath"));
        go.envs([
            ("CGO_ENABLED", "0"),
            ("GOARCH", architecture),
            ("GOFLAGS", "-modcacherw"),
        ]);
        succeed(&mut go)
    }

    /// The files of all packages that Debian calls required, important or standard.
    fn debian(&self) -> Result<Layer, Box<dyn Error>> {
        let format = "${Package} ${Priority}\\n";
        let listed = output(Command::new("dpkg-query").args(["-W", "-f", format]))?;
        let wanted = |line: &&str| {
            let priority = line.rsplit(' ').next();
            matches!(priority, Some("required" | "important" | "standard"))
        };
        let names = listed.lines().filter(wanted);
        let names: Vec<&str> = names.filter_map(|line| line.split(' ').next()).collect();
        let files = output(Command::new("dpkg").arg("-L").args(names))?;
        let is_file = |path: &&str| fs::symlink_metadata(path).is_ok_and(|meta| !meta.is_dir());
        let mut files: Vec<&str> = files.lines().filter(is_file).collect();
        files.sort_unstable();
        files.dedup();
        let list = self.folder.join("debian.list");
        fs::write(&list, files.join("\n"))?;
        self.layer("debian", PGZIP, |tar| {
            tar.args(["-P", "--no-recursion", "-C", "/", "-T"])
                .arg(&list);
        })
    }

    fn python(&self) -> Result<Layer, Box<dyn Error>> {
        let folder = self.folder.join("python/site-packages");
        if !folder.exists() {
            let mut pip = Command::new("python3");
            pip.args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-deps",
                "--compile",
                "--target",
            ]);
            succeed(pip.arg(&folder).args(PYTHON_PACKAGES))?;
        }
        self.layer("python", ZLIB, |tar| {
            tar.arg("-C")
                .arg(self.folder.join("python"))
                .arg("site-packages");
        })
    }

    fn node(&self) -> Result<Layer, Box<dyn Error>> {
        let folder = self.folder.join("node");
        if !folder.join("node_modules").exists() {
            let mut npm = Command::new("npm");
            npm.args([
                "install",
                "--no-audit",
                "--no-fund",
                "--ignore-scripts",
                "--prefix",
            ]);
            npm.arg(&folder).args(NODE_PACKAGES);
            succeed(&mut npm)?;
        }
        self.layer("node", GO, |tar| {
            tar.arg("-C").arg(&folder).arg("node_modules");
        })
    }

    /// A layer whose files are all changed at one time.
    fn layer(
        &self,
        name: &str,
        encoder: Encoder,
        content: impl FnOnce(&mut Command),
    ) -> Result<Layer, Box<dyn Error>> {
        self.layer_with_times(name, encoder, |tar| {
            content(tar.arg("--mtime=@1700000000"));
        })
    }

    /// A layer, unless it is there.
    pub(crate) fn layer_with_times(
        &self,
        name: &str,
        encoder: Encoder,
        content: impl FnOnce(&mut Command),
    ) -> Result<Layer, Box<dyn Error>> {
        let tar = self.folder.join("layers").join(format!("{name}.tar"));
        let gzip = tar.with_extension("tar.gz");
        if !gzip.exists() {
            let mut command = Command::new("tar");
            command.args(["--sort=name", "--owner=0", "--group=0", "-cf"]);
            content(command.arg(&tar));
            succeed(&mut command)?;
            compress(&tar, &gzip, encoder)?;
        }
        Ok(Layer { tar, gzip })
    }
}

/// Docker and `BuildKit`, podman and buildah, and builders in Python.
pub(crate) const GO: Encoder = Encoder::Go(Go { level: 6 });
pub(crate) const PGZIP: Encoder = Encoder::Pgzip(Pgzip {
    level: 5,
    version: Version::From1_18_0,
    block_size: 1 << 20,
});
pub(crate) const ZLIB: Encoder = Encoder::Zlib(Zlib {
    level: 6,
    window_bits: 15,
    mem_level: 8,
    strategy: Strategy::Default,
});

/// Writes a gzip stream as the encoder would.
fn compress(from: &Path, to: &Path, encoder: Encoder) -> Result<(), Box<dyn Error>> {
    let mut gzip = GzipFile::create(to, encoder)?;
    io::copy(&mut File::open(from)?, &mut gzip)?;
    gzip.finish()
}

pub(crate) fn succeed(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let status = command.status()?;
    if !status.success() {
        return Err(format!("{command:?}: {status}").into());
    }
    Ok(())
}

pub(crate) fn output(command: &mut Command) -> Result<String, Box<dyn Error>> {
    let output = command.output()?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
