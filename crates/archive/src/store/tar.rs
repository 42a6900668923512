//! Finds the files of a tar that somebody else wrote, without reading their content.
//!
//! Other programs write `./` before names, PAX records, GNU long names, directories or none, in any order;
//! all that is accepted. What two readers would understand differently is refused: a name that occurs
//! twice, a size that is given twice and not alike, sparse files, a missing end.

use std::collections::BTreeMap;

use sealift_oci::Digest;
use tar::{EntryType, Header};

use crate::fault::{Fault, shown_bytes};
use crate::header::{BLOCK, padded};
use crate::store::read_at::{Extent, ReadAt};
use crate::store::tar_blocks::{MAX_ENTRIES, TarBlocks};

/// The most bytes that all kept names may have together: they are in memory.
const MAX_NAME_BYTES: usize = 64 << 20;
/// The most bytes of one long name or set of PAX records.
const MAX_EXTENSION_BYTES: u64 = 1 << 20;

/// What a tar contains, by name.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// Regular files by name, blobs of layouts not among them.
    pub(crate) files: BTreeMap<String, Extent>,
    /// `blobs/<algorithm>/<hex>`.
    pub(crate) blobs: BTreeMap<Digest, Extent>,
    /// Links inside the archive: the name of the target, seen from the archive's root.
    pub(crate) links: BTreeMap<String, String>,
}

/// What records before a header say about it.
#[derive(Default)]
struct Extension {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

/// Whether a file with this beginning may be a tar: its first block is a header. No bundle and no archive of images
/// begins otherwise, so that the rest need not be read.
pub fn begins_as_tar(start: &[u8]) -> bool {
    let block = start.first_chunk::<512>();
    block.is_some_and(|block| is_whole(Header::from_byte_slice(block)))
}

/// Whether a header has its own checksum.
fn is_whole(header: &Header) -> bool {
    let said = header.cksum().ok();
    let mut again = header.clone();
    again.set_cksum();
    said.is_some() && said == again.cksum().ok()
}

/// Walks all headers of `file`.
pub(crate) fn contents(file: &dyn ReadAt) -> Result<Contents, Fault> {
    let mut walk = Walk {
        blocks: TarBlocks::new(file, ARCHIVE)?,
        position: 0,
        contents: Contents::default(),
        name_bytes: 0,
    };
    let mut extension = Extension::default();
    for _ in 0..MAX_ENTRIES {
        if !walk.entry(&mut extension)? {
            return Ok(walk.contents);
        }
    }
    Err(fault(
        walk.position,
        format!("it has more than {MAX_ENTRIES} entries"),
    ))
}

/// What faults call the tar.
const ARCHIVE: &str = "the archive";

struct Walk<'a> {
    blocks: TarBlocks<'a>,
    position: u64,
    contents: Contents,
    name_bytes: usize,
}

impl Walk<'_> {
    /// Reads one header; false at the end.
    fn entry(&mut self, extension: &mut Extension) -> Result<bool, Fault> {
        let start = self.position;
        let Some(header) = self.header()? else {
            return Ok(false);
        };
        let own = header
            .entry_size()
            .map_err(|_| fault(start, "the size field is malformed"))?;
        let kind = header.entry_type();
        if let Some(limit) = extension_limit(kind) {
            let bytes = self.extension(start, own, limit)?;
            self.position = start + BLOCK + padded(own);
            return extend(extension, kind, &bytes, start).map(|()| true);
        }
        let extension = std::mem::take(extension);
        let size = match extension.size {
            // Writers put zero, or the same, where the record before it has the size.
            Some(size) if own != 0 && own != size => {
                return Err(fault(
                    start,
                    "its size is given twice, and not alike (two readers would differ)",
                ));
            }
            Some(size) => size,
            None => own,
        };
        let extent = Extent {
            offset: start + BLOCK,
            size,
        };
        let end = extent.offset.saturating_add(padded(size));
        let name = extension
            .name
            .unwrap_or_else(|| header.path_bytes().into_owned());
        self.blocks.check_end(&name, start, size, end)?;
        self.position = end;
        let link = extension
            .link
            .or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned));
        self.keep(&name, kind, extent, link, start)?;
        Ok(true)
    }

    fn header(&mut self) -> Result<Option<Header>, Fault> {
        let mut header = Header::new_old();
        let start = self.position;
        *header.as_mut_bytes() = self.blocks.block(start)?;
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        if !is_whole(&header) {
            let what = if start == 0 {
                "it does not begin as a tar does (expected an OCI layout or a docker save archive)"
            } else {
                "the checksum of a header is wrong (it is corrupt)"
            };
            return Err(fault(start, what));
        }
        Ok(Some(header))
    }

    fn extension(&self, start: u64, size: u64, limit: u64) -> Result<Vec<u8>, Fault> {
        if size > limit {
            return Err(fault(
                start,
                format!("a name or record before an entry has {size} bytes, more than {limit}"),
            ));
        }
        if start + BLOCK + padded(size) > self.blocks.size() {
            return Err(fault(start, "the file ends inside this entry (truncated)"));
        }
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
        self.blocks.read(&mut bytes, start + BLOCK)?;
        Ok(bytes)
    }

    fn keep(
        &mut self,
        name: &[u8],
        kind: EntryType,
        extent: Extent,
        link: Option<Vec<u8>>,
        start: u64,
    ) -> Result<(), Fault> {
        let without_content = matches!(
            kind,
            EntryType::Link
                | EntryType::Symlink
                | EntryType::Directory
                | EntryType::Char
                | EntryType::Block
                | EntryType::Fifo
        );
        if without_content && extent.size > 0 {
            return Err(Fault::new(
                shown_bytes(name),
                start,
                "an entry that has no content says that it has (two readers would differ)",
            ));
        }
        if kind == EntryType::GNUSparse {
            return Err(Fault::new(
                shown_bytes(name),
                start,
                "a sparse file (write the archive without holes)",
            ));
        }
        // Names that are absolute, climb or are no text cannot be one of a layout's.
        let Some(path) = normal(b"", name) else {
            return Ok(());
        };
        self.name_bytes += path.len();
        if self.name_bytes > MAX_NAME_BYTES {
            return Err(fault(start, "its names have more than 64 MiB together"));
        }
        let twice = match kind {
            EntryType::Regular | EntryType::Continuous => match Digest::from_blob_path(&path) {
                // Content that its digest vouches for may be there twice.
                Some(digest) => {
                    let first = *self.contents.blobs.entry(digest).or_insert(extent);
                    first.size != extent.size
                }
                None => self.contents.files.insert(path, extent).is_some(),
            },
            EntryType::Link | EntryType::Symlink => {
                let folder = match kind {
                    EntryType::Symlink => path.rsplit_once('/').map_or("", |(folder, _)| folder),
                    _ => "",
                };
                match normal(folder.as_bytes(), &link.unwrap_or_default()) {
                    Some(target) => self.contents.links.insert(path, target).is_some(),
                    None => false,
                }
            }
            _ => false,
        };
        if twice {
            return Err(Fault::new(
                shown_bytes(name),
                start,
                "it is in the archive twice (two readers would differ)",
            ));
        }
        Ok(())
    }
}

