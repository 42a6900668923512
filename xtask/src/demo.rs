//! `cargo xtask demo`: the main job, seen on one machine with Rust alone.

mod calico;
mod content;
pub(crate) mod proof;
mod update;

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use sealift_testkit::Registry;

use crate::binary::sealift;
use content::Content;
use proof::Row;

/// The bundle of the first release.
const BUNDLE: &str = "demo.tar";
/// The path below which everything goes at the destination.
const PATH: &str = "mirror";

/// Carries a set of images from one registry to another and proves that they arrived.
pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    let sealift = sealift()?;
    let folder = tempfile::tempdir()?;
    let (source, destination) = (Registry::start(), Registry::start());
    let content = content::fill(&source, &content::FIRST);
    println!(
        "Two registries on loopback: {} and {}.",
        source.host(),
        destination.host()
    );
    println!(
        "The first has {} images for several platforms, with shared layers, signatures and an SBOM.",
        content.images.len()
    );
    let demo = Demo {
        sealift,
        folder: folder.path().to_owned(),
        destination: format!("{}/{PATH}", destination.host()),
    };
    demo.commands(&source, &content)?;
    destination.clear_traffic();
    println!("\nThe same once more: everything is there, nothing is sent.");
    demo.load()?;
    let written = destination.traffic().writes().len();
    if written != 0 {
        return Err(format!("the second load wrote {written} times").into());
    }
    prove(&source, &destination, &content)?;
    println!(
        "\nEvery digest is unchanged. The bundle had {} bytes.",
        demo.size(BUNDLE)?
    );
    demo.next_release(&source, &destination, &content)?;
    demo.calico(&destination)
}

struct Demo {
    sealift: PathBuf,
    folder: PathBuf,
    destination: String,
}

impl Demo {
    fn commands(&self, source: &Registry, content: &Content) -> Result<(), Box<dyn Error>> {
        let list = content.list(&source.host());
        fs::write(self.folder.join("images.txt"), list)?;
        self.sealift(&["bundle", "-f", "images.txt", "-o", BUNDLE, "--quiet"])?;
        self.sealift(&["inspect", BUNDLE])?;
        self.sealift(&["verify", BUNDLE, "--quiet"])?;
        self.load()
    }

    fn load(&self) -> Result<(), Box<dyn Error>> {
        let to = self.destination.clone();
        self.sealift(&["load", BUNDLE, &to])
    }

    /// Runs the real program as a person would, its output and all.
    fn sealift(&self, arguments: &[&str]) -> Result<(), Box<dyn Error>> {
        println!("\n$ sealift {}", arguments.join(" "));
        let mut command = Command::new(&self.sealift);
        let status = command.args(arguments).current_dir(&self.folder).status()?;
        if status.success() {
            return Ok(());
        }
        Err(format!("sealift {} ended with {status}", arguments.join(" ")).into())
    }

    /// What the real program prints; its messages go to the terminal.
    fn output(&self, arguments: &[&str]) -> Result<String, Box<dyn Error>> {
        let mut command = Command::new(&self.sealift);
        let command = command.args(arguments).current_dir(&self.folder);
        let output = command.stderr(Stdio::inherit()).output()?;
        if output.status.success() {
            return Ok(String::from_utf8(output.stdout)?);
        }
        Err(format!(
            "sealift {} ended with {}",
            arguments.join(" "),
            output.status
        )
        .into())
    }

    /// The size of a file in bytes.
    fn size(&self, name: &str) -> Result<u64, Box<dyn Error>> {
        Ok(fs::metadata(self.folder.join(name))?.len())
    }
}

/// Compares what both registries serve under every name, and prints the table.
fn prove(
    source: &Registry,
    destination: &Registry,
    content: &Content,
) -> Result<(), Box<dyn Error>> {
    println!("\nFetched from both registries and hashed by this demo's own few lines:\n");
    println!("| name | digest | manifests | blobs | bytes | arrived |");
    println!("|---|---|---|---|---|---|");
    let mut failed = 0;
    for name in content.names() {
        let there = proof::walk(source.address(), &name.repository, &name.selector)?;
        let repository = format!("{PATH}/{}", name.repository);
        let here = proof::walk(destination.address(), &repository, &name.selector);
        let row = Row::new(name.to_string(), there, here.ok().as_ref());
        failed += u32::from(!row.arrived);
        println!("{row}");
    }
    if failed > 0 {
        return Err(format!("{failed} names did not arrive").into());
    }
    Ok(())
}
