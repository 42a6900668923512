//! Reads a layer from its start to its end and keeps what matters of it.

use std::fmt::Write as _;
use std::io::{self, Read};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::compression;
use crate::database::{Database, Format};
use crate::entry::{Change, Entry, File, Found, Notes};
use crate::go::{self, Search};
use crate::kept::{Excess, Kept, Part, Volume};
use crate::limits::{
    MAX_LAYER_BYTES, MAX_LAYER_ENTRIES, MAX_LAYER_NAMES, MAX_MEMORY, MAX_SEARCHED_FILE,
};
use crate::memory::Memory;
use crate::os_release::{self, OsRelease};
use crate::tar::{Header, Kind, Tar, TarError};

/// How much of a file is looked at to see what it is, in bytes.
const HEAD: usize = 32;
const BUFFER: usize = 64 << 10;
/// The start of the name of an entry that deletes something (image-spec, `layer.md`, "Whiteouts").
const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";
/// Names that a storage driver uses for itself.
const RESERVED: &str = ".wh..wh.";

/// Why a layer was not read.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// It cannot be read, decompressed or understood.
    #[error(transparent)]
    Tar(#[from] TarError),
    /// It is larger than any layer that is read.
    #[error("the layer has more than {limit} {what}")]
    TooLarge {
        /// The limit.
        limit: u64,
        /// Of what: bytes, entries, bytes of names.
        what: &'static str,
    },
    /// With the other layers that are needed at the same time it is larger than all that is kept.
    #[error("the layer and the others that are kept have more than {limit} {what}")]
    TooLargeTogether {
        /// The limit.
        limit: u64,
        /// Of what: entries, bytes of names.
        what: &'static str,
    },
}

impl From<Excess> for LayerError {
    fn from(Excess { limit, what }: Excess) -> Self {
        Self::TooLargeTogether { limit, what }
    }
}

/// What one layer changes, and what its files contain.
#[derive(Debug, Default)]
pub struct Scan {
    pub(crate) entries: Vec<Entry>,
    pub(crate) notes: Notes,
    kept: Part,
}

/// Reads layers, on as many threads as its caller likes. All of them together hold no more than
/// [`MAX_MEMORY`] bytes of files, and scans that are not dropped keep no more names than
/// [`MAX_KEPT_NAMES`](crate::limits::MAX_KEPT_NAMES) says.
#[derive(Debug)]
pub struct Scanner {
    memory: Memory,
    kept: Arc<Kept>,
    volume: Volume,
    hash_files: bool,
}

impl Scanner {
    /// A scanner. With `hash_files` every file has its digest, which [`crate::compare_files`] needs.
    pub fn new(hash_files: bool) -> Self {
        Self {
            memory: Memory::new(MAX_MEMORY),
            kept: Arc::default(),
            volume: Volume::default(),
            hash_files,
        }
    }

    /// Reads a layer, compressed or not, to its end.
    ///
    /// # Errors
    /// If reading fails, if it is not a tar, or if it is above a limit.
    pub fn layer(&self, layer: impl Read) -> Result<Scan, LayerError> {
        let tar = compression::open(self.volume.stored(layer)).map_err(TarError::from)?;
        let tar = self.volume.opened(tar);
        let mut reading = Reading {
            scanner: self,
            tar: Tar::new(Limited(tar, MAX_LAYER_BYTES)),
            scan: Scan {
                kept: Part::of(&self.kept),
                ..Scan::default()
            },
            names: 0,
        };
        while let Some(header) = reading.tar.next()? {
            reading.entry(header)?;
        }
        if reading.tar.rest()? {
            let end = "there is data after the end of a layer's tar; runtimes ignore it";
            reading.scan.notes.add("", end);
        }
        Ok(reading.scan)
    }
}

/// A reader that ends after so many bytes.
struct Limited<R>(R, u64);

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.by_ref().take(self.1).read(buffer)?;
        self.1 -= read as u64;
        if self.1 == 0 && !buffer.is_empty() {
            return Err(io::Error::other(format!(
                "the layer has more than {MAX_LAYER_BYTES} bytes"
            )));
        }
        Ok(read)
    }
}

struct Reading<'a, R> {
    scanner: &'a Scanner,
    tar: Tar<Limited<R>>,
    scan: Scan,
    /// The bytes of all names so far.
    names: usize,
}

