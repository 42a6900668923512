//! A program that reads bundles, carried in one: where no such program is installed, `tar` gets it out.

use sealift_oci::{Digest, Reference};

use super::{CARRIED_REGISTRY, CarriedFile, PROGRAM_REPOSITORY};
use crate::bundle::Bundle;
use crate::contents::Role;

/// A carried program. Every profile stores its bytes unchanged, as one entry of the tar.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Program {
    /// The name of the file.
    pub name: String,
    /// The name that it is pushed under; its tag is the version and the platform.
    pub reference: Reference,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Its size in bytes.
    pub bytes: u64,
    /// The entry of the bundle that its bytes are in.
    pub entry: String,
}

impl Program {
    fn new(name: &str, reference: &Reference, digest: Digest, bytes: u64) -> Self {
        Self {
            name: name.to_owned(),
            reference: reference.clone(),
            digest,
            bytes,
            entry: digest.blob_path(),
        }
    }

    /// The program that `file` is; `None` for all other files.
    pub fn of(file: &CarriedFile) -> Option<Self> {
        let content = file.blobs.iter().find(|blob| !blob.config)?;
        let descriptor = &content.descriptor;
        is_program(&file.entry.reference).then(|| {
            let (digest, size) = (descriptor.digest, descriptor.size);
            Self::new(&file.entry.name, &file.entry.reference, digest, size)
        })
    }
}

/// The programs that `bundle` carries, by name.
pub fn programs(bundle: &Bundle) -> Vec<Program> {
    let files = bundle.record().files.iter();
    let programs = files.filter(|file| is_program(&file.reference));
    programs
        .filter_map(|file| {
            let manifest = bundle.graph().get(&file.descriptor.digest)?;
            let content = manifest
                .blobs
                .iter()
                .find(|blob| blob.role == Role::Layer)?;
            Some(Program::new(
                &file.name,
                &file.reference,
                content.digest,
                content.size,
            ))
        })
        .collect()
}

fn is_program(reference: &Reference) -> bool {
    reference.registry() == CARRIED_REGISTRY && reference.repository() == PROGRAM_REPOSITORY
}
