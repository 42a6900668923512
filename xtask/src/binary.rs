//! The program under measurement and demonstration, built the way users get it.

use std::env;
use std::error::Error;
use std::path::PathBuf;
use std::process::Command;

/// Builds `sealift` in release mode and returns its path.
pub(crate) fn sealift() -> Result<PathBuf, Box<dyn Error>> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--release", "--locked", "-p", "sealift"])
        .status()?;
    if !built.success() {
        return Err("sealift does not build".into());
    }
    let own = env::current_exe()?;
    let target = own.parent().and_then(|profile| profile.parent());
    let target = target.ok_or("xtask does not lie in a target folder")?;
    Ok(target.join("release").join("sealift"))
}
