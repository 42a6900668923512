//! Positions beyond 4 GiB: content that is made while it is read, zeros with islands, so that no machine has
//! to hold it. One such stream is met in every run of the tests, the others on demand:
//! `cargo test -p regzip --test large -- --ignored`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use regzip::{Analysis, Options, Recipe};
use support::{Random, binary, encoder, go_writer, new_go_writer, program, text};

/// Just beyond the last position that fits in 32 bits.
const LEN: u64 = (4 << 30) + (24 << 20) + 12_345;
/// Half of an island.
const MARGIN: u64 = 150_000;

/// Zeros with islands around the places where positions of 30, 31 and 32 bits end.
#[derive(Clone)]
struct Sparse {
    islands: Arc<Vec<(Range<u64>, Vec<u8>)>>,
    at: u64,
}

impl Sparse {
    fn new() -> Self {
        let island = |middle: u64, seed: u64| {
            let half = usize::try_from(MARGIN).unwrap();
            let mut bytes = binary(half, seed);
            bytes.extend(text(half / 2, seed));
            // What follows the middle repeats what came before it.
            bytes.splice(half..half, bytes[half - 30_000..].to_vec());
            bytes.extend(Random(seed).bytes(2 * half));
            bytes.truncate(2 * half);
            (middle - MARGIN..middle + MARGIN, bytes)
        };
        let gigabyte = 1u64 << 30;
        // The encoders with tables of positions start them anew shortly before 2 GiB.
        let middles = [
            MARGIN,
            gigabyte,
            2 * gigabyte - 200_000,
            2 * gigabyte + 200_000,
        ];
        let middles = middles.into_iter().chain([3 * gigabyte, 4 * gigabyte]);
        Self {
            islands: Arc::new(
                middles
                    .zip(71..)
                    .map(|(at, seed)| island(at, seed))
                    .collect(),
            ),
            at: 0,
        }
    }
}

impl Read for Sparse {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let at = self.at;
        let next = self.islands.iter().find(|(range, _)| range.end > at);
        let end = next.map_or(LEN, |(range, _)| {
            if range.contains(&at) {
                range.end
            } else {
                range.start
            }
        });
        let n = usize::try_from(end - at).unwrap().min(buf.len());
        match next {
            Some((range, bytes)) if range.contains(&at) => {
                let from = usize::try_from(at - range.start).unwrap();
                buf[..n].copy_from_slice(&bytes[from..from + n]);
            }
            _ => buf[..n].fill(0),
        }
        self.at += n as u64;
        Ok(n)
    }
}

/// The real encoder's stream of the content, in a file: of zeros nearly nothing is left.
fn compressed(program: &Path, arguments: &[&str]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(file.try_clone().unwrap())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut piece = vec![0; 1 << 20];
    let mut content = Sparse::new();
    loop {
        let n = content.read(&mut piece).unwrap();
        if n == 0 {
            break;
        }
        stdin.write_all(&piece[..n]).unwrap();
    }
    drop(stdin);
    assert!(child.wait().unwrap().success(), "{arguments:?}");
    file.rewind().unwrap();
    file
}

/// Compares what is written to it with a file.
struct Compare {
    original: BufReader<File>,
    at: u64,
    buffer: Vec<u8>,
}

