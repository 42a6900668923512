//! The trait of targets that are written at any offset.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sealift_oci::Digest;

use crate::store::ReadAt;
use crate::target::error::WriteError;

/// How much of a blob an earlier run wrote, as its journal says. Nothing of it is believed: content is
/// hashed again before it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// All of it.
    Complete,
    /// Its first bytes, as many as given.
    Partial(u64),
}

/// What was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Bytes that become a bundle, written at any offset by many threads, and read back, those of an earlier run
/// included. Nothing takes them for a bundle before [`Target::publish`].
///
/// Dropping a target leaves what was written for the next run.
pub trait Target: ReadAt {
    /// What messages call it.
    fn path(&self) -> &Path;

    /// What an earlier run wrote of the same plan, by blob. Empty if this is the first run.
    fn written(&self) -> &BTreeMap<Digest, Written>;

    /// Discards all bytes and what is known of them, and reserves space for `bytes`.
    ///
    /// # Errors
    /// If there is not that much space, or the target cannot be written. Nothing is left then.
    fn reserve(&mut self, bytes: u64) -> Result<(), WriteError>;

    /// Discards all bytes from `length` on.
    ///
    /// # Errors
    /// If the target cannot be written.
    fn truncate(&self, length: u64) -> io::Result<()>;

    /// Writes some of `bytes` at `offset` and returns how many.
    ///
    /// # Errors
    /// If the target cannot be written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// What was written, for readers that are independent of the target.
    ///
    /// # Errors
    /// If the target cannot be read.
    fn reader(&self) -> io::Result<Arc<dyn ReadAt>>;

    /// Notes for a later run how much of a blob is written.
    ///
    /// # Errors
    /// If the note cannot be kept.
    fn note(&self, digest: Digest, written: Written) -> io::Result<()>;

    /// Makes everything durable, and visible under its name in one step. Nothing that has this name is
    /// replaced unless the target was told to when it was created.
    ///
    /// # Errors
    /// If it cannot be published. The bytes stay for the next run, and nothing takes them for a bundle.
    fn publish(self: Box<Self>) -> Result<Published, WriteError>;

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// If the target cannot be written.
    fn write_all_at(&self, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write_at(bytes, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    bytes = &bytes[written..];
                    offset += written as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
