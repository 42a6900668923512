//! Which encoders to try, in which order, by what the header says.

use crate::encoder::{Encoder, PGZIP_BLOCK};
use crate::klauspost::version::Version;
use crate::signs::Signs;
use crate::wrapper::Wrapper;
use crate::zlib::deflate::Strategy;

/// All encoders that may have written a stream with this header and beginning, in groups, the
/// likeliest first: a group is for when none of those before it fits.
pub(crate) fn candidates(wrapper: Wrapper, header: &[u8], signs: Signs) -> Vec<Vec<Encoder>> {
    let levels = likely_levels(wrapper, header);
    let zlib = zlib(wrapper, header, levels, signs.mem_level());
    let gnu = levels.iter().map(|&level| Encoder::GnuGzip { level });
    let gnu = gnu.collect();
    let (go, new_go) = (go(levels), new_go(levels));
    let (default, others) = klauspost(levels);
    let mut groups = match (wrapper, header) {
        // klauspost writes Go's zero time as it is; nearly all is written at the default.
        (Wrapper::Gzip, [_, _, _, _, 0x00, 0x09, 0x6e, 0x88, ..]) => {
            let mut groups = vec![default];
            groups.extend(others);
            groups.push(go);
            groups.extend(zlib);
            groups
        }
        // "Unknown" is what Go, klauspost and Python say; Unix is what gzip and pigz say.
        (Wrapper::Gzip, [.., 0xff]) => {
            let mut groups = vec![go, new_go];
            groups.extend(zlib);
            groups.extend([default, gnu]);
            groups.extend(others);
            groups
        }
        (Wrapper::Gzip, _) => {
            let mut groups = vec![gnu, pigz(levels, signs), busybox(levels, signs)];
            groups.extend(zlib);
            groups.extend([go, default]);
            groups.extend(others);
            groups
        }
        // Go's linker compresses debug information at its fastest level.
        (Wrapper::Zlib, [0x78, 0x01, ..]) => {
            let mut groups = vec![go, new_go];
            groups.extend(zlib);
            groups
        }
        _ => {
            let mut groups = zlib;
            groups.extend([go, new_go]);
            groups
        }
    };
    groups.push(
        [false, true]
            .map(|fixed_end| Encoder::Stored { fixed_end })
            .to_vec(),
    );
    groups
}

/// `BusyBox` in the sizes that it can be built in, or in the one that shows.
fn busybox(levels: &[u8], signs: Signs) -> Vec<Encoder> {
    // Its buffer of tokens has as many places as its hash table.
    let known = signs.mem_level().map(|level| level + 6);
    let bits = (13..=15).filter(|&bits| known.is_none_or(|known| known == bits));
    let levels = levels.iter().filter(|&&level| level >= 4);
    let make = |hash_bits| {
        levels
            .clone()
            .map(move |&level| Encoder::BusyBox { level, hash_bits })
    };
    bits.flat_map(make).collect()
}

/// pigz with blocks as they show and with its default ones.
fn pigz(levels: &[u8], signs: Signs) -> Vec<Encoder> {
    let usual = 1 << 17;
    let shown = signs.block_size().filter(|&size| size != usual);
    let mut list = Vec::new();
    let mut add = |block_size, rsyncable| {
        for independent in [false, true] {
            list.extend(levels.iter().map(|&level| Encoder::Pigz {
                level,
                block_size,
                independent,
                rsyncable,
            }));
        }
    };
    if signs.chosen {
        add(usual, true);
    }
    if let Some(size) = shown {
        add(size, false);
    }
    add(usual, false);
    list
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

/// The default level's encoders, and those of each other level.
fn klauspost(levels: &[u8]) -> (Vec<Encoder>, Vec<Vec<Encoder>>) {
    let others = levels.iter().map(|&level| level as i8);
    let others = others.filter(|&level| level != 5).chain([-2]);
    (klauspost_at(5), others.map(klauspost_at).collect())
}

/// The most widespread versions; all others follow, the latest first.
const WIDESPREAD: [Version; 3] = [
    Version::From1_15_10,
    Version::From1_18_2,
    Version::From1_10_2,
];

/// pgzip as the container tools set it up, then klauspost's encoder alone, in all versions that
/// write the level otherwise than those before them.
fn klauspost_at(level: i8) -> Vec<Encoder> {
    let others = Version::all().filter(|version| !WIDESPREAD.contains(version));
    let versions: Vec<_> = WIDESPREAD
        .into_iter()
        .chain(others)
        .filter(|version| version.knows(level) && version.changes(level))
        .collect();
    // The smaller first: larger blocks that were flushed at the right places look the same.
    let sizes = [PGZIP_BLOCK / 4, PGZIP_BLOCK];
    let pgzip = sizes.into_iter().flat_map(|block_size| {
        versions.iter().map(move |&version| Encoder::Pgzip {
            level,
            version,
            block_size,
        })
    });
    let alone = versions.iter().filter(|v| !v.only_with_dictionaries());
    pgzip
        .chain(alone.map(|&version| Encoder::Klauspost { level, version }))
        .collect()
}

/// Go's encoder from 1.27 on; level 0 is stored blocks.
fn new_go(levels: &[u8]) -> Vec<Encoder> {
    let levels = levels.iter().map(|&level| level as i8);
    levels
        .chain([-2])
        .map(|level| Encoder::Klauspost {
            level,
            version: Version::From1_18_2,
        })
        .collect()
}

/// zlib with its defaults at all levels, then with more memory and the other strategies.
fn zlib(
    wrapper: Wrapper,
    header: &[u8],
    levels: &[u8],
    mem_level: Option<u8>,
) -> Vec<Vec<Encoder>> {
    let window_bits = match (wrapper, header) {
        (Wrapper::Zlib, [cmf, ..]) => (cmf >> 4).clamp(1, 7) + 8,
        _ => 15,
    };
    let mut groups = zlib_with(window_bits, levels, mem_level);
    // Writers of pictures state a smaller window than they compressed with.
    if window_bits != 15 {
        groups.extend(zlib_with(15, levels, mem_level));
    }
    groups
}

fn zlib_with(window_bits: u8, levels: &[u8], mem_level: Option<u8>) -> Vec<Vec<Encoder>> {
    let with = |mem_levels: &[u8], levels: &[u8], strategy| {
        let at = |mem_level| {
            levels.iter().map(move |&level| Encoder::Zlib {
                level,
                window_bits,
                mem_level,
                strategy,
            })
        };
        mem_levels.iter().copied().flat_map(at).collect()
    };
    // Short streams look the same with most.
    let known = mem_level.as_slice();
    let or = |usual: &'static [u8]| if known.is_empty() { usual } else { known };
    vec![
        with(or(&[8, 9, 7]), levels, Strategy::Default),
        with(or(&[8, 9]), levels, Strategy::Filtered),
        // These are the same at all levels.
        with(or(&[8, 9]), &[6], Strategy::Rle),
        with(or(&[8, 9]), &[6], Strategy::HuffmanOnly),
        with(or(&[8, 9]), levels, Strategy::Fixed),
    ]
}
