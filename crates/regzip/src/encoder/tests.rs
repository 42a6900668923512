//! What holds for every encoder in the list.
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;

use super::*;
use crate::{Compressor, Wrapper};

/// Clues of streams with headers of all kinds.
fn clues() -> Vec<Clues> {
    let gzip = |time: [u8; 4], system| {
        let header = [&[0x1f, 0x8b, 8, 0][..], &time, &[0, system]].concat();
        Clues::of(Wrapper::Gzip, &header, &[])
    };
    vec![
        gzip([0; 4], 0xff),
        gzip([0; 4], 3),
        gzip([0x00, 0x09, 0x6e, 0x88], 0xff),
        Clues::of(Wrapper::Zlib, &[0x78, 0x01], &[]),
        Clues::of(Wrapper::Zlib, &[0x58, 0x85], &[]),
        Clues::of(Wrapper::Raw, &[], &[]),
    ]
}

fn candidates(clues: &Clues) -> Vec<Encoder> {
    Encoder::candidates(clues).concat()
}

fn all() -> HashSet<Encoder> {
    clues().iter().flat_map(candidates).collect()
}

#[test]
fn every_candidate_is_read_as_it_was_written() {
    for encoder in all() {
        let mut bytes = Vec::new();
        encoder.put(&mut bytes);
        let mut fields = Fields::new(&bytes);
        let number = fields.byte().unwrap();
        assert!(number != 0 && number != 255, "{encoder}");
        assert_eq!(Encoder::get(number, &mut fields).unwrap(), encoder);
        assert_eq!(fields.remaining(), 0, "{encoder}");
    }
}

#[test]
fn every_candidate_has_a_name_of_its_own() {
    let names: HashSet<String> = all().iter().map(ToString::to_string).collect();
    assert_eq!(names.len(), all().len());
}

#[test]
fn every_kind_of_encoder_is_a_candidate_somewhere() {
    let kind = |encoder: Encoder| {
        let mut bytes = Vec::new();
        encoder.put(&mut bytes);
        bytes[0]
    };
    let mut kinds: Vec<u8> = all().into_iter().map(kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds, [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn the_header_decides_which_encoder_is_tried_first() {
    let first = |clues: &Clues| candidates(clues)[0].to_string();
    let firsts: Vec<String> = clues().iter().map(first).collect();
    assert_eq!(
        firsts,
        [
            "Go compress/flate <=1.26, level 6",
            "GNU gzip, level 6",
            "pgzip with klauspost 1.15.10 to 1.18.0, level 5, blocks of 262144",
            "Go compress/flate <=1.26, level 1",
            "zlib, level 6, window 13 bits, memory level 8",
            "zlib, level 6",
        ]
    );
}

#[test]
fn an_encoder_that_takes_no_checkpoints_has_no_slot_for_them() {
    for encoder in all() {
        let takes = encoder.start().slot().is_some();
        assert_eq!(takes, encoder.limits().is_some(), "{encoder}");
    }
}

#[test]
fn the_opening_of_an_encoder_is_an_encoder_without_one() {
    for encoder in all() {
        if let Some((same, block)) = encoder.opening() {
            assert!(same.opening().is_none(), "{encoder}");
            assert!(block > 0, "{encoder}");
        }
    }
}

#[test]
fn settings_that_no_encoder_has_are_refused() {
    let impossible: [Encoder; 7] = [
        Go { level: -1 }.into(),
        Go { level: 10 }.into(),
        GnuGzip { level: 0 }.into(),
        BusyBox {
            level: 6,
            hash_bits: 12,
        }
        .into(),
        Klauspost {
            level: 7,
            version: crate::Version::From1_9_0,
        }
        .into(),
        Pgzip {
            level: 5,
            version: crate::Version::From1_9_0,
            block_size: 16_384,
        }
        .into(),
        Zlib {
            level: 6,
            window_bits: 8,
            mem_level: 8,
            strategy: crate::Strategy::Default,
        }
        .into(),
    ];
    for encoder in impossible {
        assert!(Compressor::new(encoder, Vec::new()).is_err(), "{encoder}");
    }
}
