//! Streams inside content: programs, archives and pictures as other tools write them, opened and closed again.

use std::error::Error;
use std::fmt;
use std::fs::{self, File};
use std::io::Cursor;
use std::path::Path;
use std::process::{Command, Stdio};

use regzip::nested::{self, Map, Options};
use sealift_testkit::layers::{archive, files_below};
use sealift_testkit::real::require;
use serde_json::{Value, json};

use super::measure::pool;
use super::programs::{NEW_GO, OLD_GO, Programs, go};
use super::trial::Compare;

/// What was found in one content.
pub(crate) struct Nested {
    name: String,
    content: usize,
    /// Streams that its maker put in, where that is known.
    known: Option<usize>,
    opened: usize,
    kept: usize,
    expanded: u64,
    map: usize,
    pub(crate) equal: bool,
}

/// Shorter streams are not opened.
const SHORTEST: usize = 128;

/// Makes a zip file of a folder's files, as `zipfile` does.
const ZIP: &str = "
import os, sys, zipfile
with zipfile.ZipFile(sys.argv[2], 'w', zipfile.ZIP_DEFLATED) as z:
    for top, folders, files in os.walk(sys.argv[1]):
        for name in files:
            z.write(os.path.join(top, name), name)
";

/// Counts the members that are long enough to be opened.
const COUNT: &str = "
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z:
    print(sum(m.compress_type == 8 and m.compress_size >= int(sys.argv[2]) for m in z.infolist()))
";

/// Pictures with each of zlib's levels, one after the other: noise over a gradient, filtered line by line.
const PICTURES: &str = "
import struct, sys, zlib
def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
for level in range(1, 10):
    lines = b''.join(bytes([1]) + bytes((x * y * level) >> 6 & 15 for x in range(600)) for y in range(200))
    sys.stdout.buffer.write(b'\\x89PNG\\r\\n\\x1a\\n'
        + chunk(b'IHDR', struct.pack('>IIBBBBB', 200, 200, 8, 2, 0, 0, 0))
        + chunk(b'IDAT', zlib.compress(lines, level)) + chunk(b'IEND', b''))
";

/// One row for each kind of content.
pub(crate) fn rows(programs: &Programs, scratch: &Path) -> Result<Vec<Nested>, Box<dyn Error>> {
    let mut rows = Vec::new();
    let folder = scratch.join("nested");
    fs::create_dir(&folder)?;
    for (writer, version) in [(&programs.old_go, OLD_GO), (&programs.new_go, NEW_GO)] {
        if let Some(writer) = writer {
            let program = fs::read(writer)?;
            let known = compressed_sections(&program);
            rows.push(row(
                &format!("a program linked by {version}"),
                &program,
                known,
            )?);
        }
    }
    if programs.new_go.is_some() {
        let root = go(NEW_GO, scratch, &["env", "GOROOT"])?;
        let source = Path::new(root.trim()).join("src");
        rows.extend(archives(programs, &source.join("compress"), &folder)?);
        for name in ["image", "archive", "debug", "compress"] {
            let tar = archive(&source.join(name));
            rows.push(row(&format!("a tar of Go's src/{name}"), &tar, None)?);
        }
        rows.extend(gzip_files(programs, &source.join("compress"))?);
    }
    if let Some(python) = &programs.python {
        let made = Command::new(python).args(["-c", PICTURES]).output()?;
        rows.push(row("PNG by Python's zlib", &made.stdout, Some(9))?);
    }
    Ok(rows)
}

/// Zip files and jars of a folder.
fn archives(
    programs: &Programs,
    source: &Path,
    folder: &Path,
) -> Result<Vec<Nested>, Box<dyn Error>> {
    let mut rows = Vec::new();
    let Some(python) = &programs.python else {
        return Ok(rows);
    };
    let zip = folder.join("python.zip");
    let mut made = Command::new(python);
    checked(made.args(["-c", ZIP]).args([source, &zip]))?;
    let count = |path: &Path| -> Result<usize, Box<dyn Error>> {
        let output = Command::new(python)
            .args(["-c", COUNT])
            .arg(path)
            .arg(SHORTEST.to_string())
            .output()?;
        Ok(String::from_utf8(output.stdout)?.trim().parse()?)
    };
    rows.push(row(
        "a zip file by Python",
        &fs::read(&zip)?,
        Some(count(&zip)?),
    )?);
    if let Some(jar) = require("jar") {
        let path = folder.join("java.jar");
        let mut command = Command::new(jar);
        command.arg("cf").arg(&path).arg("-C").arg(source).arg(".");
        checked(&mut command)?;
        rows.push(row(
            "a jar by Java's tool",
            &fs::read(&path)?,
            Some(count(&path)?),
        )?);
    }
    Ok(rows)
}

