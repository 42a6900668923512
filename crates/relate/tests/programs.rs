//! Programs: what is predicted, and that streams of earlier releases of this crate still decode.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

#[path = "support/formats.rs"]
mod formats;
#[path = "support/golden.rs"]
mod golden_file;
#[path = "support/mini.rs"]
mod mini;

use std::fs;
use std::path::{Path, PathBuf};

use golden_file::{pack, unpack};
use mini::Mini;
use relate::{Class, Codec, Content, DecodeError, Encoded, Error, Kind, Options, decode, encode};

fn pair(amd64: bool) -> (Vec<u8>, Vec<u8>) {
    let old = Mini::new(120, amd64).build();
    let new = Mini::new(120, amd64).with_more(5, 3).build();
    (old, new)
}

/// A pair with links to types, an index of functions, and objects on stacks.
fn linked(amd64: bool) -> (Vec<u8>, Vec<u8>) {
    let old = Mini::new(200, amd64).with_links();
    let new = Mini::new(200, amd64).with_more(5, 3).with_links();
    (old.build(), new.build())
}

/// A pair whose code is longer than a block, and on arm64 has other instructions between those that form an address.
fn long(amd64: bool) -> (Vec<u8>, Vec<u8>) {
    let program = || Mini::new(700, amd64).with_links().with_pages_apart();
    (program().build(), program().with_more(5, 3).build())
}

fn windows(amd64: bool) -> (Vec<u8>, Vec<u8>) {
    let (old, new) = linked(amd64);
    (formats::pe(&old), formats::pe(&new))
}

fn encoded(new: &[u8], old: &[u8]) -> Encoded {
    encode(&new, &[&old as &dyn Content], &Options::default()).unwrap()
}

fn total(encoded: &Encoded, class: Class) -> usize {
    let streams = encoded
        .streams
        .iter()
        .filter(|stream| stream.id.class == class);
    streams.map(|stream| stream.bytes.len()).sum()
}

#[test]
fn most_references_of_functions_that_moved_are_predicted() {
    for amd64 in [true, false] {
        let (old, new) = pair(amd64);
        let encoded = encoded(&new, &old);
        assert_eq!(encoded.codec, Codec::PROGRAM);
        let fields = encoded
            .streams
            .iter()
            .filter(|stream| stream.id.class == Class::Fields);
        let fields: Vec<u8> = fields.flat_map(|stream| stream.bytes.clone()).collect();
        let wrong = fields.iter().filter(|byte| **byte != 0).count();
        assert!(fields.len() > 1000, "{} fields", fields.len());
        assert!(wrong < fields.len() / 2, "{wrong} of {}", fields.len());
        let differences = total(&encoded, Class::Differences);
        assert!(differences < new.len() / 25, "{differences} differences");
        let literals = total(&encoded, Class::Literals);
        assert!(literals < new.len() / 10, "{literals} literals");
    }
}

#[test]
fn a_program_given_itself_takes_next_to_nothing() {
    let (_, new) = pair(true);
    let encoded = encoded(&new, &new);
    let classes = [Class::Literals, Class::Differences];
    let bytes: usize = classes
        .into_iter()
        .map(|class| total(&encoded, class))
        .sum();
    assert!(bytes < 100, "{bytes} bytes");
}

#[test]
fn the_same_input_gives_the_same_streams() {
    let (old, new) = pair(true);
    assert_eq!(encoded(&new, &old), encoded(&new, &old));
}

#[test]
fn a_program_given_one_for_another_processor_comes_back() {
    let (amd64, _) = pair(true);
    let (_, arm64) = pair(false);
    let encoded = encoded(&arm64, &amd64);
    let mut decoded = vec![0; arm64.len()];
    decode(encoded.codec, encoded.inputs(), &[&amd64], &mut decoded).unwrap();
    assert_eq!(decoded, arm64);
}

/// Literals and differences of some kinds of parts.
fn unpredicted(encoded: &Encoded, kinds: &[Kind]) -> usize {
    let streams = encoded.streams.iter().filter(|stream| {
        let classes = [Class::Literals, Class::Differences];
        let is_about = |kind: &Kind| stream.id.kind == *kind as u8;
        classes.contains(&stream.id.class) && kinds.iter().any(is_about)
    });
    streams.map(|stream| stream.bytes.len()).sum()
}

#[test]
fn tables_are_predicted_wherever_they_start() {
    let kinds = [Kind::Symbols, Kind::Addresses];
    let old = Mini::new(120, true).build();
    let new = |shift| Mini::new(120, true).with_more(5, 3).shifted(shift).build();
    let even = unpredicted(&encoded(&new(0), &old), &kinds);
    let odd = unpredicted(&encoded(&new(3), &old), &kinds);
    assert!(even < 400, "{even} bytes");
    assert!(odd <= even + 16, "{odd} bytes instead of {even}");
}

#[test]
fn links_to_types_and_the_index_of_functions_follow_from_the_rest() {
    for amd64 in [true, false] {
        let (old, new) = linked(amd64);
        let encoded = encoded(&new, &old);
        let links = unpredicted(&encoded, &[Kind::TypeLinks]);
        assert!(links < 80, "{links} bytes of links");
        assert_eq!(unpredicted(&encoded, &[Kind::FuncIndex]), 0);
        let layout = encoded
            .streams
            .iter()
            .find(|stream| stream.id.class == Class::Layout);
        let kinds = [Kind::TypeLinks, Kind::FuncIndex].map(|kind| kind as u8);
        let has = |kind: &u8| layout.unwrap().bytes.contains(kind);
        assert!(kinds.iter().all(has));
    }
}

