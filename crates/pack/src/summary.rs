//! What is remembered of a blob's content: enough to find equal files in it, without its bytes.

use std::io::{self, Write};

use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
use crate::format::{Fields, put};
use crate::path::source_path;
use crate::sketch::{Sketch, Sketcher};
use crate::tar::{Part, Splitter};

/// What is in a blob: for each file of its tar the SHA-256 and length of its content, where it is, and a hash of its
/// path; for the bytes before each file, a hash. It takes about 70 bytes a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The content is what the blob's gzip stream inflates to; otherwise it is the blob.
    pub(crate) gzip: bool,
    pub(crate) opened: u64,
    /// What the content is like as a whole.
    pub(crate) sketch: Sketch,
    pub(crate) entries: Vec<Entry>,
}

/// Bytes between files, and the file after them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Where it starts in the content.
    pub(crate) offset: u64,
    /// Bytes of structure.
    pub(crate) structure: u64,
    /// The start of their SHA-256.
    pub(crate) hash: [u8; HASH],
    /// `None` only at the end.
    pub(crate) file: Option<FileEntry>,
}

/// A file of a tar, or a blob that is not a tar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileEntry {
    /// Bytes, not 0.
    pub(crate) len: u64,
    /// SHA-256 of its bytes.
    pub(crate) digest: [u8; 32],
    /// A hash of its path; 0 if it has none.
    pub(crate) path: u64,
    /// A hash of its path with all numbers left out; not serialised.
    pub(crate) loose: u64,
    /// Whether its path is that of a compiled Python module; not serialised.
    pub(crate) compiled: bool,
    /// What it is like, if that was asked for and it is long enough; not serialised.
    pub(crate) sketch: Option<Box<Sketch>>,
}

/// Bytes of the hash of structure.
pub(crate) const HASH: usize = 16;

impl Entry {
    /// Where the file starts.
    pub(crate) fn file_offset(&self) -> u64 {
        self.offset + self.structure
    }

    /// Where the next entry starts.
    pub(crate) fn end(&self) -> u64 {
        self.file_offset() + self.file.as_ref().map_or(0, |file| file.len)
    }
}

const MAGIC: [u8; 8] = *b"SEALSUMM";
const VERSION: u8 = 1;
/// A summary in memory takes a few times the bytes of its serialised form.
const MAX_LEN: usize = 64 << 20;

impl Summary {
    /// Bytes of the content that it describes.
    pub fn opened(&self) -> u64 {
        self.opened
    }

    /// How many files are in it.
    pub fn files(&self) -> usize {
        self.entries.len() - self.entries.iter().filter(|e| e.file.is_none()).count()
    }

    pub(crate) fn files_in_order(&self) -> impl Iterator<Item = &FileEntry> {
        self.entries.iter().filter_map(|entry| entry.file.as_ref())
    }

    /// The summary as bytes. What similar files could be found by is left out: without the blob's bytes only equal
    /// ones are of use.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend([VERSION, u8::from(self.gzip)]);
        put(&mut out, self.opened);
        put(&mut out, self.sketch.samples().len() as u64);
        for sample in self.sketch.samples() {
            out.extend(sample.to_le_bytes());
        }
        put(&mut out, self.entries.len() as u64);
        for entry in &self.entries {
            put(&mut out, entry.structure);
            out.extend(entry.hash);
            put(&mut out, entry.file.as_ref().map_or(0, |file| file.len));
            if let Some(file) = &entry.file {
                out.extend(file.digest);
                out.extend(file.path.to_le_bytes());
            }
        }
        out
    }

    /// Reads what [`Summary::to_bytes`] wrote.
    ///
    /// # Errors
    ///
    /// [`Error::Summary`] for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > MAX_LEN {
            return Err(Error::Summary("it is too long"));
        }
        let mut fields = Fields::with_fault(bytes, Error::Summary);
        if fields.take(MAGIC.len())? != MAGIC {
            return Err(Error::Summary("it does not start like one"));
        }
        if fields.byte()? != VERSION {
            return Err(Error::Summary("it has an unknown version"));
        }
        let gzip = match fields.byte()? {
            0 => false,
            1 => true,
            _ => return Err(Error::Summary("it has an unknown wrapping")),
        };
        let opened = fields.number()?;
        let sketch = get_sketch(&mut fields)?;
        let count = fields.count(1 + HASH + 1)?;
        let mut entries: Vec<Entry> = Vec::with_capacity(count);
        let mut at = 0;
        for _ in 0..count {
            let entry = Entry::get(at, opened, &mut fields)?;
            if entries.last().is_some_and(|last| last.file.is_none()) {
                return Err(CONTRADICTION);
            }
            at = entry.end();
            entries.push(entry);
        }
        if at != opened || fields.remaining() != 0 {
            return Err(Error::Summary("it does not describe all of the content"));
        }
        Ok(Self {
            gzip,
            opened,
            sketch,
            entries,
        })
    }
}

const CONTRADICTION: Error = Error::Summary("its entries contradict each other");

fn get_sketch(fields: &mut Fields<'_>) -> Result<Sketch> {
    let count = fields.count(8)?;
    let mut samples = Vec::with_capacity(count);
    for _ in 0..count {
        samples.push(number(fields)?);
    }
    Sketch::from_samples(samples).ok_or(Error::Summary("its samples are not in order"))
}