/// `.gz` files in a tar, by several encoders.
fn gzip_files(programs: &Programs, source: &Path) -> Result<Vec<Nested>, Box<dyn Error>> {
    let mut rows = Vec::new();
    let by = [
        ("GNU gzip -9n", &programs.gzip, &["-9nc"][..]),
        ("pigz -9", &programs.pigz, &["-9c"]),
        ("Go", &programs.old_go, &["gzip", "6"]),
    ];
    for (name, program, arguments) in by {
        let Some(program) = program else { continue };
        let folder = tempfile::tempdir()?;
        let mut known = 0;
        for path in files_below(source)? {
            let mut command = Command::new(program);
            let output = command.args(arguments).stdin(File::open(&path)?).output()?;
            let name = path.strip_prefix(source)?.display().to_string();
            fs::write(folder.path().join(name.replace('/', "-")), &output.stdout)?;
            known += usize::from(output.stdout.len() >= SHORTEST);
        }
        let tar = archive(folder.path());
        rows.push(row(
            &format!("a tar of .gz files by {name}"),
            &tar,
            Some(known),
        )?);
    }
    Ok(rows)
}

fn checked(command: &mut Command) -> Result<(), Box<dyn Error>> {
    if command.stdin(Stdio::null()).output()?.status.success() {
        return Ok(());
    }
    Err(format!("{command:?} failed").into())
}

fn row(name: &str, content: &[u8], known: Option<usize>) -> Result<Nested, Box<dyn Error>> {
    let mut expanded = Vec::new();
    let opened = nested::open(Cursor::new(content), &mut expanded, &Options::default())?;
    let bytes = opened.map.to_bytes();
    let map = Map::from_bytes(&bytes)?;
    let mut compare = Compare(content);
    let closed = nested::close(&map, expanded.as_slice(), &mut compare, &pool(2)?);
    Ok(Nested {
        name: name.to_owned(),
        content: content.len(),
        known,
        opened: map.streams().len(),
        kept: opened.kept.len(),
        expanded: map.expanded_len(),
        map: bytes.len(),
        equal: closed.is_ok() && compare.0.is_empty(),
    })
}

/// Sections of an ELF file, 64 bits and little endian, that are marked as compressed.
fn compressed_sections(elf: &[u8]) -> Option<usize> {
    let number = |at: usize, len: usize| -> Option<usize> {
        let mut bytes = [0; 8];
        bytes[..len].copy_from_slice(elf.get(at..at + len)?);
        usize::try_from(u64::from_le_bytes(bytes)).ok()
    };
    let (table, size, count) = (number(0x28, 8)?, number(0x3a, 2)?, number(0x3c, 2)?);
    let flags = (0..count).map(|index| number(table + index * size + 8, 8));
    let flags: Option<Vec<usize>> = flags.collect();
    Some(flags?.iter().filter(|&&flags| flags & 0x800 != 0).count())
}

impl Nested {
    pub(crate) const HEAD: &str = "| content | bytes | streams in it | opened | kept | opened out | \
                                   map | closed |\n|---|--:|--:|--:|--:|--:|--:|---|";

    pub(crate) fn json(&self) -> Value {
        json!({
            "name": self.name,
            "content_bytes": self.content,
            "streams": self.known,
            "opened": self.opened,
            "kept": self.kept,
            "expanded_bytes": self.expanded,
            "map_bytes": self.map,
            "equal": self.equal,
        })
    }
}

impl fmt::Display for Nested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.known.map_or("–".to_owned(), |known| known.to_string());
        let closed = if self.equal { "equal" } else { "DIFFERENT" };
        write!(
            f,
            "| {} | {} | {known} | {} | {} | {} | {} | {closed} |",
            self.name, self.content, self.opened, self.kept, self.expanded, self.map
        )
    }
}
