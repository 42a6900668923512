//! Side by side with zlib (Python's), GNU gzip and pigz.
//!
//! What an encoder writes is compared with what the real one wrote, which is fast; a part of the streams
//! is also analysed and rebuilt.
#![allow(clippy::unwrap_used)]

mod support;

use regzip::{BusyBox, Encoder, GnuGzip, Options, Pigz, Strategy, Wrapper, Zlib};
use support::{Random, encoder, inputs, program, round_trip, run, same, text, zlib, zlib_all};

/// Inputs that are analysed too: not all, for each is tried with every encoder.
fn analysed(index: usize) -> bool {
    index.is_multiple_of(9)
}

fn zlib_encoder(settings: [i32; 6]) -> Encoder {
    let [level, bits, memory, strategy, ..] = settings.map(|n| u8::try_from(n).unwrap());
    Encoder::Zlib(Zlib {
        level,
        window_bits: bits - 16,
        mem_level: memory,
        strategy: [
            Strategy::Default,
            Strategy::Filtered,
            Strategy::HuffmanOnly,
            Strategy::Rle,
            Strategy::Fixed,
        ][usize::from(strategy)],
    })
}

#[test]
fn all_levels_and_inputs() {
    let Some(path) = program("python3") else {
        return;
    };
    let settings: Vec<_> = (1..=9).map(|level| [level, 31, 8, 0, 0, 2]).collect();
    for (index, (name, plain)) in inputs().into_iter().enumerate() {
        for (settings, stream) in settings.iter().zip(zlib_all(&path, &settings, &plain)) {
            let what = format!("{name}, level {}", settings[0]);
            same(&what, zlib_encoder(*settings), &stream, &plain);
            if analysed(index) && [1, 4, 6, 9].contains(&settings[0]) {
                round_trip(&what, &stream, &plain, &Options::default());
            }
        }
    }
}

/// Levels, windows, memory levels and strategies, every one with every other.
fn all_settings() -> Vec<[i32; 6]> {
    let mut all = Vec::new();
    for level in 1..=9 {
        for bits in 25..=31 {
            for memory in 1..=9 {
                all.extend((0..=4).map(|strategy| [level, bits, memory, strategy, 0, 2]));
            }
        }
    }
    all
}

fn compare_settings(settings: &[[i32; 6]], plain: &[u8]) {
    let Some(path) = program("python3") else {
        return;
    };
    for settings in settings.chunks(90) {
        let streams = zlib_all(&path, settings, plain);
        assert_eq!(streams.len(), settings.len());
        for (settings, stream) in settings.iter().zip(streams) {
            let what = format!("{settings:?}");
            same(&what, zlib_encoder(*settings), &stream, plain);
        }
    }
}

#[test]
fn some_of_all_settings() {
    // 41 is prime to the numbers of settings of each kind, so that all of each are met.
    let some: Vec<_> = all_settings().into_iter().step_by(41).collect();
    compare_settings(&some, &support::binary(150_000, 31));
}

#[test]
#[ignore = "takes minutes; a part of it is always run"]
fn all_of_all_settings() {
    let all = all_settings();
    compare_settings(&all, &support::binary(300_000, 33));
    compare_settings(&all, &text(120_000, 34));
    compare_settings(&all, &vec![0; 70_000]);
}

/// The buffer of tokens shows the memory level where there is more than one block.
#[test]
fn settings_are_found() {
    let Some(path) = program("python3") else {
        return;
    };
    let plain = support::binary(120_000, 31);
    for memory in 1..=9 {
        let settings = [6, 31, memory, memory % 5, 0, 2];
        let stream = zlib(&path, settings, &plain);
        let recipe = round_trip(
            &format!("{settings:?}"),
            &stream,
            &plain,
            &Options::default(),
        );
        assert_eq!(encoder(&recipe), Some(zlib_encoder(settings)));
    }
    for window in [9, 12, 15] {
        for strategy in [window % 2, 2 + window % 3] {
            let settings = [6, window, 8 + strategy % 2, strategy, 0, 2];
            let stream = zlib(&path, settings, &plain);
            let what = format!("{settings:?}");
            round_trip(&what, &stream, &plain, &Options::default());
        }
    }
    let mut options = Options::default();
    options.wrapper = Some(Wrapper::Raw);
    let stream = zlib(&path, [9, -15, 8, 0, 0, 2], &plain);
    round_trip("raw", &stream, &plain, &options);
}

#[test]
fn flushes() {
    let Some(path) = program("python3") else {
        return;
    };
    let plain = support::binary(300_000, 31);
    for flush in [1000, 65_274, 100_000] {
        for level in [1, 6] {
            for kind in [2, 3] {
                let stream = zlib(&path, [level, 31, 8, 0, flush, kind], &plain);
                let what = format!("flush {flush}, kind {kind}");
                round_trip(&what, &stream, &plain, &Options::default());
            }
        }
    }
}

