//! Streams of encoders that are not known, or that differ from a known one in places.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod support;

use std::io::{Cursor, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use regzip::{Analysis, Options, Reason, Recipe};
use support::{any_round_trip, binary, program, run, text};

fn mixed() -> Vec<u8> {
    [
        text(500_000, 61),
        binary(500_000, 62),
        vec![0; 100_000],
        support::Random(63).bytes(90_000),
        text(300_000, 64),
    ]
    .concat()
}

/// The round trip, and that corrections took at most so many thousandths of the stream, but some.
fn corrected(what: &str, stream: &[u8], plain: &[u8], most: usize) -> Recipe {
    let recipe = any_round_trip(what, stream, plain, &Options::default());
    let (size, limit) = (recipe.corrections(), stream.len() * most / 1000);
    assert!(size > 0, "{what}: taken for the work of a known encoder");
    assert!(size <= limit, "{what}: {size} bytes, {limit} expected");
    recipe
}

/// An encoder that this crate does not know.
fn stranger(level: u32, plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_stranger_is_met() {
    let plain = mixed();
    for level in [1, 3, 4, 6, 9] {
        let what = format!("level {level}");
        corrected(&what, &stranger(level, &plain), &plain, 60);
    }
}

#[test]
fn many_members_of_a_stranger() {
    let plain = mixed();
    let stream: Vec<u8> = plain
        .chunks(60_000)
        .flat_map(|piece| stranger(6, piece))
        .collect();
    let recipe = corrected("members", &stream, &plain, 100);
    assert_eq!(recipe.members(), plain.len().div_ceil(60_000));
}

#[test]
fn a_known_encoder_after_a_stranger_is_known() {
    let Some(gzip) = program("gzip") else { return };
    let plain = mixed();
    let (first, second) = plain.split_at(600_000);
    let stream = [stranger(6, first), run(&gzip, &["-c"], second)].concat();
    let recipe = corrected("both", &stream, &plain, 60);
    let encoders: Vec<_> = recipe.encoders().map(|e| e.is_some()).collect();
    assert_eq!(encoders, [false, true]);
}

#[test]
fn blocks_that_end_by_the_content() {
    let Some(gzip) = program("gzip") else { return };
    let plain = mixed();
    let stream = run(&gzip, &["-c", "--rsyncable"], &plain);
    corrected("gzip", &stream, &plain, 10);
}

#[test]
fn the_best_that_can_be_found() {
    let plain = mixed();
    for name in ["zopfli", "pigz"] {
        let Some(path) = program(name) else { continue };
        let stream = if name == "pigz" {
            run(&path, &["-c", "-11"], &plain)
        } else {
            let dir = tempfile::tempdir().unwrap();
            let file = dir.path().join("plain");
            std::fs::write(&file, &plain).unwrap();
            run(&path, &["-c", "--i1", file.to_str().unwrap()], &[])
        };
        corrected(name, &stream, &plain, 120);
    }
}

/// One deflate stream from several writers: each goes on with what the last one flushed.
const SPLICED: &str = "
import sys, zlib
data = sys.stdin.buffer.read()
cuts = [0, 400000, 700000, 760000, 1200000, len(data)]
levels = map(int, sys.argv[2:])
out = b''
for start, end, level in zip(cuts, cuts[1:], levels):
    c = zlib.compressobj(level, zlib.DEFLATED, -15)
    out += c.compress(data[start:end])
    out += c.flush(zlib.Z_FINISH if end == len(data) else int(sys.argv[1]))
head = bytes([31, 139, 8, 0, 0, 0, 0, 0, 0, 255])
tail = zlib.crc32(data).to_bytes(4, 'little') + len(data).to_bytes(4, 'little')
sys.stdout.buffer.write(head + out + tail)
";

#[test]
fn a_level_that_changes_and_a_stretch_that_is_stored() {
    let Some(python) = program("python3") else {
        return;
    };
    let plain = mixed();
    // A sync flush, and a full one.
    for flush in ["2", "3"] {
        let stream = run(
            &python,
            &["-c", SPLICED, flush, "6", "9", "0", "1", "6"],
            &plain,
        );
        corrected(&format!("flush {flush}"), &stream, &plain, 30);
    }
    // What it begins with fits the rest badly.
    let stream = run(
        &python,
        &["-c", SPLICED, "2", "1", "6", "9", "9", "6"],
        &plain,
    );
    corrected("first level 1", &stream, &plain, 125);
}

/// Flushes that leave no mark, or one that is no stored block.
const FLUSHED: &str = "
import sys, zlib
data = sys.stdin.buffer.read()
c = zlib.compressobj(6, zlib.DEFLATED, 31)
out = b''
for at in range(0, len(data), 50000):
    out += c.compress(data[at:at + 50000]) + c.flush(int(sys.argv[1]))
sys.stdout.buffer.write(out + c.flush())
";

#[test]
fn partial_flushes_and_ends_of_blocks() {
    let Some(python) = program("python3") else {
        return;
    };
    let plain = mixed();
    for kind in ["1", "5"] {
        let stream = run(&python, &["-c", FLUSHED, kind], &plain);
        corrected(&format!("kind {kind}"), &stream, &plain, 10);
    }
}

#[test]
fn corrections_that_are_not_wanted_or_too_large_leave_the_stream_as_it_is() {
    let plain = mixed();
    let stream = stranger(6, &plain);
    for share in [0, 1] {
        let mut options = Options::default();
        options.corrections = share;
        let analysis = regzip::analyse(Cursor::new(&stream), &options).unwrap();
        assert!(
            matches!(analysis, Analysis::Verbatim(Reason::UnknownEncoder(_))),
            "{share} thousandths: {analysis:?}"
        );
    }
}

#[test]
fn known_encoders_have_no_corrections() {
    let Some(gzip) = program("gzip") else { return };
    let plain = mixed();
    let stream = run(&gzip, &["-c"], &plain);
    let recipe = any_round_trip("gzip", &stream, &plain, &Options::default());
    assert_eq!(recipe.corrections(), 0);
}

/// Any change to a corrected recipe gives the same stream or an error.
#[test]
fn changed_corrections_do_no_harm() {
    let plain = text(150_000, 65);
    let stream = stranger(4, &plain);
    let bytes = corrected("text", &stream, &plain, 125).to_bytes();
    let mut random = support::Random(66);
    for _ in 0..60 {
        let mut changed = bytes.clone();
        let at = random.next() as usize % changed.len();
        changed[at] ^= 1 << (random.next() % 8);
        let Ok(recipe) = Recipe::from_bytes(&changed) else {
            continue;
        };
        let mut again = Vec::new();
        if regzip::rebuild(&recipe, plain.as_slice(), &mut again).is_ok() {
            assert!(again == stream, "byte {at}: other bytes");
        }
    }
    let recipe = Recipe::from_bytes(&bytes).unwrap();
    for wrong in [
        &plain[1..],
        &plain[..plain.len() - 1],
        &[plain.as_slice(), b"x"].concat(),
    ] {
        assert!(regzip::rebuild(&recipe, wrong, std::io::sink()).is_err());
    }
}

/// Content that is made while it is read.
struct Long(u64);

impl Read for Long {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = (buf.len() as u64).min(self.0) as usize;
        buf[..n].fill(b'z');
        self.0 -= n as u64;
        Ok(n)
    }
}

/// One block of many windows, whose tokens are not held at once.
#[test]
fn a_block_without_end() {
    let len = 40 << 20;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(1));
    std::io::copy(&mut Long(len), &mut encoder).unwrap();
    let stream = encoder.finish().unwrap();
    let mut options = Options::default();
    options.corrections = 1000;
    let analysis = regzip::analyse(Cursor::new(&stream), &options).unwrap();
    let Analysis::Recipe(recipe) = analysis else {
        panic!("{analysis:?}")
    };
    assert!(recipe.corrections() > 0);
    let mut again = Vec::new();
    regzip::rebuild(&recipe, Long(len), &mut again).unwrap();
    assert!(again == stream);
}
