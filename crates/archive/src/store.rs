//! How blobs are read back. A [`Store`] knows digests and sizes and opens content; where the bytes are is
//! its own affair, and nobody else's.
//!
//! Ranges of one file (plain bundles, archives), packs, the files of a layout's folder and memory are stores.

mod base;
mod bundle_file;
mod compact;
mod content;
mod extents;
mod folder;
mod leaning;
mod manifests;
mod memory;
mod read_at;
mod scan;
pub(crate) mod tar;
mod tar_blocks;

pub(crate) use base::BaseStores;
pub use base::{AbsentBlob, BaseBlob, NamedStore, absent_blob_of, cause_of};
pub use bundle_file::Profile;
pub(crate) use bundle_file::{BundleFile, DeltaStore, FileStore, MAX_BASES, RecordParts};
pub(crate) use compact::region;
pub use content::{Location, ScratchNeeds, Store, Stored};
pub(crate) use extents::{ExtentReader, ExtentStore};
pub(crate) use folder::FolderStore;
pub(crate) use leaning::LeaningStore;
pub(crate) use manifests::{fault_at, read_graph, read_manifest};
pub use memory::MemoryStore;
pub use read_at::{Extent, ReadAt};
pub use tar::begins_as_tar;
