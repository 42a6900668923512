//! Packs: blobs of a registry stored opened, related to each other and compressed, and rebuilt bit for
//! bit.
//!
//! A layer arrives gzipped, so that compressing it again gains nothing, and another gzip would have
//! another digest. A pack stores what is inside, once for all layers, and a recipe of a few bytes that
//! makes the registry's gzip again (crate regzip).
//!
//! Building has three steps, each a value that the next one takes:
//!
//! 1. [`survey`] finds out how each blob can be rebuilt, and what it is like;
//! 2. [`plan`] clusters the blobs into packs of limited opened size, alike ones together;
//! 3. [`build`] opens the blobs of one pack, stores equal files once and similar ones as differences
//!    (crate relate), compresses, and rebuilds every blob from the result to prove it.
//!
//! A pack can lean on blobs that its reader has already, its bases: [`summarize`] looks into those, [`plan`] gives each
//! pack the bases that are near its blobs, and [`build`] stores what is new. Where the bytes of a base are absent,
//! [`Base::recorded`] makes one of its [`Summary`], by which equal files are found.
//!
//! Reading: [`Pack::open`] checks the head and the index and reads nothing else ([`Pack::read_from`] takes a pack
//! from a pipe); [`Pack::decode`] puts the
//! streams on scratch space; [`DecodedPack::read_bases`] reads the base blobs that some blobs need;
//! [`DecodedPack::open`] rebuilds a blob from any offset.
//!
//! The crate knows no bundle, no command line and no network: blobs come from a [`Source`], scratch space
//! from a [`Scratch`], packs are read from a [`ReadAt`]. `docs/format-packs.md` describes the format.

mod arrange;
mod bases;
mod build;
mod candidates;
mod class;
mod compress;
mod copies;
mod cost;
mod decode;
mod error;
mod format;
mod gate;
mod leaning;
mod map;
mod mix;
mod needs;
mod old;
mod open;
mod options;
mod parts;
mod path;
mod plan;
mod python;
mod read;
mod relating;
mod report;
mod sketch;
mod source;
mod spool;
mod storage;
mod summary;
mod survey;
mod tar;

pub use bases::{Base, NoBases, summarize};
pub use build::{Built, build};
pub use cost::BlobCost;
pub use decode::{BlobContent, DecodedPack, Needed};
pub use error::{Error, Part, Result, is_scratch_fault};
pub use options::{Account, Effort, Limits, Options};
pub use plan::{PackPlan, Plan, plan};
pub use read::Pack;
pub use regzip::Workers;
pub use report::{KeptStream, NoWatcher, Reason, Report, Step, StreamReport, Watcher};
pub use source::{Blob, Source};
pub use storage::{MemoryScratch, ReadAt, Scratch, Storage};
pub use summary::Summary;
pub use survey::{Survey, Surveyed, survey};
