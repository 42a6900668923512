//! The bundle: one file that is an OCI image layout, written once and read without unpacking.
//! `docs/format.md` describes it for a second implementation.
//!
//! Four questions, four places:
//!
//! - [`Contents`] is what a bundle carries: the [`Record`], its [`Identity`], and, once it is open, the
//!   [`Graph`] of its manifests. It does not know where a byte is.
//! - A [`Store`] is how blobs are read back: a plain bundle, a layout, a `docker save` archive, memory.
//! - A [`Target`] is where bytes go: a file with its lock and journal ([`FileTarget`]), or a stream.
//! - A profile turns contents into what a target is given: [`PlainWriter`] and [`PlainStream`].
//!
//! [`Bundle`] is contents with their store, opened from a location; it trusts nothing. [`verify`] reads all
//! of it, [`inspect`] describes it, [`plan_extract`] writes carried files out. [`open_local`] reads images
//! that are on disk already; [`carry`] creates an artifact from a file or folder.

mod bases;
mod bundle;
mod chain;
mod checksum;
mod contents;
mod delta;
mod fault;
mod files;
mod header;
mod inspect;
#[cfg(test)]
mod interruptions;
mod local;
mod profile;
mod reading;
mod resources;
mod scratch;
mod store;
mod target;
mod verify;

pub use bases::{BaseFile, BaseFiles, Bases, BasesError, RecordFile};
pub use bundle::{BlobReader, Bundle, OpenError};
pub use chain::{ChainError, MAX_CHAIN};
pub use checksum::{ChecksumError, checksum};
pub use contents::{
    Base, BlobEntry, BlobRef, Child, Collision, Contents, DestinationManifest,
    DestinationNameError, Destinations, Discovery, FileEntry, FileKind, Graph, GraphError,
    Identity, ImageEntry, ImageSource, MAX_CONFIG_BYTES, MAX_ENTRIES, MAX_INDEX_DEPTH, Names,
    NeededBy, Node, PlainDescriptor, PlatformEntry, Reach, Record, RecordEntry, RecordError,
    ReferrerEntry, Referring, Role, RuleError, all_destinations, destinations,
};
pub use delta::{AbsentBase, AbsentBases, Delta, Unreadable};
pub use fault::Fault;
pub use files::{
    CARRIED_REGISTRY, CARRIED_TYPE, CarriedBlob, CarriedFile, CarryError, CarryOptions,
    ChartPackage, ChartPackageError, ExtractError, ExtractItem, ExtractPlan, ExtractRequest,
    Extracted, NameFault, Program, carry, plan_extract, programs,
};
pub use inspect::{
    InspectedBase, InspectedDelta, InspectedFile, InspectedImage, InspectedPlatform,
    InspectedReferrer, Inspection, configs, inspect, read_configs,
};
pub use local::{LocalError, LocalImage, LocalImages, LocalName, LocalReferrer, open_local};
pub use profile::{
    BlobState, BlobWriter, ByteRange, CompactOptions, CompactReport, ConvertError, DeltaEstimate,
    DeltaReport, Effort, Entry, EntryContent, KeptBlob, Layout, PlainStream, PlainWriter, Sample,
    SampleEstimate, SecondRange, SharedBlobs, TooLarge, Work, check_packing, compact_plan,
    estimate_packing, open_fetched, open_sampled, record_plan, stream_plain, write_compact,
    write_delta, write_plain, write_record,
};
pub use reading::Reading;
pub use resources::Resources;
pub use scratch::{NoScratch, check_scratch};
pub use store::{AbsentBlob, BaseBlob, NamedStore, absent_blob_of, cause_of};
pub use store::{
    Extent, Location, MemoryStore, Profile, ReadAt, ScratchNeeds, Store, Stored, begins_as_tar,
};
pub use target::{
    FileSystem, FileTarget, Interrupted, LockedFile, LockedOutput, OrderedFile, OutputFile,
    Published, Target, WriteError, Written, open_locked, remove_own,
};
pub use verify::{
    CorruptBlob, VerifyError, VerifyReport, is_content_fault, is_environment_fault, verify,
};
