//! Made-up checkpoints: whatever a recipe says, a rebuild gives the stream or an error.
#![allow(clippy::unwrap_used)]

use std::io::{Cursor, Write};

use crate::analyse::{Memory, analyse_with};
use crate::checkpoint::{Checkpoint, Fix, OpenBlock, State};
use crate::rebuild::workers;
use crate::recipe::{Event, EventKind, Recipe};
use crate::{
    Analysis, BusyBox, Compressor, Encoder, Error, GnuGzip, Go, Klauspost, Options, Pgzip, Pigz,
    Stored, Strategy, Version, Wrapper, Zlib, rebuild_with,
};

struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }

    /// A number at the edge of something, or near `value`.
    fn number(&mut self, value: u64) -> u64 {
        const EDGES: [u64; 18] = [
            0,
            1,
            2,
            3,
            4,
            257,
            258,
            259,
            4096,
            16_384,
            32_767,
            32_768,
            32_769,
            65_535,
            65_536,
            131_072,
            1 << 32,
            u64::MAX,
        ];
        match self.next(4) {
            0 => value.wrapping_add(1),
            1 => value.wrapping_sub(1),
            2 => value ^ 1 << self.next(20),
            _ => EDGES[self.next(EDGES.len())],
        }
    }
}

fn encoders() -> Vec<Encoder> {
    let mut all = [false, true]
        .map(|fixed_end| Encoder::Stored(Stored { fixed_end }))
        .to_vec();
    all.extend([-2, 0, 1, 2, 3, 4, 6, 9].map(|level| Encoder::Go(Go { level })));
    let version = Version::From1_18_2;
    all.extend(
        [-2, 1, 2, 3, 4, 5, 6].map(|level| Encoder::Klauspost(Klauspost { level, version })),
    );
    all.extend([-2, 1, 5, 9].map(|level| {
        Encoder::Pgzip(Pgzip {
            level,
            version,
            block_size: 70_000,
        })
    }));
    for (level, window_bits, strategy) in [
        (1, 15, Strategy::Default),
        (3, 9, Strategy::Default),
        (6, 15, Strategy::Default),
        (9, 12, Strategy::Filtered),
        (6, 15, Strategy::HuffmanOnly),
        (6, 15, Strategy::Rle),
        (6, 15, Strategy::Fixed),
    ] {
        all.push(Encoder::Zlib(Zlib {
            level,
            window_bits,
            mem_level: 8,
            strategy,
        }));
    }
    all.extend([1, 2, 6].map(|level| Encoder::GnuGzip(GnuGzip { level })));
    all.push(Encoder::BusyBox(BusyBox {
        level: 6,
        hash_bits: 13,
    }));
    all.extend([false, true].map(|independent| {
        Encoder::Pigz(Pigz {
            level: 6,
            block_size: 70_000,
            independent,
            rsyncable: false,
        })
    }));
    all
}

/// Records, repeats and noise in turn.
fn content(random: &mut Random, len: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while out.len() < len {
        match random.next(3) {
            0 => out.extend((0..random.next(900)).map(|_| random.next(9) as u8 * 20)),
            1 => out.resize(out.len() + random.next(1200), 7),
            _ => {
                let n = random.next(1500).min(out.len());
                let from = out.len().saturating_sub(n + random.next(40_000));
                out.extend_from_within(from..from + n);
            }
        }
    }
    out.truncate(len);
    out
}

fn stream(encoder: Encoder, plain: &[u8]) -> Vec<u8> {
    let mut writer = Compressor::new(encoder, Vec::new()).unwrap();
    for piece in plain.chunks(60_000) {
        writer.write_all(piece).unwrap();
    }
    writer.finish().unwrap()
}

/// A recipe that names the encoder, without asking which others fit too.
fn recipe(encoder: Encoder, stream: &[u8]) -> Recipe {
    let options = Options {
        wrapper: Some(Wrapper::Raw),
        checkpoints: Some(0),
        ..Options::default()
    };
    let mut memory = Memory::of(encoder);
    match analyse_with(Cursor::new(stream), &options, &mut memory).unwrap() {
        Analysis::Recipe(recipe) => recipe,
        other => panic!("{encoder}: {other:?}"),
    }
}

