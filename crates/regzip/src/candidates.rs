//! Which encoders to try, in which order, by what the header says.

use crate::encoder::Encoder;
use crate::klauspost::stream::Version;
use crate::wrapper::Wrapper;
use crate::zlib::deflate::Strategy;

/// All encoders that may have written a stream with this header, the likeliest first.
pub(crate) fn candidates(wrapper: Wrapper, header: &[u8]) -> Vec<Encoder> {
    let levels = likely_levels(wrapper, header);
    let zlib = zlib(wrapper, header, levels);
    let gnu = levels.iter().map(|&level| Encoder::GnuGzip { level });
    let go = go(levels);
    let mut list = Vec::new();
    match (wrapper, header) {
        // klauspost writes Go's zero time as it is.
        (Wrapper::Gzip, [_, _, _, _, 0x00, 0x09, 0x6e, 0x88, ..]) => {
            list.extend(klauspost());
            list.extend(go);
            list.extend(zlib);
        }
        // "Unknown" is what Go, klauspost and Python say; Unix is what gzip and pigz say.
        (Wrapper::Gzip, [.., 0xff]) => {
            list.extend(go);
            list.extend(new_go(levels));
            list.extend(zlib);
            list.extend(klauspost());
            list.extend(gnu);
        }
        (Wrapper::Gzip, _) => {
            list.extend(gnu);
            list.extend(pigz(levels));
            list.extend(zlib);
            list.extend(go);
            list.extend(klauspost());
        }
        // Go's linker compresses debug information at its fastest level.
        (Wrapper::Zlib, [0x78, 0x01, ..]) => {
            list.extend(go);
            list.extend(new_go(levels));
            list.extend(zlib);
        }
        _ => {
            list.extend(zlib);
            list.extend(go);
            list.extend(new_go(levels));
        }
    }
    list.push(Encoder::Stored);
    list
}

/// pigz with its default blocks.
fn pigz(levels: &[u8]) -> Vec<Encoder> {
    let make = |independent| {
        levels.iter().map(move |&level| Encoder::Pigz {
            level,
            block_size: 1 << 17,
            independent,
        })
    };
    make(false).chain(make(true)).collect()
}

/// Levels by what the header says of them: gzip's extra flags, zlib's two bits.
fn likely_levels(wrapper: Wrapper, header: &[u8]) -> &'static [u8] {
    match (wrapper, header) {
        (Wrapper::Gzip, [_, _, _, _, _, _, _, _, 4, ..])
        | (Wrapper::Zlib, [_, 0x01 | 0x19 | 0x15, ..]) => &[1, 6, 9, 2, 3, 4, 5, 7, 8],
        (Wrapper::Gzip, [_, _, _, _, _, _, _, _, 2, ..]) | (Wrapper::Zlib, [_, 0xda, ..]) => {
            &[9, 6, 8, 7, 5, 4, 3, 2, 1]
        }
        (Wrapper::Zlib, [_, 0x5e, ..]) => &[5, 4, 3, 2, 6, 7, 8, 9, 1],
        _ => &[6, 9, 5, 3, 1, 4, 7, 8, 2],
    }
}

fn go(levels: &[u8]) -> Vec<Encoder> {
    let levels = levels.iter().map(|&level| level as i8);
    levels
        .chain([0, -2])
        .map(|level| Encoder::Go { level })
        .collect()
}

/// Versions, the most widespread first.
const VERSIONS: [Version; 3] = [
    Version::From1_15_10,
    Version::From1_18_2,
    Version::From1_15_0,
];

/// pgzip as the container tools set it up, then klauspost's encoder alone.
fn klauspost() -> Vec<Encoder> {
    let all = || {
        VERSIONS
            .into_iter()
            .flat_map(|version| version.levels().iter().map(move |&level| (level, version)))
    };
    // With larger blocks, the ends of smaller ones would pass for flushes.
    let pgzip = [1 << 18, 1 << 20].into_iter().flat_map(|block_size| {
        all().map(move |(level, version)| Encoder::Pgzip {
            level,
            version,
            block_size,
        })
    });
    let alone = all().map(|(level, version)| Encoder::Klauspost { level, version });
    let mut list: Vec<_> = pgzip.chain(alone).collect();
    // Nearly all is written at the default.
    list.sort_by_key(|encoder| match encoder {
        Encoder::Pgzip { level: 5, .. } => 0,
        Encoder::Klauspost { level: 5, .. } => 1,
        _ => 2,
    });
    list
}

/// Go's encoder from 1.27 on; level 0 is stored blocks.
fn new_go(levels: &[u8]) -> impl Iterator<Item = Encoder> {
    let levels = levels.iter().map(|&level| level as i8);
    levels.chain([-2]).map(|level| Encoder::Klauspost {
        level,
        version: Version::From1_18_2,
    })
}

/// zlib with its defaults at all levels, then with more memory and the other strategies.
fn zlib(wrapper: Wrapper, header: &[u8], levels: &[u8]) -> Vec<Encoder> {
    let window_bits = match (wrapper, header) {
        (Wrapper::Zlib, [cmf, ..]) => (cmf >> 4).clamp(1, 7) + 8,
        _ => 15,
    };
    let mut list = zlib_with(window_bits, levels);
    // Writers of pictures state a smaller window than they compressed with.
    if window_bits != 15 {
        list.extend(zlib_with(15, levels));
    }
    list
}

fn zlib_with(window_bits: u8, levels: &[u8]) -> Vec<Encoder> {
    let make = |level, mem_level, strategy| Encoder::Zlib {
        level,
        window_bits,
        mem_level,
        strategy,
    };
    let mut list: Vec<_> = levels
        .iter()
        .map(|&level| make(level, 8, Strategy::Default))
        .collect();
    for mem_level in [9, 7] {
        list.extend(
            levels
                .iter()
                .map(|&level| make(level, mem_level, Strategy::Default)),
        );
    }
    list.extend(
        levels
            .iter()
            .map(|&level| make(level, 8, Strategy::Filtered)),
    );
    list.extend(
        levels
            .iter()
            .map(|&level| make(level, 9, Strategy::Filtered)),
    );
    for strategy in [Strategy::Rle, Strategy::HuffmanOnly] {
        list.extend([8, 9].map(|mem_level| make(6, mem_level, strategy)));
    }
    list.extend(levels.iter().map(|&level| make(level, 8, Strategy::Fixed)));
    list
}
