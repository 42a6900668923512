//! The same layers in two releases.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::compact::sets::{GO, Kind, MODULES, PGZIP, Set, Workshop, ZLIB, output, succeed};

/// Layers of two releases, in the same order.
pub(crate) struct Pair {
    pub(crate) old: Set,
    pub(crate) new: Set,
}

const PYTHON: [[&str; 5]; 2] = [
    [
        "django==4.2.13",
        "sqlalchemy==2.0.30",
        "pydantic-core==2.18.2",
        "cryptography==42.0.7",
        "sympy==1.12",
    ],
    [
        "django==4.2.14",
        "sqlalchemy==2.0.31",
        "pydantic-core==2.18.4",
        "cryptography==42.0.8",
        "sympy==1.12.1",
    ],
];

const NODE: [[&str; 5]; 2] = [
    [
        "typescript@5.4.4",
        "webpack@5.90.3",
        "eslint@8.56.0",
        "express@4.19.1",
        "react-dom@18.2.0",
    ],
    [
        "typescript@5.4.5",
        "webpack@5.91.0",
        "eslint@8.57.0",
        "express@4.19.2",
        "react-dom@18.3.1",
    ],
];

/// The releases of a kind.
pub(crate) fn pair(workshop: &Workshop, kind: Kind) -> Result<Pair, Box<dyn Error>> {
    let old = release(workshop, kind, 0)?;
    let new = release(workshop, kind, 1)?;
    Ok(Pair { old, new })
}

fn release(workshop: &Workshop, kind: Kind, number: usize) -> Result<Set, Box<dyn Error>> {
    let layers = match kind {
        Kind::Go => {
            let mut layers = Vec::new();
            for (module, versions, commands) in MODULES {
                for command in commands {
                    layers.push(workshop.program(module, versions[number], command, "amd64")?);
                }
            }
            layers
        }
        Kind::Debian => vec![debian(workshop, number)?],
        Kind::Python => vec![python(workshop, number)?],
        Kind::Node => vec![node(workshop, number)?],
    };
    Ok(Set {
        name: kind.name(),
        layers,
    })
}

type Layer = crate::compact::sets::Layer;

/// The packages that Debian calls required, important or standard, in the newest version that the package source offers
/// and in the one before, with the times of files that packages have.
fn debian(workshop: &Workshop, number: usize) -> Result<Layer, Box<dyn Error>> {
    let name = ["debian-old", "debian-new"][number];
    let tree = workshop.folder.join(name);
    if !tree.exists() {
        let partial = workshop.folder.join(format!("{name}.partial"));
        fs::create_dir_all(&partial)?;
        for package in essential()? {
            let versions = versions(&package)?;
            let Some(version) = versions.get(1 - number).or(versions.first()) else {
                continue;
            };
            let archive = download(workshop, &package, version)?;
            let mut unpack = Command::new("dpkg-deb");
            succeed(unpack.arg("-x").arg(archive).arg(&partial))?;
        }
        fs::rename(partial, &tree)?;
    }
    workshop.layer_with_times(name, PGZIP, |tar| {
        tar.arg("-C").arg(&tree).arg(".");
    })
}

fn essential() -> Result<BTreeSet<String>, Box<dyn Error>> {
    let format = "${Package} ${Priority}\\n";
    let listed = output(Command::new("dpkg-query").args(["-W", "-f", format]))?;
    let wanted = listed.lines().filter_map(|line| {
        let (name, priority) = line.rsplit_once(' ')?;
        matches!(priority, "required" | "important" | "standard").then(|| name.to_owned())
    });
    Ok(wanted.collect())
}

/// The versions of a package, the newest first.
fn versions(package: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let listed = output(Command::new("apt-cache").args(["madison", package]))?;
    let mut versions: Vec<String> = Vec::new();
    for line in listed.lines() {
        if let Some(version) = line.split('|').nth(1).map(str::trim)
            && !versions.iter().any(|known| known == version)
        {
            versions.push(version.to_owned());
        }
    }
    Ok(versions)
}

fn download(
    workshop: &Workshop,
    package: &str,
    version: &str,
) -> Result<std::path::PathBuf, Box<dyn Error>> {
    let folder = workshop.folder.join("packages");
    fs::create_dir_all(&folder)?;
    let archive = folder.join(format!("{package}_{}", version.replace(':', "%3a")));
    if !archive.exists() {
        let download = tempfile::tempdir_in(&folder)?;
        let mut apt = Command::new("apt-get");
        apt.args(["-q", "download", &format!("{package}={version}")]);
        succeed(apt.current_dir(download.path()))?;
        let file = fs::read_dir(download.path())?.next();
        fs::rename(file.ok_or("nothing was downloaded")??.path(), &archive)?;
    }
    Ok(archive)
}

fn python(workshop: &Workshop, number: usize) -> Result<Layer, Box<dyn Error>> {
    let name = ["python-old", "python-new"][number];
    let tree = workshop.folder.join(name);
    install(&tree.join("site-packages"), |folder| {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--compile"]);
        pip.arg("--target").arg(folder).args(PYTHON[number]);
        succeed(&mut pip)
    })?;
    workshop.layer_with_times(name, ZLIB, |tar| {
        tar.arg("-C").arg(&tree).arg("site-packages");
    })
}

fn node(workshop: &Workshop, number: usize) -> Result<Layer, Box<dyn Error>> {
    let name = ["node-old", "node-new"][number];
    let tree = workshop.folder.join(name);
    install(&tree, |folder| {
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts"]);
        npm.arg("--prefix").arg(folder).args(NODE[number]);
        succeed(&mut npm)
    })?;
    workshop.layer_with_times(name, GO, |tar| {
        tar.arg("-C").arg(&tree).arg("node_modules");
    })
}

/// Fills a folder, unless it is there.
fn install(
    folder: &Path,
    fill: impl FnOnce(&Path) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    if folder.exists() {
        return Ok(());
    }
    let partial = folder.with_extension("partial");
    fs::create_dir_all(&partial)?;
    fill(&partial)?;
    Ok(fs::rename(partial, folder)?)
}
