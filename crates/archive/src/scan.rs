//! Walks the blocks of a tar that claims to be a bundle and believes none of them: every header has to be
//! the one that this crate would write for what it says.

use std::collections::BTreeMap;

use sealift_oci::Digest;

use crate::error::Fault;
use crate::header::{BLOCK, Claim, EntryKind, encode, padded, read};
use crate::layout::Extent;
use crate::read_at::ReadAt;

/// No bundle has more entries.
const MAX_ENTRIES: usize = 2_000_000;

/// What a scan found: the three files that describe the bundle, and where every blob lies.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub(crate) oci_layout: Option<Extent>,
    pub(crate) index: Option<Extent>,
    pub(crate) record: Option<Extent>,
    pub(crate) blobs: BTreeMap<Digest, Extent>,
}

/// Reads every header of `file` and nothing else.
pub(crate) fn scan(file: &dyn ReadAt) -> Result<Scan, Fault> {
    let size = file.size().map_err(|error| unreadable(0, &error))?;
    if size == 0 {
        return Err(Fault::new("the file", 0, "it is empty (expected a bundle)"));
    }
    let mut scanner = Scanner {
        file,
        size,
        position: 0,
        scan: Scan::default(),
        entries: 0,
        folders: Vec::new(),
    };
    while scanner.entry()? {}
    Ok(scanner.scan)
}

struct Scanner<'a> {
    file: &'a dyn ReadAt,
    size: u64,
    position: u64,
    scan: Scan,
    entries: usize,
    folders: Vec<String>,
}

