//! Where the bytes of a bundle go. A target knows offsets and order, what an interrupted run left, the
//! lock, the journal and the name under which the bytes are published; what they are is not its concern.
//!
//! [`FileTarget`] is written at any offset by many threads, or in order through [`OrderedFile`]. A stream
//! is any `Write`.

pub(crate) mod disk;
mod error;
mod file;
mod file_system;
mod journal;
mod lock;
mod ordered;
mod output_file;
mod writable;

pub use error::WriteError;
pub(crate) use file::is_partial;
pub use file::{FileTarget, LockedOutput};
pub use file_system::FileSystem;
pub use lock::{LockedFile, open_locked, remove_own};
pub use ordered::OrderedFile;
pub use output_file::{Interrupted, OutputFile};
pub use writable::{Published, Target, Written};
