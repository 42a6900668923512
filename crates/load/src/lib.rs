//! The disconnected side: what is in a bundle goes into a registry, with every digest unchanged.
//!
//! [`plan`] asks the registry what it contains and decides about every blob, manifest and tag; nothing is
//! written. [`execute`] does what the plan says: blobs, then manifests by digest, children first, then
//! a look at what the registry stored, then all tags together. What it did is a [`Receipt`].
//!
//! [`check`] asks at a later date whether all of it is still there and equal.
//!
//! A damaged bundle changes nothing that a client of the registry can see: blobs without a manifest and
//! manifests without a tag are not found by name, and the same command goes on from them.

mod base;
mod check;
mod context;
mod earlier;
mod error;
mod execute;
mod graph;
mod loaded;
mod name;
mod plan;
mod prune;
mod receipt;
mod repository;
mod request;
mod select;
mod sessions;
mod tag;

pub use base::BaseError;
pub use check::{
    CheckReport, CheckTotals, CheckedObject, Difference, Expected, ExpectedName, Problem, check,
};
pub use context::Context;
pub use earlier::{EarlierReceipt, OtherReceipt};
pub use error::{AbsentAtDestination, ForeignLayer, LoadError, PartlyMoved};
pub use execute::execute;
pub use loaded::{Loaded, LoadedImage, ReceiptError};
pub use name::{NameKind, PlannedName};
pub use plan::{
    BlobAction, BlobPlace, Plan, PlannedBaseBlob, PlannedBlob, PlannedManifest, PlannedReferrers,
    PlannedTag, TagAction, Totals, plan,
};
pub use prune::{
    NotPruned, OldTag, OldTagState, PruneError, PrunePlan, PruneReceipts, Pruned, ReceiptTags,
    plan_prune, prune,
};
pub use receipt::{
    Failed, ManifestReceipt, PlacedBlob, Receipt, ReceiptTotals, TagReceipt, Verified,
};
pub use repository::RepositoryName;
pub use request::{PublisherIndex, Request};
pub use sessions::SessionFile;
pub use tag::{Moved, TagConflict};
