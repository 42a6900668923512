//! A reader in Python, made from the page on the format, agrees.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use sealift_pack::Options;
use sealift_testkit::real::require;
use serde_json::{Value, json};

use crate::reseal::Parts;
use crate::support::{Blobs, build_on, build_one, bytes_of, leaning, mixed, tar, text};

/// What the reader prints about a pack; nothing if its programs are not installed.
fn read(pack: &[u8]) -> Option<Value> {
    read_with(pack, &[])
}

/// The same of a pack that leans on base blobs.
fn read_with(pack: &[u8], bases: &[&[u8]]) -> Option<Value> {
    let (python, _) = (require("python3")?, require("zstd")?);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), pack).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pack/reader.py");
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(python);
    command.arg(script);
    for (number, base) in bases.iter().enumerate() {
        let path = folder.path().join(number.to_string());
        std::fs::write(&path, base).unwrap();
        command.arg(format!("--base={}", path.display()));
    }
    let output = command.arg(file.path()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn the_second_reader_finds_the_same_blobs() {
    let blobs = mixed();
    let pack = bytes_of(&build_one(&blobs, &Options::default()));
    let Some(read) = read(&pack) else { return };
    let digests: Vec<String> = blobs
        .list()
        .iter()
        .map(|blob| blob.digest.to_string())
        .collect();
    assert_eq!(read["blobs"], json!(digests));
    assert!(read["related"].as_u64().unwrap() > 0, "{read}");
    assert!(read["maps"].as_u64().unwrap() > 0, "{read}");
    assert!(read["mixed"].as_u64().unwrap() > 0, "{read}");
    assert!(read["rebuilt"].as_u64().unwrap() >= 3, "{read}");
}

#[test]
fn the_second_reader_rebuilds_a_tar() {
    let blobs = Blobs::of([tar(&[
        ("a", text(3000, 1)),
        ("b", text(100, 2)),
        ("c", text(3000, 1)),
    ])]);
    let pack = bytes_of(&build_one(&blobs, &Options::default()));
    let Some(read) = read(&pack) else { return };
    assert_eq!(read["rebuilt"], json!(1));
    assert_eq!(read["objects"], json!(2));
}

#[test]
fn the_second_reader_reads_packs_with_bases() {
    let (blobs, bases) = leaning();
    let pack = bytes_of(&build_on(&blobs, &bases));
    let list = bases.list();
    let files: Vec<&[u8]> = list.iter().map(|base| bases.bytes(&base.digest)).collect();
    let Some(read) = read_with(&pack, &files) else {
        return;
    };
    let digests = |blobs: &Blobs| -> Vec<String> {
        let blobs = blobs.list().into_iter();
        blobs.map(|blob| blob.digest.to_string()).collect()
    };
    assert_eq!(read["blobs"], json!(digests(&blobs)));
    assert_eq!(read["bases"], json!(digests(&bases)));
    assert!(read["related"].as_u64().unwrap() > 0, "{read}");
    assert!(read["outlines"].as_u64().unwrap() > 0, "{read}");
    assert!(read["rebuilt"].as_u64().unwrap() > 0, "{read}");
    let read = read_with(&pack, &files[1..]).unwrap();
    assert_eq!(read["refused"], json!("base blob is missing"));
}

#[test]
fn the_second_reader_refuses_damage() {
    let blobs = Blobs::of([tar(&[("a", text(3000, 1))])]);
    let pack = bytes_of(&build_one(&blobs, &Options::default()));
    for (at, what) in [
        (3, "pack"),
        (9, "version"),
        (40, "head"),
        (pack.len() - 1, "stream"),
    ] {
        let mut changed = pack.clone();
        changed[at] ^= 1;
        let Some(read) = read(&changed) else { return };
        assert!(
            read["refused"].as_str().unwrap().contains(what),
            "{at}: {read}"
        );
    }
    let mut parts = Parts::of(&pack);
    parts.index.push(0);
    let Some(read) = read(&parts.seal()) else {
        return;
    };
    assert_eq!(read["refused"], json!("bytes after the index"));
}
