//! Streams made with the crate's own encoders, put into content, opened and put back.
#![allow(clippy::unwrap_used)]

use std::io::{Cursor, Read};

use proptest::prelude::*;

use super::{CloseReader, Map, Options, Outline, close, open};
use crate::rebuild::workers;
use crate::wrapper::{Sums, Wrapper};
use crate::{Encoder, Go, Strategy, Zlib};

fn zlib(level: u8) -> Encoder {
    Encoder::Zlib(Zlib {
        level,
        window_bits: 15,
        mem_level: 8,
        strategy: Strategy::Default,
    })
}

fn deflate(encoder: Encoder, plain: &[u8]) -> Vec<u8> {
    let mut running = encoder.start();
    running.write(plain);
    running.finish();
    std::mem::take(running.output())
}

fn wrapped(wrapper: Wrapper, header: &[u8], encoder: Encoder, plain: &[u8]) -> Vec<u8> {
    let mut sums = Sums::new(wrapper);
    sums.update(plain);
    [
        header,
        &deflate(encoder, plain),
        &wrapper.trailer(sums.sum(), sums.len),
    ]
    .concat()
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    wrapped(Wrapper::Gzip, &header, Encoder::Go(Go { level: 6 }), plain)
}

fn zlibbed(plain: &[u8]) -> Vec<u8> {
    wrapped(
        Wrapper::Zlib,
        &[0x78, 0x01],
        Encoder::Go(Go { level: 1 }),
        plain,
    )
}

/// A zip file's member; the checksum stands in the header or follows.
fn zip(plain: &[u8], follows: bool) -> Vec<u8> {
    let mut sums = Sums::new(Wrapper::Raw);
    sums.update(plain);
    let crc = sums.sum().to_le_bytes();
    let mut out = b"PK\x03\x04\x14\0".to_vec();
    out.extend([if follows { 8 } else { 0 }, 0, 8, 0, 0, 0, 0, 0]);
    out.extend(if follows { [0; 4] } else { crc });
    out.extend([0; 8]);
    out.extend([5, 0, 0, 0]);
    out.extend(b"a.txt");
    out.extend(deflate(zlib(6), plain));
    if follows {
        out.extend(b"PK\x07\x08");
        out.extend(crc);
        out.extend([0; 8]);
    }
    out
}

fn png(plain: &[u8], chunk: usize, empty_end: bool) -> Vec<u8> {
    let stream = wrapped(Wrapper::Zlib, &[0x78, 0x9c], zlib(6), plain);
    let mut out = super::png::SIGNATURE.to_vec();
    let mut add = |kind: &[u8], bytes: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(kind);
        crc.update(bytes);
        out.extend((bytes.len() as u32).to_be_bytes());
        out.extend(kind);
        out.extend(bytes);
        out.extend(crc.sum().to_be_bytes());
    };
    add(b"IHDR", &[0; 13]);
    for part in stream.chunks(chunk) {
        add(b"IDAT", part);
    }
    if empty_end {
        add(b"IDAT", &[]);
    }
    add(b"IEND", &[]);
    out
}

fn text(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    let mut out = Vec::new();
    while out.len() < len {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        out.extend_from_slice(format!("{:x} and {} ", state >> 20, state >> 27).as_bytes());
    }
    out.truncate(len);
    out
}

/// Opens, writes the map and reads it, closes in three ways and compares.
fn there_and_back(content: &[u8], options: &Options<'_>) -> (Map, Vec<u8>) {
    let mut expanded = Vec::new();
    let map = open(Cursor::new(content), &mut expanded, options)
        .unwrap()
        .map;
    assert_eq!(map.content_len(), content.len() as u64);
    assert_eq!(map.expanded_len(), expanded.len() as u64);
    let map = Map::from_bytes(&map.to_bytes()).unwrap();
    for threads in [0, 2] {
        let mut again = Vec::new();
        close(&map, expanded.as_slice(), &mut again, &workers(threads)).unwrap();
        assert!(again == content, "differs on {threads} threads");
    }
    let mut again = Vec::new();
    CloseReader::new(map.clone(), expanded.as_slice())
        .read_to_end(&mut again)
        .unwrap();
    assert!(again == content, "differs as a reader");
    let outline = Outline::from_bytes(&map.outline().to_bytes()).unwrap();
    assert_eq!(outline, map.outline());
    assert_eq!(outline.content_len(), content.len() as u64);
    let mut again = Vec::new();
    let written = outline.expand(&mut &*content, &mut again).unwrap();
    assert_eq!(written, outline.expanded_len());
    assert!(again == expanded, "the outline expands to something else");
    (map, expanded)
}