fn change(checkpoint: &mut Checkpoint, random: &mut Random) {
    match (random.next(3), &mut checkpoint.state) {
        (0, _) => match random.next(3) {
            0 => checkpoint.plain = random.number(checkpoint.plain),
            1 => checkpoint.bits = random.number(checkpoint.bits),
            _ => checkpoint.partial = random.next(256) as u8,
        },
        (_, State::Window(state)) => match random.next(5) {
            0 => state.back = random.number(u64::from(state.back)) as u32,
            1 => state.pending = !state.pending,
            2 => {
                state.pending = true;
                state.length = random.number(u64::from(state.length)) as u16;
            }
            3 => {
                state.pending = true;
                state.distance = random.number(u64::from(state.distance)) as u16;
            }
            _ => state.warm_up = random.next(10) as u8,
        },
        (_, State::Piece(state)) => match random.next(4) {
            0 => state.back = random.number(u64::from(state.back)) as u32,
            3 => state.fixes = fixes(random),
            1 => {
                let mut open = OpenBlock {
                    header: random.number(100) as u16,
                    literals_only: random.next(2) == 0,
                    literals: [0; 286],
                    distances: [0; 30],
                };
                for _ in 0..random.next(60) {
                    open.literals[random.next(286)] = random.next(16) as u8;
                    open.distances[random.next(30)] = random.next(16) as u8;
                }
                state.open = Some(Box::new(open));
            }
            _ => state.open = None,
        },
    }
}

fn fixes(random: &mut Random) -> Vec<Fix> {
    let mut next = 0;
    let mut fix = |_| {
        let slot = next + random.next(20_000) as u32;
        next = slot + 1;
        let distance = random.number(200).min(u64::from(u16::MAX)) as u16;
        Fix { slot, distance }
    };
    (0..20).map(&mut fix).collect()
}

/// Bytes of a recipe whose checkpoints need not be in order.
fn bytes(recipe: &Recipe) -> Option<Vec<u8>> {
    let mut before = (0, 0);
    for checkpoint in &recipe.members[0].checkpoints {
        if checkpoint.plain < before.0 || checkpoint.bits < before.1 {
            return None;
        }
        before = (checkpoint.plain, checkpoint.bits);
    }
    Some(recipe.to_bytes())
}

#[test]
fn no_checkpoint_makes_a_thread_panic() {
    let mut random = Random(1);
    let plain = content(&mut random, 600_000);
    let (mut read, mut without) = (0, 0);
    for encoder in encoders() {
        let stream = stream(encoder, &plain);
        let honest = recipe(encoder, &stream);
        if honest.checkpoints() == 0 {
            without += 1;
            continue;
        }
        for _ in 0..25 {
            let mut changed = honest.clone();
            let checkpoints = &mut changed.members[0].checkpoints;
            for _ in 0..=random.next(2) {
                let index = random.next(checkpoints.len());
                change(&mut checkpoints[index], &mut random);
            }
            if random.next(4) == 0 {
                changed.members[0].events.push(Event {
                    kind: [EventKind::Flush, EventKind::Boundary, EventKind::FullFlush]
                        [random.next(3)],
                    distance: random.next(70_000) as u64,
                    repeat: 1,
                });
            }
            let Some(Ok(changed)) = bytes(&changed).map(|bytes| Recipe::from_bytes(&bytes)) else {
                continue;
            };
            read += 1;
            let mut again = Vec::new();
            match rebuild_with(&changed, plain.as_slice(), &mut again, &workers(2)) {
                Ok(_) => assert!(again == stream, "{encoder}: other bytes"),
                Err(Error::Io(error)) => panic!("{encoder}: {error}: {changed:?}"),
                Err(_) => {}
            }
        }
    }
    // A few need more content before a checkpoint is good.
    assert!(without < 4, "{without} encoders without checkpoints");
    assert!(read > 100, "nearly all are refused: {read}");
}

/// A name with a number, as many files have them.
fn words(random: &mut Random) -> Vec<u8> {
    let number = random.next(1_000) * random.next(1_000);
    format!("entry{}: {number}\n", random.next(300)).into_bytes()
}

#[test]
fn what_a_short_search_leaves_wrong_in_a_table_is_mended() {
    let mut random = Random(2);
    let plain: Vec<u8> = std::iter::repeat_with(|| words(&mut random))
        .take(100_000)
        .flatten()
        .collect();
    let version = Version::From1_18_2;
    let klauspost =
        [1, 2, 3, 4, 5, 6].map(|level| Encoder::Klauspost(Klauspost { level, version }));
    for encoder in [Encoder::Go(Go { level: 1 })].into_iter().chain(klauspost) {
        let stream = stream(encoder, &plain);
        let honest = recipe(encoder, &stream);
        let mut without = honest.clone();
        let mut fixes = 0;
        for checkpoint in &mut without.members[0].checkpoints {
            let State::Piece(state) = &mut checkpoint.state else {
                panic!("{encoder}: {checkpoint:?}");
            };
            fixes += state.fixes.len();
            state.fixes.clear();
        }
        assert!(fixes > 0, "{encoder}: this content needs none");
        let rebuilt =
            |recipe: &Recipe| rebuild_with(recipe, plain.as_slice(), std::io::sink(), &workers(2));
        assert!(rebuilt(&honest).is_ok(), "{encoder}");
        assert!(rebuilt(&without).is_err(), "{encoder}");
    }
}
