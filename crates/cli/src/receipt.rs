//! Receipts: what `load` writes, and other commands read.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use sealift_load::{Loaded, Receipt, ReceiptTags};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::folder;
use crate::sources::read_input;

/// What is longer is not taken for a receipt: the record that it repeats has at most half as many bytes.
const MAX_RECEIPT_BYTES: u64 = 64 << 20;

/// What the receipt at `path` says is at the destination.
///
/// # Errors
/// If the file cannot be read or is not a receipt.
pub(crate) fn read(path: &Path) -> Result<Loaded, Failure> {
    let name = path.display().to_string();
    Loaded::read(&name, &read_input(path, &name)?)
        .map_err(|error| Failure::new(Exit::Usage, &error))
}

/// The tags that the receipt at `path` lists.
///
/// # Errors
/// If the file cannot be read or is not a receipt.
pub(crate) fn tags(path: &Path) -> Result<ReceiptTags, Failure> {
    let name = path.display().to_string();
    ReceiptTags::read(&name, &read_input(path, &name)?)
        .map_err(|error| Failure::new(Exit::Usage, &error))
}

/// Whether the file at `path` is a receipt: those are JSON objects, and no bundle begins like one.
///
/// # Errors
/// If the file cannot be read.
pub(crate) fn is_receipt(path: &Path) -> Result<bool, Failure> {
    if path.is_dir() {
        return Ok(false);
    }
    let mut first = [0; 64];
    let read = fs::File::open(path).and_then(|mut file| file.read(&mut first));
    let read = read.map_err(|error| {
        let message = format!("cannot read {}: {error}", path.display());
        Failure::message(Exit::Failed, message)
    })?;
    let mut bytes = first[..read].iter();
    Ok(bytes.find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{'))
}

/// Whether a receipt can be written to `path`, before anything else is done: its folder exists, and what has
/// the name already is an earlier receipt, which may be replaced.
pub(crate) fn check_output(path: &Path) -> Result<(), Failure> {
    let name = path.display();
    if !folder(path).is_dir() {
        let message = format!("{name}: there is no folder {}", folder(path).display());
        return Err(Failure::message(Exit::Usage, message).hint("create the folder first"));
    }
    let Ok(there) = path.symlink_metadata() else {
        return Ok(());
    };
    let receipt = there.is_file()
        && there.len() <= MAX_RECEIPT_BYTES
        && fs::read(path).is_ok_and(|bytes| Loaded::read(&name.to_string(), &bytes).is_ok());
    if receipt {
        return Ok(());
    }
    let message = format!("{name} exists and is not a receipt");
    Err(Failure::message(Exit::Conflict, message).hint("write the receipt to another file"))
}

/// Writes a receipt as a whole or not at all.
pub(crate) fn write(path: &Path, receipt: &Receipt) -> Result<(), Failure> {
    let bytes =
        serde_json::to_vec_pretty(receipt).map_err(|error| Failure::new(Exit::Failed, &error))?;
    // Everything is at the destination by now.
    replace(path, &bytes).map_err(|error| {
        let message = format!(
            "the load is done, but its receipt cannot be written to {}: {error}",
            path.display()
        );
        Failure::message(Exit::Failed, message)
            .hint("run the same command again with another --receipt: it sends nothing again")
    })
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = tempfile::Builder::new()
        .prefix(".receipt-")
        .permissions(fs::Permissions::from_mode(0o666))
        .tempfile_in(folder(path))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    fs::File::open(folder(path))?.sync_all()
}
