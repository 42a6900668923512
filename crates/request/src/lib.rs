//! Request files: what a bundle should contain, in one YAML file.
//!
//! [`RequestFile::read`] reads sealift's own form and, where they mean the same, the files of hauler, Zarf and
//! oc-mirror; what those mean besides is listed in [`RequestFile::not_read`]. [`RequestFile::to_yaml`] writes
//! the own form. Nothing is opened or requested here.

mod error;
mod fields;
mod file;
mod other;
mod own;
mod read;
mod write;

pub use error::RequestError;
pub use file::{
    CarriedFile, Chart, LocalImages, Mirror, Product, Profile, RequestFile, RequestForm,
};
