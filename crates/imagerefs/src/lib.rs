//! Finds container image references in text and says exactly where they are.
//!
//! [`find`] reads image lists (plain text, one reference a line), hauler `Images` and imgpkg `ImagesLock`
//! documents, Kubernetes manifests of many documents and Helm values files. [`plan_rewrite`] puts other
//! references in their place; [`plan_pull_secret`] puts a pull secret in, [`plan_spec_fields`] the fields of a
//! custom resource. Nothing is ever serialised again: what was found is a byte span of the original text,
//! and what changes is that span alone.
//!
//! The crate reads no file, prints nothing and knows no environment.

mod check;
mod compose;
mod diff;
mod edit;
mod encoding;
mod error;
mod fields;
mod find;
mod form;
mod free;
mod helm;
mod inner;
mod list;
mod lists;
mod occurrence;
mod pins;
mod pod;
mod relocate;
mod report;
mod rewrite;
mod scalar;
mod secret;
mod settings;
mod stored;
mod text;
mod tree;
mod walk;

pub use check::{Placeholder, check};
pub use diff::unified_diff;
pub use edit::{Edit, RewriteError};
pub use error::{FindError, Problem};
pub use fields::{SpecEdits, SpecFields, plan_spec_fields};
pub use find::find;
pub use occurrence::{Found, InputKind, Kind, NotUnderstood, Occurrence};
pub use pins::Pins;
pub use relocate::Relocation;
pub use rewrite::{Answer, Mapping, Rewrite, plan_rewrite};
pub use secret::{PullSecret, PullSecretError, Resource, plan_pull_secret};
