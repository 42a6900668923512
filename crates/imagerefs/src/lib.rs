//! Finds container image references in text and says exactly where they are.
//!
//! [`find`] reads image lists (plain text, one reference a line), hauler `Images` and imgpkg `ImagesLock`
//! documents, Kubernetes manifests of many documents and Helm values files. Nothing is ever serialised
//! again: what was found is a byte span of the original text.
//!
//! The crate reads no file, prints nothing and knows no environment.

mod check;
mod error;
mod find;
mod free;
mod list;
mod locks;
mod occurrence;
mod pod;
mod scalar;
mod split;
mod text;
mod tree;
mod walk;

pub use check::{Placeholder, check};
pub use error::{FindError, Problem};
pub use find::find;
pub use occurrence::{Found, InputKind, Kind, NotUnderstood, Occurrence};
