//! Side by side with Go's own encoder.

#![allow(clippy::unwrap_used)]

mod support;

use regzip::{Options, Wrapper};
use support::{inputs, old_go_writer, round_trip, run};

/// The first inputs are those that are no edges.
const GENERAL: usize = 6;

#[test]
fn all_levels_and_inputs() {
    let Some(writer) = old_go_writer() else {
        return;
    };
    for (number, (name, plain)) in inputs().into_iter().enumerate() {
        // Levels 2 and 3, and 4 to 9, are the same code with other limits: one or two of each meet the
        // inputs that lie at the edges of blocks and windows.
        let levels: &[i32] = if number < GENERAL {
            &[-2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
        } else {
            &[-2, 0, 1, 2, 6, 9]
        };
        for level in levels {
            let stream = run(&writer, &["gzip", &level.to_string()], &plain);
            let what = format!("{name}, level {level}");
            let recipe = round_trip(&what, &stream, &plain, &Options::default());
            assert!(support::essence(&recipe) < 64, "{what}: long recipe");
        }
    }
}

#[test]
fn wrappers() {
    let Some(writer) = old_go_writer() else {
        return;
    };
    let plain = support::binary(300_000, 5);
    for level in ["1", "6", "9"] {
        let stream = run(&writer, &["zlib", level], &plain);
        round_trip(
            &format!("zlib {level}"),
            &stream,
            &plain,
            &Options::default(),
        );
        let stream = run(&writer, &["flate", level], &plain);
        let mut options = Options::default();
        options.wrapper = Some(Wrapper::Raw);
        round_trip(&format!("raw {level}"), &stream, &plain, &options);
    }
}

#[test]
fn sizes_of_writes_and_flushes() {
    let Some(writer) = old_go_writer() else {
        return;
    };
    let plain = support::binary(400_000, 6);
    for level in ["-2", "0", "1", "2", "6"] {
        for option in [
            "write=1000",
            "write=32769",
            "flush=100000",
            "flush=777",
            "flush=65275",
        ] {
            let stream = run(&writer, &["gzip", level, option], &plain);
            round_trip(
                &format!("level {level}, {option}"),
                &stream,
                &plain,
                &Options::default(),
            );
        }
    }
}

/// A match at the far end of the window that only a write ending before it hides.
#[test]
fn the_one_place_where_writes_show() {
    let Some(writer) = old_go_writer() else {
        return;
    };
    let mut plain = support::Random(11).bytes(140_000);
    // Position 65,274 repeats what is more than 32,506 bytes before it.
    plain.copy_within(32_600..32_640, 65_274);
    for end in [65_274, 65_300, 65_535] {
        let stream = run(&writer, &["gzip", "6", &format!("write={end}")], &plain);
        round_trip(
            &format!("a write ends at {end}"),
            &stream,
            &plain,
            &Options::default(),
        );
    }
}

#[test]
fn members_and_tails() {
    let Some(writer) = old_go_writer() else {
        return;
    };
    let pieces = [
        support::text(50_000, 1),
        Vec::new(),
        support::binary(90_000, 2),
        vec![0; 7],
    ];
    let mut stream = Vec::new();
    for (piece, level) in pieces.iter().zip(["6", "1", "9", "6"]) {
        stream.extend(run(&writer, &["gzip", level], piece));
    }
    let plain = pieces.concat();
    for tail in [vec![], vec![0; 300_000], b"not gzip".to_vec()] {
        let stream = [stream.as_slice(), &tail].concat();
        let recipe = round_trip("members", &stream, &plain, &Options::default());
        assert_eq!(recipe.members(), 4);
    }
}
