//! Side by side with zlib (Python's) and GNU gzip.
#![allow(clippy::unwrap_used)]

mod support;

use regzip::{Options, Wrapper};
use support::{inputs, program, round_trip, run, zlib};

#[test]
fn all_levels_and_inputs() {
    let Some(path) = program("python3") else {
        return;
    };
    for (name, plain) in inputs() {
        for level in [1, 3, 4, 6, 9] {
            let stream = zlib(&path, [level, 31, 8, 0, 0, 2], &plain);
            round_trip(
                &format!("{name}, level {level}"),
                &stream,
                &plain,
                &Options::default(),
            );
        }
    }
}

#[test]
fn settings() {
    let Some(path) = program("python3") else {
        return;
    };
    let plain = support::binary(300_000, 31);
    for window in [9, 12, 15] {
        for memory in [8, 9] {
            for strategy in 0..=4 {
                let settings = [6, window, memory, strategy, 0, 2];
                if memory == 9 && strategy == 4 {
                    continue;
                }
                let stream = zlib(&path, settings, &plain);
                round_trip(
                    &format!("{settings:?}"),
                    &stream,
                    &plain,
                    &Options::default(),
                );
            }
        }
    }
    let mut options = Options::default();
    options.wrapper = Some(Wrapper::Raw);
    let stream = zlib(&path, [9, -15, 8, 0, 0, 2], &plain);
    round_trip("raw", &stream, &plain, &options);
    for flush in [1000, 65_274, 100_000] {
        for level in [1, 6] {
            for kind in [2, 3] {
                let stream = zlib(&path, [level, 31, 8, 0, flush, kind], &plain);
                let what = format!("flush {flush}, kind {kind}");
                round_trip(&what, &stream, &plain, &Options::default());
            }
        }
    }
}

#[test]
fn gnu_gzip() {
    let Some(path) = program("gzip") else { return };
    for (name, plain) in inputs() {
        for level in 1..=9 {
            let stream = run(&path, &["-c", &format!("-{level}")], &plain);
            round_trip(
                &format!("{name}, level {level}"),
                &stream,
                &plain,
                &Options::default(),
            );
        }
    }
}

#[test]
fn nothing_but_stored_blocks() {
    let Some(path) = program("python3") else {
        return;
    };
    for (name, plain) in inputs() {
        for flush in [0, 70_000] {
            let stream = zlib(&path, [0, 31, 8, 0, flush, 2], &plain);
            let what = format!("{name}, flush {flush}");
            round_trip(&what, &stream, &plain, &Options::default());
        }
    }
}

#[test]
fn pigz() {
    let Some(path) = program("pigz") else { return };
    for (name, plain) in inputs() {
        for level in ["-1", "-6", "-9"] {
            for arguments in [
                &["-c", level, "-p", "3"][..],
                &["-c", level, "-p", "3", "-i"],
            ] {
                let stream = run(&path, arguments, &plain);
                let what = format!("{name}, {arguments:?}");
                round_trip(&what, &stream, &plain, &Options::default());
            }
        }
    }
    let plain = support::binary(3 << 17, 32);
    for len in [(1 << 17) - 1, 1 << 17, (1 << 17) + 1, 3 << 17] {
        let stream = run(&path, &["-c", "-p", "3"], &plain[..len]);
        round_trip(
            &format!("{len}"),
            &stream,
            &plain[..len],
            &Options::default(),
        );
    }
}