#[test]
fn every_kind_of_stream_is_found_and_put_back() {
    let plain = text(40_000, 1);
    let all = [
        ("gzip", gzip(&plain)),
        ("zlib", zlibbed(&plain)),
        ("zip", zip(&plain, false)),
        ("jar", zip(&plain, true)),
        ("one chunk", png(&plain, 1 << 20, false)),
        ("chunks", png(&plain, 1000, false)),
        ("an empty chunk", png(&plain, 1000, true)),
    ];
    let mut together = text(1000, 9);
    for (name, stream) in &all {
        let content = [&text(5000, 2), stream.as_slice(), &text(3000, 3)].concat();
        let (map, expanded) = there_and_back(&content, &Options::default());
        assert_eq!(map.streams().len(), 1, "{name}");
        let at = map.streams()[0].expanded_offset as usize;
        assert!(expanded[at..at + plain.len()] == plain, "{name}");
        assert!(map.to_bytes().len() < 64, "{name}");
        together.extend_from_slice(stream);
    }
    let (map, _) = there_and_back(&together, &Options::default());
    assert_eq!(map.streams().len(), all.len());
}

/// Content is looked at in pieces; a stream may start just before the end of one.
#[test]
fn a_stream_is_found_wherever_a_piece_ends() {
    let member = zip(&text(60_000, 1), false);
    for before in (253_800..254_000).step_by(9).chain([262_100, 262_144]) {
        let content = [&text(before, 2), member.as_slice()].concat();
        let opened = open(Cursor::new(&content), std::io::sink(), &Options::default()).unwrap();
        assert_eq!(opened.map.streams().len(), 1, "{before} bytes before it");
    }
}

#[test]
fn streams_in_streams_are_opened_as_deep_as_asked() {
    let inner = [text(3000, 4), zlibbed(&text(20_000, 5))].concat();
    let jar = [zip(&inner, true), zip(&text(9000, 6), false)].concat();
    let content = [text(100, 7), gzip(&jar), text(100, 8)].concat();
    for (depth, count) in [(0, 0), (1, 1), (2, 3), (3, 4), (9, 4)] {
        let options = Options {
            depth,
            ..Options::default()
        };
        let (map, _) = there_and_back(&content, &options);
        assert_eq!(map.streams().len(), count, "depth {depth}");
    }
    let depths: Vec<_> = there_and_back(&content, &Options::default())
        .0
        .streams()
        .iter()
        .map(|s| s.depth)
        .collect();
    assert_eq!(depths, [0, 1, 2, 1]);
}

#[test]
fn what_is_too_large_for_memory_is_looked_into_on_scratch_space() {
    let content = gzip(&[text(50_000, 4), zlibbed(&text(20_000, 5))].concat());
    let mut options = Options {
        memory: 10_000,
        ..Options::default()
    };
    assert_eq!(there_and_back(&content, &options).0.streams().len(), 1);
    let scratch = || {
        let file = tempfile::tempfile()?;
        Ok(Box::new(file) as Box<dyn super::Storage>)
    };
    options.scratch = Some(&scratch);
    assert_eq!(there_and_back(&content, &options).0.streams().len(), 2);
}

#[test]
fn a_stream_of_an_unknown_encoder_stays_and_what_follows_is_found() {
    let mut strange = vec![0x78, 0x9c];
    // A stored block of five bytes where any encoder would have ended the stream.
    strange.extend([0, 5, 0, 0xfa, 0xff]);
    strange.extend(b"hello");
    strange.extend(deflate(zlib(6), &text(9000, 1)));
    let mut sums = Sums::new(Wrapper::Zlib);
    sums.update(b"hello");
    sums.update(&text(9000, 1));
    strange.extend(Wrapper::Zlib.trailer(sums.sum(), sums.len));
    let content = [strange, zlibbed(&text(9000, 2))].concat();
    let (map, _) = there_and_back(&content, &Options::default());
    assert_eq!(map.streams().len(), 1);
    let opened = open(Cursor::new(&content), std::io::sink(), &Options::default()).unwrap();
    assert_eq!((opened.kept.len(), opened.kept[0].offset), (1, 0));
}

/// What comes from an offset on.
fn from_offset(map: &Map, expanded: &[u8], offset: u64) -> crate::Result<Vec<u8>> {
    let source = Cursor::new(expanded);
    let mut reader = CloseReader::from_offset(map.clone(), source, offset, &workers(0))?;
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest)?;
    Ok(rest)
}

#[test]
fn content_is_closed_from_any_offset() {
    let inner = [text(300, 1), gzip(&text(3000, 2)), text(200, 3)].concat();
    let content = [
        text(700, 4),
        gzip(&inner),
        zlibbed(&text(2000, 5)),
        png(&text(4000, 6), 100, true),
        text(90, 7),
    ]
    .concat();
    let (map, expanded) = there_and_back(&content, &Options::default());
    assert_eq!(map.streams().len(), 4);
    let len = content.len();
    for offset in (0..len)
        .step_by(13)
        .chain([700, 699, len - 91, len - 90, len])
    {
        let rest = from_offset(&map, &expanded, offset as u64).unwrap();
        assert!(rest == content[offset..], "from {offset}");
    }
    assert!(from_offset(&map, &expanded, len as u64 + 1).is_err());
}

