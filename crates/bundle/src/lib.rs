//! The connected side: from a [`Request`] to one file.
//!
//! - [`resolve`] queries registries, reads local sources and creates a [`Plan`]: every manifest was read and
//!   checked, every blob has its origins, nothing was written.
//! - [`resume`] returns the plan that an interrupted run of the same request left; it requests nothing.
//! - [`status`] tells what is there already and whether the rest fits.
//! - [`estimate`] fetches a sample and estimates the size of a compact bundle or a delta.
//! - [`execute`] fetches the blobs and writes the file, or the same bytes as a stream.

mod charts;
mod context;
mod error;
mod execute;
mod mirrors;
mod plan;
mod request;
mod resolve;
mod sources;
mod spool;
mod stamp;
mod status;

pub use charts::{ChartError, PulledChart, download_chart, pull_chart};
pub use context::Context;
pub use error::{BlobFailure, BundleError, FetchError, ImageFailure, Pointer, ResolveError};
pub use execute::compact::fetched;
pub use execute::sample::{PlanEstimate, estimate};
pub use execute::{Output, Report, execute};
pub use mirrors::{
    BlockedError, FileLocation, MirrorRule, MirrorRuleError, Mirrors, RegistriesConfError,
};
pub use plan::{LeftOut, OmittedImage, Plan, PlannedFile, PlannedImage, PlannedReferrer, Summary};
pub use request::{FileRequest, LocalRequest, Request};
pub use resolve::resolve;
pub use status::{Earlier, Status, resume, status};
