//! Digests of what the real encoders write: a machine that has none of them tests all of them.
//!
//! `golden.txt` has a line for each stream: its name, the length of the raw deflate stream and its
//! SHA-256. The streams' content comes from `support`. The lines were made by the real encoders:
//!
//! ```text
//! cargo test -p regzip --test golden -- --ignored --nocapture
//! ```
//!
//! runs them again (Go, which fetches Go 1.27 and klauspost's modules, Python, `gzip`, `busybox` and `pigz` must
//! be there), says which lines differ, and leaves the whole file as it should be beside the build.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use regzip::{
    BusyBox, Compressor, Encoder, GnuGzip, Go, Klauspost, Pgzip, Pigz, Strategy, Version, Zlib,
};
use sha2::{Digest, Sha256};
use support::{go_writer, klauspost_writer, new_go_writer, program, run};

const GOLDEN: &str = include_str!("golden.txt");

/// One release of every version of klauspost/compress.
const RELEASES: [(&str, Version); 17] = [
    ("1.9.7", Version::From1_9_0),
    ("1.10.0", Version::From1_9_8),
    ("1.10.1", Version::From1_10_1),
    ("1.11.12", Version::From1_10_2),
    ("1.12.1", Version::From1_11_13),
    ("1.12.2", Version::From1_12_2),
    ("1.13.6", Version::From1_12_3),
    ("1.14.1", Version::From1_14_0),
    ("1.14.2", Version::From1_14_2),
    ("1.14.4", Version::From1_14_3),
    ("1.15.9", Version::From1_15_0),
    ("1.15.10", Version::From1_15_10),
    ("1.15.14", Version::From1_15_11),
    ("1.17.11", Version::From1_15_15),
    ("1.18.0", Version::From1_18_0),
    ("1.18.1", Version::From1_18_1),
    ("1.18.2", Version::From1_18_2),
];

/// The program that a stream is of.
#[derive(Clone, Copy)]
enum Real {
    /// Go up to 1.26, and 1.27.
    Go,
    NewGo,
    /// klauspost's encoder or pgzip (the format), in this release.
    Klauspost(&'static str, &'static str),
    Python,
    Gzip,
    BusyBox,
    /// pigz with these arguments.
    Pigz(&'static [&'static str]),
}

struct Case {
    name: String,
    encoder: Encoder,
    real: Real,
    input: &'static str,
    /// Bytes in a write, and from flush to flush; 0 for one write and no flush.
    write: usize,
    flush: usize,
}

/// Name of the input, bytes in a write, bytes from flush to flush.
type Use = (&'static str, usize, usize);

const WHOLE: &[Use] = &[("mixed", 0, 0), ("short", 0, 0), ("empty", 0, 0)];
const ALL: &[Use] = &[
    ("mixed", 0, 0),
    ("mixed", 1000, 0),
    ("mixed", 0, 30_011),
    ("edge", 65_274, 0),
    ("short", 0, 0),
    ("empty", 0, 0),
];
const FLUSHED: &[Use] = &[("mixed", 0, 0), ("mixed", 0, 30_011), ("short", 0, 0)];

fn input(name: &str) -> Vec<u8> {
    match name {
        "empty" => Vec::new(),
        "short" => support::text(1000, 61),
        // Write sizes show where the far end of the window would be matched.
        "edge" => {
            let mut plain = support::Random(62).bytes(140_000);
            plain.copy_within(32_600..32_640, 65_274);
            plain
        }
        _ => {
            let mut plain = support::binary(200_000, 63);
            plain.extend(support::text(120_000, 64));
            plain.resize(plain.len() + 40_000, 0);
            plain.extend(support::Random(65).bytes(5000));
            plain.extend(support::binary(60_000, 66));
            plain
        }
    }
}

/// Adds an encoder with each of its uses.
fn add(cases: &mut Vec<Case>, name: &str, encoder: Encoder, real: Real, uses: &[Use]) {
    for &(input, write, flush) in uses {
        let mut name = format!("{name}/{input}");
        if write > 0 {
            write!(name, "/writes-of-{write}").unwrap();
        }
        if flush > 0 {
            write!(name, "/flush-after-{flush}").unwrap();
        }
        cases.push(Case {
            name,
            encoder,
            real,
            input,
            write,
            flush,
        });
    }
}

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for level in (-2..=9).filter(|&level| level != -1) {
        let name = format!("go/{level}");
        add(&mut all, &name, Encoder::Go(Go { level }), Real::Go, ALL);
    }
    go_family(&mut all);
    zlib_family(&mut all);
    busybox(&mut all);
    all
}

