//! The bytes of recipes and maps, which are frozen.
//!
//! `format.txt` has a line for each: its name and its bytes in hexadecimal digits. Streams and contents are made by
//! the crate's own encoders, which `golden.rs` holds against the real ones. A line may be added, but none may
//! change:
//!
//! ```text
//! cargo test -p regzip --test format -- --ignored
//! ```
//!
//! leaves the file as it would be written today beside the build.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::path::Path;

use regzip::nested::{self, Map};
use regzip::{
    Analysis, BusyBox, Compressor, Encoder, GnuGzip, Go, Klauspost, Options, Pgzip, Pigz, Recipe,
    Stored, Strategy, Version, Wrapper, Zlib,
};
use support::{Random, binary, text, workers};

#[path = "format/parse.rs"]
mod parse;

const FORMAT: &str = include_str!("format.txt");

/// A stream and what is in it.
struct Case {
    name: String,
    wrapper: Wrapper,
    stream: Vec<u8>,
    plain: Vec<u8>,
}

fn deflate(encoder: Encoder, plain: &[u8], flush_every: usize) -> Vec<u8> {
    let mut writer = Compressor::new(encoder, Vec::new()).unwrap();
    for (index, piece) in plain.chunks(flush_every.max(1)).enumerate() {
        if index > 0 {
            writer.flush().unwrap();
        }
        writer.write_all(piece).unwrap();
    }
    writer.finish().unwrap()
}

fn trailer(plain: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(plain);
    [crc.sum(), plain.len() as u32]
        .map(u32::to_le_bytes)
        .concat()
}

fn member(encoder: Encoder, plain: &[u8]) -> Vec<u8> {
    let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3].to_vec();
    let deflated = deflate(encoder, plain, plain.len());
    [header, deflated, trailer(plain)].concat()
}

fn zlib(level: u8, strategy: Strategy) -> Encoder {
    Encoder::Zlib(Zlib {
        level,
        window_bits: 15,
        mem_level: 8,
        strategy,
    })
}

fn encoders() -> Vec<Encoder> {
    let mut all: Vec<Encoder> = Vec::new();
    all.extend([-2, 0, 1, 2, 6].map(|level| Encoder::Go(Go { level })));
    let version = Version::From1_18_2;
    let levels = [-2, 1, 2, 3, 4, 5, 6, 7];
    all.extend(levels.map(|level| Encoder::Klauspost(Klauspost { level, version })));
    all.push(Encoder::Klauspost(Klauspost {
        level: 5,
        version: Version::From1_9_0,
    }));
    all.push(Encoder::Pgzip(Pgzip {
        level: 5,
        version,
        block_size: 1 << 17,
    }));
    all.extend([zlib(1, Strategy::Default), zlib(6, Strategy::Filtered)]);
    all.push(Encoder::GnuGzip(GnuGzip { level: 9 }));
    all.push(Encoder::BusyBox(BusyBox {
        level: 6,
        hash_bits: 14,
    }));
    all.extend([false, true].map(|independent| {
        Encoder::Pigz(Pigz {
            level: 6,
            block_size: 1 << 17,
            independent,
            rsyncable: independent,
        })
    }));
    all.push(Encoder::Stored(Stored { fixed_end: true }));
    all
}

fn case(name: &str, stream: Vec<u8>, plain: Vec<u8>) -> Case {
    Case {
        name: name.to_owned(),
        wrapper: Wrapper::Gzip,
        stream,
        plain,
    }
}

fn cases() -> Vec<Case> {
    let plain = [binary(350_000, 91), text(150_000, 92)].concat();
    let mut all = Vec::new();
    for encoder in encoders() {
        let name = encoder.to_string().replace(' ', "-");
        all.push(case(&name, member(encoder, &plain), plain.clone()));
    }
    let go = Encoder::Go(Go { level: 6 });
    let short = text(3000, 93);
    let empty = || (member(go, &[]), Vec::new());
    let (stream, content) = empty();
    all.push(case("empty", stream, content));
    all.push(case("gzip", member(go, &short), short.clone()));
    all.push(Case {
        name: "zlib".to_owned(),
        wrapper: Wrapper::Zlib,
        stream: [
            vec![0x78, 0x9c],
            deflate(zlib(6, Strategy::Default), b"Wikipedia", 9),
            0x11e6_0398u32.to_be_bytes().to_vec(),
        ]
        .concat(),
        plain: b"Wikipedia".to_vec(),
    });
    let header = member(go, &[])[..10].to_vec();
    let flushed = deflate(go, &plain, 100_000);
    let stream = [header.clone(), flushed, trailer(&plain)].concat();
    all.push(case("flushes", stream, plain.clone()));
    let mut odd = member(go, &short);
    odd.extend([0; 20]);
    let at = odd.len() - 28;
    odd[at] ^= 1;
    all.push(case("another-trailer-and-zeros", odd, short.clone()));
    let literal = [
        header.clone(),
        vec![1, 3, 0, 0xfc, 0xff, 7, 8, 9],
        trailer(&[7, 8, 9]),
    ];
    let stream = [member(go, &short), literal.concat(), b"tail".to_vec()].concat();
    all.push(case(
        "literal-and-tail",
        stream,
        [&short[..], &[7, 8, 9]].concat(),
    ));
    let members: Vec<u8> = plain.chunks(20_000).flat_map(|p| member(go, p)).collect();
    all.push(case("members", members, plain.clone()));
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(&short).unwrap();
    all.push(case("corrections", encoder.finish().unwrap(), short));
    all
}

