//! Streams of known and of unknown encoders, and content that they lie in.

use std::io::Write;

use regzip::{
    Compressor, Encoder, GnuGzip, Go, Klauspost, Pgzip, Pigz, Stored, Strategy, Version, Zlib,
};

use super::random::{Random, content};

/// How a stream is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// In one write.
    Whole,
    /// In writes of one size.
    Writes(usize),
    /// In writes of all sizes.
    Uneven,
    /// With flushes, plain or full ones.
    Flushes { full: bool },
}

impl Manner {
    pub(crate) fn any(random: &mut Random) -> Self {
        match random.below(6) {
            0 | 1 => Self::Whole,
            2 => {
                let size = random.pick(&[1, 777, 4096, 32_768, 32_769, 65_274, 100_000]);
                Self::Writes(size)
            }
            3 => Self::Uneven,
            _ => Self::Flushes {
                full: random.one_in(3),
            },
        }
    }
}

const VERSIONS: [Version; 17] = [
    Version::From1_9_0,
    Version::From1_9_8,
    Version::From1_10_1,
    Version::From1_10_2,
    Version::From1_11_13,
    Version::From1_12_2,
    Version::From1_12_3,
    Version::From1_14_0,
    Version::From1_14_2,
    Version::From1_14_3,
    Version::From1_15_0,
    Version::From1_15_10,
    Version::From1_15_11,
    Version::From1_15_15,
    Version::From1_18_0,
    Version::From1_18_1,
    Version::From1_18_2,
];

/// An encoder with settings that the analysis looks for.
pub(crate) fn encoder(random: &mut Random) -> Encoder {
    let level = 1 + random.below(9) as u8;
    let version = random.pick(&VERSIONS);
    let klauspost = if version < Version::From1_14_0 {
        random.pick(&[-2, 1, 2, 3, 4, 5, 6])
    } else {
        random.pick(&[-2, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    };
    match random.below(7) {
        0 => Encoder::Go(Go {
            level: random.pick(&[-2, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        }),
        1 => Encoder::Klauspost(Klauspost {
            level: klauspost,
            version,
        }),
        2 => Encoder::Pgzip(Pgzip {
            level: klauspost,
            version,
            block_size: random.pick(&[1 << 20, 1 << 18]),
        }),
        3 | 4 => Encoder::Zlib(Zlib {
            level,
            window_bits: 15,
            mem_level: 8,
            strategy: Strategy::Default,
        }),
        5 => Encoder::GnuGzip(GnuGzip { level }),
        _ => Encoder::Pigz(Pigz {
            level,
            block_size: 1 << 17,
            independent: random.one_in(2),
            rsyncable: false,
        }),
    }
}

/// An encoder with any settings it can have, known to the analysis or not.
pub(crate) fn odd_encoder(random: &mut Random) -> Encoder {
    let strategy = random.pick(&[
        Strategy::Default,
        Strategy::Filtered,
        Strategy::HuffmanOnly,
        Strategy::Rle,
        Strategy::Fixed,
    ]);
    let level = 1 + random.below(9) as u8;
    match random.below(4) {
        0 => Encoder::Pigz(Pigz {
            level,
            block_size: 32_768 + random.below(200_000) as u32,
            independent: random.one_in(2),
            rsyncable: random.one_in(2),
        }),
        1 => Encoder::Pgzip(Pgzip {
            level: 5,
            version: random.pick(&VERSIONS),
            block_size: 16_385 + random.below(200_000) as u32,
        }),
        2 => Encoder::Stored(Stored {
            fixed_end: random.below(2) == 1,
        }),
        _ => Encoder::Zlib(Zlib {
            level,
            window_bits: 9 + random.below(7) as u8,
            mem_level: 1 + random.below(9) as u8,
            strategy,
        }),
    }
}

/// The raw deflate stream.
pub(crate) fn deflate(
    random: &mut Random,
    encoder: Encoder,
    manner: Manner,
    plain: &[u8],
) -> Vec<u8> {
    let mut writer = Compressor::new(encoder, Vec::new()).expect("the settings are its own");
    let mut rest = plain;
    while !rest.is_empty() {
        let n = match manner {
            Manner::Whole => rest.len(),
            Manner::Writes(size) => size.max(plain.len() / 500),
            Manner::Uneven => random.below(1 + rest.len()),
            Manner::Flushes { .. } => random.below(20_000).max(plain.len() / 50),
        };
        let (now, later) = rest.split_at(n.clamp(1, rest.len()));
        writer.write_all(now).expect("a vector takes all");
        rest = later;
        if let Manner::Flushes { full } = manner
            && random.one_in(2)
        {
            let flushed = if full {
                writer.full_flush()
            } else {
                writer.flush()
            };
            flushed.expect("a vector takes all");
        }
    }
    writer.finish().expect("a vector takes all")
}

/// A gzip member with the header that such an encoder writes.
pub(crate) fn gzip(random: &mut Random, encoder: Encoder, manner: Manner, plain: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0];
    out.extend_from_slice(match encoder {
        Encoder::Pgzip(Pgzip { .. }) | Encoder::Klauspost(Klauspost { .. }) => {
            &[0x00, 0x09, 0x6e, 0x88, 0x00, 0xff][..]
        }
        Encoder::Pigz(Pigz { .. }) | Encoder::GnuGzip(GnuGzip { .. }) => &[0, 0, 0, 0, 0, 3],
        _ => &[0, 0, 0, 0, 0, 0xff],
    });
    out.extend(deflate(random, encoder, manner, plain));
    let mut crc = flate2::Crc::new();
    crc.update(plain);
    out.extend(crc.sum().to_le_bytes());
    out.extend((plain.len() as u32).to_le_bytes());
    out
}

/// A gzip or zlib stream of an encoder that the crate does not know.
pub(crate) fn foreign(random: &mut Random, plain: &[u8]) -> Vec<u8> {
    let level = flate2::Compression::new(random.below(10) as u32);
    let written = if random.one_in(2) {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), level);
        writer.write_all(plain).and_then(|()| writer.finish())
    } else {
        let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), level);
        writer.write_all(plain).and_then(|()| writer.finish())
    };
    written.expect("a vector takes all")
}

