//! The one tar header that an entry of a bundle, or of a carried folder's tar, can have.

use tar::{EntryType, Header};

/// The size of a tar block in bytes.
pub(crate) const BLOCK: u64 = 512;

/// How many zero bytes end an archive.
pub(crate) const ARCHIVE_END: u64 = 2 * BLOCK;

/// What kind of entry a header is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryKind {
    File,
    /// Of a carried folder's tar alone; no entry of a bundle is one.
    Executable,
    Directory,
}

/// The largest name that fits a header's own field; longer ones, which only SHA-512 blobs have, get a
/// GNU long-name record before them.
const NAME_BYTES: usize = 100;

/// The blocks before an entry's content: its header, after a long-name record where it needs one.
pub(crate) fn encode(path: &str, kind: EntryKind, size: u64) -> Vec<u8> {
    let mut blocks = Vec::with_capacity(512);
    let name = path.as_bytes();
    if name.len() > NAME_BYTES {
        let mut header = Header::new_gnu();
        fill(
            &mut header,
            b"././@LongLink",
            EntryType::GNULongName,
            0o644,
            name.len() as u64 + 1,
        );
        blocks.extend_from_slice(header.as_bytes());
        blocks.extend_from_slice(name);
        blocks.resize(blocks.len().next_multiple_of(512), 0);
        if blocks.len() - 512 == name.len() {
            blocks.resize(blocks.len() + 512, 0);
        }
    }
    let mut header = Header::new_ustar();
    let (entry, mode) = match kind {
        EntryKind::File => (EntryType::Regular, 0o644),
        EntryKind::Executable => (EntryType::Regular, 0o755),
        EntryKind::Directory => (EntryType::Directory, 0o755),
    };
    let name = &name[..name.len().min(NAME_BYTES)];
    fill(&mut header, name, entry, mode, size);
    blocks.extend_from_slice(header.as_bytes());
    blocks
}

fn fill(header: &mut Header, name: &[u8], kind: EntryType, mode: u32, size: u64) {
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header.set_cksum();
}

/// What a header block says, before anything of it is believed.
pub(crate) enum Claim {
    /// All zeros: the archive's end.
    End,
    /// A long-name record of this many bytes.
    LongName(u64),
    /// An entry; its name is the header's own, or the long name before it.
    Entry {
        name: Vec<u8>,
        kind: EntryKind,
        size: u64,
    },
    /// Something that no bundle has.
    Foreign(&'static str),
}

/// Reads one header block. The caller compares the block with [`encode`] of what it claims.
pub(crate) fn read(block: &[u8; 512]) -> Claim {
    if block.iter().all(|byte| *byte == 0) {
        return Claim::End;
    }
    let header = Header::from_byte_slice(block);
    let Ok(size) = header.entry_size() else {
        return Claim::Foreign("the size field is malformed");
    };
    let kind = match header.entry_type() {
        EntryType::Regular if header.mode().ok() == Some(0o755) => EntryKind::Executable,
        EntryType::Regular => EntryKind::File,
        EntryType::Directory => EntryKind::Directory,
        EntryType::GNULongName => return Claim::LongName(size),
        EntryType::Symlink | EntryType::Link => return Claim::Foreign("a link"),
        EntryType::XHeader | EntryType::XGlobalHeader => return Claim::Foreign("a PAX header"),
        EntryType::GNUSparse => return Claim::Foreign("a sparse file"),
        _ => return Claim::Foreign("an entry that is neither file nor directory"),
    };
    let field = &header.as_old().name;
    let length = field
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(field.len());
    Claim::Entry {
        name: field[..length].to_vec(),
        kind,
        size,
    }
}

/// Rounds up to whole blocks.
pub(crate) fn padded(size: u64) -> u64 {
    size.div_ceil(BLOCK).saturating_mul(BLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_claims_what_it_was_made_of() {
        for size in [0, 1, 511, 8 << 30, (8 << 30) - 1, 1 << 40] {
            let blocks = encode("blobs/sha256/aa", EntryKind::File, size);
            let block: &[u8; 512] = blocks[..].try_into().unwrap();
            let Claim::Entry {
                name,
                kind,
                size: claimed,
            } = read(block)
            else {
                panic!()
            };
            assert_eq!(
                (name.as_slice(), kind, claimed),
                (&b"blobs/sha256/aa"[..], EntryKind::File, size)
            );
        }
    }

    #[test]
    fn large_sizes_are_in_the_header_itself() {
        let blocks = encode("a", EntryKind::File, 8 << 30);
        assert_eq!(blocks.len(), 512);
        assert_eq!(blocks[124], 0x80);
    }

    #[test]
    fn a_long_name_gets_a_record_of_its_own() {
        let path = format!("blobs/sha512/{}", "a".repeat(128));
        assert_eq!(encode(&path, EntryKind::File, 1).len(), 3 * 512);
    }
}
