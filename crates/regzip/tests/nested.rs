//! Streams inside what other tools write: found, opened, and closed again, bit for bit.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use regzip::nested::{self, CloseReader, Map, Options};
use support::{binary, go_writer, new_go_writer, program, run, text};

/// Opens the content, closes it from the map's bytes in two ways, and compares; how many streams were opened.
fn there_and_back(what: &str, content: &[u8]) -> usize {
    let mut expanded = Vec::new();
    let options = Options::default();
    let opened = nested::open(Cursor::new(content), &mut expanded, &options).unwrap();
    assert!(opened.kept.is_empty(), "{what}: {:?}", opened.kept);
    let map = Map::from_bytes(&opened.map.to_bytes()).unwrap();
    let mut again = Vec::new();
    nested::close(&map, expanded.as_slice(), &mut again, &support::workers(2)).unwrap();
    assert!(again == content, "{what}: it differs");
    again.clear();
    let mut reader = CloseReader::new(map.clone(), expanded.as_slice());
    reader.read_to_end(&mut again).unwrap();
    assert!(again == content, "{what}: it differs as a reader");
    map.streams().len()
}

/// Sections of a program, 64 bits and little endian, that are marked as compressed.
fn compressed_sections(elf: &[u8]) -> usize {
    let number = |at: usize, len: usize| {
        let mut bytes = [0; 8];
        bytes[..len].copy_from_slice(&elf[at..at + len]);
        usize::try_from(u64::from_le_bytes(bytes)).unwrap()
    };
    let (table, size, count) = (number(0x28, 8), number(0x3a, 2), number(0x3c, 2));
    let flags = (0..count).map(|index| number(table + index * size + 8, 8));
    flags.filter(|flags| flags & 0x800 != 0).count()
}

/// Go's linker compresses what debuggers read.
fn debug_sections_are_opened(writer: Option<PathBuf>) {
    let Some(path) = writer else { return };
    let program = std::fs::read(path).unwrap();
    let sections = compressed_sections(&program);
    assert!(sections > 3, "the linker compressed {sections} sections");
    assert_eq!(there_and_back("a program", &program), sections);
}

#[test]
fn debug_sections_of_a_program_by_go() {
    debug_sections_are_opened(go_writer("go"));
}

#[test]
fn debug_sections_of_a_program_by_the_new_go() {
    debug_sections_are_opened(new_go_writer());
}

/// Members of sizes that end before, at and after the pieces in which content is read.
fn pieces() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = (1..12).map(|n| text(n * n * 900, n as u64)).collect();
    all.push(binary(300_000, 90));
    all
}

/// Makes a zip file of standard input, cut into members of the lengths that are given.
const ZIP: &str = "
import io, sys, zipfile
class Pipe(io.RawIOBase):
    def writable(self): return True
    def write(self, piece): return sys.stdout.buffer.write(piece)
out = Pipe() if sys.argv[1] == 'pipe' else io.BytesIO()
data = sys.stdin.buffer.read()
with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as z:
    for number, length in enumerate(map(int, sys.argv[2:])):
        z.writestr(f'member {number}', data[:length])
        data = data[length:]
if sys.argv[1] != 'pipe':
    sys.stdout.buffer.write(out.getvalue())
";

/// A zip file, written to a file or to a pipe, after whose members the lengths follow, as in jars.
fn zipped(python: &Path, pipe: bool) -> Vec<u8> {
    let lengths: Vec<String> = pieces().iter().map(|p| p.len().to_string()).collect();
    let mut arguments = vec!["-c", ZIP, if pipe { "pipe" } else { "file" }];
    arguments.extend(lengths.iter().map(String::as_str));
    run(python, &arguments, &pieces().concat())
}

#[test]
fn members_of_zip_files() {
    let Some(python) = program("python3") else {
        return;
    };
    for pipe in [false, true] {
        let zip = zipped(&python, pipe);
        let what = format!("a zip file, written to a pipe: {pipe}");
        assert_eq!(there_and_back(&what, &zip), pieces().len(), "{what}");
    }
}

/// Makes a picture of standard input with each of zlib's levels.
const PICTURES: &str = "
import struct, sys, zlib
def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
data = sys.stdin.buffer.read()
for level in range(1, 10):
    stream = zlib.compress(data, level)
    out = b'\\x89PNG\\r\\n\\x1a\\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 300, 300, 8, 2, 0, 0, 0))
    for at in range(0, len(stream), 8192):
        out += chunk(b'IDAT', stream[at:at + 8192])
    sys.stdout.buffer.write(out + chunk(b'IEND', b''))
";

#[test]
fn pictures() {
    let Some(python) = program("python3") else {
        return;
    };
    let content = run(&python, &["-c", PICTURES], &binary(200_000, 82));
    assert_eq!(there_and_back("pictures", &content), 9);
}

#[test]
fn gzip_files_in_an_archive() {
    let mut content = text(5000, 83);
    let mut files = 0;
    for (name, arguments) in [
        ("gzip", &["-9", "-c"][..]),
        ("gzip", &["-c"]),
        ("pigz", &["-9", "-c"]),
    ] {
        let Some(program) = program(name) else { return };
        for piece in pieces() {
            content.extend(run(&program, arguments, &piece));
            // As in a tar.
            content.resize(content.len().next_multiple_of(512), 0);
            files += 1;
        }
    }
    assert_eq!(there_and_back("files", &content), files);
}
