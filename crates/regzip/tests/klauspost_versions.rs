//! Side by side with the first and the last release of every stretch of klauspost/compress that
//! writes the same bytes.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::Write;
use std::path::Path;

use regzip::{Compressor, Encoder, Klauspost, Options, Pgzip, Version};
use support::{encoder, inputs, klauspost_writer, round_trip, run};

/// Every version with its first and its last release.
const STRETCHES: [(Version, &[&str]); 17] = [
    (Version::From1_9_0, &["1.9.0", "1.9.7"]),
    (Version::From1_9_8, &["1.9.8", "1.10.0"]),
    (Version::From1_10_1, &["1.10.1"]),
    (Version::From1_10_2, &["1.10.2", "1.11.12"]),
    (Version::From1_11_13, &["1.11.13", "1.12.1"]),
    (Version::From1_12_2, &["1.12.2"]),
    (Version::From1_12_3, &["1.12.3", "1.13.6"]),
    (Version::From1_14_0, &["1.14.0", "1.14.1"]),
    (Version::From1_14_2, &["1.14.2"]),
    (Version::From1_14_3, &["1.14.3", "1.14.4"]),
    (Version::From1_15_0, &["1.15.0", "1.15.9"]),
    (Version::From1_15_10, &["1.15.10"]),
    (Version::From1_15_11, &["1.15.11", "1.15.14"]),
    (Version::From1_15_15, &["1.15.15", "1.17.11"]),
    (Version::From1_18_0, &["1.18.0"]),
    (Version::From1_18_1, &["1.18.1"]),
    (Version::From1_18_2, &["1.18.2", "1.19.1"]),
];

/// Mixed content of several blocks.
fn mixed(seed: u64) -> Vec<u8> {
    let mut all = support::text(200_000, seed);
    all.extend(support::Random(seed).bytes(90_000));
    all.extend(support::binary(900_000, seed));
    all.extend(support::text(40_000, seed + 1));
    all.extend(vec![0; 70_000]);
    all
}

/// One stream of the real writer against the replay of the version that it should be.
fn compare(writer: &Path, what: &str, encoder: Encoder, level: i8, plain: &[u8]) {
    let format = if matches!(encoder, Encoder::Pgzip(Pgzip { .. })) {
        "pgzip"
    } else {
        "gzip"
    };
    let stream = run(writer, &[format, &level.to_string()], plain);
    let mut replay = Compressor::new(encoder, Vec::new()).unwrap();
    replay.write_all(plain).unwrap();
    let replay = replay.finish().unwrap();
    // Between gzip's header and trailer.
    assert!(
        stream[10..stream.len() - 8] == replay,
        "{what}, {format}, level {level}: it differs from {encoder}"
    );
}

fn encoders(level: i8, version: Version) -> [Encoder; 2] {
    let pgzip = Encoder::Pgzip(Pgzip {
        level,
        version,
        block_size: 1 << 20,
    });
    [Encoder::Klauspost(Klauspost { level, version }), pgzip]
}

#[test]
fn every_version_writes_the_default_level_as_its_releases_do() {
    let mut all = inputs();
    all.push(("mixed".to_owned(), mixed(31)));
    for (version, releases) in STRETCHES {
        for release in releases {
            let Some(writer) = klauspost_writer(release) else {
                return;
            };
            for (name, plain) in &all {
                for encoder in encoders(5, version) {
                    let what = format!("{release}, {name}");
                    compare(&writer, &what, encoder, 5, plain);
                }
            }
        }
    }
}

#[test]
fn every_version_writes_all_levels_as_its_releases_do() {
    let all = inputs();
    for (stretch, (version, releases)) in STRETCHES.into_iter().enumerate() {
        for release in releases {
            let Some(writer) = klauspost_writer(release) else {
                return;
            };
            for level in [-2, 1, 2, 3, 4, 6, 7, 8, 9] {
                let [alone, pgzip] = encoders(level, version);
                if Compressor::new(alone, Vec::new()).is_err() {
                    assert!(level >= 7 && version < Version::From1_14_0, "{alone}");
                    continue;
                }
                // It was withdrawn for streams that cannot be read.
                if (level, version) == (9, Version::From1_18_1) {
                    continue;
                }
                let plain = mixed(40 + stretch as u64);
                compare(&writer, release, pgzip, level, &plain);
                // Some of the inputs for each, so that all have their turn.
                let skip = (level.unsigned_abs() as usize + stretch) % 6;
                for (name, plain) in all.iter().skip(skip).step_by(6) {
                    let what = format!("{release}, {name}");
                    compare(&writer, &what, alone, level, plain);
                }
            }
        }
    }
}

#[test]
fn layers_of_every_version_are_rebuilt() {
    let plain = mixed(32);
    for (_, releases) in STRETCHES {
        let Some(writer) = klauspost_writer(releases[0]) else {
            return;
        };
        for size in [1 << 20, 1 << 18] {
            let block = format!("block={size}");
            let stream = run(&writer, &["pgzip", "-1", &block], &plain);
            let what = format!("{}, blocks of {size}", releases[0]);
            let recipe = round_trip(&what, &stream, &plain, &Options::default());
            // Some versions write this content alike.
            assert!(
                matches!(
                    encoder(&recipe),
                    Some(Encoder::Pgzip(Pgzip { level: 5, block_size, .. })) if block_size == size
                ),
                "{what}: {:?}",
                encoder(&recipe)
            );
        }
    }
}
