//! What is encoded decodes to the same bytes, and damaged streams give errors.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use relate::{Codec, Content, DecodeError, Encoded, Input, Options, Stream, decode, encode};

fn round_trip(new: &[u8], bases: &[&[u8]]) -> Encoded {
    let bases: Vec<&dyn Content> = bases.iter().map(|base| base as &dyn Content).collect();
    let encoded = encode(&new, &bases, &Options::default()).unwrap();
    let mut decoded = vec![0; new.len()];
    decode(encoded.codec, encoded.inputs(), &bases, &mut decoded).unwrap();
    assert!(decoded == new, "decoded content differs");
    encoded
}

/// Bytes with repetition: words from a small set, with changes.
fn content() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec((0u8..12, any::<u8>()), 0..200).prop_map(|words| {
        let mut bytes = Vec::new();
        for (word, change) in words {
            let start = bytes.len();
            bytes.extend((0..40u8).map(|index| index.wrapping_mul(word).wrapping_add(word)));
            bytes[start + usize::from(change) % 40] ^= change;
        }
        bytes
    })
}

proptest! {
    #[test]
    fn any_content_comes_back(new in content(), bases in prop::collection::vec(content(), 0..4)) {
        let bases: Vec<&[u8]> = bases.iter().map(Vec::as_slice).collect();
        round_trip(&new, &bases);
    }

    #[test]
    fn damaged_streams_end_in_a_result(
        new in content(),
        base in content(),
        damage in prop::collection::vec((any::<u16>(), any::<u16>(), any::<u8>()), 1..6),
    ) {
        let mut encoded = round_trip(&new, &[&base]);
        for (stream, position, value) in damage {
            let count = encoded.streams.len();
            if count == 0 { continue; }
            let Stream { bytes, .. } = &mut encoded.streams[usize::from(stream) % count];
            let len = bytes.len();
            if len > 0 { bytes[usize::from(position) % len] = value; }
        }
        let mut decoded = vec![0; new.len()];
        let _ = decode(encoded.codec, encoded.inputs(), &[&base], &mut decoded);
    }
}

#[test]
fn an_edited_copy_of_a_base_has_few_literals() {
    let base: Vec<u8> = (0..40_000u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    let mut new = base.clone();
    new.splice(1000..1000, *b"inserted");
    new[50_000] ^= 1;
    let encoded = round_trip(&new, &[&base]);
    let total: usize = encoded
        .streams
        .iter()
        .map(|stream| stream.bytes.len())
        .sum();
    assert!(total < 60, "{total} bytes");
}

#[test]
fn an_unknown_codec_is_refused_by_name() {
    let codec = Codec { id: 9, version: 3 };
    let error = decode(codec, Vec::new(), &[], &mut Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "unknown codec: codec 9 version 3");
}

#[test]
fn streams_that_end_early_or_late_are_refused() {
    let new = b"some bytes that are not in any base".repeat(3);
    let mut encoded = round_trip(&new, &[]);
    let mut decoded = vec![0; new.len()];
    let last = encoded.streams.len() - 1;
    encoded.streams[last].bytes.push(0);
    let error = decode(encoded.codec, encoded.inputs(), &[], &mut decoded).unwrap_err();
    assert!(matches!(error, DecodeError::Unused(_)), "{error}");
    encoded.streams[last].bytes.truncate(1);
    let error = decode(encoded.codec, encoded.inputs(), &[], &mut decoded).unwrap_err();
    assert!(matches!(error, DecodeError::Ended(_)), "{error}");
}

#[test]
fn a_stream_given_twice_is_refused() {
    let encoded = round_trip(b"abcdefgh", &[]);
    let mut inputs = encoded.inputs();
    let id = inputs[0].id;
    inputs.push(Input {
        id,
        reader: Box::new(&b""[..]),
    });
    let error = decode(encoded.codec, inputs, &[], &mut vec![0; 8]).unwrap_err();
    assert!(matches!(error, DecodeError::RepeatedStream(_)), "{error}");
}

/// This test itself, as a program, and one with other addresses.
fn programs() -> (Vec<u8>, Vec<u8>) {
    let old = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let mut new = old.clone();
    let middle = new.len() / 2;
    for at in (0..middle).step_by(4099) {
        new[at] = new[at].wrapping_add(1);
    }
    new[..64].copy_from_slice(&old[..64]);
    new[middle..middle + 10_000].rotate_left(333);
    (old, new)
}

#[test]
fn a_program_comes_back_by_its_own_codec() {
    let (old, new) = programs();
    let encoded = round_trip(&new, &[&old]);
    assert_eq!(encoded.codec, Codec::PROGRAM);
    round_trip(&old, &[]);
}

#[test]
fn damaged_streams_of_a_program_end_in_a_result() {
    let (old, new) = programs();
    damage(&round_trip(&new, &[&old]), &[&old.as_slice()], new.len());
    damage(&round_trip(&new, &[]), &[], new.len());
}

fn damage(encoded: &Encoded, bases: &[&dyn Content], len: usize) {
    let mut state = 1u64;
    for _ in 0..12 {
        let mut damaged = encoded.clone();
        for _ in 0..3 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(99);
            let count = damaged.streams.len();
            let bytes = &mut damaged.streams[(state >> 33) as usize % count].bytes;
            let len = bytes.len();
            bytes[(state >> 17) as usize % len] ^= (state >> 56) as u8 | 1;
        }
        let mut decoded = vec![0; len];
        let _ = decode(damaged.codec, damaged.inputs(), bases, &mut decoded);
    }
}

#[test]
fn a_damaged_base_program_ends_in_a_result() {
    let (old, new) = programs();
    let encoded = round_trip(&new, &[&old]);
    let mut damaged = old.clone();
    let headers = damaged.len() - 4000..damaged.len();
    for at in (0..1000).chain(headers).step_by(37) {
        damaged[at] ^= 0x81;
    }
    let mut decoded = vec![0; new.len()];
    let _ = decode(encoded.codec, encoded.inputs(), &[&damaged], &mut decoded);
    damaged.truncate(old.len() / 2);
    let _ = decode(encoded.codec, encoded.inputs(), &[&damaged], &mut decoded);
}