/// klauspost's encoder by version, and Go's own that was made from it.
fn go_family(all: &mut Vec<Case>) {
    let young = [-2, 1, 2, 3, 4, 5, 6, 7, 8, 9];
    for level in young {
        let version = Version::From1_18_2;
        let encoder = Encoder::Klauspost(Klauspost { level, version });
        add(all, &format!("go1.27/{level}"), encoder, Real::NewGo, ALL);
    }
    for (release, version) in RELEASES {
        for level in young {
            if level >= 7 && version < Version::From1_14_0 {
                continue;
            }
            let uses = if level == 5 || release == "1.17.11" || release == "1.18.2" {
                FLUSHED
            } else {
                &WHOLE[..1]
            };
            let name = format!("klauspost-{release}/{level}");
            let encoder = Encoder::Klauspost(Klauspost { level, version });
            add(all, &name, encoder, Real::Klauspost("gzip", release), uses);
            let encoder = Encoder::Pgzip(Pgzip {
                level,
                version,
                block_size: 1 << 17,
            });
            let name = format!("pgzip-{release}/{level}");
            add(all, &name, encoder, Real::Klauspost("pgzip", release), uses);
        }
    }
}

fn zlib_family(all: &mut Vec<Case>) {
    let strategies = [
        ("default", Strategy::Default),
        ("filtered", Strategy::Filtered),
        ("huffman", Strategy::HuffmanOnly),
        ("rle", Strategy::Rle),
        ("fixed", Strategy::Fixed),
    ];
    for level in 1..=9 {
        for (name, strategy) in strategies {
            let uses = if strategy == Strategy::Default {
                FLUSHED
            } else {
                &WHOLE[..1]
            };
            zlib(all, (level, 15, 8, strategy), name, uses);
        }
        zlib(all, (6, 15, level, Strategy::Default), "default", WHOLE);
        zlib(
            all,
            (1, 15, level, Strategy::Default),
            "default",
            &WHOLE[..1],
        );
    }
    for bits in 9..15 {
        for level in [1, 6] {
            zlib(all, (level, bits, 8, Strategy::Default), "default", WHOLE);
        }
    }
    for level in 1..=9 {
        let name = format!("gzip/{level}");
        add(
            all,
            &name,
            Encoder::GnuGzip(GnuGzip { level }),
            Real::Gzip,
            WHOLE,
        );
        for (kind, block_size, independent, arguments) in [
            ("", 1 << 17, false, &["-p", "3"][..]),
            ("-independent", 1 << 17, true, &["-p", "3", "-i"]),
            ("-b64", 1 << 16, false, &["-p", "3", "-b", "64"]),
            ("-rsyncable", 1 << 17, false, &["-p", "3", "-R"]),
        ] {
            let encoder = Encoder::Pigz(Pigz {
                level,
                block_size,
                independent,
                rsyncable: arguments.contains(&"-R"),
            });
            let name = format!("pigz{kind}/{level}");
            add(all, &name, encoder, Real::Pigz(arguments), WHOLE);
        }
    }
}

/// `BusyBox` as Debian builds it.
fn busybox(all: &mut Vec<Case>) {
    let encoder = Encoder::BusyBox(BusyBox {
        level: 6,
        hash_bits: 15,
    });
    add(all, "busybox/6", encoder, Real::BusyBox, WHOLE);
    add(all, "busybox/6", encoder, Real::BusyBox, &[("edge", 0, 0)]);
}

/// zlib with level, window bits, memory level and strategy; twice the same is left out.
fn zlib(all: &mut Vec<Case>, settings: (u8, u8, u8, Strategy), strategy: &str, uses: &[Use]) {
    let (level, window_bits, mem_level, kind) = settings;
    let name = format!("zlib/{level}-{window_bits}-{mem_level}-{strategy}");
    let encoder = Encoder::Zlib(Zlib {
        level,
        window_bits,
        mem_level,
        strategy: kind,
    });
    if !all.iter().any(|case| case.encoder == encoder) {
        add(all, &name, encoder, Real::Python, uses);
    }
}

