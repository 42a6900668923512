//! Sets as bundles, and what the program takes to write, verify and load them.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sealift_oci::{Descriptor, Digest, media_type};
use sealift_testkit::real::RealRegistry;
use serde_json::json;

use super::measure::Spent;
use super::sets::{Layer, Set};
use crate::clock::Times;
use crate::trial::program;

/// No run takes longer.
const LIMIT: Duration = Duration::from_secs(4 * 3600);

/// What one run of the program took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) spent: Spent,
    /// Resident memory at most, in MiB.
    pub(crate) memory: u64,
}

/// The program, and a folder for bundles and temporary data.
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) folder: PathBuf,
}

impl Program {
    /// Runs the program in its folder.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<Run, Box<dyn Error>> {
        let before = Times::now()?;
        let mut command = program::command(&self.path, &self.folder, arguments);
        let ended = program::run(&mut command, LIMIT)?;
        ended.succeeded()?;
        let spent = Spent {
            processor: before.since()?.children,
            clock: ended.took,
        };
        let memory = ended.memory;
        Ok(Run { spent, memory })
    }

    /// Writes `plain.tar`, a plain bundle of a set: each layer is an image.
    pub(crate) fn bundle(&self, set: &Set) -> Result<(), Box<dyn Error>> {
        let layout = self.folder.join("layout");
        write_layout(&layout, set)?;
        let list = "layout=bench";
        self.run(&["bundle", "--from", list, "-o", "plain.tar", "--force"])?;
        Ok(fs::remove_dir_all(layout)?)
    }

    /// Writes `compact.tar`, the compact bundle of the plain one.
    pub(crate) fn compact(&self) -> Result<Run, Box<dyn Error>> {
        self.run(&["compact", "plain.tar", "-o", "compact.tar", "--force"])
    }

    /// Rebuilds every blob of the compact bundle.
    pub(crate) fn verify(&self) -> Result<Run, Box<dyn Error>> {
        self.run(&["verify", "compact.tar", "--deep"])
    }

    /// Loads the compact bundle into an empty registry on loopback, whose processor time is the second value.
    pub(crate) fn load(&self) -> Result<(Run, Duration), Box<dyn Error>> {
        let registry = RealRegistry::distribution2().ok_or("docker-registry is not installed")?;
        let run = self.run(&["load", "compact.tar", &registry.host()])?;
        let before = Times::now()?;
        // It is waited for, so that its time counts from here on.
        drop(registry);
        Ok((run, before.since()?.children))
    }
}

/// An OCI layout in which each layer of a set is an image.
fn write_layout(layout: &Path, set: &Set) -> Result<(), Box<dyn Error>> {
    let blobs = layout.join("blobs/sha256");
    let _ = fs::remove_dir_all(layout);
    fs::create_dir_all(&blobs)?;
    let write = |bytes: &[u8]| -> Result<(), Box<dyn Error>> {
        Ok(fs::write(blobs.join(Digest::sha256(bytes).hex()), bytes)?)
    };
    let mut images = Vec::new();
    for (number, layer) in set.layers.iter().enumerate() {
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "config": { "Labels": { "number": number.to_string() } },
            "rootfs": { "type": "layers", "diff_ids": [] },
        });
        let config = config.to_string().into_bytes();
        write(&config)?;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_MANIFEST,
            "config": Descriptor::of(media_type::OCI_CONFIG, &config),
            "layers": [place(layer, &blobs)?],
        });
        let manifest = manifest.to_string().into_bytes();
        write(&manifest)?;
        let mut image = serde_json::to_value(Descriptor::of(media_type::OCI_MANIFEST, &manifest))?;
        let name = json!({ "org.opencontainers.image.ref.name": format!("v{number}") });
        image["annotations"] = name;
        images.push(image);
    }
    let index = json!({ "schemaVersion": 2, "manifests": images });
    fs::write(layout.join("index.json"), index.to_string())?;
    let version = json!({ "imageLayoutVersion": "1.0.0" });
    Ok(fs::write(layout.join("oci-layout"), version.to_string())?)
}

/// Links a layer into the folder of blobs; its descriptor.
fn place(layer: &Layer, blobs: &Path) -> Result<Descriptor, Box<dyn Error>> {
    let bytes = fs::read(&layer.gzip)?;
    let digest = Digest::sha256(&bytes);
    fs::hard_link(&layer.gzip, blobs.join(digest.hex()))?;
    let size = bytes.len() as u64;
    Ok(Descriptor::new(media_type::OCI_LAYER_GZIP, digest, size))
}