#[test]
fn gnu_gzip() {
    let Some(path) = program("gzip") else { return };
    for (index, (name, plain)) in inputs().into_iter().enumerate() {
        for level in 1..=9 {
            let stream = run(&path, &["-nc", &format!("-{level}")], &plain);
            let what = format!("{name}, level {level}");
            same(&what, Encoder::GnuGzip(GnuGzip { level }), &stream, &plain);
            if analysed(index) && [1, 4, 6, 9].contains(&level) {
                round_trip(&what, &stream, &plain, &Options::default());
            }
        }
    }
}

/// GNU gzip and `BusyBox` compare beyond the end of the input, where older bytes of the window lie.
#[test]
fn ends_with_many_equal_matches() {
    let gzip = program("gzip");
    let busybox = program("busybox");
    let mut random = Random(35);
    let mut below = |end: usize| random.next() as usize % end;
    for case in 0..120 {
        let near = below(3) * 65_536 + below(2) * 32_768 + below(600);
        let len = [below(600), below(40_000), near, near][case % 4];
        let unit: Vec<u8> = (0..[1, 3, 7, 100, 600, 5000][below(6)])
            .map(|_| b"ab\0c"[below(4)])
            .collect();
        let mut plain = Vec::new();
        while plain.len() < len {
            plain.extend_from_slice(&unit[..=below(unit.len())]);
            if below(9) == 0 {
                plain.extend([0x41, 0xc3, 7, 0xff].get(below(4)));
            }
        }
        plain.truncate(len);
        if case % 3 == 0 {
            plain.resize(len + 700, 0);
        }
        let level = [1, 2, 3, 4, 5, 6, 7, 8, 9][case % 9];
        let what = format!("case {case}, {len} bytes");
        if let Some(path) = &gzip {
            let stream = run(path, &["-nc", &format!("-{level}")], &plain);
            same(&what, Encoder::GnuGzip(GnuGzip { level }), &stream, &plain);
        }
        // Debian's is built large and without levels.
        let encoder = Encoder::BusyBox(BusyBox {
            level: 6,
            hash_bits: 15,
        });
        if let Some(path) = &busybox {
            let stream = run(path, &["gzip", "-c"], &plain);
            same(&what, encoder, &stream, &plain);
        }
    }
}

#[test]
fn nothing_but_stored_blocks() {
    let Some(path) = program("python3") else {
        return;
    };
    for (name, plain) in inputs().into_iter().step_by(7) {
        for flush in [0, 70_000] {
            let stream = zlib(&path, [0, 31, 8, 0, flush, 2], &plain);
            let what = format!("{name}, flush {flush}");
            round_trip(&what, &stream, &plain, &Options::default());
        }
    }
}

/// What pigz writes with these arguments.
fn pigz_encoder(level: u8, arguments: &[&str]) -> Encoder {
    let kilobytes = arguments.iter().skip_while(|&&a| a != "-b").nth(1);
    let kilobytes = kilobytes.map_or(128, |n| n.parse().unwrap());
    Encoder::Pigz(Pigz {
        level,
        block_size: kilobytes << 10,
        independent: arguments.contains(&"-i"),
        rsyncable: arguments.contains(&"-R"),
    })
}

#[test]
fn pigz() {
    let Some(path) = program("pigz") else { return };
    let compare = |what: &str, level: u8, arguments: &[&str], plain: &[u8], analysed: bool| {
        let number = format!("-{level}");
        let arguments = [&["-nc", "-p", "3", number.as_str()], arguments].concat();
        let stream = run(&path, &arguments, plain);
        let what = format!("{what}, {arguments:?}");
        same(&what, pigz_encoder(level, &arguments), &stream, plain);
        if analysed {
            round_trip(&what, &stream, plain, &Options::default());
        }
    };
    for (index, (name, plain)) in inputs().into_iter().enumerate() {
        for level in [1, 6, 9] {
            for arguments in [
                &[][..],
                &["-i"],
                &["-b", "32"],
                &["-b", "200"],
                &["-R"],
                &["-R", "-i"],
            ] {
                let first = level == 6 && index % 12 == arguments.len();
                compare(&name, level, arguments, &plain, first);
            }
        }
    }
    let plain = [support::binary(3 << 17, 32), text(3 << 17, 36)].concat();
    for len in [(1 << 17) - 1, 1 << 17, (1 << 17) + 1, 3 << 17, 6 << 17] {
        for arguments in [&[][..], &["-R"]] {
            let whole = len == plain.len();
            compare(&len.to_string(), 6, arguments, &plain[..len], whole);
        }
    }
    // Debian's base layers, and blocks that show.
    for (level, arguments) in [(9, &[][..]), (6, &["-b", "64"]), (6, &["-b", "256", "-i"])] {
        compare("blocks", level, arguments, &plain, true);
    }
}