impl Scanner<'_> {
    /// Reads one entry; false at the end.
    fn entry(&mut self) -> Result<bool, Fault> {
        let start = self.position;
        let Some((name, kind, size, header)) = self.claim()? else {
            return Ok(false);
        };
        let path = String::from_utf8(name)
            .map_err(|error| Fault::new(shown(error.as_bytes()), start, "the name is not UTF-8"))?;
        if encode(&path, kind, size) != header {
            return Err(Fault::new(
                shown(path.as_bytes()),
                start,
                "the header is not written as in a bundle",
            ));
        }
        let extent = Extent {
            offset: start + header.len() as u64,
            size,
        };
        let end = extent.offset.saturating_add(padded(size));
        if end > self.size {
            return Err(Fault::new(
                shown(path.as_bytes()),
                start,
                format!(
                    "the file ends after {} bytes, inside this entry of {size} bytes (it is cut off)",
                    self.size
                ),
            ));
        }
        self.entries += 1;
        if self.entries > MAX_ENTRIES {
            return Err(Fault::new(
                "the file",
                start,
                "it has more than 2000000 entries",
            ));
        }
        self.padding(&path, extent)?;
        self.place(path, kind, extent, start)?;
        self.position = end;
        Ok(true)
    }

    /// The next entry's name, kind, size and header blocks; none at the archive's end.
    #[expect(
        clippy::type_complexity,
        reason = "the four parts of one claim, taken apart at once"
    )]
    fn claim(&mut self) -> Result<Option<(Vec<u8>, EntryKind, u64, Vec<u8>)>, Fault> {
        let start = self.position;
        let block = self.block(start)?;
        match read(&block) {
            Claim::End => self.end().map(|()| None),
            Claim::Foreign(what) => Err(Fault::new(
                "a tar entry",
                start,
                format!("{what}; a bundle has none"),
            )),
            Claim::Entry { name, kind, size } => Ok(Some((name, kind, size, block.to_vec()))),
            Claim::LongName(length) => self.long_claim(&block, length).map(Some),
        }
    }

    fn long_claim(
        &mut self,
        first: &[u8; 512],
        length: u64,
    ) -> Result<(Vec<u8>, EntryKind, u64, Vec<u8>), Fault> {
        let start = self.position;
        // The longest name of a bundle is that of a SHA-512 blob, 141 bytes and a zero.
        if length != 142 {
            return Err(Fault::new(
                "a tar entry",
                start,
                "its name is longer than any in a bundle",
            ));
        }
        let names = self.block(start + BLOCK)?;
        let header = self.block(start + 2 * BLOCK)?;
        let Claim::Entry { kind, size, .. } = read(&header) else {
            return Err(Fault::new(
                "a tar entry",
                start,
                "a long name without an entry",
            ));
        };
        Ok((
            names[..141].to_vec(),
            kind,
            size,
            [first.as_slice(), &names, &header].concat(),
        ))
    }

    fn block(&self, offset: u64) -> Result<[u8; 512], Fault> {
        let mut block = [0; 512];
        if offset + BLOCK > self.size {
            return Err(Fault::new(
                "the file",
                self.size,
                format!(
                    "it ends without the two zero blocks that end a bundle (it is cut off at {} bytes)",
                    self.size
                ),
            ));
        }
        self.file
            .read_exact_at(&mut block, offset)
            .map_err(|error| unreadable(offset, &error))?;
        Ok(block)
    }

    fn end(&self) -> Result<(), Fault> {
        let second = self.block(self.position + BLOCK)?;
        if second != [0; 512] {
            return Err(Fault::new(
                "the file",
                self.position,
                "a single zero block inside it",
            ));
        }
        if self.position + 2 * BLOCK != self.size {
            return Err(Fault::new(
                "the file",
                self.position + 2 * BLOCK,
                "something follows the bundle's end",
            ));
        }
        if self.position == 0 {
            return Err(Fault::new(
                "the file",
                0,
                "it has no entries (a bundle that was not finished begins so)",
            ));
        }
        Ok(())
    }

    /// The bytes between an entry's end and the next block are zero: no digest covers them.
    fn padding(&self, path: &str, extent: Extent) -> Result<(), Fault> {
        let end = extent.offset + extent.size;
        let mut rest = [0; 512];
        let rest = &mut rest[..usize::try_from(padded(extent.size) - extent.size).unwrap_or(0)];
        self.file
            .read_exact_at(rest, end)
            .map_err(|error| unreadable(end, &error))?;
        if rest.iter().any(|byte| *byte != 0) {
            return Err(Fault::new(
                path,
                end,
                "the bytes after its content are not zero",
            ));
        }
        Ok(())
    }

    fn place(
        &mut self,
        path: String,
        kind: EntryKind,
        extent: Extent,
        start: u64,
    ) -> Result<(), Fault> {
        let duplicate = match (path.as_str(), kind) {
            ("oci-layout", EntryKind::File) => self.scan.oci_layout.replace(extent).is_some(),
            ("index.json", EntryKind::File) => self.scan.index.replace(extent).is_some(),
            ("sealift.json", EntryKind::File) => self.scan.record.replace(extent).is_some(),
            ("blobs/" | "blobs/sha256/" | "blobs/sha512/", EntryKind::Directory)
                if extent.size == 0 =>
            {
                let known = self.folders.contains(&path);
                self.folders.push(path.clone());
                known
            }
            (_, EntryKind::File) => match Digest::from_blob_path(&path) {
                Some(digest) => self.scan.blobs.insert(digest, extent).is_some(),
                None => return Err(foreign(&path, start)),
            },
            _ => return Err(foreign(&path, start)),
        };
        if duplicate {
            return Err(Fault::new(path, start, "it is in the file twice"));
        }
        Ok(())
    }
}

fn foreign(path: &str, start: u64) -> Fault {
    Fault::new(
        shown(path.as_bytes()),
        start,
        "no entry of a bundle has this name",
    )
}

fn unreadable(offset: u64, error: &std::io::Error) -> Fault {
    Fault::new("the file", offset, format!("it cannot be read: {error}"))
}

/// A name from outside: escaped, and no longer than a line.
fn shown(name: &[u8]) -> String {
    name[..name.len().min(120)].escape_ascii().to_string()
}
