//! Any bytes in: an error or a bounded amount of work.

#![allow(clippy::unwrap_used)]

mod support;

use std::io::Cursor;

use proptest::prelude::*;
use regzip::{Analysis, Options, Recipe, Wrapper};

/// "hello" as Go writes it.
const HELLO: [u8; 29] = [
    0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 0xca, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x04, 0, 0, 0xff,
    0xff, 0x86, 0xa6, 0x10, 0x36, 5, 0, 0, 0,
];

fn hello() -> Recipe {
    match regzip::analyse(Cursor::new(HELLO), &Options::default()).unwrap() {
        Analysis::Recipe(recipe) => recipe,
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_as_recipe(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Recipe::from_bytes(&bytes);
        let mut with_magic = b"RZ\x01".to_vec();
        with_magic.extend(bytes);
        if let Ok(recipe) = Recipe::from_bytes(&with_magic) {
            prop_assert_eq!(recipe.to_bytes(), with_magic);
        }
    }

    #[test]
    fn a_changed_recipe(at in 0usize..40, value: u8) {
        let mut bytes = hello().to_bytes();
        let at = at % bytes.len();
        bytes[at] = value;
        if let Ok(recipe) = Recipe::from_bytes(&bytes) {
            let mut out = Vec::new();
            if regzip::rebuild(&recipe, &b"hello"[..], &mut out).is_ok() {
                prop_assert_eq!(out, &HELLO);
            }
        }
    }

}

proptest! {
    // Each is analysed six times, and with all encoders; the fuzzer tries more.
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_as_stream(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let gzip = [&HELLO[..10], &bytes].concat();
        for wrapper in [None, Some(Wrapper::Raw), Some(Wrapper::Zlib)] {
            let mut options = Options::default();
            options.wrapper = wrapper;
            let _ = regzip::analyse(Cursor::new(&bytes), &options).unwrap();
            let _ = regzip::analyse(Cursor::new(&gzip), &options).unwrap();
        }
    }
}

#[test]
fn wrong_content_is_an_error() {
    let recipe = hello();
    for wrong in [&b"hellO"[..], b"hell", b"hello!", b""] {
        assert!(regzip::rebuild(&recipe, wrong, std::io::sink()).is_err());
    }
}
