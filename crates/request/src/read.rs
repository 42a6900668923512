//! Reads a request file of any form.

use crate::error::{Fault, RequestError};
use crate::file::RequestFile;
use crate::{other, own};

impl RequestFile {
    /// Reads a request file, or another tool's file that can be read as one; `name` is the file's, for
    /// messages.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line and column.
    pub fn read(name: &str, bytes: &[u8]) -> Result<Self, RequestError> {
        let documents =
            sealift_yaml::tree::read(bytes).map_err(|fault| Fault::from(fault).in_file(name))?;
        match other::read(&documents) {
            Some(read) => read,
            None => own::read(documents),
        }
        .map_err(|fault| fault.in_file(name))
    }
}
