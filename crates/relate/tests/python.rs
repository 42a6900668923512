//! The codec python: modules of all versions come back, given their source or not, intact or not.

#![allow(clippy::unwrap_used)]

#[path = "support/golden.rs"]
mod golden_file;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use golden_file::{pack, unpack};
use proptest::prelude::*;
use relate::{Codec, Content, Encoded, Options, decode, encode};

const VERSIONS: [&str; 5] = ["3.8", "3.10", "3.11", "3.12", "3.13"];

fn golden(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    folder.join(name)
}

fn source() -> Vec<u8> {
    fs::read(golden("module.py")).unwrap()
}

fn module(version: &str) -> Vec<u8> {
    fs::read(golden(&format!("module-{version}.pyc"))).unwrap()
}

fn encoded(new: &[u8], bases: &[&[u8]]) -> Encoded {
    let bases: Vec<&dyn Content> = bases.iter().map(|base| base as &dyn Content).collect();
    let encoded = encode(&new, &bases, &Options::default()).unwrap();
    assert!(decoded(&encoded, &bases, new.len()) == new);
    encoded
}

fn decoded(encoded: &Encoded, bases: &[&dyn Content], len: usize) -> Vec<u8> {
    let mut decoded = vec![0; len];
    decode(encoded.codec, encoded.inputs(), bases, &mut decoded).unwrap();
    decoded
}

fn bytes(encoded: &Encoded) -> usize {
    encoded
        .streams
        .iter()
        .map(|stream| stream.bytes.len())
        .sum()
}

fn stream<'a>(encoded: &'a Encoded, name: &str) -> &'a [u8] {
    let mut streams = encoded.streams.iter();
    let found =
        streams.find(|stream| stream.id.to_string() == format!("{name} of compiled Python"));
    found.map_or(&[], |stream| &stream.bytes)
}

#[test]
fn modules_of_every_version_round_trip() {
    let source = source();
    for version in VERSIONS {
        let module = module(version);
        let encoded = encoded(&module, &[&source]);
        assert_eq!(encoded.codec, Codec::PYTHON, "{version}");
        assert!(
            bytes(&encoded) < module.len() * 3 / 4,
            "{version}: {}",
            bytes(&encoded)
        );
    }
}

#[test]
fn strings_and_ranges_come_from_the_source() {
    let source = source();
    for version in ["3.11", "3.12", "3.13"] {
        let given = encoded(&module(version), &[&source]);
        let alone = encoded(&module(version), &[]);
        assert!(
            stream(&given, "strings").len() * 2 < stream(&alone, "strings").len(),
            "{version}"
        );
        let (columns, all) = (
            stream(&given, "columns").len(),
            stream(&alone, "columns").len(),
        );
        assert!(columns * 5 < all, "{version}: {columns} of {all}");
        assert!(stream(&given, "tables").len() < 300, "{version}");
    }
}

#[test]
fn a_wrong_source_costs_only_bytes() {
    let source = source();
    let other = source.iter().rev().copied().collect::<Vec<u8>>();
    for version in VERSIONS {
        let module = module(version);
        let right = encoded(&module, &[&source]);
        let wrong = encoded(&module, &[&other]);
        assert_eq!(wrong.codec, Codec::PYTHON);
        assert!(bytes(&right) < bytes(&wrong), "{version}");
    }
}

#[test]
fn an_older_version_of_the_module_is_preferred_to_its_source() {
    let old = module("3.11");
    let mut new = old.clone();
    new[8] ^= 1;
    let encoded = encoded(&new, &[&old, &source()]);
    assert_eq!(encoded.codec, Codec::MATCHING);
    assert!(bytes(&encoded) < 50);
}

#[test]
fn invalid_modules_are_matched() {
    let source = source();
    let module = module("3.11");
    for wrong in [
        &module[..200],
        &[&module, b"x".as_slice()].concat(),
        &module[..16],
    ] {
        assert_eq!(encoded(wrong, &[&source]).codec, Codec::MATCHING);
    }
}

#[test]
fn deeply_nested_objects_are_matched() {
    let mut module = module("3.11")[..16].to_vec();
    for _ in 0..100_000 {
        module.extend(b")\x01");
    }
    module.push(b'N');
    assert_eq!(encoded(&module, &[]).codec, Codec::MATCHING);
}

#[test]
fn streams_from_the_golden_files_decode() {
    let source = source();
    for version in VERSIONS {
        let path = golden(&format!("python-1-{version}.bin"));
        let module = module(version);
        if std::env::var_os("RELATE_WRITE_GOLDEN").is_some() {
            fs::write(&path, pack(&encoded(&module, &[&source]))).unwrap();
        }
        let stored = unpack(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(stored.codec, Codec::PYTHON);
        assert!(
            decoded(&stored, &[&source], module.len()) == module,
            "{version}: the rules of the codec have changed without its version"
        );
    }
}

/// Compiles some modules of the library that comes with Python, into a folder.
const COMPILE: &str = "
import os, py_compile, sys
library = os.path.dirname(os.__file__)
for package in ('asyncio', 'email', 'json', 'unittest', 'importlib'):
    folder = os.path.join(library, package)
    for name in sorted(os.listdir(folder)):
        if name.endswith('.py'):
            out = os.path.join(sys.argv[1], package + '-' + name)
            with open(os.path.join(folder, name), 'rb') as source, open(out, 'wb') as copy:
                copy.write(source.read())
            py_compile.compile(out, cfile=out + 'c', doraise=True)
";

#[test]
fn the_standard_library_round_trips() {
    let mut versions = 0;
    for program in [
        "python3",
        "python3.8",
        "python3.9",
        "python3.10",
        "python3.12",
        "python3.13",
        "python3.14",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut python = Command::new(program);
        let output = python.args(["-c", COMPILE]).arg(folder.path()).output();
        if !output.is_ok_and(|output| output.status.success()) {
            continue;
        }
        versions += 1;
        let (mut raw, mut stored) = (0, 0);
        for entry in fs::read_dir(folder.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "pyc") {
                let module = fs::read(&path).unwrap();
                let encoded = encoded(&module, &[&fs::read(path.with_extension("py")).unwrap()]);
                assert_eq!(encoded.codec, Codec::PYTHON, "{}", path.display());
                raw += module.len();
                stored += bytes(&encoded);
            }
        }
        assert!(raw > 500_000, "{program}: {raw} bytes");
        assert!(stored * 10 < raw * 8, "{program}: {stored} of {raw} bytes");
    }
    if versions == 0 {
        println!("SKIPPED: python3 is not installed");
    }
}