/// What the crate's encoder writes.
fn ours(case: &Case, plain: &[u8]) -> Vec<u8> {
    let mut writer = Compressor::new(case.encoder, Vec::new()).unwrap();
    let mut done = 0;
    while done < plain.len() {
        let mut n = plain.len() - done;
        if case.write > 0 {
            n = n.min(case.write);
        }
        if case.flush > 0 {
            n = n.min(case.flush - done % case.flush);
        }
        writer.write_all(&plain[done..done + n]).unwrap();
        done += n;
        if case.flush > 0 && done.is_multiple_of(case.flush) {
            writer.flush().unwrap();
        }
    }
    writer.finish().unwrap()
}

/// What the real encoder writes, without header and trailer.
fn theirs(case: &Case, plain: &[u8]) -> Option<Vec<u8>> {
    let level = match case.encoder {
        Encoder::Go(Go { level })
        | Encoder::Klauspost(Klauspost { level, .. })
        | Encoder::Pgzip(Pgzip { level, .. }) => level,
        Encoder::Zlib(Zlib { level, .. })
        | Encoder::GnuGzip(GnuGzip { level })
        | Encoder::BusyBox(BusyBox { level, .. })
        | Encoder::Pigz(Pigz { level, .. }) => level.cast_signed(),
        _ => return None,
    };
    let level = level.to_string();
    let options = [
        format!("write={}", case.write),
        format!("flush={}", case.flush),
    ];
    let mut arguments = vec![level.as_str(), &options[0], &options[1]];
    let mut stream = match case.real {
        Real::Go => {
            arguments.insert(0, "gzip");
            run(&go_writer("go")?, &arguments, plain)
        }
        Real::NewGo => {
            arguments.insert(0, "gzip");
            run(&new_go_writer()?, &arguments, plain)
        }
        Real::Klauspost(format, release) => {
            arguments.insert(0, format);
            arguments.push("block=131072");
            run(&klauspost_writer(release)?, &arguments, plain)
        }
        Real::Python => python(&program("python3")?, case, plain),
        Real::Gzip => run(&program("gzip")?, &["-nc", &format!("-{level}")], plain),
        Real::BusyBox => run(&program("busybox")?, &["gzip", "-c"], plain),
        Real::Pigz(more) => {
            let level = format!("-{level}");
            let arguments = [&["-nc", &level], more].concat();
            run(&program("pigz")?, &arguments, plain)
        }
    };
    stream.drain(..10);
    stream.truncate(stream.len() - 8);
    Some(stream)
}

fn python(python: &Path, case: &Case, plain: &[u8]) -> Vec<u8> {
    let Encoder::Zlib(Zlib {
        level,
        window_bits,
        mem_level,
        strategy,
    }) = case.encoder
    else {
        panic!("{} is not zlib's", case.name);
    };
    let settings = [
        level.into(),
        i32::from(window_bits) + 16,
        mem_level.into(),
        strategy as i32,
        i32::try_from(case.flush).unwrap(),
        2,
    ];
    support::zlib(python, settings, plain)
}

fn line(name: &str, stream: &[u8]) -> String {
    let digest = Sha256::digest(stream);
    let mut line = format!("{name} {} ", stream.len());
    for byte in digest {
        write!(line, "{byte:02x}").unwrap();
    }
    line
}

fn golden() -> BTreeMap<&'static str, &'static str> {
    let lines = GOLDEN.lines();
    lines
        .map(|line| (line.split(' ').next().unwrap(), line))
        .collect()
}

#[test]
fn every_encoder_writes_what_the_real_one_wrote() {
    let mut golden = golden();
    let mut wrong = Vec::new();
    for case in cases() {
        let line = line(&case.name, &ours(&case, &input(case.input)));
        if golden.remove(case.name.as_str()) != Some(&line) {
            wrong.push(case.name);
        }
    }
    assert!(wrong.is_empty(), "{} differ: {wrong:#?}", wrong.len());
    assert!(golden.is_empty(), "lines of no case: {golden:#?}");
}

/// Needs all of the real encoders.
#[test]
#[ignore = "makes the golden digests again, by the real encoders"]
fn the_real_encoders_still_write_the_same() {
    let golden = golden();
    let (mut file, mut differ) = (String::new(), Vec::new());
    for case in cases() {
        let Some(stream) = theirs(&case, &input(case.input)) else {
            panic!("{}: its encoder is missing", case.name);
        };
        let line = line(&case.name, &stream);
        if golden.get(case.name.as_str()) != Some(&line.as_str()) {
            differ.push(case.name);
        }
        file.push_str(&line);
        file.push('\n');
    }
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("golden.txt");
    std::fs::write(&path, file).unwrap();
    let path = path.display();
    assert!(differ.is_empty(), "differ from {path}: {differ:#?}");
}
