//! A rebuild from an offset: for ranges, and for uploads that are resumed.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod support;

use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};

use regzip::{
    Analysis, Compressor, Encoder, Error, GnuGzip, Go, Klauspost, Options, Pgzip, Pigz,
    RebuildReader, Recipe, Strategy, Version, Workers, Zlib,
};
use support::{Random, binary, text, workers};

const SPACING: u64 = 100_000;

/// A gzip member by one of our encoders.
fn member(encoder: Encoder, plain: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    let mut writer = Compressor::new(encoder, Vec::new()).unwrap();
    writer.write_all(plain).unwrap();
    out.extend(writer.finish().unwrap());
    let mut crc = flate2::Crc::new();
    crc.update(plain);
    out.extend(crc.sum().to_le_bytes());
    out.extend((plain.len() as u32).to_le_bytes());
    out
}

fn recipe(stream: &[u8]) -> Recipe {
    let mut options = Options::default();
    options.checkpoints = Some(SPACING);
    match regzip::analyse(Cursor::new(stream), &options).unwrap() {
        Analysis::Recipe(recipe) => Recipe::from_bytes(&recipe.to_bytes()).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// Content that counts what is read of it.
struct Counted<'a> {
    content: Cursor<&'a [u8]>,
    read: u64,
}

impl Read for Counted<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.content.read(buf)?;
        self.read += n as u64;
        Ok(n)
    }
}

impl Seek for Counted<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.content.seek(to)
    }
}

/// What comes from an offset on, and how much content was read for it.
fn from_offset(
    recipe: &Recipe,
    plain: &[u8],
    offset: u64,
    workers: &Workers,
) -> regzip::Result<(Vec<u8>, u64)> {
    let content = Counted {
        content: Cursor::new(plain),
        read: 0,
    };
    let mut reader = RebuildReader::from_offset(recipe.clone(), content, offset, workers)?;
    let mut out = Vec::new();
    reader.read_to_end(&mut out)?;
    Ok((out, reader.into_inner().read))
}

/// The ends, the places at which a rebuild can start and what lies around them, and some more.
fn offsets(recipe: &Recipe) -> Vec<u64> {
    let len = recipe.stream_len();
    let mut random = Random(71);
    let around = |at: u64| [at.saturating_sub(1), at, at + 1];
    let mut all: Vec<u64> = recipe.starts().into_iter().flat_map(around).collect();
    all.extend([len.saturating_sub(9), len.saturating_sub(8), len - 1, len]);
    all.extend((0..10).map(|_| u64::from(random.next()) % len));
    all.retain(|&offset| offset <= len);
    all
}

fn every_offset_gives_the_rest(what: &str, stream: &[u8], plain: &[u8]) -> Recipe {
    let recipe = recipe(stream);
    for offset in offsets(&recipe) {
        for threads in [0, 2] {
            let (rest, _) = from_offset(&recipe, plain, offset, &workers(threads))
                .unwrap_or_else(|error| panic!("{what} from {offset}: {error}"));
            let expected = &stream[offset as usize..];
            assert!(rest == expected, "{what} from {offset}, {threads} threads");
        }
    }
    recipe
}

fn encoders() -> Vec<Encoder> {
    let version = Version::From1_18_2;
    let mut all: Vec<Encoder> = [-2, 0, 1, 3, 6]
        .map(|level| Encoder::Go(Go { level }))
        .to_vec();
    all.extend([-2, 1, 3, 4, 5, 6].map(|level| Encoder::Klauspost(Klauspost { level, version })));
    all.push(Encoder::Pgzip(Pgzip {
        level: 5,
        version,
        block_size: 1 << 18,
    }));
    all.extend([1, 6].map(|level| {
        Encoder::Zlib(Zlib {
            level,
            window_bits: 15,
            mem_level: 8,
            strategy: Strategy::Default,
        })
    }));
    all.push(Encoder::GnuGzip(GnuGzip { level: 6 }));
    all.push(Encoder::Pigz(Pigz {
        level: 6,
        block_size: 1 << 17,
        independent: false,
        rsyncable: false,
    }));
    all
}

#[test]
fn a_stream_of_any_encoder_is_read_from_any_offset() {
    let plain = [binary(500_000, 72), text(400_000, 73)].concat();
    for encoder in encoders() {
        let stream = member(encoder, &plain);
        let recipe = every_offset_gives_the_rest(&encoder.to_string(), &stream, &plain);
        assert!(recipe.starts().len() > 2, "{encoder}: no checkpoints");
    }
}

