//! Receipts: what `load` writes, and other commands read.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sealift_load::{EarlierReceipt, Loaded, Plan, Receipt, ReceiptTags};
use tempfile::NamedTempFile;

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

/// The file that the receipt of a load is written to.
pub(crate) struct ReceiptFile<'a> {
    path: &'a Path,
    /// The receipt that it contains already.
    earlier: Option<EarlierReceipt>,
}

impl<'a> ReceiptFile<'a> {
    /// The file at `path`, before anything else is done: its folder exists, and what has the name already is an
    /// earlier receipt.
    ///
    /// # Errors
    /// If a receipt cannot have this name.
    pub(crate) fn open(path: &'a Path) -> Result<Self, Failure> {
        let name = path.display().to_string();
        if !folder(path).is_dir() {
            let message = format!("{name}: there is no folder {}", folder(path).display());
            return Err(Failure::message(Exit::Usage, message).hint("create the folder first"));
        }
        let Ok(there) = path.symlink_metadata() else {
            let earlier = None;
            return Ok(Self { path, earlier });
        };
        let bytes = (there.is_file() && there.len() <= MAX_RECEIPT_BYTES).then(|| fs::read(path));
        let earlier = bytes.and_then(Result::ok);
        let earlier = earlier.and_then(|bytes| EarlierReceipt::read(&name, &bytes).ok());
        if earlier.is_some() {
            return Ok(Self { path, earlier });
        }
        let message = format!("{name} exists and is not a receipt");
        Err(Failure::message(Exit::Conflict, message).hint(ANOTHER_FILE))
    }

    /// Checks that the receipt of a load by `plan` replaces only an earlier receipt of the same load.
    ///
    /// # Errors
    /// If it would replace another receipt.
    pub(crate) fn check(&self, plan: &Plan) -> Result<(), Failure> {
        let checked = self.earlier.as_ref().map(|earlier| earlier.check(plan));
        let Some(Err(other)) = checked else {
            return Ok(());
        };
        let message = format!("{} exists and {other}", self.path.display());
        Err(Failure::message(Exit::Conflict, message).hint(ANOTHER_FILE))
    }

    /// Checks that the receipt of a load by `plan` can be written when the load is done: its folder is writable and
    /// has enough space.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn check_writable(&self, plan: &Plan) -> Result<(), Failure> {
        // The plan lists the same names, tags, manifests and blobs.
        let bytes =
            serde_json::to_vec_pretty(plan).map_err(|error| Failure::new(Exit::Failed, &error))?;
        // What is written here is dropped.
        temporary(".receipt-", folder(self.path), &bytes).map_err(|error| {
            let message = format!(
                "cannot write the receipt to {}: {error}",
                self.path.display()
            );
            Failure::message(Exit::Failed, message).hint(ANOTHER_FILE)
        })?;
        Ok(())
    }

    /// Writes the receipt, with what an earlier run of the same load set, as a whole or not at all; to a file in
    /// `scratch` if it cannot be written. The receipt as it was written.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn write(&self, receipt: Receipt, scratch: &Path) -> Result<Receipt, Failure> {
        let receipt = match &self.earlier {
            Some(earlier) => receipt.after(earlier),
            None => receipt,
        };
        let bytes = serde_json::to_vec_pretty(&receipt)
            .map_err(|error| Failure::new(Exit::Failed, &error))?;
        // The tags are set by now.
        replace(self.path, &bytes).map_err(|error| {
            let path = self.path.display();
            let message =
                format!("tags were set, but the receipt cannot be written to {path}: {error}");
            Failure::message(Exit::Failed, message).hint(match keep(scratch, &bytes) {
                Ok(kept) => format!("the receipt is in {}: move it to {path}", kept.display()),
                Err(_) => NOT_KEPT.to_owned(),
            })
        })?;
        Ok(receipt)
    }
}

/// What to try if a receipt was written nowhere.
const NOT_KEPT: &str = "run the same command again with another --receipt: it sends nothing again, but does not know which tags this load set";
/// What to try if a receipt cannot have the name that was given.
const ANOTHER_FILE: &str = "use another name with --receipt";

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    temporary(".receipt-", folder(path), bytes)?.persist(path)?;
    fs::File::open(folder(path))?.sync_all()
}

/// Writes to a new file in `folder`; its name.
fn keep(folder: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    let (_, path) = temporary("receipt-", folder, bytes)?.keep()?;
    Ok(path)
}

/// A file in `folder` that is removed unless it gets a name.
fn temporary(prefix: &str, folder: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new()
        .prefix(prefix)
        .permissions(fs::Permissions::from_mode(0o666))
        .tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use sealift_archive::Identity;
    use sealift_oci::Digest;

    use super::*;

    #[test]
    fn a_receipt_that_cannot_be_written_is_kept_in_scratch_space() {
        let (folder, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = folder.path().join("gone/receipt.json");
        fs::create_dir(folder.path().join("gone")).unwrap();
        let file = ReceiptFile::open(&path).unwrap();
        fs::remove_dir(folder.path().join("gone")).unwrap();
        let bundle = Identity(Digest::sha256(b"bundle"));
        let receipt = Receipt::empty(bundle, "r.corp".to_owned());
        let failure = file.write(receipt, scratch.path()).unwrap_err();
        assert_eq!(failure.exit(), Exit::Failed);
        let kept = fs::read_dir(scratch.path()).unwrap().next().unwrap();
        EarlierReceipt::read("r.json", &fs::read(kept.unwrap().path()).unwrap()).unwrap();
    }
}
