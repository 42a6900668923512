//! Some of the fuzzer's cases, always the same; `cargo xtask fuzz` runs more.

#[path = "fuzz/cases.rs"]
mod cases;

use std::collections::BTreeMap;

use cases::{Input, Kind, Maker};

/// How many inputs of each kind: as many as a few seconds allow.
const RUNS: [(Kind, u64); 5] = [
    (Kind::Stream, 40),
    (Kind::Recipe, 250),
    (Kind::RoundTrip, 15),
    (Kind::Nested, 20),
    (Kind::Map, 250),
];

#[test]
fn no_input_does_harm() {
    cases::watch_for_panics();
    let mut maker = Maker::default();
    let mut outcomes = BTreeMap::new();
    for (kind, runs) in RUNS {
        for seed in 0..runs {
            let input = maker.input(kind, seed);
            let input = Input::from_bytes(&input.to_bytes()).expect("it was written just now");
            match input.run() {
                Ok(outcome) => *outcomes.entry((kind, outcome)).or_insert(0) += 1,
                Err(wrong) => {
                    let _ = std::panic::take_hook();
                    panic!("{kind:?}, seed {seed}: {wrong}");
                }
            }
        }
    }
    // The cases come to where they are meant to.
    let _ = std::panic::take_hook();
    for (kind, _) in RUNS {
        let seen = outcomes.keys().filter(|(k, _)| *k == kind).count();
        let expected = if kind == Kind::RoundTrip { 1 } else { 2 };
        assert!(seen >= expected, "{kind:?}: {outcomes:?}");
    }
}
