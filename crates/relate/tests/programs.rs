//! Programs: what is predicted, and that streams of earlier releases of this crate still decode.

#![allow(clippy::unwrap_used)]

#[path = "support/mini.rs"]
mod mini;

use std::fs;
use std::path::{Path, PathBuf};

use mini::Mini;
use relate::{Class, Codec, Content, Encoded, Options, Stream, StreamId, decode, encode};

fn pair(amd64: bool) -> (Vec<u8>, Vec<u8>) {
    let old = Mini::new(120, amd64).build();
    let new = Mini::new(120, amd64).with_more(5, 3).build();
    (old, new)
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

#[test]
fn streams_from_the_golden_files_decode() {
    for (name, amd64) in [("program-1-amd64", true), ("program-1-arm64", false)] {
        let (old, new) = pair(amd64);
        let path = golden(name);
        if std::env::var_os("RELATE_WRITE_GOLDEN").is_some() {
            fs::write(&path, pack(&encoded(&new, &old))).unwrap();
        }
        let stored = unpack(&fs::read(&path).unwrap());
        let mut decoded = vec![0; new.len()];
        decode(stored.codec, stored.inputs(), &[&old], &mut decoded).unwrap();
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

fn pack(encoded: &Encoded) -> Vec<u8> {
    let mut bytes = vec![encoded.codec.id, encoded.codec.version];
    for stream in &encoded.streams {
        bytes.extend(stream.id.number().to_le_bytes());
        bytes.extend(u32::try_from(stream.bytes.len()).unwrap().to_le_bytes());
        bytes.extend(&stream.bytes);
    }
    bytes
}

fn unpack(bytes: &[u8]) -> Encoded {
    let (codec, mut rest) = bytes.split_at(2);
    let mut streams = Vec::new();
    while !rest.is_empty() {
        let (head, after) = rest.split_at(6);
        let number = u16::from_le_bytes([head[0], head[1]]);
        let len = u32::from_le_bytes(head[2..].try_into().unwrap()) as usize;
        let (bytes, after) = after.split_at(len);
        streams.push(Stream {
            id: StreamId::from_number(number).unwrap(),
            bytes: bytes.to_vec(),
        });
        rest = after;
    }
    let codec = Codec {
        id: codec[0],
        version: codec[1],
    };
    Encoded { codec, streams }
}
