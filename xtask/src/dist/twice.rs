//! A second build of the program, which has to give the same bytes as the first.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::binary;
use crate::workspace::root;

/// Builds the program again, from a copy of the checkout and in a target folder that are elsewhere, and compares it
/// with `program`.
///
/// # Errors
/// If it does not build, or one byte differs.
pub(super) fn check(program: &Path, target: &str) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let checkout = folder.path().join("another/checkout");
    copy_sources(&root(), &checkout)?;
    let again = binary::release(&checkout, target, &folder.path().join("built"))?;
    let (first, second) = (fs::read(program)?, fs::read(&again)?);
    if first != second {
        let kept = program.with_extension("second");
        fs::write(&kept, &second)?;
        return Err(format!(
            "two builds of the program differ: {} and {}",
            program.display(),
            kept.display()
        )
        .into());
    }
    println!(
        "two builds in different folders gave the same {} bytes",
        first.len()
    );
    Ok(())
}

/// Copies every file that git tracks, as it is in the working tree.
fn copy_sources(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    let listed = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(from)
        .output()?;
    if !listed.status.success() {
        return Err("git does not list the files of the checkout".into());
    }
    for name in String::from_utf8(listed.stdout)?.split_terminator('\0') {
        let path = to.join(name);
        fs::create_dir_all(path.parent().unwrap_or(to))?;
        // A file that was deleted and not committed is not part of the first build either.
        if from.join(name).exists() {
            fs::copy(from.join(name), path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_the_sources_has_what_git_tracks_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a"), folder.path().join("b"));
        fs::create_dir_all(from.join("src")).unwrap();
        fs::write(from.join("src/main.rs"), "new").unwrap();
        fs::write(from.join("untracked"), "").unwrap();
        let git = |arguments: &[&str]| {
            let status = Command::new("git")
                .args(arguments)
                .current_dir(&from)
                .status();
            assert!(status.unwrap().success());
        };
        git(&["init", "--quiet"]);
        git(&["add", "src/main.rs"]);
        copy_sources(&from, &to).unwrap();
        assert_eq!(fs::read(to.join("src/main.rs")).unwrap(), b"new");
        assert!(!to.join("untracked").exists());
    }
}
