//! `cargo xtask docs`: pages that are made from the program. The tests that compare those pages with the program
//! write them when they are told to, so that there is one description of what is in them.

use std::error::Error;
use std::process::Command;

use crate::binary::cargo;
use crate::workspace::root;

/// Writes the pages.
pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    let written = Command::new(cargo())
        .args([
            "test",
            "--locked",
            "-p",
            "sealift",
            "--test",
            "e2e",
            "reference::",
        ])
        .env("SEALIFT_WRITE_DOCS", "1")
        .current_dir(root())
        .status()?;
    if written.success() {
        return Ok(());
    }
    Err("the pages could not be written".into())
}
