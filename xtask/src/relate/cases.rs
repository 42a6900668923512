//! What is measured: programs of Go built through the module proxy, a release of them, and files of Debian packages in
//! two versions. All is kept in a folder below `target/`.

mod debian;
mod release;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sealift_testkit::real::{require, skipped};

use crate::workspace::root;
use debian::Architecture;

/// A file to encode, given others.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) new: PathBuf,
    pub(super) bases: Vec<PathBuf>,
    /// What a registry would store: the file with compressed debug sections, if it has any.
    pub(super) shipped: PathBuf,
}

/// A program of Go: its module, version and package, and for which architecture.
struct Program {
    name: &'static str,
    module: &'static str,
    version: &'static str,
    package: &'static str,
    arch: &'static str,
}

const REGISTRY_TOOLS: &str = "github.com/google/go-containerregistry";

const PROGRAMS: [Program; 9] = [
    kubernetes(
        "apiextensions-old",
        "k8s.io/apiextensions-apiserver",
        "v0.33.3",
    ),
    kubernetes("apiextensions", "k8s.io/apiextensions-apiserver", "v0.33.4"),
    kubernetes("aggregator", "k8s.io/kube-aggregator", "v0.33.4"),
    kubernetes("sample-controller", "k8s.io/sample-controller", "v0.33.4"),
    helm("helm-old", "v3.18.5"),
    helm("helm", "v3.18.6"),
    crane(
        "crane-arm64",
        "github.com/google/go-containerregistry/cmd/crane",
        "arm64",
    ),
    crane(
        "gcrane-arm64",
        "github.com/google/go-containerregistry/cmd/gcrane",
        "arm64",
    ),
    crane(
        "crane",
        "github.com/google/go-containerregistry/cmd/crane",
        "amd64",
    ),
];

const fn kubernetes(name: &'static str, module: &'static str, version: &'static str) -> Program {
    Program {
        name,
        module,
        version,
        package: module,
        arch: "amd64",
    }
}

const fn helm(name: &'static str, version: &'static str) -> Program {
    Program {
        name,
        module: "helm.sh/helm/v3",
        version,
        package: "helm.sh/helm/v3/cmd/helm",
        arch: "amd64",
    }
}

const fn crane(name: &'static str, package: &'static str, arch: &'static str) -> Program {
    Program {
        name,
        module: REGISTRY_TOOLS,
        version: "v0.20.6",
        package,
        arch,
    }
}

/// Cases: name, the program, the programs that it is given, whether all are stripped.
const CASES: [(&str, &str, &[&str], bool); 8] = [
    ("sibling, close", "aggregator", &["apiextensions"], false),
    ("sibling, distant", "helm", &["apiextensions"], false),
    (
        "sibling, given two",
        "helm",
        &["sample-controller", "aggregator"],
        false,
    ),
    ("sibling, stripped", "helm", &["apiextensions"], true),
    ("next patch", "apiextensions", &["apiextensions-old"], false),
    ("next patch", "helm", &["helm-old"], false),
    ("sibling, arm64", "gcrane-arm64", &["crane-arm64"], false),
    ("arm64 given amd64", "crane-arm64", &["crane"], false),
];

/// Debian packages: name, older and newer version, and the file in both, with `TRIPLET` for the name of the architecture.
const PACKAGES: [(&str, &str, &str, &str); 7] = [
    (
        "libssl3",
        "3.0.17-1~deb12u2",
        "3.0.20-1~deb12u2",
        "usr/lib/TRIPLET/libcrypto.so.3",
    ),
    (
        "libc6",
        "2.36-9+deb12u7",
        "2.36-9+deb12u14",
        "lib/TRIPLET/libc.so.6",
    ),
    (
        "git",
        "1:2.39.5-0+deb12u2",
        "1:2.39.5-0+deb12u3",
        "usr/bin/git",
    ),
    (
        "perl-base",
        "5.36.0-7+deb12u3",
        "5.36.0-7+deb12u4",
        "usr/bin/perl",
    ),
    (
        "python3.11-minimal",
        "3.11.2-6+deb12u8",
        "3.11.2-6+deb12u9",
        "usr/bin/python3.11",
    ),
    (
        "nginx",
        "1.22.1-9+deb12u9",
        "1.22.1-9+deb12u11",
        "usr/sbin/nginx",
    ),
    (
        "librsvg2-2",
        "2.54.7+dfsg-1~deb12u1",
        "2.54.7+dfsg-1~deb12u2",
        "usr/lib/TRIPLET/librsvg-2.so.2.48.0",
    ),
];

