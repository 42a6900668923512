//! The same layers in two releases.

use std::collections::BTreeMap;
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
    install(&tree, |folder| {
        let archives = tempfile::tempdir_in(&workshop.folder)?;
        let mut apt = Command::new("apt-get");
        apt.args(["-q", "download"]).current_dir(archives.path());
        for (package, versions) in versions(&essential()?)? {
            // The newest is first.
            let version = versions.get(1 - number).or(versions.first());
            apt.args(version.map(|version| format!("{package}={version}")));
        }
        succeed(&mut apt)?;
        let archives = fs::read_dir(archives.path())?;
        let mut archives = archives
            .map(|entry| Ok(entry?.path()))
            .collect::<std::io::Result<Vec<_>>>()?;
        archives.sort();
        for archive in archives {
            let mut unpack = Command::new("dpkg-deb");
            succeed(unpack.arg("-x").arg(archive).arg(folder))?;
        }
        Ok(())
    })?;
    workshop.layer_with_times(name, PGZIP, |tar| {
        tar.arg("-C").arg(&tree).arg(".");
    })
}

fn essential() -> Result<Vec<String>, Box<dyn Error>> {
    let format = "${Package} ${Priority}\\n";
    let listed = output(Command::new("dpkg-query").args(["-W", "-f", format]))?;
    let wanted = listed.lines().filter_map(|line| {
        let (name, priority) = line.rsplit_once(' ')?;
        matches!(priority, "required" | "important" | "standard").then(|| name.to_owned())
    });
    Ok(wanted.collect())
}

/// The versions of packages, the newest first; without those that the source does not offer.
fn versions(packages: &[String]) -> Result<BTreeMap<String, Vec<String>>, Box<dyn Error>> {
    let listed = output(Command::new("apt-cache").arg("madison").args(packages))?;
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in listed.lines() {
        let mut fields = line.split('|').map(str::trim);
        if let (Some(package), Some(version)) = (fields.next(), fields.next()) {
            let known = versions.entry(package.to_owned()).or_default();
            if !known.iter().any(|other| other == version) {
                known.push(version.to_owned());
            }
        }
    }
    Ok(versions)
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
    if partial.exists() {
        fs::remove_dir_all(&partial)?;
    }
    fs::create_dir_all(&partial)?;
    fill(&partial)?;
    Ok(fs::rename(partial, folder)?)
}
