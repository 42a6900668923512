//! Images that are on disk already: OCI layouts in a folder or a tar, `docker save` archives, bundles.
//!
//! Nothing is unpacked and nothing is copied: their content is read through a [`Store`](crate::Store). Names inside an
//! archive are keys of a table and never become paths on the disk.

mod agreement;
mod archive;
mod docker;
mod error;
mod images;
mod layout;
mod name;
mod read;

pub use archive::open_local;
pub use error::LocalError;
pub use images::{LocalImage, LocalImages, LocalReferrer};
pub use name::LocalName;
