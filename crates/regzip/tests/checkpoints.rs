//! A rebuild from checkpoints: the same stream, from anywhere, on any number of threads.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{Cursor, Read};

use regzip::{Analysis, Options, RebuildReader, Recipe};
use support::{binary, go_writer, program, run, text, workers};

fn mixed() -> Vec<u8> {
    let mut plain = binary(3_000_000, 41);
    plain.extend(text(1_500_000, 42));
    plain.resize(plain.len() + 500_000, 0);
    plain.extend(support::Random(43).bytes(300_000));
    plain.extend(binary(1_000_000, 44));
    plain
}

fn recipe(stream: &[u8], spacing: u64) -> Recipe {
    let mut options = Options::default();
    options.checkpoints = Some(spacing);
    match regzip::analyse(Cursor::new(stream), &options).unwrap() {
        Analysis::Recipe(recipe) => recipe,
        other => panic!("{other:?}"),
    }
}

/// Streams of every kind of encoder.
fn streams(plain: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    if let Some(go) = go_writer("go") {
        for level in ["-2", "0", "1", "2", "3", "4", "6", "9"] {
            all.push((format!("Go {level}"), run(&go, &["gzip", level], plain)));
        }
        // The strings around a flush are in no chain.
        let flushed = run(&go, &["gzip", "6", "flush=300000"], plain);
        all.push(("Go 6 with flushes".to_owned(), flushed));
    }
    if let Some(klauspost) = go_writer("klauspost") {
        for format in ["gzip", "pgzip"] {
            all.push((format.to_owned(), run(&klauspost, &[format, "5"], plain)));
        }
        for level in ["-2", "4"] {
            let stream = run(&klauspost, &["gzip", level], plain);
            all.push((format!("klauspost {level}"), stream));
        }
    }
    if let Some(gzip) = program("gzip") {
        for level in ["-1", "-3", "-6"] {
            all.push((format!("gzip {level}"), run(&gzip, &["-c", level], plain)));
        }
    }
    all
}

#[test]
fn the_output_does_not_depend_on_the_number_of_threads() {
    let plain = mixed();
    for (name, stream) in streams(&plain) {
        let recipe = recipe(&stream, 200_000);
        assert!(
            recipe.checkpoints() >= if name == "pgzip" { 5 } else { 10 },
            "{name}: only {} checkpoints",
            recipe.checkpoints()
        );
        for threads in [0, 1, 2, 40] {
            let mut again = Vec::new();
            regzip::rebuild_with(&recipe, plain.as_slice(), &mut again, &workers(threads)).unwrap();
            assert!(again == stream, "{name}, {threads} threads");
        }
        let mut again = Vec::new();
        let mut reader = RebuildReader::with_workers(recipe, plain.as_slice(), &workers(3));
        reader.read_to_end(&mut again).unwrap();
        assert!(again == stream, "{name}, as a reader");
    }
}

#[test]
fn checkpoints_of_the_usual_spacing_take_less_than_a_thousandth() {
    let plain: Vec<u8> = std::iter::repeat_n(mixed(), 2).flatten().collect();
    for (name, stream) in streams(&plain) {
        let recipe = match regzip::analyse(Cursor::new(&stream), &Options::default()).unwrap() {
            Analysis::Recipe(recipe) => recipe,
            other => panic!("{other:?}"),
        };
        let (size, limit) = (recipe.to_bytes().len(), plain.len() / 1000);
        assert!(size <= limit, "{name}: {size} of {limit} bytes");
    }
}

#[test]
fn wrong_content_is_noticed_on_many_threads() {
    let plain = mixed();
    let Some((_, stream)) = streams(&plain).into_iter().next() else {
        return;
    };
    let recipe = recipe(&stream, 200_000);
    let mut wrong = plain.clone();
    wrong[4_000_000] ^= 1;
    let short = &plain[..plain.len() - 1];
    let long = [plain.as_slice(), b"x"].concat();
    for content in [wrong.as_slice(), short, &long] {
        assert!(regzip::rebuild_with(&recipe, content, std::io::sink(), &workers(2)).is_err());
    }
}

/// Any change to a checkpoint gives the same stream or an error.
#[test]
fn a_changed_checkpoint_does_no_harm() {
    let plain = [text(400_000, 45), binary(400_000, 46)].concat();
    for (name, stream) in streams(&plain) {
        let bytes = recipe(&stream, 0).to_bytes();
        let mut random = support::Random(47);
        for _ in 0..25 {
            let mut changed = bytes.clone();
            let at = 36.min(changed.len() / 2);
            let at = at + random.next() as usize % (changed.len() - at);
            changed[at] ^= 1 << (random.next() % 8);
            let Ok(recipe) = Recipe::from_bytes(&changed) else {
                continue;
            };
            let mut again = Vec::new();
            if regzip::rebuild_with(&recipe, plain.as_slice(), &mut again, &workers(2)).is_ok() {
                assert!(again == stream, "{name}: other bytes");
            }
        }
    }
}