impl Write for Compare {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.resize(bytes.len(), 0);
        self.original.read_exact(&mut self.buffer)?;
        assert!(self.buffer == bytes, "it differs after byte {}", self.at);
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Rebuilds into a comparison with the stream.
fn rebuilt(recipe: &Recipe, mut stream: File, threads: usize) {
    let len = stream.seek(SeekFrom::End(0)).unwrap();
    stream.rewind().unwrap();
    let mut compare = Compare {
        original: BufReader::new(stream),
        at: 0,
        buffer: Vec::new(),
    };
    regzip::rebuild_with(
        recipe,
        Sparse::new(),
        &mut compare,
        &support::workers(threads),
    )
    .unwrap();
    assert_eq!(compare.at, len);
}

/// Analyses the stream and rebuilds it from all checkpoints.
fn proved(what: &str, mut stream: File) -> Recipe {
    let recipe = match regzip::analyse(&mut stream, &Options::default()).unwrap() {
        Analysis::Recipe(recipe) => recipe,
        other => panic!("{what}: {other:?}"),
    };
    let bytes = recipe.to_bytes();
    assert!(bytes.len() as u64 <= LEN / 1000, "{what}: {}", bytes.len());
    let recipe = Recipe::from_bytes(&bytes).unwrap();
    assert_eq!(recipe.plain_len(), LEN, "{what}");
    println!("{what}: {:?}, {} bytes", encoder(&recipe), bytes.len());
    rebuilt(&recipe, stream, 2);
    recipe
}

/// What analysis made, without its checkpoints, of the stream that Go 1.26 wrote at level 1.
const GOLDEN: &[u8] = &[
    0x52, 0x5a, 0x01, 0xae, 0x9d, 0xe1, 0x02, 0x11, 0x4a, 0xb1, 0xda, 0x01, 0x03, 0x00, 0x0a, 0x1f,
    0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0xff, 0x01, 0x01, 0xb9, 0xe0, 0x80, 0x8c, 0x10,
    0x05, 0x64, 0x4f, 0x0e, 0x00,
];

/// Go's fastest level also starts its table anew when its positions come near 31 bits. Where Go is missing
/// the stream comes from the recipe alone, and its length and checksum, which the recipe holds, are compared.
#[test]
fn go_at_level_one() {
    let golden = Recipe::from_bytes(GOLDEN).unwrap();
    if let Some(writer) = support::old_go_writer() {
        let stream = compressed(&writer, &["gzip", "1", "stream=65536"]);
        let recipe = proved("Go 1", stream);
        assert_eq!(
            recipe.without_checkpoints(),
            golden,
            "{:02x?}",
            recipe.without_checkpoints().to_bytes()
        );
    } else {
        regzip::rebuild(&golden, Sparse::new(), io::sink()).unwrap();
    }
}

#[test]
#[ignore = "takes minutes"]
fn go_at_other_levels() {
    let Some(writer) = go_writer("go") else {
        return;
    };
    for level in ["-2", "2", "6", "9"] {
        let stream = compressed(&writer, &["gzip", level, "stream=65536"]);
        proved(&format!("Go {level}"), stream);
    }
}

#[test]
#[ignore = "takes minutes"]
fn new_go() {
    let Some(writer) = new_go_writer() else {
        return;
    };
    for level in ["1", "6"] {
        let stream = compressed(&writer, &["gzip", level, "stream=65536"]);
        proved(&format!("new Go {level}"), stream);
    }
}

#[test]
#[ignore = "takes minutes"]
fn klauspost_and_pgzip() {
    let Some(writer) = go_writer("klauspost") else {
        return;
    };
    for (format, level) in [("gzip", "5"), ("gzip", "1"), ("pgzip", "5")] {
        let stream = compressed(&writer, &[format, level, "stream=65536"]);
        proved(&format!("{format} {level}"), stream);
    }
}

/// Compresses stdin with Python's zlib at a level.
const SCRIPT: &str = "
import sys, zlib
c = zlib.compressobj(int(sys.argv[1]), zlib.DEFLATED, 31)
while piece := sys.stdin.buffer.read(1 << 20):
    sys.stdout.buffer.write(c.compress(piece))
sys.stdout.buffer.write(c.flush())
";

#[test]
#[ignore = "takes minutes"]
fn zlib() {
    let Some(python) = program("python3") else {
        return;
    };
    for level in ["1", "6"] {
        let stream = compressed(&python, &["-c", SCRIPT, level]);
        proved(&format!("zlib {level}"), stream);
    }
}

#[test]
#[ignore = "takes minutes"]
fn gnu_gzip_and_pigz() {
    for (name, arguments) in [
        ("gzip", &["-c", "-1"][..]),
        ("gzip", &["-c", "-6"]),
        ("pigz", &["-c", "-6", "-p", "2"]),
    ] {
        let Some(program) = program(name) else {
            continue;
        };
        let stream = compressed(&program, arguments);
        proved(&format!("{name} {arguments:?}"), stream);
    }
}
