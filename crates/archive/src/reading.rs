//! Opens bundles with what they may be read with: deltas get the stores of their bases.

use std::path::Path;
use std::sync::Arc;

use crate::bases::Bases;
use crate::bundle::{Bundle, OpenError};
use crate::resources::Resources;
use crate::store::ReadAt;

/// What reading a bundle may use.
#[derive(Clone)]
pub struct Reading {
    /// Threads, memory and scratch space.
    pub resources: Resources,
    /// Bundles that deltas are read with.
    pub bases: Bases,
}

impl From<Resources> for Reading {
    /// Without bases.
    fn from(resources: Resources) -> Self {
        Self {
            resources,
            bases: Bases::default(),
        }
    }
}

impl Bundle {
    /// Opens the bundle at `location`, a path, for reading only. A delta is read with the bases of `reading`.
    ///
    /// # Errors
    /// If there is no regular file, or it is not a bundle, or its metadata is corrupt, or it cannot be read with these
    /// bases.
    pub fn open(location: &Path, reading: &Reading) -> Result<Self, OpenError> {
        Self::open_without_bases(location, &reading.resources)
            .and_then(|bundle| reading.with_bases_of(bundle))
    }

    /// Opens a bundle from anything that can be read at offsets; errors call it `name`.
    ///
    /// # Errors
    /// If it is not a bundle, or its metadata is corrupt, or it cannot be read with these bases.
    pub fn from_reader(
        file: Arc<dyn ReadAt>,
        name: impl Into<String>,
        reading: &Reading,
    ) -> Result<Self, OpenError> {
        Self::read_without_bases(file, name.into(), &reading.resources)
            .and_then(|bundle| reading.with_bases_of(bundle))
    }
}

impl Reading {
    /// `bundle` with the stores of its bases, if it is a delta.
    fn with_bases_of(&self, bundle: Bundle) -> Result<Bundle, OpenError> {
        let Some(delta) = bundle.delta() else {
            return Ok(bundle);
        };
        let (stores, chain) = self.bases.of(&bundle, delta)?;
        Ok(bundle.with_bases(stores, chain))
    }
}