proptest! {
    #[test]
    fn modified_modules_and_sources_round_trip(
        version in 0..VERSIONS.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        source_changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        let mut module = module(VERSIONS[version]);
        for (at, value) in changes {
            *at.get_mut(&mut module) = value;
        }
        let mut source = source();
        for (at, value) in source_changes {
            *at.get_mut(&mut source) = value;
        }
        encoded(&module, &[&source]);
    }

    #[test]
    fn modified_streams_do_not_panic(
        version in 0..VERSIONS.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut: bool,
    ) {
        let module = module(VERSIONS[version]);
        let source = source();
        let mut stored = encoded(&module, &[&source]);
        for (stream, at, value) in changes {
            let bytes = &mut stream.get_mut(&mut stored.streams).bytes;
            *at.get_mut(bytes) = value;
            if cut {
                bytes.truncate(at.index(bytes.len()) + 1);
            }
        }
        let mut decoded = vec![0; module.len()];
        let _ = decode(stored.codec, stored.inputs(), &[&source], &mut decoded);
    }
}

/// A header of Python 3.11.
fn header() -> Vec<u8> {
    let mut module = 3495u16.to_le_bytes().to_vec();
    module.extend(b"\r\n");
    module.resize(16, 0);
    module
}

/// A run of bytes, and a short string.
fn run(bytes: &[u8]) -> Vec<u8> {
    let len = u32::try_from(bytes.len()).unwrap().to_le_bytes();
    [b"s".as_slice(), &len, bytes].concat()
}

fn short(text: &[u8]) -> Vec<u8> {
    [&[b'z', u8::try_from(text.len()).unwrap()], text].concat()
}

/// A code object with these instructions, table of ranges, name and qualified name.
fn code(instructions: &[u8], table: &[u8], name: &[u8], qualified: &[u8]) -> Vec<u8> {
    let mut code = b"c".to_vec();
    code.extend([0; 20]);
    code.extend(run(instructions));
    code.extend(b")\0)\0)\0");
    code.extend([run(b""), short(b"f"), name.to_vec(), qualified.to_vec()].concat());
    code.extend(1u32.to_le_bytes());
    code.extend([run(table), run(b"")].concat());
    code
}

/// A module that is a tuple of these objects.
fn tuple(objects: &[Vec<u8>]) -> Vec<u8> {
    let count = u32::try_from(objects.len()).unwrap().to_le_bytes();
    [header(), b"(".to_vec(), count.to_vec(), objects.concat()].concat()
}

#[test]
fn tuples_that_refer_to_each_other_in_a_long_chain_round_trip() {
    let mut objects = vec![b"\xa9\0".to_vec()];
    for number in 0..500_000u32 {
        objects.push([b"\xa9\x01r".as_slice(), &number.to_le_bytes()].concat());
    }
    assert_eq!(encoded(&tuple(&objects), &[]).codec, Codec::PYTHON);
}

#[test]
fn lines_beyond_all_sources_round_trip() {
    // The largest distance, nine times.
    let entry = [0xe8, 0x7e, 0x7f, 0x7f, 0x7f, 0x3f];
    let code = code(&[9; 18], &entry.repeat(9), &short(b"n"), &short(b"n"));
    assert_eq!(encoded(&tuple(&[code]), &[]).codec, Codec::PYTHON);
}

#[test]
fn slices_are_constants_of_newer_versions() {
    let module = tuple(&[b":NNN".to_vec()]);
    assert_eq!(encoded(&module, &[]).codec, Codec::PYTHON);
}

#[test]
fn sources_whose_strings_never_end_are_divided_in_bounded_time() {
    let module = module("3.11");
    for part in ["\"\"\"\\", "'\\", "\"'"] {
        let source = part.repeat((4 << 20) / part.len());
        assert_eq!(encoded(&module, &[source.as_bytes()]).codec, Codec::PYTHON);
    }
}

#[test]
fn long_qualified_names_take_bounded_time() {
    let long = vec![b'.'; 1 << 20];
    let len = u32::try_from(long.len()).unwrap().to_le_bytes();
    let long = [b"\xf5".as_slice(), &len, &long].concat();
    let mut objects = vec![long];
    for _ in 0..10_000 {
        objects.push(code(b"", b"", b"r\0\0\0\0", b"r\0\0\0\0"));
        objects.push(code(b"", b"", &short(b"n"), &short(b"c.n")));
    }
    assert_eq!(encoded(&tuple(&objects), &[]).codec, Codec::PYTHON);
}
