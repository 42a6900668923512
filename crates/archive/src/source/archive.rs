use std::fs::File;
use std::sync::Arc;

use super::layout::LayoutSource;
use super::storage::Archive;
use super::tar::{Contents, contents};
use super::{LocalSource, SourceError, docker};
use crate::read_at::ReadAt;

/// Opens a tar by what is in it: the OCI part where there is one, since it has manifests.
pub(super) fn open(file: File, name: String) -> Result<Box<dyn LocalSource>, SourceError> {
    let file: Arc<dyn ReadAt> = Arc::new(file);
    refuse_compressed(&*file, &name)?;
    let found = contents(&*file).map_err(|fault| SourceError::Fault {
        source_name: name.clone(),
        fault,
    })?;
    let has = |entry: &str| found.files.contains_key(entry);
    if has("index.json") && has("oci-layout") {
        let Contents { files, blobs, .. } = found;
        let storage = Archive { file, files, blobs };
        return Ok(Box::new(LayoutSource::open(name, Box::new(storage))?));
    }
    if has("manifest.json") {
        return Ok(Box::new(docker::DockerArchive::open(name, file, found)?));
    }
    Err(SourceError::NoImages {
        source_name: name,
        what: if has("index.json") {
            "it has an index.json but no oci-layout (write it again with skopeo, podman or docker)"
        } else if has("repositories") {
            "it is of a kind that docker wrote before 1.10 (docker load and docker save it again)"
        } else {
            "neither index.json and oci-layout (an OCI layout) nor manifest.json (docker save) is in it"
        },
    })
}

/// What compressed files begin with.
const COMPRESSED: [(&[u8], &str); 4] = [
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
];

fn refuse_compressed(file: &dyn ReadAt, name: &str) -> Result<(), SourceError> {
    let mut start = [0; 6];
    let read = file
        .read_at(&mut start, 0)
        .map_err(|source| SourceError::Io {
            path: name.to_owned(),
            source,
        })?;
    let start = &start[..read];
    match COMPRESSED
        .iter()
        .find(|(magic, _)| start.starts_with(magic))
    {
        Some((_, program)) => Err(SourceError::Compressed {
            source_name: name.to_owned(),
            program,
        }),
        None => Ok(()),
    }
}
