//! The connected shore: from a [`Request`] to one file.
//!
//! - [`resolve`] asks registries and reads local sources, and makes a [`Plan`]: every manifest is here and
//!   checked, every blob has its place in the file, nothing was written.
//! - [`resume`] gives the plan that an interrupted run of the same request left; it asks nobody anything.
//! - [`status`] says what is there already and whether the rest has room.
//! - [`execute`] fetches the blobs and writes the file, or the same bytes as a stream.

mod context;
mod error;
mod execute;
mod output;
mod plan;
mod request;
mod resolve;
mod sources;
mod spool;
mod status;
mod tree;

pub use context::Context;
pub use error::{BlobFailure, BundleError, FetchError, ImageFailure, Pointer, ResolveError};
pub use execute::{Report, Target, execute};
pub use output::OutputFile;
pub use plan::{LeftOut, Plan, PlannedFile, PlannedImage, PlannedReferrer, Summary};
pub use request::{FileRequest, LocalRequest, Request};
pub use resolve::resolve;
pub use status::{Earlier, Status, resume, status};
