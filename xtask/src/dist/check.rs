//! Checks of a written release with the programs that its users have.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Release;

/// Files that the archive and the package are not complete without.
const EXPECTED: [&str; 4] = [
    "usr/bin/sealift",
    "usr/share/doc/sealift/copyright",
    "usr/share/man/man1/sealift-bundle.1.gz",
    "usr/share/bash-completion/completions/sealift",
];

/// Compares the files of two runs.
pub(super) fn equal(first: &[PathBuf], second: &[PathBuf]) -> Result<(), Box<dyn Error>> {
    if first.len() != second.len() {
        return Err("two runs wrote different files".into());
    }
    for (one, other) in first.iter().zip(second) {
        if one.file_name() != other.file_name() || fs::read(one)? != fs::read(other)? {
            return Err(format!("{} differs from run to run", one.display()).into());
        }
    }
    Ok(())
}

/// Checks the files in `folder`: their checksums, the archive, and the Debian package, which is installed into an
/// empty folder and run there.
pub(super) fn release(folder: &Path, release: &Release) -> Result<(), Box<dyn Error>> {
    run(Command::new("sha256sum")
        .args(["--check", "--quiet", "SHA256SUMS"])
        .current_dir(folder))?;
    let name = release.name();
    run(Command::new("tar")
        .args(["-xzf", &format!("{name}.tar.gz")])
        .current_dir(folder))?;
    let program = folder.join(&name).join("sealift");
    let version = run(Command::new(program).arg("--version"))?;
    if version.trim() != format!("sealift {}", release.version) {
        return Err(format!("the program calls itself {version:?}").into());
    }
    let deb = release.deb_name().ok_or("there is no Debian package")?;
    let system = install(folder, &deb)?;
    for path in EXPECTED {
        if !system.join(path).is_file() {
            return Err(format!("{deb} does not contain {path}").into());
        }
    }
    let version = run(Command::new("unshare")
        .args(["--map-root-user", "chroot"])
        .arg(&system)
        .args(["/usr/bin/sealift", "--version"]))?;
    println!(
        "{deb} installs, and in a system without anything else it runs: {}",
        version.trim()
    );
    Ok(())
}

/// Installs the package with dpkg into a system that consists of nothing but dpkg's own state.
fn install(folder: &Path, deb: &str) -> Result<PathBuf, Box<dyn Error>> {
    let system = folder.join("system");
    for name in ["var/lib/dpkg/info", "var/lib/dpkg/updates"] {
        fs::create_dir_all(system.join(name))?;
    }
    fs::write(system.join("var/lib/dpkg/status"), "")?;
    run(Command::new("dpkg")
        .arg(format!("--root={}", system.display()))
        .args(["--force-not-root", "--log=/dev/null", "--install"])
        .arg(folder.join(deb)))?;
    Ok(system)
}

fn run(command: &mut Command) -> Result<String, Box<dyn Error>> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|error| format!("{name} does not start: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr)).into())
}
