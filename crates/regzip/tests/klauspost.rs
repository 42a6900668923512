//! Side by side with klauspost's encoder and pgzip.
#![allow(clippy::unwrap_used)]

mod support;

use regzip::{Encoder, Options, Version};
use support::{encoder, go_writer, inputs, klauspost_writer, new_go_writer, round_trip, run};

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
                version: Version::From1_15_10,
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

#[test]
fn other_versions() {
    let plain = support::binary(2_500_000, 23);
    for (name, levels) in [("1.15.9", &["5"][..]), ("1.18.2", &["1", "5", "6"])] {
        let Some(writer) = klauspost_writer(name) else {
            return;
        };
        for level in levels {
            let stream = run(&writer, &["pgzip", level], &plain);
            let what = format!("{name}, level {level}");
            let recipe = round_trip(&what, &stream, &plain, &Options::default());
            // Some inputs look the same from two versions.
            let expected: i8 = level.parse().unwrap();
            assert!(
                matches!(encoder(&recipe), Some(Encoder::Pgzip { level, .. }) if level == expected),
                "{what}: {:?}",
                encoder(&recipe)
            );
            for (input, plain) in inputs() {
                for format in ["gzip", "pgzip"] {
                    let stream = run(&writer, &[format, level], &plain);
                    let what = format!("{name}, level {level}, {format}, {input}");
                    round_trip(&what, &stream, &plain, &Options::default());
                }
            }
        }
    }
}

#[test]
fn levels_one_and_six() {
    let Some(writer) = go_writer("klauspost") else {
        return;
    };
    for (name, plain) in inputs() {
        for level in ["1", "6"] {
            let stream = run(&writer, &["gzip", level], &plain);
            let what = format!("level {level}, {name}");
            round_trip(&what, &stream, &plain, &Options::default());
        }
    }
}

/// Go's own encoder from 1.27 on.
#[test]
fn new_go() {
    let Some(writer) = new_go_writer() else {
        return;
    };
    for (name, plain) in inputs() {
        for level in ["1", "5", "6"] {
            for option in ["write=50000", "flush=30011"] {
                let stream = run(&writer, &["gzip", level, option], &plain);
                let what = format!("level {level}, {name}, {option}");
                round_trip(&what, &stream, &plain, &Options::default());
            }
        }
    }
}

/// The other levels that both generations know.
#[test]
fn the_other_levels() {
    let writers = [go_writer("klauspost"), new_go_writer()];
    for (writer, formats) in writers.into_iter().zip([&["gzip", "pgzip"][..], &["gzip"]]) {
        let Some(writer) = writer else { return };
        for (name, plain) in inputs().into_iter().step_by(5) {
            for level in ["-2", "2", "3", "4", "7", "8", "9"] {
                for format in formats {
                    let stream = run(&writer, &[format, level], &plain);
                    let what = format!("level {level}, {format}, {name}");
                    round_trip(&what, &stream, &plain, &Options::default());
                }
            }
        }
    }
}