fn number(fields: &mut Fields<'_>) -> Result<u64> {
    Ok(u64::from_le_bytes(fields.array()?))
}

impl Entry {
    /// Reads an entry that starts at `offset` of so many bytes.
    fn get(offset: u64, opened: u64, fields: &mut Fields<'_>) -> Result<Self> {
        let structure = fields.number()?;
        let hash = fields.array()?;
        let len = fields.number()?;
        let file = match len {
            0 => None,
            _ => Some(FileEntry {
                len,
                digest: fields.array()?,
                path: number(fields)?,
                loose: 0,
                compiled: false,
                sketch: None,
            }),
        };
        let end = structure
            .checked_add(len)
            .and_then(|own| own.checked_add(offset));
        match end {
            Some(end) if end <= opened && end > offset => Ok(Self {
                offset,
                structure,
                hash,
                file,
            }),
            _ => Err(CONTRADICTION),
        }
    }
}

/// Takes content and describes it.
pub(crate) struct Summarizer {
    splitter: Splitter,
    whole: Sketcher,
    parts: Parts,
}

/// What was met so far.
struct Parts {
    at: u64,
    /// Where the current entry starts.
    start: u64,
    structure: Sha256,
    current: Option<Current>,
    entries: Vec<Entry>,
    /// Files are sketched from this length on.
    sketched: Option<u64>,
}

/// A file that is being read.
struct Current {
    name: String,
    start: u64,
    hasher: Sha256,
    sketcher: Option<Sketcher>,
}

impl Summarizer {
    /// Files of at least `sketched` bytes are sketched; none if that is `None`.
    pub(crate) fn new(sketched: Option<u64>) -> Self {
        Self {
            splitter: Splitter::new(),
            whole: Sketcher::default(),
            parts: Parts {
                at: 0,
                start: 0,
                structure: Sha256::new(),
                current: None,
                entries: Vec::new(),
                sketched,
            },
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.whole.update(bytes);
        self.splitter.push(bytes, &mut |part| self.parts.take(part));
    }

    pub(crate) fn finish(mut self, gzip: bool) -> Summary {
        self.splitter.finish(&mut |part| self.parts.take(part));
        self.parts.end_file();
        if self.parts.start < self.parts.at {
            self.parts.end_entry(self.parts.at, None);
        }
        Summary {
            gzip,
            opened: self.parts.at,
            sketch: self.whole.finish(),
            entries: self.parts.entries,
        }
    }
}

impl Write for Summarizer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Parts {
    fn take(&mut self, part: Part<'_>) {
        match part {
            Part::Structure(bytes) => {
                self.end_file();
                self.structure.update(bytes);
                self.at += bytes.len() as u64;
            }
            Part::File { name } => {
                self.end_file();
                self.current = Some(Current {
                    name,
                    start: self.at,
                    hasher: Sha256::new(),
                    sketcher: self.sketched.map(|_| Sketcher::default()),
                });
            }
            Part::Data(bytes) => {
                if let Some(current) = &mut self.current {
                    current.hasher.update(bytes);
                    if let Some(sketcher) = &mut current.sketcher {
                        sketcher.update(bytes);
                    }
                }
                self.at += bytes.len() as u64;
            }
        }
    }

    fn end_file(&mut self) {
        let Some(current) = self.current.take() else {
            return;
        };
        let len = self.at - current.start;
        if len == 0 {
            return;
        }
        let long = self.sketched.is_some_and(|least| len >= least);
        let sketcher = current.sketcher.filter(|_| long);
        let (path, loose) = path_hashes(&current.name);
        let file = FileEntry {
            len,
            digest: current.hasher.finalize().into(),
            path,
            loose,
            compiled: source_path(&current.name).is_some(),
            sketch: sketcher.map(|sketcher| Box::new(sketcher.finish())),
        };
        self.end_entry(current.start, Some(file));
    }

    /// Ends the entry whose structure ends there.
    fn end_entry(&mut self, structure_end: u64, file: Option<FileEntry>) {
        let mut hash = [0; HASH];
        hash.copy_from_slice(&self.structure.finalize_reset()[..HASH]);
        self.entries.push(Entry {
            offset: self.start,
            structure: structure_end - self.start,
            hash,
            file,
        });
        self.start = self.at;
    }
}

/// Hashes of a path as it is, and without the numbers in it, which change with versions; 0 for no path.
pub(crate) fn path_hashes(path: &str) -> (u64, u64) {
    let path = path.trim_start_matches("./").trim_start_matches('/');
    if path.is_empty() {
        return (0, 0);
    }
    let mut loose = String::with_capacity(path.len());
    for character in path.chars() {
        match character {
            // 1.2 and 1.2.3 are versions of the same.
            '0'..='9' | '.' if loose.ends_with('#') => {}
            '0'..='9' => loose.push('#'),
            other => loose.push(other),
        }
    }
    (hash(path), hash(&loose))
}

fn hash(text: &str) -> u64 {
    let digest = Sha256::digest(text.as_bytes());
    let start = digest.first_chunk::<8>();
    start.map_or(0, |start| u64::from_le_bytes(*start))
}
