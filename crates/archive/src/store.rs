//! How blobs are read back. A [`Store`] knows digests and sizes and opens content; where the bytes are is
//! its own affair, and nobody else's.
//!
//! A plain bundle, a layout in a folder or a tar and a `docker save` archive are stores.

mod base;
mod bundle_file;
mod compact;
mod content;
mod extents;
mod folder;
mod leaning;
pub(crate) mod local;
mod memory;
mod read_at;
mod scan;
mod tar_blocks;

pub(crate) use base::BaseStores;
pub use base::{AbsentBlob, BaseBlob, NamedStore, absent_blob_of, cause_of};
pub use bundle_file::Profile;
pub(crate) use bundle_file::{BundleFile, DeltaStore, FileStore, MAX_BASES, RecordParts};
pub(crate) use compact::region;
pub use content::{Location, Store, Stored};
pub(crate) use leaning::LeaningStore;
pub use memory::MemoryStore;
pub use read_at::{Extent, ReadAt};
