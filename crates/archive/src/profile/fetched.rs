//! What was fetched of a bundle: a plain file without the blobs that bases have, or with a sample of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use sealift_oci::Digest;

use crate::bases::BaseFile;
use crate::bundle::{Bundle, OpenError, open_regular};
use crate::contents::Contents;
use crate::profile::SharedBlobs;
use crate::resources::Resources;
use crate::store::{BaseStores, BundleFile, LeaningStore, ReadAt};

/// The bundle with `contents` whose blobs are in the plain file at `location`, but those that `bases` have.
/// Blobs of bases that are only a record cannot be read.
///
/// # Errors
/// If the file cannot be opened, or does not contain every blob that is in `contents` and in none of the `bases`.
pub fn open_fetched(
    location: &Path,
    contents: &Contents,
    bases: &[BaseFile],
    resources: &Resources,
) -> Result<Bundle, OpenError> {
    let name = location.display().to_string();
    let file = open_regular(location).map_err(|source| OpenError::Io {
        name: name.clone(),
        source,
    })?;
    let shared = SharedBlobs::of(contents.record(), bases);
    let stores = bases.iter().filter_map(BaseFile::named_store);
    let needed = BaseStores::new(shared.needed()).with(stores);
    let left_out = shared.into_sizes();
    let bundle = leaning(
        Arc::new(file),
        contents,
        name,
        (left_out, needed),
        resources,
    )?;
    Ok(bundle.with_scratch(resources.scratch.clone()))
}

/// The bundle with `contents` of which the plain `file` has all manifests and some blobs: only these can be read. Errors
/// call it `name`.
///
/// # Errors
/// If `file` is not a bundle, or the manifests in it are not what `contents` list.
pub fn open_sampled(
    file: Arc<dyn ReadAt>,
    contents: &Contents,
    has: impl Fn(&Digest) -> bool,
    name: impl Into<String>,
    resources: &Resources,
) -> Result<Bundle, OpenError> {
    let blobs = contents.record().blobs.iter();
    let absent = blobs.filter(|blob| !has(&blob.digest));
    let left_out = absent.map(|blob| (blob.digest, blob.size)).collect();
    let left_out = (left_out, BaseStores::default());
    leaning(file, contents, name.into(), left_out, resources)
}

/// The bundle with `contents` whose blobs are in `file`, but those that are left out, which are in other stores.
fn leaning(
    file: Arc<dyn ReadAt>,
    contents: &Contents,
    name: String,
    (left_out, others): (BTreeMap<Digest, u64>, BaseStores),
    resources: &Resources,
) -> Result<Bundle, OpenError> {
    let file = BundleFile::read(file, resources).map_err(|fault| OpenError::Fault {
        name: name.clone(),
        fault,
    })?;
    let store = LeaningStore::new(file.store.blobs(), Arc::new(left_out), others);
    Bundle::from_store(contents.clone(), Arc::new(store), name)
}
