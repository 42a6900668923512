//! Held against zlib.
#![allow(clippy::unwrap_used)]

use std::io::{Cursor, Write};

use flate2::{Decompress, FlushDecompress, Status};
use proptest::prelude::*;

use super::Inflater;
use crate::input::Input;
use crate::{Compressor, Encoder, Go, Strategy as Search, Zlib};

/// The plain bytes and the compressed ones that they took.
type Inflated = Option<(Vec<u8>, u64)>;

fn by_zlib(stream: &[u8]) -> Inflated {
    let mut inflater = Decompress::new(false);
    let mut plain = Vec::with_capacity(1 << 20);
    let status = inflater.decompress_vec(stream, &mut plain, FlushDecompress::None);
    matches!(status, Ok(Status::StreamEnd)).then(|| (plain, inflater.total_in()))
}

fn by_ours(stream: &[u8]) -> Inflated {
    let mut inflater = Inflater::new(Input::new(Cursor::new(stream), 0));
    inflater.restart();
    let mut plain = Vec::new();
    loop {
        let ended = inflater.step().ok()?;
        plain.extend_from_slice(inflater.plain());
        if ended.is_some_and(|block| block.last) {
            return Some((plain, inflater.bits.input.offset()));
        }
    }
}

fn encoders() -> impl Strategy<Value = Encoder> {
    let zlib = |strategy| {
        Encoder::Zlib(Zlib {
            level: 6,
            window_bits: 15,
            mem_level: 1,
            strategy,
        })
    };
    prop::sample::select(vec![
        Encoder::Go(Go { level: 6 }),
        Encoder::Go(Go { level: -2 }),
        Encoder::Go(Go { level: 0 }),
        zlib(Search::Default),
        zlib(Search::Fixed),
        zlib(Search::Rle),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// Damage near the start meets headers, elsewhere tokens.
    #[test]
    fn what_zlib_takes_is_taken_and_nothing_else(
        encoder in encoders(),
        words in prop::collection::vec("[a-d]{1,9}", 0..300),
        noise in prop::collection::vec(any::<u8>(), 0..200),
        damage in prop::collection::vec((any::<prop::sample::Index>(), 0..8u8, any::<bool>()), 0..3),
    ) {
        let plain = [words.concat().as_bytes(), &noise].concat();
        let mut writer = Compressor::new(encoder, Vec::new()).unwrap();
        writer.write_all(&plain).unwrap();
        let mut stream = writer.finish().unwrap();
        for (at, bit, early) in &damage {
            let len = if *early { stream.len().min(60) } else { stream.len() };
            stream[at.index(len)] ^= 1 << bit;
        }
        prop_assert_eq!(by_ours(&stream), by_zlib(&stream));
    }
}
