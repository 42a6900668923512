//! Calico behind a private registry: where its operator looks for images, the proof that `load` writes them
//! there, and the files to apply.

mod checklist;
mod compose;
mod error;
mod folder;
mod helm;
mod imageset;
mod install;
mod installation;
mod manifest;
mod plan;
mod pull_secret;
mod readme;
mod release;
mod request;
mod steps;
mod target;

pub use compose::{Composition, Fields, compose};
pub use error::{CalicoError, CredentialsError};
pub use helm::{HelmEra, HelmValues, helm_values};
pub use imageset::{ImageSet, image_set, image_set_names};
pub use install::{Install, InstallationKind};
pub use installation::installation;
pub use manifest::Manifest;
pub use plan::{ApplyFiles, apply_files};
pub use pull_secret::{PullSecret, pull_secret_manifest};
pub use release::{Contents, contents, release_of};
pub use request::ApplyRequest;
pub use target::{Proof, ProofRow, ProvedBy, Target, prove};
