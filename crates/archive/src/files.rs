//! Files and folders that ride along: as OCI artifacts into a bundle, and out of it again.
//!
//! A file is an artifact of one layer, its bytes. A folder is one layer too: a tar made the same way every
//! time ([`carry`] says how). A Helm chart is what `helm push` makes of it, so that `helm pull` finds it.
//! [`plan_extract`] writes them out under names that were checked, with no link and nothing outside the
//! folder that was asked for.

mod carry;
mod chart;
mod chart_package;
mod extract;
mod folder;
mod name;
mod program;
mod unpack;
mod write;

pub use carry::{CarriedBlob, CarriedFile, CarryError, CarryOptions, carry};
pub use chart_package::{ChartPackage, ChartPackageError};
pub use extract::{
    ExtractError, ExtractItem, ExtractPlan, ExtractRequest, Extracted, plan_extract,
};
pub use name::NameFault;
pub use program::{Program, programs};

/// The registry in the references of carried files. No such host can exist (RFC 6761), so that nothing
/// is ever taken for having come from there; at a destination the naming rules replace it.
pub const CARRIED_REGISTRY: &str = "sealift.invalid";

/// The artifact type of a carried file or folder.
pub const CARRIED_TYPE: &str = "application/vnd.sealift.carried.v1";

/// The media type of a carried file's bytes.
const FILE_LAYER: &str = "application/octet-stream";

/// The media type of a carried program that reads bundles.
const PROGRAM_LAYER: &str = "application/vnd.sealift.program.v1";

/// The repository in the reference of a carried program that reads bundles.
const PROGRAM_REPOSITORY: &str = "sealift/program";

/// The annotation of a layer whose file is executable; its value is `true`.
const EXECUTABLE: &str = "dev.sealift.executable";

/// How many folders may lie in each other, in a carried folder.
const MAX_DEPTH: usize = 64;

/// The most entries of one folder.
const MAX_ENTRIES: usize = 1_000_000;
