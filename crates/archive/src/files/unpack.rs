//! Reads a carried folder's tar back. Only the one tar that [`carry`](super::carry) makes of some content
//! is taken: every header is compared with the one that would be written for what it says.

use std::io::{self, Read};

use super::name::check_name;
use super::{MAX_DEPTH, MAX_ENTRIES};
use crate::fault::shown;
use crate::header::{Claim, EntryKind, encode, padded, read};

/// No path below a folder is longer, in bytes.
const MAX_PATH_BYTES: u64 = 16 << 10;

/// What takes a folder's content.
pub(super) trait Target {
    /// A folder: its path below the root, with a `/` at its end. Its parent came before it.
    fn folder(&mut self, path: &str) -> io::Result<()>;

    /// A file. All of `content` is to be read.
    fn file(&mut self, path: &str, executable: bool, content: &mut dyn Read) -> io::Result<()>;
}

/// Reads all of `tar` into `target`, up to the stream's end.
pub(super) fn unpack(tar: &mut dyn Read, target: &mut dyn Target) -> io::Result<()> {
    let mut last = String::new();
    let mut folders: Vec<String> = Vec::new();
    for _ in 0..=MAX_ENTRIES {
        let Some((path, kind, size)) = entry(tar)? else {
            return end(tar);
        };
        check_path(&path, kind)?;
        if path <= last {
            return Err(fault(&path, "it is not in order"));
        }
        while folders.last().is_some_and(|top| !path.starts_with(top)) {
            folders.pop();
        }
        let parent = folders.last().map_or("", String::as_str);
        if path[parent.len()..].trim_end_matches('/').contains('/') {
            return Err(fault(
                &path,
                "the folder that it is in does not come before it",
            ));
        }
        last.clone_from(&path);
        if kind == EntryKind::Directory {
            if size > 0 || folders.len() == MAX_DEPTH {
                return Err(fault(&path, "it is too deep, or has content"));
            }
            target.folder(&path)?;
            folders.push(path);
            continue;
        }
        let mut content = tar.take(size);
        target.file(&path, kind == EntryKind::Executable, &mut content)?;
        if content.limit() > 0 {
            return Err(fault(&path, "its content is cut off"));
        }
        let mut rest = [0; 512];
        let rest = &mut rest[..usize::try_from(padded(size) - size).unwrap_or(0)];
        read_all(tar, rest)?;
        if rest.iter().any(|byte| *byte != 0) {
            return Err(fault(&path, "the bytes after its content are not zero"));
        }
    }
    Err(fault(&last, "the folder has more than a million entries"))
}

/// The next entry; none at the end.
fn entry(tar: &mut dyn Read) -> io::Result<Option<(String, EntryKind, u64)>> {
    let mut blocks = block(tar)?.to_vec();
    let mut claim = read(block_of(&blocks, 0));
    let mut long = None;
    if let Claim::LongName(length) = claim {
        if !(2..=MAX_PATH_BYTES).contains(&length) {
            return Err(fault("", "a name's length is out of bounds"));
        }
        for _ in 0..padded(length) / 512 {
            blocks.extend_from_slice(&block(tar)?);
        }
        let length = usize::try_from(length - 1).unwrap_or(0);
        long = Some(blocks[512..512 + length].to_vec());
        blocks.extend_from_slice(&block(tar)?);
        claim = read(block_of(&blocks, blocks.len() - 512));
    }
    let (name, kind, size) = match claim {
        Claim::End if long.is_none() => return Ok(None),
        Claim::Entry { name, kind, size } => (long.unwrap_or(name), kind, size),
        Claim::Foreign(what) => return Err(fault("", what)),
        Claim::End | Claim::LongName(_) => return Err(fault("", "a long name without an entry")),
    };
    let path = String::from_utf8(name).map_err(|_| fault("", "a name is not UTF-8"))?;
    if encode(&path, kind, size) != blocks {
        return Err(fault(
            &path,
            "the header is not written as in a carried folder",
        ));
    }
    Ok(Some((path, kind, size)))
}

fn block(tar: &mut dyn Read) -> io::Result<[u8; 512]> {
    let mut block = [0; 512];
    read_all(tar, &mut block)?;
    Ok(block)
}

fn read_all(tar: &mut dyn Read, buffer: &mut [u8]) -> io::Result<()> {
    tar.read_exact(buffer).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            fault("", "it ends without the two zero blocks that end a tar")
        }
        _ => error,
    })
}

fn block_of(blocks: &[u8], at: usize) -> &[u8; 512] {
    blocks[at..at + 512]
        .try_into()
        .expect("the slice has the array's length")
}

fn end(tar: &mut dyn Read) -> io::Result<()> {
    if block(tar)? != [0; 512] {
        return Err(fault("", "a single zero block inside it"));
    }
    match tar.read(&mut [0])? {
        0 => Ok(()),
        _ => Err(fault("", "something follows its end")),
    }
}

fn check_path(path: &str, kind: EntryKind) -> io::Result<()> {
    let (components, folder) = match path.strip_suffix('/') {
        Some(components) => (components, true),
        None => (path, false),
    };
    if folder != (kind == EntryKind::Directory) {
        return Err(fault(path, "only a folder's name ends in /"));
    }
    match components
        .split('/')
        .find_map(|component| check_name(component).err())
    {
        Some(name) => Err(fault(path, &name.to_string())),
        None => Ok(()),
    }
}

fn fault(path: &str, what: &str) -> io::Error {
    let path = shown(path);
    let what = if path.is_empty() {
        format!("its tar is not as sealift writes it: {what}")
    } else {
        format!("its tar is not as sealift writes it: {path}: {what}")
    };
    io::Error::new(io::ErrorKind::InvalidData, what)
}
