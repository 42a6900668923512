//! What is compressed: a Go toolchain, which every machine gets with the same bytes through Go's checksums, and
//! content generated from seeds.

use std::error::Error;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use sealift_testkit::layers::{archive, files_below};

use super::programs::{NEW_GO, go};

/// Longer contents are cut: more would add time and say nothing new.
const LONGEST: usize = 3 << 20;
const LONGEST_QUICK: usize = 1 << 20;
/// From this length on a content is large, and its recipes are compared with a thousandth of it.
pub(crate) const LARGE: usize = 1 << 20;
/// Small contents of each setting.
const SMALL: usize = 4;
const SMALL_QUICK: usize = 2;

/// The name of the content whose speeds are measured.
const MEASURED: &str = "program and text";

/// One content.
pub(crate) struct Content {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    /// The same in a file, for encoders to read.
    pub(crate) path: PathBuf,
}

impl Content {
    pub(crate) fn is_large(&self) -> bool {
        self.bytes.len() >= LARGE
    }
}

/// All contents.
pub(crate) struct Corpus {
    pub(crate) contents: Vec<Content>,
    /// Half program, half text: what speeds are measured with.
    pub(crate) measured: Content,
    /// How often each speed is measured at least.
    pub(crate) runs: usize,
    pub(crate) quick: bool,
    /// The Go toolchain, or the folder that was given.
    pub(crate) root: PathBuf,
    /// Its name for the table.
    pub(crate) name: String,
}

impl Corpus {
    /// Reads and makes the contents; copies of them lie in `scratch`.
    pub(crate) fn new(
        given: Option<&Path>,
        quick: bool,
        scratch: &Path,
    ) -> Result<Self, Box<dyn Error>> {
        let mut maker = Maker {
            scratch: scratch.join("corpus"),
            longest: if quick { LONGEST_QUICK } else { LONGEST },
            small: if quick { SMALL_QUICK } else { SMALL },
            contents: Vec::new(),
        };
        fs::create_dir(&maker.scratch)?;
        let (root, name) = match given {
            Some(folder) => {
                maker.folder(folder)?;
                (folder.to_owned(), folder.display().to_string())
            }
            None => (maker.toolchain()?, format!("the toolchain of {NEW_GO}")),
        };
        maker.generated()?;
        let large = maker.contents.iter().filter(|content| content.is_large());
        let mut mixed = Vec::new();
        for content in large.take(2) {
            mixed.extend_from_slice(&content.bytes);
        }
        let measured = maker.content(MEASURED, mixed)?;
        Ok(Self {
            contents: maker.contents,
            measured,
            runs: if quick { 1 } else { 3 },
            quick,
            root,
            name,
        })
    }
}

struct Maker {
    scratch: PathBuf,
    longest: usize,
    small: usize,
    contents: Vec<Content>,
}

impl Maker {
    fn content(&self, name: &str, mut bytes: Vec<u8>) -> Result<Content, Box<dyn Error>> {
        bytes.truncate(if name == MEASURED {
            2 * self.longest
        } else {
            self.longest
        });
        let path = self.scratch.join(self.contents.len().to_string());
        let path = path.with_extension(if name == MEASURED { "m" } else { "c" });
        File::create(&path)?.write_all(&bytes)?;
        Ok(Content {
            name: name.to_owned(),
            bytes,
            path,
        })
    }

    fn add(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), Box<dyn Error>> {
        let content = self.content(name, bytes)?;
        self.contents.push(content);
        Ok(())
    }

    fn folder(&mut self, folder: &Path) -> Result<(), Box<dyn Error>> {
        for path in files_below(folder)? {
            self.add(&path.display().to_string(), fs::read(&path)?)?;
        }
        Ok(())
    }

    /// A program, the library's source as an archive, and single files of it.
    fn toolchain(&mut self) -> Result<PathBuf, Box<dyn Error>> {
        let root = go(NEW_GO, &self.scratch, &["env", "GOROOT"])?;
        let root = PathBuf::from(root.trim());
        let compiler = fs::read(root.join("pkg/tool/linux_amd64/compile"))?;
        self.add("compile, a program", compiler)?;
        self.add(
            "source of the library, a tar",
            archive(&root.join("src/net")),
        )?;
        let sources = files_below(&root.join("src/compress"))?;
        for path in sources.iter().step_by(sources.len() / self.small + 1) {
            let name = path.strip_prefix(&root)?.display().to_string();
            self.add(&name, fs::read(path)?)?;
        }
        Ok(root)
    }

    /// Runs, noise, and records with small differences.
    fn generated(&mut self) -> Result<(), Box<dyn Error>> {
        let mut random = Random(1);
        self.add("zeros", vec![0; 3 << 19])?;
        self.add("noise", random.bytes(5 << 18))?;
        let mut records = Vec::new();
        for number in 0u32..60_000 {
            records.extend_from_slice(format!("record {number}: ").as_bytes());
            records.extend_from_slice(&(number * 24).to_le_bytes());
            records.resize(
                records.len() + usize::from(random.next() & 15),
                random.next(),
            );
        }
        self.add("records", records)?;
        self.add("empty", Vec::new())?;
        self.add("one byte", vec![b'x'])
    }
}

/// The same numbers every time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u8 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0.to_be_bytes()[0]
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next()).collect()
    }
}
