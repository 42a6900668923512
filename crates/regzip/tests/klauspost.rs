//! Side by side with klauspost's encoder and pgzip.
#![allow(clippy::unwrap_used)]

mod support;

use regzip::{Encoder, Options};
use support::{encoder, go_writer, inputs, round_trip, run};

#[test]
fn default_level_and_all_inputs() {
    let Some(writer) = go_writer("klauspost") else {
        return;
    };
    for (name, plain) in inputs() {
        for format in ["gzip", "pgzip"] {
            let stream = run(&writer, &[format, "-1"], &plain);
            round_trip(
                &format!("{format}, {name}"),
                &stream,
                &plain,
                &Options::default(),
            );
        }
    }
}

#[test]
fn blocks_writes_and_flushes() {
    let Some(writer) = go_writer("klauspost") else {
        return;
    };
    let plain = support::binary(3_000_000, 21);
    let large = support::text(2 << 20, 22);
    for (what, plain) in [
        ("binary", plain.as_slice()),
        ("two whole blocks", large.as_slice()),
    ] {
        let stream = run(&writer, &["pgzip", "-1"], plain);
        let recipe = round_trip(what, &stream, plain, &Options::default());
        assert_eq!(
            encoder(&recipe),
            Some(Encoder::Pgzip {
                level: 5,
                block_size: 1 << 20
            })
        );
        assert!(support::essence(&recipe) < 64, "{what}: long recipe");
    }
    for option in ["write=777", "flush=100000", "flush=1048576", "block=262144"] {
        for format in ["gzip", "pgzip"] {
            let stream = run(&writer, &[format, "5", option], &plain);
            round_trip(
                &format!("{format} {option}"),
                &stream,
                &plain,
                &Options::default(),
            );
        }
    }
}
