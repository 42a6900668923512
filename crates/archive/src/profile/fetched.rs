//! What was fetched for a delta: a plain file without the blobs that bases have.

use std::path::Path;
use std::sync::Arc;

use crate::bases::BaseFile;
use crate::bundle::{Bundle, OpenError, open_regular};
use crate::contents::Contents;
use crate::profile::SharedBlobs;
use crate::resources::Resources;
use crate::store::{BaseStores, BundleFile, LeaningStore};

/// The bundle with `contents` whose blobs are in the plain file at `location`, but those that `bases` have.
/// Blobs of bases that are only a record cannot be read.
///
/// # Errors
/// If the file cannot be opened, or has not what `contents` list and `bases` have not.
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
    let file = BundleFile::read(Arc::new(file), resources).map_err(|fault| OpenError::Fault {
        name: name.clone(),
        fault,
    })?;
    let shared = SharedBlobs::of(contents.record(), bases);
    let stores = bases.iter().filter_map(BaseFile::named_store);
    let needed = BaseStores::new(shared.needed()).with(stores);
    let left_out = shared.into_sizes();
    let store = LeaningStore::new(file.store.blobs(), Arc::new(left_out), needed);
    let bundle = Bundle::from_store(contents.clone(), Arc::new(store), name)?;
    Ok(bundle.with_scratch(resources.scratch.clone()))
}
