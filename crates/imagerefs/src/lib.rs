//! Finds container image references in text, reports exactly where they are, and replaces them.
//!
//! [`find`] reads image lists of many tools, Kubernetes manifests, Kustomizations and Helm values; the rules
//! are in `docs/image-references.md`. [`plan_rewrite`] replaces references, [`plan_pull_secret`] adds a pull
//! secret to workloads, [`plan_spec_fields`] sets fields of a custom resource. Nothing is serialized again: what
//! was found is a byte span of the original text, and only that span changes.
//!
//! The crate reads no file, prints nothing and does not look at the environment.
//!
//! How a text is read: `encoding` makes it UTF-8; `settings` and `list` read lines; `tree` reads YAML, one
//! document at a time, with spans; `form` recognizes what a document is; `walk` goes through it, with `pod` for
//! containers, `compose` for references in several fields, `images` for lists of
//! them, `free` for everything else, `stored` and `inner` for
//! texts inside of texts; `report` collects the [`Findings`].

mod check;
mod diff;
mod edit;
mod encoding;
mod error;
mod fields;
mod find;
mod form;
mod free;
mod helm;
mod images;
mod inner;
mod list;
mod lists;
mod occurrence;
mod pins;
mod placeholder;
mod relocate;
mod report;
mod rewrite;
mod scalar;
mod secret;
mod settings;
mod stored;
mod tag;
mod text;
mod tree;
mod walk;

pub use check::check;
pub use diff::unified_diff;
pub use edit::{Edit, RewriteError};
pub use error::{FindError, Reason};
pub use fields::{SpecEdits, SpecFields, plan_spec_fields};
pub use find::find;
pub use occurrence::{Findings, InputKind, Kind, NotUnderstood, Occurrence};
pub use pins::Pins;
pub use placeholder::Placeholder;
pub use relocate::Relocation;
pub use rewrite::{Mapping, Replacement, Rewrite, plan_rewrite};
pub use secret::{PullSecret, PullSecretError, Resource, plan_pull_secret};