pub(super) use release::release;

/// Where everything is kept.
fn folder() -> Result<PathBuf, Box<dyn Error>> {
    let folder = root().join("target/relate-bench");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// All cases that this machine can have.
pub(super) fn all() -> Result<Vec<Case>, Box<dyn Error>> {
    let folder = folder()?;
    let mut cases = Vec::new();
    if require("go").is_some() {
        for (name, new, bases, stripped) in CASES {
            let flags = if stripped {
                "-s -w"
            } else {
                "-compressdwarf=false"
            };
            let built = |program: &&str| build(&folder, program, flags);
            cases.push(Case {
                name: format!("{name}: {new} given {}", bases.join(", ")),
                new: build(&folder, new, flags)?,
                bases: bases.iter().map(built).collect::<Result<_, _>>()?,
                shipped: build(&folder, new, if stripped { flags } else { "" })?,
            });
        }
    }
    if require("apt-get").is_some() && require("dpkg-deb").is_some() {
        for debian in debian::ARCHITECTURES {
            for package in PACKAGES {
                match package_case(&folder, debian, package) {
                    Ok(case) => cases.push(case),
                    Err(error) => skipped(&format!("{} for {}: {error}", package.0, debian.arch)),
                }
            }
        }
    }
    Ok(cases)
}

/// A file of a newer version of a package, given that of an older one.
fn package_case(
    folder: &Path,
    debian: Architecture,
    (package, old, new, file): (&str, &str, &str, &str),
) -> Result<Case, Box<dyn Error>> {
    let file = file.replace("TRIPLET", debian.triplet);
    let old = debian.unpack(folder, package, old)?.join(&file);
    let new = debian.unpack(folder, package, new)?.join(&file);
    let name = file.rsplit('/').next().unwrap_or(&file);
    Ok(Case {
        name: format!("Debian, {}: {package}, {name}", debian.arch),
        bases: vec![old],
        shipped: new.clone(),
        new,
    })
}

/// Builds a program, unless it is there already.
fn build(folder: &Path, name: &str, flags: &str) -> Result<PathBuf, Box<dyn Error>> {
    let program = PROGRAMS.iter().find(|program| program.name == name);
    let program = program.ok_or_else(|| format!("no program {name}"))?;
    built(folder, name, flags, |output| {
        eprintln!("building {} {} {flags}", program.package, program.version);
        let module = folder.join(format!("module-{name}"));
        fs::create_dir_all(&module)?;
        if !module.join("go.mod").is_file() {
            go(&module, program.arch, &["mod", "init", "bench"])?;
            let version = format!("{}@{}", program.module, program.version);
            go(&module, program.arch, &["get", &version])?;
        }
        link(&module, program.arch, program.package, flags, output)
    })
}

/// Where the program `name`, linked with `flags`, is kept; `build` makes it if it is not there already.
fn built(
    folder: &Path,
    name: &str,
    flags: &str,
    build: impl FnOnce(&Path) -> Result<(), Box<dyn Error>>,
) -> Result<PathBuf, Box<dyn Error>> {
    let suffix = flags.replace([' ', '='], "");
    let output = folder.join(format!("{name}{suffix}"));
    if !output.is_file() {
        build(&output)?;
    }
    Ok(output)
}

/// Builds a package in the module in `folder`.
fn link(
    folder: &Path,
    arch: &str,
    package: &str,
    flags: &str,
    output: &Path,
) -> Result<(), Box<dyn Error>> {
    let output = output.to_string_lossy();
    let flags = format!("-ldflags={flags}");
    go(
        folder,
        arch,
        &["build", "-mod=mod", &flags, "-o", &output, package],
    )
}

fn go(folder: &Path, arch: &str, arguments: &[&str]) -> Result<(), Box<dyn Error>> {
    let mut command = Command::new("go");
    command.args(arguments).current_dir(folder);
    command.env("GOARCH", arch).env("CGO_ENABLED", "0");
    super::tools::succeed(&mut command)
}
