//! What people read before they accept a bundle.
//!
//! [`diff`] lists what differs between two bundles: images, layers, files, packages. [`Facts::gather`] lists what one
//! bundle contains, and [`page`] writes that as one HTML page. Layers are read as streams through
//! `sealift-inventory`, each once as far as memory allows; every byte is compared with its digest on the way.

mod config;
mod diff;
mod error;
mod facts;
mod layers;
mod page;
mod platforms;
mod treemap;
mod units;

pub use diff::{
    Attached, BundleDiff, CarriedChange, Change, ImageDiff, LayerChanges, PlatformDiff, Side, diff,
};
pub use error::ReportError;
pub use facts::{Facts, ImageFacts, LayerFacts, OmittedFact, PlatformFacts};
pub use layers::{Contents, UnreadLayer};
pub use page::page;
pub use units::{bytes, count};