/// Any stream at all.
pub(crate) fn stream(random: &mut Random, plain: &[u8]) -> Vec<u8> {
    let manner = Manner::any(random);
    match random.below(6) {
        0 | 1 => foreign(random, plain),
        2 => {
            let encoder = odd_encoder(random);
            gzip(random, encoder, manner, plain)
        }
        3 => {
            let len = random.below(200);
            let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
            bytes.extend(random.bytes(len));
            bytes
        }
        _ => {
            let encoder = encoder(random);
            gzip(random, encoder, manner, plain)
        }
    }
}

/// Content with streams in it, some of them inside others.
pub(crate) fn nested(random: &mut Random, depth: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for _ in 0..=random.below(3) {
        let len = random.below(1500);
        out.extend(content(random, len));
        let plain = if depth > 0 && random.one_in(3) {
            nested(random, depth - 1)
        } else {
            let len = random.below(20_000);
            content(random, len)
        };
        let encoder = encoder(random);
        match random.below(4) {
            0 => out.extend(zip_member(random, encoder, &plain)),
            1 => out.extend(picture(random, &plain)),
            _ => out.extend(stream(random, &plain)),
        }
    }
    out
}

fn zip_member(random: &mut Random, encoder: Encoder, plain: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(plain);
    let mut out = b"PK\x03\x04\x14\0\0\0\x08\0\0\0\0\0".to_vec();
    out.extend(crc.sum().to_le_bytes());
    out.extend([0; 8]);
    out.extend([1, 0, 0, 0, b'a']);
    out.extend(deflate(random, encoder, Manner::Whole, plain));
    out
}

/// A PNG's frame around a zlib stream.
fn picture(random: &mut Random, plain: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(6));
    let foreign = writer.write_all(plain).and_then(|()| writer.finish());
    let mut stream = foreign.expect("a vector takes all");
    if random.one_in(2) {
        let sum = stream.split_off(stream.len() - 4);
        let encoder = encoder(random);
        stream = vec![0x78, 0x9c];
        stream.extend(deflate(random, encoder, Manner::Whole, plain));
        stream.extend(sum);
    }
    let mut out = vec![0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a];
    let chunk = 1 + random.below(8192);
    let parts = stream.chunks(chunk).map(|part| (b"IDAT", part));
    let parts = parts.chain([(b"IEND", &[][..])]);
    for (kind, bytes) in parts {
        let mut crc = flate2::Crc::new();
        crc.update(kind);
        crc.update(bytes);
        out.extend((bytes.len() as u32).to_be_bytes());
        out.extend(kind);
        out.extend(bytes);
        out.extend(crc.sum().to_be_bytes());
    }
    out
}
