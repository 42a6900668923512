//! Packs that are damaged or made to harm: typed errors, bounded memory, no panic.
#![allow(clippy::unwrap_used)]

use std::sync::LazyLock;

use proptest::prelude::*;
use sealift_oci::Digest;
use sealift_pack::{Error, Limits, Options, Pack, Part, Workers};
use sealift_pipeline::Cancel;

use crate::reseal::Parts;
use crate::support::{Blobs, build_one, bytes_of, decode, mixed, tar, text};

/// A pack with every kind of thing in it.
static PACK: LazyLock<Vec<u8>> =
    LazyLock::new(|| bytes_of(&build_one(&mixed(), &Options::default())));

/// Opens, decodes and rebuilds everything.
fn use_all(pack: &[u8]) -> sealift_pack::Result<()> {
    decode(pack.to_vec())?.verify(&Cancel::new(), &Workers::none(), &|_| ())
}

fn refused(pack: &[u8]) -> Error {
    match use_all(pack) {
        Ok(()) => panic!("accepted"),
        Err(error) => error,
    }
}

#[test]
fn a_pack_that_ends_early_is_refused() {
    for len in [0, 7, 15, 63, 200, PACK.len() / 2, PACK.len() - 1] {
        assert!(refused(&PACK[..len]).is_pack_fault(), "{len}");
    }
    let longer = [&PACK, &b"x"[..]].concat();
    assert!(refused(&longer).is_pack_fault());
}

#[test]
fn damage_is_located() {
    let parts = Parts::of(&PACK);
    let first = PACK.len()
        - parts
            .streams
            .iter()
            .map(|(_, stored)| stored.len())
            .sum::<usize>();
    let part = |at: usize| {
        let mut changed = PACK.clone();
        changed[at] ^= 0x40;
        match refused(&changed) {
            Error::Damaged { part, .. } => part,
            other => panic!("{other}"),
        }
    };
    assert_eq!(part(70), Part::Head);
    assert_eq!(part(first - 1), Part::Index);
    assert_eq!(part(first), Part::Stream(0));
    assert_eq!(part(PACK.len() - 1), Part::Stream(parts.streams.len() - 1));
}

#[test]
fn verify_finds_damage_without_decoding() {
    let mut changed = PACK.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    let pack = Pack::open(std::sync::Arc::new(changed), &Limits::default()).unwrap();
    let error = pack.verify(&Cancel::new(), &|_| ()).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Damaged {
                part: Part::Stream(_),
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn what_is_unknown_is_refused_by_name() {
    let cases: [(&str, usize, u8); 2] = [("stream kind", 0, 9), ("coding", 1, 7)];
    for (name, at, value) in cases {
        let mut parts = Parts::of(&PACK);
        parts.streams[0].0[at] = value;
        let error = refused(&parts.seal());
        assert!(matches!(error, Error::Unsupported { .. }), "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn a_stream_that_expands_beyond_its_length_is_refused() {
    let blobs = Blobs::of([tar(&[("a", text(30_000, 1))])]);
    let mut parts = Parts::of(&bytes_of(&build_one(&blobs, &Options::default())));
    let plain = parts.streams.len() - 1;
    parts.streams[plain].0[4] = 27;
    parts.streams[plain].1 = zstd::bulk::compress(&vec![0; 50 << 20], 1).unwrap();
    let error = refused(&parts.seal());
    assert!(error.to_string().contains("longer"), "{error}");
}

#[test]
fn a_frame_with_a_larger_window_than_stated_is_refused() {
    let blobs = Blobs::of([tar(&[("a", text(3_000_000, 1))])]);
    let mut parts = Parts::of(&bytes_of(&build_one(&blobs, &Options::default())));
    let plain = parts.streams.len() - 1;
    assert!(parts.streams[plain].0[4] > 12);
    parts.streams[plain].0[4] = 12;
    assert!(refused(&parts.seal()).is_pack_fault());
}

#[test]
fn two_frames_in_a_stream_are_refused() {
    let mut parts = Parts::of(&PACK);
    let plain = (0..parts.streams.len())
        .find(|&n| parts.streams[n].0[..2] == [2, 1])
        .unwrap();
    parts.streams[plain]
        .1
        .extend(zstd::bulk::compress(b"", 1).unwrap());
    let error = refused(&parts.seal());
    assert!(error.to_string().contains("follow"), "{error}");
}

#[test]
fn a_pack_that_needs_more_scratch_than_allowed_is_refused_before_it_is_decoded() {
    let mut limits = Limits::default();
    limits.scratch = 1000;
    let error = Pack::open(std::sync::Arc::new(PACK.clone()), &limits)
        .err()
        .unwrap();
    assert!(matches!(error, Error::Limit { limit: 1000, .. }), "{error}");
}

#[test]
fn a_stream_of_other_content_makes_another_blob_and_is_refused() {
    for number in 0..Parts::of(&PACK).streams.len() {
        let mut parts = Parts::of(&PACK);
        let mut raw = parts.raw(number);
        let middle = raw.len() / 2;
        raw[middle] ^= 0x20;
        parts.set_raw(number, raw);
        assert!(refused(&parts.seal()).is_pack_fault(), "stream {number}");
    }
}

#[test]
fn a_blob_that_is_not_there_is_not_found() {
    let pack = decode(PACK.clone()).unwrap();
    let digest = Digest::sha256(b"nothing");
    let opened = pack.open(&digest, 0, &sealift_pack::Workers::none());
    assert!(matches!(opened, Err(Error::NotFound(_))));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_changed_byte_is_refused(at: prop::sample::Index, flip in 1u8..) {
        let mut changed = PACK.clone();
        let at = at.index(changed.len());
        changed[at] ^= flip;
        prop_assert!(refused(&changed).is_pack_fault());
    }

    #[test]
    fn an_index_with_changed_bytes_never_gives_wrong_content(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut parts = Parts::of(&PACK);
        for (at, value) in changes {
            let at = at.index(parts.index.len());
            parts.index[at] = value;
        }
        // Where it is accepted, every blob was compared with the digest in the index.
        if let Err(error) = use_all(&parts.seal()) {
            prop_assert!(error.is_pack_fault(), "{}", error);
        }
    }

    #[test]
    fn streams_with_changed_bytes_are_refused(
        stream: prop::sample::Index,
        at: prop::sample::Index,
        flip in 1u8..,
    ) {
        let mut parts = Parts::of(&PACK);
        let number = stream.index(parts.streams.len());
        let mut raw = parts.raw(number);
        let at = at.index(raw.len());
        raw[at] ^= flip;
        parts.set_raw(number, raw);
        let result = use_all(&parts.seal());
        prop_assert!(result.err().is_some_and(|error| error.is_pack_fault()));
    }

    #[test]
    fn any_bytes_are_no_pack(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let with_magic = [b"SEALPACK\x01\0\0\0".as_slice(), &bytes].concat();
        prop_assert!(refused(&with_magic).is_pack_fault());
        prop_assert!(refused(&bytes).is_pack_fault());
    }
}