/// How long a record may be that describes the entry after it; none for an entry of its own.
fn extension_limit(kind: EntryType) -> Option<u64> {
    matches!(
        kind,
        EntryType::GNULongName
            | EntryType::GNULongLink
            | EntryType::XHeader
            | EntryType::XGlobalHeader
    )
    .then_some(MAX_EXTENSION_BYTES)
}

fn extend(
    extension: &mut Extension,
    kind: EntryType,
    bytes: &[u8],
    start: u64,
) -> Result<(), Fault> {
    let until_zero = || {
        bytes
            .split(|byte| *byte == 0)
            .next()
            .unwrap_or_default()
            .to_vec()
    };
    match kind {
        EntryType::GNULongName => extension.name = Some(until_zero()),
        EntryType::GNULongLink => extension.link = Some(until_zero()),
        _ => {
            let mut rest = bytes;
            while !rest.is_empty() {
                let (key, value, after) =
                    record(rest).ok_or_else(|| fault(start, "a PAX record is malformed"))?;
                rest = after;
                apply(extension, kind, key, value, start)?;
            }
        }
    }
    Ok(())
}

fn apply(
    extension: &mut Extension,
    kind: EntryType,
    key: &[u8],
    value: &[u8],
    start: u64,
) -> Result<(), Fault> {
    if key.starts_with(b"GNU.sparse.") {
        return Err(fault(
            start,
            "a sparse file (write the archive without holes)",
        ));
    }
    let known = matches!(key, b"path" | b"linkpath" | b"size");
    if known && kind == EntryType::XGlobalHeader {
        return Err(fault(
            start,
            "a PAX record gives all entries one name or size",
        ));
    }
    match key {
        b"path" => extension.name = Some(value.to_vec()),
        b"linkpath" => extension.link = Some(value.to_vec()),
        b"size" => {
            let size = std::str::from_utf8(value)
                .ok()
                .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
                .and_then(|text| text.parse().ok());
            extension.size =
                Some(size.ok_or_else(|| fault(start, "a PAX record's size is not a number"))?);
        }
        _ => {}
    }
    Ok(())
}

/// Takes `LENGTH KEY=VALUE\n` from the front of `bytes`: key, value, and what follows.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().take(20).position(|byte| *byte == b' ')?;
    let digits = std::str::from_utf8(&bytes[..space]).ok()?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let length: usize = digits.parse().ok()?;
    let body = bytes.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|byte| *byte == b'=')?;
    Some((&body[..equals], &body[equals + 1..], &bytes[length..]))
}

/// `name`, seen from `folder`, without `.` and with every `..` undone; none where it leaves the archive,
/// is absolute or no text.
fn normal(folder: &[u8], name: &[u8]) -> Option<String> {
    if name.starts_with(b"/") {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in [folder, name] {
        for component in std::str::from_utf8(part).ok()?.split('/') {
            match component {
                "" | "." => {}
                ".." => drop(parts.pop()?),
                component => parts.push(component),
            }
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

fn fault(offset: u64, what: impl Into<String>) -> Fault {
    Fault::new(ARCHIVE, offset, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_seen_from_the_archives_root() {
        assert_eq!(normal(b"", b"./a//b/").as_deref(), Some("a/b"));
        assert_eq!(
            normal(b"x", b"../y/layer.tar").as_deref(),
            Some("y/layer.tar")
        );
        for outside in [&b"/a"[..], b"../a", b"a/../../b", b"", b".", b"\xff"] {
            assert_eq!(normal(b"", outside), None, "{outside:?}");
        }
    }

    #[test]
    fn a_pax_record_says_its_own_length_or_is_malformed() {
        assert_eq!(
            record(b"8 a=bcd\n5 x=\n"),
            Some((&b"a"[..], &b"bcd"[..], &b"5 x=\n"[..]))
        );
        for bad in [
            &b"8 a=bcd"[..],
            b"99 a=b\n",
            b"6 abcd",
            b"a a=b\n",
            b"6 abc\n",
            b"0 a=b\n",
            b"",
        ] {
            assert_eq!(record(bad), None, "{bad:?}");
        }
    }
}