impl<R: Read> Reading<'_, R> {
    fn entry(&mut self, header: Header) -> Result<(), LayerError> {
        let path = normal(&header.path);
        let change = match (whiteout(&path), header.kind) {
            (Some((deleted, change)), _) => return self.push(deleted.into(), change),
            (None, Kind::File) => {
                if is_reserved(&path) {
                    return Ok(());
                }
                Change::File(Arc::new(self.file(&path, &header)?))
            }
            (None, Kind::Directory) => Change::Directory,
            (None, Kind::Symlink) => Change::Symlink(text(&header.link).into()),
            (None, Kind::HardLink) => Change::HardLink(normal(&header.link).into()),
            (None, Kind::Other) => Change::Other,
        };
        if is_reserved(&path) {
            return Ok(());
        }
        self.push(path.into(), change)
    }

    fn push(&mut self, path: Box<str>, change: Change) -> Result<(), LayerError> {
        let target = match &change {
            Change::Symlink(target) | Change::HardLink(target) => target.len(),
            _ => 0,
        };
        self.names += path.len() + target;
        self.scan.kept.add(path.len() + target)?;
        for (limit, value, what) in [
            (MAX_LAYER_ENTRIES, self.scan.entries.len() + 1, "entries"),
            (MAX_LAYER_NAMES, self.names, "bytes of names"),
        ] {
            if value > limit {
                let limit = limit as u64;
                return Err(LayerError::TooLarge { limit, what });
            }
        }
        self.scan.entries.push(Entry { path, change });
        Ok(())
    }

    /// Reads the content of the current entry.
    fn file(&mut self, path: &str, header: &Header) -> Result<File, TarError> {
        let mut head = [0; HEAD];
        let mut filled = 0;
        while filled < HEAD {
            let read = self.tar.read(&mut head[filled..])?;
            if read == 0 {
                break;
            }
            filled += read;
        }
        let head = &head[..filled];
        let mut hash = self.scanner.hash_files.then(Sha256::new);
        if let Some(hash) = &mut hash {
            hash.update(head);
        }
        let found = match Content::of(path, head) {
            None => None,
            Some(content) if header.sparse => {
                Some(content.unread("a sparse file was not read".to_owned()))
            }
            Some(content) if header.size > MAX_SEARCHED_FILE => Some(content.unread(format!(
                "a file of {} bytes was not read, the limit is {MAX_SEARCHED_FILE}",
                header.size
            ))),
            Some(content) => self.found(content, head, header.size, &mut hash)?,
        };
        let mut buffer = vec![0; BUFFER.min(usize::try_from(header.size).unwrap_or(BUFFER))];
        loop {
            let read = self.tar.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            if let Some(hash) = &mut hash {
                hash.update(&buffer[..read]);
            }
        }
        Ok(File {
            size: header.size,
            mode: header.mode,
            sha256: hash.map(|hash| hash.finalize().into()),
            found,
        })
    }

    /// Reads the complete file, which has `size` bytes, into memory, and what is in it.
    fn found(
        &mut self,
        content: Content,
        head: &[u8],
        size: u64,
        hash: &mut Option<Sha256>,
    ) -> Result<Option<Found>, TarError> {
        let _share = self.scanner.memory.take(size);
        let mut bytes = Vec::new();
        let Ok(length) = usize::try_from(size) else {
            return Ok(None);
        };
        if bytes.try_reserve_exact(length.max(head.len())).is_err() {
            let problem = "there is not enough memory to read it".to_owned();
            return Ok(Some(content.unread(problem)));
        }
        bytes.extend_from_slice(head);
        let mut buffer = vec![0; BUFFER.min(length.max(1))];
        loop {
            let read = self.tar.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            bytes.extend_from_slice(&buffer[..read]);
        }
        if let Some(hash) = hash {
            hash.update(&bytes[head.len()..]);
        }
        Ok(content.read(&bytes))
    }
}

/// What a file may contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    OsRelease,
    Database(Format),
    Program,
}

impl Content {
    fn of(path: &str, head: &[u8]) -> Option<Self> {
        if os_release::PATHS.contains(&path) {
            return Some(Self::OsRelease);
        }
        if go::is_program(head) {
            return Some(Self::Program);
        }
        Format::of(path, head).map(Self::Database)
    }

    /// What is known of a file that was not read. Files in the format of a database are common; it matters only
    /// whether one was not read where a package manager has its own.
    fn unread(self, problem: String) -> Found {
        match self {
            Self::Database(_) => Found::Database(Database {
                problems: vec![problem],
                ..Database::default()
            }),
            Self::OsRelease | Self::Program => Found::Unread(problem),
        }
    }

