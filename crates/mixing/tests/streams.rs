//! Streams come back, those of earlier releases too, and damage is an error.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Read;
use std::path::Path;

use proptest::prelude::*;
use sealift_mixing::{Compressed, Decoder, MEMORY, Model, compress};

fn decoded(model: Model, stored: &[u8], len: usize) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    Decoder::new(model, stored, len as u64).read_to_end(&mut out)?;
    Ok(out)
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

/// Numbers of all lengths, or mostly 0, that repeat.
fn numbers(count: u64, sparse: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let mut state = 1u64;
    for index in 0..count {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let number = state >> (state % 64);
        let is_zero = sparse && !state.rotate_left(20).is_multiple_of(12);
        put(&mut out, if is_zero { 0 } else { number >> (index % 50) });
    }
    let first = out.clone();
    out.extend(first);
    out
}

/// Sentences of some words.
fn text(count: usize) -> Vec<u8> {
    let words = ["the ", "layer ", "of ", "an ", "image ", "moves, ", "and "];
    let mut state = 1u64;
    let word = |_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        words[(usize::from(state.to_le_bytes()[6]) * words.len()) >> 8]
    };
    (0..count).map(word).flat_map(str::bytes).collect()
}

fn examples() -> [(Model, Vec<u8>); 3] {
    [
        (Model::Bytes, text(3000)),
        (Model::Numbers, numbers(4000, false)),
        (Model::SparseNumbers, numbers(4000, true)),
    ]
}

#[test]
fn streams_come_back() {
    for (model, raw) in examples() {
        let Compressed { bytes, work } = compress(model, &raw).unwrap();
        assert!(bytes.len() < raw.len(), "{model:?} {}", bytes.len());
        assert!(work <= 10 * raw.len() as u64, "{model:?} {work}");
        assert_eq!(decoded(model, &bytes, raw.len()).unwrap(), raw);
    }
}

#[test]
fn sparse_numbers_take_work_only_where_they_are_not_zero() {
    let mut raw = vec![0; 100_000];
    raw[70_000] = 5;
    let stored = compress(Model::SparseNumbers, &raw).unwrap();
    assert!(stored.bytes.len() < 16, "{} bytes", stored.bytes.len());
    assert!(stored.work < 100, "{} bits", stored.work);
    assert_eq!(
        decoded(Model::SparseNumbers, &stored.bytes, raw.len()).unwrap(),
        raw
    );
}

#[test]
fn streams_of_the_golden_files_decode() {
    for (model, raw) in examples() {
        check_golden(&format!("{}.bin", model.number()), model, &raw);
        // Short streams have smaller tables.
        let short = (500..600).find(|&len| compress(model, &raw[..len]).is_some());
        let name = format!("{}-short.bin", model.number());
        check_golden(&name, model, &raw[..short.unwrap()]);
    }
}

fn check_golden(name: &str, model: Model, raw: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    let compressed = compress(model, raw).unwrap().bytes;
    if std::env::var_os("MIXING_WRITE_GOLDEN").is_some() {
        fs::write(&path, &compressed).unwrap();
    }
    let stored = fs::read(&path).unwrap();
    let why = "the rules of a model have changed without its number";
    assert!(
        decoded(model, &stored, raw.len()).unwrap() == raw,
        "{name}: {why}"
    );
    assert!(compressed == stored, "{name}: {why}");
}

#[test]
fn streams_that_end_early_or_late_are_refused() {
    for (model, raw) in examples() {
        let stored = compress(model, &raw).unwrap().bytes;
        for len in [0, raw.len() / 2] {
            assert!(decoded(model, &stored, len).is_err(), "{model:?} {len}");
        }
        let longer = [stored.as_slice(), &[0]].concat();
        assert!(decoded(model, &longer, raw.len()).is_err());
        for shorter in [0, 1, stored.len() / 2, stored.len() - 1] {
            // What is left may be another stream.
            let decoded = decoded(model, &stored[..shorter], raw.len());
            assert!(decoded.is_err() || shorter > 1 && decoded.unwrap() != raw);
        }
    }
}

#[test]
fn a_stream_of_nothing_comes_back() {
    for model in Model::ALL {
        let stored = compress(model, &[]).unwrap().bytes;
        assert_eq!(decoded(model, &stored, 0).unwrap(), []);
    }
}

#[test]
fn a_length_that_no_stream_has_costs_nothing_by_itself() {
    for model in Model::ALL {
        assert!(decoded(model, &[7; 40], usize::MAX).is_err());
    }
    const { assert!(MEMORY <= 16 << 20) }
}

proptest! {
    #[test]
    fn any_bytes_come_back(raw in prop::collection::vec(0u8..20, 0..3000)) {
        let stored = compress(Model::Bytes, &raw).unwrap();
        prop_assert_eq!(decoded(Model::Bytes, &stored.bytes, raw.len()).unwrap(), raw);
    }

    #[test]
    fn any_numbers_come_back(list in prop::collection::vec((any::<u64>(), 0u32..64), 0..600)) {
        let mut raw = Vec::new();
        for (number, shift) in list {
            put(&mut raw, number >> shift);
        }
        for model in [Model::Numbers, Model::SparseNumbers] {
            let stored = compress(model, &raw).unwrap();
            prop_assert_eq!(&decoded(model, &stored.bytes, raw.len()).unwrap(), &raw);
        }
    }

    #[test]
    fn any_stored_bytes_decode_to_the_length_or_to_an_error(
        stored in prop::collection::vec(any::<u8>(), 0..200),
        len in 0usize..5000,
    ) {
        for model in Model::ALL {
            if let Ok(raw) = decoded(model, &stored, len) {
                prop_assert_eq!(raw.len(), len);
            }
        }
    }

    #[test]
    fn a_changed_byte_is_an_error_or_another_stream(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        for (model, raw) in examples() {
            let raw = &raw[..raw.len().min(2000)];
            let Some(stored) = compress(model, raw) else { continue };
            let mut changed = stored.bytes;
            let at = at.index(changed.len());
            changed[at] ^= 1u8 << bit;
            if let Ok(other) = decoded(model, &changed, raw.len()) {
                prop_assert_eq!(other.len(), raw.len());
                prop_assert_ne!(other, raw);
            }
        }
    }
}
