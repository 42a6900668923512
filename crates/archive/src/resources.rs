//! What work on a bundle may use.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use sealift_pack::{Scratch, Storage};
use sealift_pipeline::{Budget, Cancel};

/// What reading a bundle's file may use. A plain bundle needs none of it; a compact one is decoded on the
/// budget's threads into scratch space.
#[derive(Clone)]
pub struct Resources {
    /// Threads and memory.
    pub budget: Budget,
    /// The folder for scratch space. Files there have no name and are gone when the bundle is closed.
    pub scratch: PathBuf,
    /// Stops the work.
    pub cancel: Cancel,
}

/// Scratch space in a folder.
#[derive(Debug)]
pub(crate) struct ScratchFolder(pub(crate) PathBuf);

impl Scratch for ScratchFolder {
    fn create(&self) -> io::Result<Arc<dyn Storage>> {
        let file: File = tempfile::tempfile_in(&self.0).map_err(|error| {
            let message = format!("no scratch space in {}: {error}", self.0.display());
            io::Error::new(error.kind(), message)
        })?;
        Ok(Arc::new(file))
    }
}
