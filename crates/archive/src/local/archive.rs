//! Opens what is at a path by what is in it.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::bundle::{Bundle, OpenError};
use crate::contents::ImageSource;
use crate::local::agreement::check_agreement;
use crate::local::docker;
use crate::local::error::LocalError;
use crate::local::images::LocalImages;
use crate::local::layout::{self, LayoutFiles};
use crate::local::read::{Entry, MAX_INDEX_BYTES};
use crate::reading::Reading;
use crate::store::ExtentStore;
use crate::store::FolderStore;
use crate::store::ReadAt;
use crate::store::Store;
use crate::store::tar::{Contents, contents};

/// Opens what is at `path`: a bundle, a folder with a layout in it, or an archive of any kind. Layers that a
/// `docker save` archive compresses are hashed now, since nothing names their digests.
///
/// # Errors
/// If it is none of these, or is corrupt.
pub fn open_local(path: &Path, reading: &Reading) -> Result<LocalImages, LocalError> {
    let name = path.display().to_string();
    let fault = |source| LocalError::Io {
        path: name.clone(),
        source,
    };
    let metadata = fs::metadata(path).map_err(fault)?;
    if metadata.is_dir() {
        let folder = FolderStore::new(path);
        let file = |name: &str| {
            Ok(folder
                .file(name)?
                .map(|(file, size)| Entry::whole(file, size)))
        };
        let files = LayoutFiles::read(&name, &file)?;
        return layout::open(name, ImageSource::Layout, files, Arc::new(folder));
    }
    if !metadata.is_file() {
        return Err(fault(io::Error::other("not a regular file or a folder")));
    }
    open_tar(File::open(path).map_err(fault)?, name, reading)
}

/// Opens a tar. The OCI part counts where there is one, since only it has manifests; what a `docker save`
/// index says beside it has to agree.
fn open_tar(file: File, name: String, reading: &Reading) -> Result<LocalImages, LocalError> {
    let file: Arc<dyn ReadAt> = Arc::new(file);
    refuse_compressed(&*file, &name)?;
    let found = contents(&*file).map_err(|fault| LocalError::Fault {
        path: name.clone(),
        fault,
    })?;
    let contains = |entry: &str| found.files.contains_key(entry);
    if contains("index.json") && contains("oci-layout") {
        return open_layout(file, name, found, reading);
    }
    if contains("manifest.json") {
        return docker::open(name, file, &found);
    }
    Err(LocalError::NoImages {
        what: if contains("index.json") {
            "it has an index.json but no oci-layout (write it again with skopeo, podman or docker)"
        } else if contains("repositories") {
            "it is of the kind that docker wrote before 1.10 (docker load and docker save it again)"
        } else {
            "it contains neither index.json and oci-layout (an OCI layout) nor manifest.json (docker save)"
        },
        path: name,
    })
}

fn open_layout(
    file: Arc<dyn ReadAt>,
    name: String,
    found: Contents,
    reading: &Reading,
) -> Result<LocalImages, LocalError> {
    let entry = |entry: &str| {
        let extent = found.files.get(entry).copied();
        Ok(extent.map(|extent| Entry::part(Arc::clone(&file), extent)))
    };
    let files = LayoutFiles::read(&name, &entry)?;
    if files.is_compact_bundle() {
        let bundle =
            Bundle::from_reader(file, name.clone(), reading).map_err(|error| match error {
                OpenError::Fault { name: path, fault } => LocalError::Fault { path, fault },
                OpenError::Io { name: path, source } => LocalError::Io { path, source },
                OpenError::Chain(chain) => LocalError::Chain(chain),
                error => LocalError::Open(error),
            })?;
        bundle.check_readable(bundle.sizes().map(|(digest, _)| digest))?;
        let record = bundle.record().clone();
        return Ok(layout::of_record(name, record, bundle.shared_store()));
    }
    let listed = match found.files.get("manifest.json") {
        Some(extent) if !files.is_bundle() => {
            let place = Entry::part(Arc::clone(&file), *extent);
            Some(docker::listed(&name, &place, MAX_INDEX_BYTES)?)
        }
        _ => None,
    };
    let store: Arc<dyn Store> = Arc::new(ExtentStore::new(file, found.blobs.clone()));
    let images = layout::open(name, ImageSource::Layout, files, store)?;
    if let Some(listed) = listed {
        check_agreement(&images, &listed)?;
    }
    Ok(images)
}

/// What compressed files begin with.
const COMPRESSED: [(&[u8], &str); 4] = [
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
];

fn refuse_compressed(file: &dyn ReadAt, name: &str) -> Result<(), LocalError> {
    let mut start = [0; 6];
    let read = file
        .read_at(&mut start, 0)
        .map_err(|source| LocalError::Io {
            path: name.to_owned(),
            source,
        })?;
    let start = &start[..read];
    match COMPRESSED
        .iter()
        .find(|(magic, _)| start.starts_with(magic))
    {
        Some((_, program)) => Err(LocalError::Compressed {
            path: name.to_owned(),
            program,
        }),
        None => Ok(()),
    }
}