#[test]
fn only_the_content_from_the_checkpoint_on_is_read() {
    let plain = binary(2_000_000, 74);
    let stream = member(Encoder::Go(Go { level: 6 }), &plain);
    let recipe = recipe(&stream);
    let offset = stream.len() as u64 * 9 / 10;
    let (_, read) = from_offset(&recipe, &plain, offset, &Workers::none()).unwrap();
    // A tenth of the stream, what lies between two checkpoints, and the window before.
    assert!(read < 200_000 + 3 * SPACING + 65_536, "{read} bytes read");
}

#[test]
fn a_stream_without_checkpoints_is_rebuilt_from_its_start() {
    let plain = text(600_000, 75);
    let stream = member(Encoder::GnuGzip(GnuGzip { level: 6 }), &plain);
    let recipe = recipe(&stream).without_checkpoints();
    assert_eq!(recipe.starts(), [0]);
    let (rest, read) = from_offset(&recipe, &plain, 1000, &Workers::none()).unwrap();
    assert!(rest == stream[1000..]);
    assert_eq!(read, plain.len() as u64);
}

#[test]
fn of_many_members_only_those_from_the_offset_on_are_written() {
    let plain = [binary(700_000, 76), text(700_000, 77)].concat();
    let members = plain.chunks(9_000);
    let mut stream: Vec<u8> = members
        .flat_map(|plain| member(Encoder::Go(Go { level: 6 }), plain))
        .collect();
    stream.extend([0; 700]);
    let recipe = every_offset_gives_the_rest("members", &stream, &plain);
    assert_eq!(recipe.checkpoints(), 0);
    assert!(recipe.starts().len() > 10, "{:?}", recipe.starts());
    let offset = stream.len() as u64 / 2;
    let (_, read) = from_offset(&recipe, &plain, offset, &Workers::none()).unwrap();
    assert!(read < 1_000_000, "{read} bytes read");
}

#[test]
fn members_with_checkpoints_of_their_own_are_read_from_any_offset() {
    let plain = [text(400_000, 78), binary(500_000, 79)].concat();
    let (first, second) = plain.split_at(400_000);
    let stream = [
        member(Encoder::GnuGzip(GnuGzip { level: 6 }), first),
        member(Encoder::Go(Go { level: 1 }), second),
        b"what follows".to_vec(),
    ]
    .concat();
    let recipe = every_offset_gives_the_rest("two members", &stream, &plain);
    assert!(recipe.checkpoints() > 2);
}

#[test]
fn a_zlib_stream_ends_with_the_checksum_of_all_its_content() {
    let plain = binary(500_000, 80);
    let mut writer = Compressor::new(Encoder::Go(Go { level: 1 }), Vec::new()).unwrap();
    writer.write_all(&plain).unwrap();
    let mut stream = vec![0x78, 0x01];
    stream.extend(writer.finish().unwrap());
    let (mut a, mut b) = (1u32, 0u32);
    for &byte in &plain {
        a = (a + u32::from(byte)) % 65521;
        b = (b + a) % 65521;
    }
    stream.extend((b << 16 | a).to_be_bytes());
    let recipe = every_offset_gives_the_rest("zlib", &stream, &plain);
    assert!(recipe.checkpoints() > 0);
}

#[test]
fn corrected_streams_are_read_from_any_offset() {
    let plain = text(300_000, 81);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(&plain).unwrap();
    let stream = encoder.finish().unwrap();
    let recipe = every_offset_gives_the_rest("corrected", &stream, &plain);
    assert!(recipe.corrections() > 0);
}

#[test]
fn an_offset_beyond_the_end_is_refused() {
    let plain = text(1000, 82);
    let stream = member(Encoder::Go(Go { level: 6 }), &plain);
    let (recipe, beyond) = (recipe(&stream), stream.len() as u64 + 1);
    let error = from_offset(&recipe, &plain, beyond, &Workers::none()).unwrap_err();
    assert!(matches!(error, Error::BadOffset { .. }), "{error}");
    let (rest, read) = from_offset(&recipe, &plain, beyond - 1, &Workers::none()).unwrap();
    assert_eq!((rest.len(), read), (0, 0));
}

#[test]
fn wrong_content_behind_the_offset_is_noticed() {
    let plain = binary(900_000, 83);
    let stream = member(Encoder::Go(Go { level: 6 }), &plain);
    let recipe = recipe(&stream);
    let offset = stream.len() as u64 / 2;
    let mut wrong = plain.clone();
    wrong[850_000] ^= 1;
    for threads in [0, 2] {
        assert!(from_offset(&recipe, &wrong, offset, &workers(threads)).is_err());
        let short = &plain[..plain.len() - 1];
        assert!(from_offset(&recipe, short, offset, &workers(threads)).is_err());
        let long = [&plain, &b"x"[..]].concat();
        assert!(from_offset(&recipe, &long, offset, &workers(threads)).is_err());
    }
}
