//! Walks the blocks of a tar that claims to be a bundle and believes none of them: every header has to be
//! the one that this crate would write for what it says.

use std::collections::BTreeMap;

use sealift_oci::Digest;

use crate::fault::{Fault, shown, shown_bytes};
use crate::header::{BLOCK, Claim, EntryKind, encode, padded, read};
use crate::store::read_at::{Extent, ReadAt};
use crate::store::tar_blocks::{MAX_ENTRIES, TarBlocks};

/// What a bundle's file contains: the three files that describe it, and where every blob is.
#[derive(Debug, Default)]
pub(crate) struct BundleEntries {
    pub(crate) oci_layout: Option<Extent>,
    pub(crate) index: Option<Extent>,
    pub(crate) record: Option<Extent>,
    pub(crate) blobs: BTreeMap<Digest, Extent>,
}

/// Reads every header of `file` and nothing else.
pub(crate) fn scan(file: &dyn ReadAt) -> Result<BundleEntries, Fault> {
    let blocks = TarBlocks::new(file, "the file")?;
    if blocks.size() == 0 {
        return Err(blocks.fault(0, "it is empty (expected a bundle)"));
    }
    let mut scanner = Scanner {
        blocks,
        position: 0,
        found: BundleEntries::default(),
        entries: 0,
        folders: Vec::new(),
    };
    while scanner.entry()? {}
    Ok(scanner.found)
}

struct Scanner<'a> {
    blocks: TarBlocks<'a>,
    position: u64,
    found: BundleEntries,
    entries: usize,
    folders: Vec<String>,
}

/// An entry as its header describes it, with the header's own blocks.
struct Described {
    name: Vec<u8>,
    kind: EntryKind,
    size: u64,
    header: Vec<u8>,
}

impl Scanner<'_> {
    /// Reads one entry; false at the end.
    fn entry(&mut self) -> Result<bool, Fault> {
        let start = self.position;
        let Some(described) = self.described()? else {
            return Ok(false);
        };
        let Described {
            name,
            kind,
            size,
            header,
        } = described;
        let path = String::from_utf8(name).map_err(|error| {
            Fault::new(
                shown_bytes(error.as_bytes()),
                start,
                "the name is not UTF-8",
            )
        })?;
        if encode(&path, kind, size) != header {
            return Err(Fault::new(
                shown(&path),
                start,
                "the header is not written as in a bundle",
            ));
        }
        let extent = Extent {
            offset: start + header.len() as u64,
            size,
        };
        let end = extent.offset.saturating_add(padded(size));
        self.blocks.check_end(path.as_bytes(), start, size, end)?;
        self.entries += 1;
        if self.entries > MAX_ENTRIES {
            let what = format!("it has more than {MAX_ENTRIES} entries");
            return Err(self.blocks.fault(start, what));
        }
        self.check_padding(&path, extent)?;
        self.insert(path, kind, extent, start)?;
        self.position = end;
        Ok(true)
    }

    /// The next entry; `None` at the archive's end.
    fn described(&self) -> Result<Option<Described>, Fault> {
        let start = self.position;
        let block = self.blocks.block(start)?;
        match read(&block) {
            Claim::End => self.check_archive_end().map(|()| None),
            Claim::Foreign(what) => Err(Fault::new(
                "a tar entry",
                start,
                format!("{what}, which no bundle contains"),
            )),
            Claim::Entry { name, kind, size } => Ok(Some(Described {
                name,
                kind,
                size,
                header: block.to_vec(),
            })),
            Claim::LongName(length) => self.long_name(&block, length).map(Some),
        }
    }

    fn long_name(&self, first: &[u8; 512], length: u64) -> Result<Described, Fault> {
        let start = self.position;
        let fault = |what| Err(Fault::new("a tar entry", start, what));
        // The longest name of a bundle is that of a SHA-512 blob, 141 bytes and a zero.
        if length != 142 {
            return fault("its name is longer than any in a bundle");
        }
        let names = self.blocks.block(start + BLOCK)?;
        let header = self.blocks.block(start + 2 * BLOCK)?;
        let Claim::Entry { kind, size, .. } = read(&header) else {
            return fault("a long name without an entry");
        };
        Ok(Described {
            name: names[..141].to_vec(),
            kind,
            size,
            header: [first.as_slice(), &names, &header].concat(),
        })
    }

    fn check_archive_end(&self) -> Result<(), Fault> {
        let end = self.position + 2 * BLOCK;
        if self.blocks.block(self.position + BLOCK)? != [0; 512] {
            return Err(self
                .blocks
                .fault(self.position, "a single zero block inside it"));
        }
        if end != self.blocks.size() {
            return Err(self
                .blocks
                .fault(end, "there are bytes after the bundle's end"));
        }
        if self.position == 0 {
            return Err(self.blocks.fault(
                0,
                "it has no entries (an unfinished bundle begins like this)",
            ));
        }
        Ok(())
    }

    /// The bytes between an entry's end and the next block are zero: no digest covers them.
    fn check_padding(&self, path: &str, extent: Extent) -> Result<(), Fault> {
        let mut rest = [0; 512];
        let rest = &mut rest[..usize::try_from(padded(extent.size) - extent.size).unwrap_or(0)];
        self.blocks.read(rest, extent.end())?;
        if rest.iter().any(|byte| *byte != 0) {
            return Err(Fault::new(
                path,
                extent.end(),
                "the bytes after its content are not zero",
            ));
        }
        Ok(())
    }

    fn insert(
        &mut self,
        path: String,
        kind: EntryKind,
        extent: Extent,
        start: u64,
    ) -> Result<(), Fault> {
        let duplicate = match (path.as_str(), kind) {
            ("oci-layout", EntryKind::File) => self.found.oci_layout.replace(extent).is_some(),
            ("index.json", EntryKind::File) => self.found.index.replace(extent).is_some(),
            ("sealift.json", EntryKind::File) => self.found.record.replace(extent).is_some(),
            ("blobs/" | "blobs/sha256/" | "blobs/sha512/", EntryKind::Directory)
                if extent.size == 0 =>
            {
                let known = self.folders.contains(&path);
                self.folders.push(path.clone());
                known
            }
            (_, EntryKind::File) => match Digest::from_blob_path(&path) {
                Some(digest) => self.found.blobs.insert(digest, extent).is_some(),
                None => return Err(foreign(&path, start)),
            },
            _ => return Err(foreign(&path, start)),
        };
        if duplicate {
            return Err(Fault::new(path, start, "the file contains it twice"));
        }
        Ok(())
    }
}

fn foreign(path: &str, start: u64) -> Fault {
    Fault::new(shown(path), start, "no entry of a bundle has this name")
}
