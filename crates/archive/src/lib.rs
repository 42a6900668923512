//! The bundle: one tar file that is an OCI image layout, laid out before the first blob arrives and read
//! without unpacking. `docs/format.md` describes it for a second implementation.
//!
//! - [`Record`] says what a bundle carries; its digest is the bundle's [`Identity`].
//! - [`Layout`] gives every entry its offset; it follows from the record alone.
//! - [`Writer`] writes blobs at their offsets from many threads and survives interruption;
//!   [`StreamWriter`] writes the same bytes in order, to a pipe or to a file ([`OutputPlace`] says when).
//! - [`open_source`] reads images that are on disk already; [`carry`] makes an artifact of a file or folder.
//! - [`Bundle`] opens what was written and trusts nothing; [`verify`] reads it all; [`plan_extract`] writes
//!   carried files out.

mod bundle;
mod disk;
mod error;
mod files;
mod header;
mod index;
mod inspect;
mod journal;
mod layout;
mod ordered;
mod output;
mod placement;
mod read_at;
mod record;
mod scan;
mod source;
mod stream;
mod verify;
mod writer;

pub use bundle::{BlobReader, Bundle, OpenError};
pub use error::{Fault, WriteError};
pub use files::{
    CARRIED_REGISTRY, CARRIED_TYPE, CarriedBlob, CarriedFile, CarryError, CarryOptions,
    ExtractError, ExtractItem, ExtractPlan, ExtractRequest, Extracted, NameFault, carry,
    plan_extract,
};
pub use inspect::{
    InspectedFile, InspectedImage, InspectedPlatform, InspectedReferrer, Inspection, inspect,
};
pub use journal::{Journal, JournalError, SavedState};
pub use layout::{Entry, EntryContent, Extent, Layout, LayoutError};
pub use ordered::OrderedFile;
pub use output::OutputPlace;
pub use placement::{Collision, Placed, Placement, PlacementError, Placements, place, place_all};
pub use read_at::ReadAt;
pub use record::{
    BlobEntry, FileEntry, FileKind, Found, Identity, ImageEntry, ImageSource, PlainDescriptor,
    PlatformEntry, Record, RecordError, ReferrerEntry,
};
pub use source::{LocalSource, SourceError, SourceImage, SourceName, SourceReferrer, open_source};
pub use stream::StreamWriter;
pub use verify::{Problem, VerifyReport, verify};
pub use writer::{BlobSink, BlobState, Finished, Writer};
