//! The program, built the way users get it: optimised, and statically linked on Linux.

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::workspace::root;

/// Links the C library into the program, so that it needs nothing of the system that it runs on. The file keeps
/// its line tables; `dist` takes them out.
const STATIC: &[&str] = &["-Ctarget-feature=+crt-static", "-Cstrip=none"];

/// Cargo, as it called this program.
pub(crate) fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Builds `sealift` for demonstrations and measurements and returns its path. Only the last step is done with
/// flags of its own, so that everything else is shared with the build of this program.
pub(crate) fn sealift() -> Result<PathBuf, Box<dyn Error>> {
    let mut command = Command::new(cargo());
    command.args([
        "rustc",
        "--release",
        "--locked",
        "-p",
        "sealift",
        "--bin",
        "sealift",
        "--",
    ]);
    run(command.args(STATIC), &root())?;
    Ok(target_folder()?.join("release").join("sealift"))
}

/// Builds `sealift` for a release from the checkout at `root`: for `target`, below `folder`, and without a path of this
/// machine in it.
pub(crate) fn release(root: &Path, target: &str, folder: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")))
        .ok_or("neither CARGO_HOME nor HOME is set")?;
    // The last rule that fits a path counts.
    let moved = [
        (root, "/sealift"),
        (folder, "/sealift/target"),
        (home.as_path(), "/cargo"),
    ]
    .map(|(from, to)| format!("{}={to}", from.display()));
    let flags = STATIC.iter().map(|flag| (*flag).to_owned());
    let rust = flags.chain(
        moved
            .iter()
            .map(|rule| format!("--remap-path-prefix={rule}")),
    );
    let c = moved.iter().map(|rule| format!("-ffile-prefix-map={rule}"));
    let mut command = Command::new(cargo());
    command
        .args([
            "build",
            "--release",
            "--locked",
            "-p",
            "sealift",
            "--target",
            target,
        ])
        .arg("--target-dir")
        .arg(folder)
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            rust.collect::<Vec<_>>().join("\u{1f}"),
        )
        .env("CFLAGS", c.collect::<Vec<_>>().join(" "));
    run(&mut command, root)?;
    Ok(folder.join(target).join("release").join("sealift"))
}

/// The folder that cargo builds into.
pub(crate) fn target_folder() -> Result<PathBuf, Box<dyn Error>> {
    let own = env::current_exe()?;
    let target = own.parent().and_then(Path::parent);
    Ok(target
        .ok_or("xtask does not lie in a target folder")?
        .to_owned())
}

fn run(command: &mut Command, root: &Path) -> Result<(), Box<dyn Error>> {
    if command.current_dir(root).status()?.success() {
        return Ok(());
    }
    Err("sealift does not build".into())
}