#[test]
fn content_without_streams_is_closed_from_any_offset() {
    let content = text(500, 1);
    let (map, expanded) = there_and_back(&content, &Options::default());
    for offset in [0, 1, 499, 500] {
        let rest = from_offset(&map, &expanded, offset as u64).unwrap();
        assert!(rest == content[offset..], "from {offset}");
    }
}

#[test]
fn a_wrong_expansion_is_an_error() {
    let content = [text(500, 1), gzip(&text(9000, 2)), text(500, 3)].concat();
    let (map, expanded) = there_and_back(&content, &Options::default());
    for at in [0, 600, 9000, expanded.len() - 1] {
        let mut wrong = expanded.clone();
        wrong[at] ^= 1;
        assert!(close(&map, wrong.as_slice(), std::io::sink(), &workers(0)).is_err());
    }
    let short = &expanded[..expanded.len() - 1];
    assert!(close(&map, short, std::io::sink(), &workers(0)).is_err());
}

/// Beginnings of streams at every position, none of which ends.
#[test]
fn content_that_an_outline_was_not_made_from_is_an_error() {
    let content = [&text(500, 1), png(&text(9000, 2), 1000, true).as_slice()].concat();
    let (map, _) = there_and_back(&content, &Options::default());
    let outline = map.outline();
    let expand = |mut content: &[u8]| outline.expand(&mut content, &mut std::io::sink());
    assert!(expand(&content[..content.len() - 1]).is_err());
    assert!(expand(&content[1..]).is_err());
    for at in [600, 900, 1400] {
        let mut changed = content.clone();
        changed[at..at + 40].fill(0xff);
        assert!(expand(&changed).is_err(), "{at}");
    }
}

#[test]
fn many_false_beginnings_take_bounded_time() {
    let stored = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 0, 0xff, 0xff, 0, 0];
    let content = stored.repeat(200_000);
    let (map, _) = there_and_back(&content, &Options::default());
    assert!(map.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_as_map(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let with_magic = [b"RM\x01".as_slice(), &bytes].concat();
        if let Ok(map) = Map::from_bytes(&with_magic) {
            prop_assert_eq!(map.to_bytes(), with_magic);
            let _ = close(&map, bytes.as_slice(), std::io::sink(), &workers(0));
        }
    }

}

proptest! {
    // The fuzzer tries more.
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_map(at in 0usize..200, value: u8) {
        let content = [text(50, 1), png(&gzip(&text(900, 2)), 100, false), text(50, 3)].concat();
        let mut expanded = Vec::new();
        let map = open(Cursor::new(&content), &mut expanded, &Options::default()).unwrap().map;
        let mut bytes = map.to_bytes();
        let at = at % bytes.len();
        bytes[at] = value;
        if let Ok(map) = Map::from_bytes(&bytes) {
            let mut again = Vec::new();
            if close(&map, expanded.as_slice(), &mut again, &workers(2)).is_ok() {
                prop_assert_eq!(again, content);
            }
        }
    }

    #[test]
    fn a_changed_outline(at in 0usize..200, value: u8) {
        let content = [text(50, 1), png(&gzip(&text(900, 2)), 100, false), text(50, 3)].concat();
        let (map, _) = there_and_back(&content, &Options::default());
        let mut bytes = map.outline().to_bytes();
        let at = at % bytes.len();
        bytes[at] = value;
        if let Ok(outline) = Outline::from_bytes(&bytes) {
            prop_assert_eq!(outline.to_bytes(), bytes);
            let mut expanded = Vec::new();
            if outline.expand(&mut content.as_slice(), &mut expanded).is_ok() {
                prop_assert_eq!(expanded.len() as u64, outline.expanded_len());
            }
        }
    }

    #[test]
    fn streams_at_random_places(
        parts in proptest::collection::vec((0usize..6, 0usize..700, any::<u32>()), 0..8),
        cut in 0usize..100,
    ) {
        let mut content = Vec::new();
        for (kind, len, seed) in parts {
            let plain = text(len * 7, seed);
            content.extend(match kind {
                0 => plain,
                1 => gzip(&plain),
                2 => zlibbed(&plain),
                3 => zip(&plain, len % 2 == 0),
                4 => png(&plain, len + 1, false),
                _ => gzip(&zip(&plain, false)),
            });
        }
        let end = content.len() - cut.min(content.len());
        there_and_back(&content[..end], &Options::default());
    }
}
