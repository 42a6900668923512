//! How contents become the bytes that a target is given.
//!
//! The plain profile keeps every blob as its registry served it. Everything about its file is known before
//! the first blob arrives ([`Layout`]), so blobs are written at their offsets by many threads
//! ([`PlainWriter`]), or in order as a stream ([`PlainStream`]).
//!
//! The compact profile stores what is inside of the blobs in packs ([`write_compact`]). Its file is written in
//! order, since the size of a pack is known when it is built.

mod compact;
mod error;
mod export;
mod fetched;
mod layout;
mod record;
mod stream;
mod tar_writer;
mod writer;

pub use compact::{
    ByteRange, CompactOptions, CompactReport, DeltaEstimate, DeltaReport, Effort, KeptBlob, Sample,
    SampleEstimate, SecondRange, SharedBlobs, check_packing, compact_plan, estimate_packing,
    write_compact, write_delta,
};
pub use error::ConvertError;
pub use export::{Work, stream_plain, write_plain};
pub use fetched::{open_fetched, open_sampled};
pub use layout::{Entry, EntryContent, Layout, TooLarge};
pub use record::{record_plan, write_record};
pub use stream::PlainStream;
pub use writer::{BlobState, BlobWriter, PlainWriter};