fn recipe(case: &Case) -> Recipe {
    let mut options = Options::default();
    options.wrapper = Some(case.wrapper);
    options.checkpoints = Some(0);
    match regzip::analyse(Cursor::new(&case.stream), &options).unwrap() {
        Analysis::Recipe(recipe) => recipe,
        other => panic!("{}: {other:?}", case.name),
    }
}

/// Content with a stream that has another inside, and a picture.
fn content() -> Vec<u8> {
    let go = Encoder::Go(Go { level: 6 });
    let inner = [text(500, 94), member(go, &text(4000, 95)), text(500, 96)].concat();
    let mut stream = vec![0x78, 0x9c];
    let pixels = Random(97).bytes(300).repeat(9);
    stream.extend(deflate(zlib(6, Strategy::Default), &pixels, pixels.len()));
    let (mut a, mut b) = (1u32, 0u32);
    for &byte in &pixels {
        a = (a + u32::from(byte)) % 65521;
        b = (b + a) % 65521;
    }
    stream.extend((b << 16 | a).to_be_bytes());
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for chunk in stream.chunks(100) {
        let bytes = [b"IDAT", chunk].concat();
        let mut crc = flate2::Crc::new();
        crc.update(&bytes);
        png.extend((chunk.len() as u32).to_be_bytes());
        png.extend(bytes);
        png.extend(crc.sum().to_be_bytes());
    }
    [text(700, 98), member(go, &inner), png, text(100, 99)].concat()
}

fn map() -> (Map, Vec<u8>) {
    let mut expanded = Vec::new();
    let options = nested::Options::default();
    let opened = nested::open(Cursor::new(content()), &mut expanded, &options).unwrap();
    assert_eq!(opened.map.streams().len(), 3);
    (opened.map, expanded)
}

fn digits(bytes: &[u8]) -> String {
    let mut out = String::new();
    for byte in bytes {
        write!(out, "{byte:02x}").unwrap();
    }
    out
}

fn bytes(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn golden() -> BTreeMap<&'static str, Vec<u8>> {
    let lines = FORMAT.lines().map(|line| line.split_once(' ').unwrap());
    lines.map(|(name, digits)| (name, bytes(digits))).collect()
}

#[test]
fn recipes_of_old_rebuild_their_streams() {
    let golden = golden();
    for case in cases() {
        let recipe = Recipe::from_bytes(&golden[case.name.as_str()]).unwrap();
        for threads in [0, 2] {
            let mut out = Vec::new();
            let workers = workers(threads);
            regzip::rebuild_with(&recipe, case.plain.as_slice(), &mut out, &workers).unwrap();
            assert!(out == case.stream, "{}: {threads} threads", case.name);
        }
    }
}

#[test]
fn recipes_are_written_as_they_were() {
    let golden = golden();
    for case in cases() {
        let bytes = recipe(&case).to_bytes();
        assert_eq!(
            digits(&bytes),
            digits(&golden[case.name.as_str()]),
            "{}",
            case.name
        );
    }
}

#[test]
fn a_map_of_old_closes_its_content() {
    let (map, expanded) = map();
    let bytes = golden()["map"].clone();
    assert_eq!(digits(&map.to_bytes()), digits(&bytes));
    let mut closed = Vec::new();
    let map = Map::from_bytes(&bytes).unwrap();
    nested::close(&map, expanded.as_slice(), &mut closed, &workers(0)).unwrap();
    assert!(closed == content());
}

#[test]
fn the_description_says_where_every_byte_belongs() {
    for (name, bytes) in golden() {
        let read = if name == "map" {
            parse::map(&bytes)
        } else {
            parse::recipe(&bytes)
        };
        read.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
#[ignore = "writes the file as it would be today"]
fn write_the_file() {
    let mut file = String::new();
    for case in cases() {
        writeln!(file, "{} {}", case.name, digits(&recipe(&case).to_bytes())).unwrap();
    }
    writeln!(file, "map {}", digits(&map().0.to_bytes())).unwrap();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("format.txt");
    std::fs::write(path, file).unwrap();
}