    fn read(self, bytes: &[u8]) -> Option<Found> {
        match self {
            Self::OsRelease if bytes.len() as u64 > os_release::MAX_BYTES => Some(Found::Unread(
                "an os-release file of more than 64 KiB".to_owned(),
            )),
            Self::OsRelease => Some(Found::OsRelease(OsRelease::parse(bytes))),
            Self::Database(format) => Some(match format.read(bytes) {
                Ok(database) => Found::Database(database),
                Err(problem) => self.unread(problem),
            }),
            Self::Program => match go::search(bytes) {
                Search::Nothing => None,
                Search::Found(info) => Some(Found::Program(info)),
                Search::Unread(why) => Some(Found::Unread(why.to_owned())),
            },
        }
    }
}

/// A path without `.`, `..` and empty components; `..` ends at the root, as in a container.
pub(crate) fn normal(path: &[u8]) -> String {
    let path = text(path);
    let mut components: Vec<&str> = Vec::new();
    for component in path.split('/') {
        match component {
            "" | "." => {}
            ".." => drop(components.pop()),
            component => components.push(component),
        }
    }
    components.join("/")
}

/// A name as text: bytes that are not UTF-8 are written as `\xff`, so that different names stay different.
fn text(name: &[u8]) -> String {
    let mut out = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            // Writing to a string does not fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

/// What an entry with this path deletes, if it is a whiteout.
fn whiteout(path: &str) -> Option<(String, Change)> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    if name == OPAQUE {
        return Some((folder.to_owned(), Change::Opaque));
    }
    let deleted = name.strip_prefix(WHITEOUT)?;
    if deleted.is_empty() || name.starts_with(RESERVED) {
        return None;
    }
    let path = if folder.is_empty() {
        deleted.to_owned()
    } else {
        format!("{folder}/{deleted}")
    };
    Some((path, Change::Whiteout))
}

/// Whether a component of the path is one that a storage driver uses for itself.
fn is_reserved(path: &str) -> bool {
    path.split('/')
        .any(|component| component.starts_with(RESERVED))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A tar of empty files.
    fn tar(names: &[&str]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for name in names {
            let mut header = tar::Header::new_gnu();
            header.set_size(0);
            tar.append_data(&mut header, name, io::empty()).unwrap();
        }
        tar.into_inner().unwrap()
    }

    #[test]
    fn what_all_layers_keep_together_is_limited_and_given_back() {
        for kept in [Kept::new(3, 100), Kept::new(100, 12)] {
            let scanner = Scanner {
                kept: Arc::new(kept),
                ..Scanner::new(false)
            };
            let layer = tar(&["first", "second"]);
            let first = scanner.layer(layer.as_slice()).unwrap();
            let error = scanner.layer(layer.as_slice()).unwrap_err();
            assert!(
                matches!(error, LayerError::TooLargeTogether { .. }),
                "{error}"
            );
            drop(first);
            assert!(scanner.layer(layer.as_slice()).is_ok());
        }
    }

    #[test]
    fn what_all_layers_are_decompressed_to_is_limited_by_what_they_are_stored_in() {
        let zeros = io::repeat(0).take(1 << 20);
        let small = zstd::encode_all(zeros, 1).unwrap();
        let scanner = Scanner {
            volume: Volume::new(3 << 19),
            ..Scanner::new(false)
        };
        assert!(scanner.layer(small.as_slice()).is_ok());
        let error = scanner.layer(small.as_slice()).unwrap_err().to_string();
        assert!(
            error.contains("all layers together have more than"),
            "{error}"
        );
        // Bytes that do not compress allow as many as they are, and more.
        let scanner = Scanner {
            volume: Volume::new(0),
            ..Scanner::new(false)
        };
        let plain = tar(&["a", "b"]);
        assert!((0..3).all(|_| scanner.layer(plain.as_slice()).is_ok()));
    }

    #[test]
    fn paths_have_one_form() {
        for (path, expected) in [
            ("./a//b/", "a/b"),
            ("/a/./b", "a/b"),
            ("a/../../b", "b"),
            ("./", ""),
            ("..", ""),
        ] {
            assert_eq!(normal(path.as_bytes()), expected);
        }
        assert_eq!(normal(b"a/\xff/\xfe"), "a/\\xff/\\xfe");
    }

    #[test]
    fn whiteouts_name_what_they_delete() {
        let of = |path: &str| {
            whiteout(path).map(|(path, change)| (path, matches!(change, Change::Opaque)))
        };
        assert_eq!(of("a/.wh.b"), Some(("a/b".to_owned(), false)));
        assert_eq!(of(".wh.b"), Some(("b".to_owned(), false)));
        assert_eq!(of("a/.wh..wh..opq"), Some(("a".to_owned(), true)));
        assert_eq!(of("a/.wh..wh.plnk"), None);
        assert_eq!(of("a/b"), None);
        assert_eq!(of(".wh."), None);
    }
}
