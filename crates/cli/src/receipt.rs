//! Receipts that `load` wrote, as input of other commands.

use std::path::Path;

use sealift_load::Loaded;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::sources::read_input;

/// What the receipt at `path` says is at the destination.
///
/// # Errors
/// If the file cannot be read or is not a receipt.
pub(crate) fn read(path: &Path) -> Result<Loaded, Failure> {
    let name = path.display().to_string();
    Loaded::read(&name, &read_input(path, &name)?)
        .map_err(|error| Failure::new(Exit::Usage, &error))
}
