//! What a load is about to do, as a value.

mod ask;
mod bases;
mod build;
mod value;

pub(crate) use ask::Registry;
pub use build::plan;
pub(crate) use build::stands_for;
pub use value::{
    BlobAction, BlobPlace, Plan, PlannedBaseBlob, PlannedBlob, PlannedManifest, PlannedReferrers,
    PlannedTag, TagAction, Totals,
};
