//! Damage of every kind ends in an error or in other bytes, never in a panic, and damaged programs still come back.
//! `PROPTEST_CASES=100000 cargo test --release -p relate --test damage` looks for longer.

#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::cast_possible_truncation
)]

#[path = "support/mini.rs"]
mod mini;

use mini::Mini;
use proptest::prelude::*;
use relate::{Content, Options, decode, encode};

/// Changes of bytes: where, as a share of the length, and to what.
fn changes() -> impl Strategy<Value = Vec<(f64, u8)>> {
    prop::collection::vec((0.0..1.0, any::<u8>()), 1..12)
}

fn apply(bytes: &mut [u8], changes: &[(f64, u8)]) {
    for (share, value) in changes {
        let at = (bytes.len() as f64 * share) as usize;
        if let Some(byte) = bytes.get_mut(at) {
            *byte = *value;
        }
    }
}

proptest! {
    #[test]
    fn damaged_programs_come_back(
        amd64: bool,
        old_changes in changes(),
        new_changes in changes(),
        headers in prop::collection::vec((0usize..176, any::<u8>()), 0..3),
        cut in 0.5..1.0f64,
    ) {
        let mut old = Mini::new(30, amd64).build();
        let mut new = Mini::new(30, amd64).with_more(7, 2).build();
        apply(&mut old, &old_changes);
        apply(&mut new, &new_changes);
        for (at, value) in headers {
            old[at] = value;
        }
        old.truncate((old.len() as f64 * (0.4 + cut)) as usize);
        let bases: [&dyn Content; 1] = [&old];
        let encoded = encode(&new, &bases, &Options::default()).unwrap();
        let mut decoded = vec![0; new.len()];
        decode(encoded.codec, encoded.inputs(), &bases, &mut decoded).unwrap();
        prop_assert!(decoded == new);
    }

    #[test]
    fn damaged_streams_and_bases_end_in_a_result(
        amd64: bool,
        base_changes in changes(),
        stream_changes in prop::collection::vec((any::<prop::sample::Index>(), 0.0..1.0f64, any::<u8>()), 1..6),
        shorter: bool,
    ) {
        let mut old = Mini::new(30, amd64).build();
        let new = Mini::new(30, amd64).with_more(7, 2).build();
        let mut encoded = encode(&new, &[&old as &dyn Content], &Options::default()).unwrap();
        for (stream, share, value) in stream_changes {
            let bytes = &mut stream.get_mut(&mut encoded.streams).bytes;
            apply(bytes, &[(share, value)]);
        }
        apply(&mut old, &base_changes);
        if shorter {
            old.truncate(old.len() / 2);
        }
        let mut decoded = vec![0; new.len()];
        let _ = decode(encoded.codec, encoded.inputs(), &[&old], &mut decoded);
    }
}