#[test]
fn the_first_version_knows_no_parts_of_the_second() {
    let (old, new) = linked(true);
    let encoded = encoded(&new, &old);
    let mut decoded = vec![0; new.len()];
    let result = decode(Codec::PROGRAM_1, encoded.inputs(), &[&old], &mut decoded);
    assert!(result.is_err());
}

#[test]
fn addresses_in_instructions_that_are_apart_are_predicted() {
    let (old, new) = long(false);
    let encoded = encoded(&new, &old);
    let text = unpredicted(&encoded, &[Kind::Text]);
    assert!(text < 200, "{text} bytes of code");
}

#[test]
fn programs_for_windows_and_macos_are_divided_like_those_of_linux() {
    type Format = fn(&[u8]) -> Vec<u8>;
    let formats: [Format; 2] = [formats::pe, formats::mach_o];
    let kinds = [
        Kind::Text,
        Kind::Funcs,
        Kind::FuncIndex,
        Kind::PcValues,
        Kind::ReadOnly,
    ];
    for amd64 in [true, false] {
        let (old, new) = long(amd64);
        let of_elf = unpredicted(&encoded(&new, &old), &kinds);
        for format in formats {
            let (old, new) = (format(&old), format(&new));
            let encoded = encoded(&new, &old);
            assert_eq!(encoded.codec, Codec::PROGRAM);
            let has = |kind: Kind| {
                let mut streams = encoded.streams.iter();
                streams
                    .any(|stream| stream.id.class == Class::Sources && stream.id.kind == kind as u8)
            };
            assert!(has(Kind::Text) && has(Kind::Funcs) && has(Kind::PcValues));
            let bytes = unpredicted(&encoded, &kinds);
            assert!(bytes <= of_elf + 64, "{bytes} bytes instead of {of_elf}");
        }
    }
}

/// Bytes of all streams, compressed.
fn compressed(encoded: &Encoded) -> usize {
    let streams = encoded.streams.iter();
    let sizes = streams.map(|stream| zstd::bulk::compress(&stream.bytes, 6).unwrap().len());
    sizes.sum()
}

#[test]
fn a_program_without_bases_is_smaller_by_its_parts() {
    let program = fs::read(std::env::current_exe().unwrap()).unwrap();
    let encoded = encode(&program, &[], &Options::default()).unwrap();
    assert_eq!(encoded.codec, Codec::PROGRAM);
    let plain = zstd::bulk::compress(&program, 6).unwrap().len();
    let parts = compressed(&encoded);
    assert!(parts < plain / 20 * 19, "{parts} of {plain} bytes");
}

#[test]
fn a_content_has_a_limited_number_of_bases() {
    let base = b"base".as_slice();
    let bases: Vec<&dyn Content> = vec![&base; 65];
    let error = encode(&base, &bases, &Options::default()).unwrap_err();
    assert!(matches!(error, Error::Unproved(DecodeError::TooManyBases)));
    assert!(encode(&base, &bases[1..], &Options::default()).is_ok());
}

/// Makes an older and a newer program, for amd64 or arm64.
type Pair = fn(bool) -> (Vec<u8>, Vec<u8>);

/// Golden files, their codecs, the programs that they are about, and whether these are for amd64.
const GOLDEN: [(&str, Codec, Pair, bool); 13] = [
    ("program-1-amd64", Codec::PROGRAM_1, pair, true),
    ("program-1-arm64", Codec::PROGRAM_1, pair, false),
    ("program-2-amd64", Codec::PROGRAM_2, linked, true),
    ("program-2-arm64", Codec::PROGRAM_2, linked, false),
    ("program-3-amd64", Codec::PROGRAM_3, long, true),
    ("program-3-arm64", Codec::PROGRAM_3, long, false),
    ("program-3-windows", Codec::PROGRAM_3, windows, true),
    ("program-4-amd64", Codec::PROGRAM, long, true),
    ("program-4-arm64", Codec::PROGRAM, long, false),
    ("program-4-windows", Codec::PROGRAM, windows, true),
    ("program-4-alone-amd64", Codec::PROGRAM, long, true),
    ("program-4-alone-arm64", Codec::PROGRAM, long, false),
    ("program-4-alone-windows", Codec::PROGRAM, windows, true),
];

#[test]
fn streams_from_the_golden_files_decode() {
    for (name, codec, programs, amd64) in GOLDEN {
        let (old, new) = programs(amd64);
        let path = golden(name);
        let bases: &[&dyn Content] = if name.contains("alone") { &[] } else { &[&old] };
        if codec == Codec::PROGRAM && std::env::var_os("RELATE_WRITE_GOLDEN").is_some() {
            let encoded = encode(&new, bases, &Options::default()).unwrap();
            fs::write(&path, pack(&encoded)).unwrap();
        }
        let stored = unpack(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(stored.codec, codec);
        let mut decoded = vec![0; new.len()];
        decode(stored.codec, stored.inputs(), bases, &mut decoded).unwrap();
        assert!(
            decoded == new,
            "{name}: the rules of a codec have changed without its version"
        );
    }
}

fn golden(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    folder.join(format!("{name}.bin"))
}
