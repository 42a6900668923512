//! Side by side with klauspost's encoder and pgzip.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::Write;

use regzip::{Compressor, Encoder, Klauspost, Options, Pgzip, Version};
use support::{encoder, go_writer, inputs, new_go_writer, round_trip, run};

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
            Some(Encoder::Pgzip(Pgzip {
                level: 5,
                version: Version::From1_15_10,
                block_size: 1 << 20
            }))
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

#[test]
fn every_level_is_recognised_and_rebuilt() {
    let writers = [go_writer("klauspost"), new_go_writer()];
    for (writer, formats) in writers.into_iter().zip([&["gzip", "pgzip"][..], &["gzip"]]) {
        let Some(writer) = writer else { return };
        for (turn, level) in [-2i8, 0, 1, 2, 3, 4, 6, 7, 8, 9].into_iter().enumerate() {
            // Some of the inputs for each level, so that all have their turn.
            for (name, plain) in inputs().into_iter().skip(turn).step_by(9) {
                for format in formats {
                    let stream = run(&writer, &[format, &level.to_string()], &plain);
                    let what = format!("level {level}, {format}, {name}");
                    round_trip(&what, &stream, &plain, &Options::default());
                }
            }
        }
    }
}

/// Go's own encoder from 1.27 on.
#[test]
fn the_new_go_at_every_level() {
    let Some(writer) = new_go_writer() else {
        return;
    };
    for (name, plain) in inputs() {
        for level in [-2i8, 1, 2, 3, 4, 5, 6, 7, 8, 9] {
            let encoder = Encoder::Klauspost(Klauspost {
                level,
                version: Version::From1_18_2,
            });
            let mut replay = Compressor::new(encoder, Vec::new()).unwrap();
            replay.write_all(&plain).unwrap();
            let replay = replay.finish().unwrap();
            // How the content is cut into writes makes no difference.
            let stream = run(
                &writer,
                &["flate", &level.to_string(), "write=50000"],
                &plain,
            );
            assert!(replay == stream, "level {level}, {name}");
        }
    }
}

#[test]
fn the_new_go_with_flushes() {
    let Some(writer) = new_go_writer() else {
        return;
    };
    for (name, plain) in inputs().into_iter().skip(2).step_by(6) {
        for level in ["-2", "0", "1", "6", "9"] {
            let stream = run(&writer, &["gzip", level, "flush=30011"], &plain);
            let what = format!("level {level}, {name}");
            round_trip(&what, &stream, &plain, &Options::default());
        }
    }
}
