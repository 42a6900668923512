//! Which encoders are tried with which settings: one family for each row of the table.

use std::path::{Path, PathBuf};

use regzip::Wrapper;

use super::programs::Programs;

/// Settings of one encoder that share a row.
pub(crate) struct Family {
    pub(crate) name: String,
    pub(crate) settings: Vec<Setting>,
    /// The setting whose speed stands in the row.
    pub(crate) measured: Option<usize>,
}

/// A filter that compresses its standard input.
#[derive(Clone)]
pub(crate) struct Setting {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    /// The wrapper, if it has to be given: raw deflate cannot be recognised.
    pub(crate) wrapper: Option<Wrapper>,
}

/// Compresses standard input with Python's zlib: level, window bits, memory level, strategy.
const ZLIB: &str = "
import sys, zlib
level, bits, memory, strategy = map(int, sys.argv[1:])
c = zlib.compressobj(level, zlib.DEFLATED, bits, memory, strategy)
while piece := sys.stdin.buffer.read(1 << 16):
    sys.stdout.buffer.write(c.compress(piece))
sys.stdout.buffer.write(c.flush())
";

/// All families whose programs are there.
pub(crate) fn families(programs: &Programs) -> Vec<Family> {
    let mut all = Vec::new();
    if let Some(writer) = &programs.old_go {
        all.extend(go("Go up to 1.26", writer));
        all.push(callers("Go up to 1.26", writer));
    }
    if let Some(writer) = &programs.new_go {
        all.extend(go("Go 1.27", writer));
        all.push(callers("Go 1.27", writer));
    }
    for (version, writer) in &programs.klauspost {
        all.extend(klauspost(version, writer));
    }
    if let Some(python) = &programs.python {
        all.extend(zlib(python));
    }
    if let Some(gzip) = &programs.gzip {
        all.extend(gnu_gzip(gzip));
    }
    if let Some(pigz) = &programs.pigz {
        all.extend(self::pigz(pigz));
    }
    all
}

fn setting(program: &Path, arguments: &[&str]) -> Setting {
    Setting {
        program: program.to_owned(),
        arguments: arguments
            .iter()
            .map(|&argument| argument.to_owned())
            .collect(),
        wrapper: None,
    }
}

/// A family of levels, of which the last is measured.
fn levels(name: String, levels: &[&str], make: impl Fn(&str) -> Setting) -> Family {
    Family {
        name,
        settings: levels.iter().map(|level| make(level)).collect(),
        measured: Some(levels.len() - 1),
    }
}

fn go(name: &str, writer: &Path) -> Vec<Family> {
    let rows: [(&str, &[&str]); 6] = [
        ("Huffman only", &["-2"]),
        ("level 0", &["0"]),
        ("level 1", &["1"]),
        ("levels 2 to 5", &["2", "3", "4", "5"]),
        ("level 6", &["6"]),
        ("levels 7 to 9", &["7", "8", "9"]),
    ];
    let make = |level: &str| setting(writer, &["gzip", level, "stream=65536"]);
    let family = |(row, of): (&str, &[&str])| levels(format!("{name}, {row}"), of, make);
    rows.into_iter().map(family).collect()
}

/// What callers do: other wrappers, sizes of writes, flushes.
fn callers(name: &str, writer: &Path) -> Family {
    let mut settings = Vec::new();
    for level in ["1", "6"] {
        settings.push(setting(writer, &["zlib", level]));
        let mut raw = setting(writer, &["flate", level]);
        raw.wrapper = Some(Wrapper::Raw);
        settings.push(raw);
        for option in ["write=1000", "flush=65275", "flush=100000"] {
            settings.push(setting(writer, &["gzip", level, option]));
        }
    }
    Family {
        name: format!("{name}, zlib and raw, sizes of writes, flushes"),
        settings,
        measured: None,
    }
}

/// Releases that stand in the table with all levels: the latest that most tools were built with, and the
/// latest of all.
const ALL_LEVELS: [&str; 2] = ["1.17.11", "1.18.2"];

fn klauspost(release: &str, writer: &Path) -> Vec<Family> {
    let stream = "stream=65536";
    let pgzip = |level: &str| setting(writer, &["pgzip", level, stream]);
    let gzip = |level: &str| setting(writer, &["gzip", level, stream]);
    let small = setting(writer, &["pgzip", "5", stream, "block=262144"]);
    if !ALL_LEVELS.contains(&release) {
        return vec![Family {
            name: format!("klauspost {release} and pgzip, level 5"),
            settings: vec![pgzip("5"), small, gzip("5")],
            measured: None,
        }];
    }
    let mut blocks = levels(
        format!("pgzip with klauspost {release}, level 5"),
        &["5"],
        pgzip,
    );
    blocks.settings.push(small);
    let alone = levels(format!("klauspost {release}, level 5"), &["5"], gzip);
    let mut others = Vec::new();
    for level in ["-2", "1", "2", "3", "4", "6", "7", "8", "9"] {
        others.push(gzip(level));
    }
    others.extend(["1", "6", "9"].map(pgzip));
    let others = Family {
        name: format!("klauspost {release} and pgzip, other levels"),
        settings: others,
        measured: None,
    };
    vec![blocks, alone, others]
}

fn zlib(python: &Path) -> Vec<Family> {
    let make = |level: &str, bits: &str, memory: &str, strategy: &str| {
        setting(python, &["-c", ZLIB, level, bits, memory, strategy])
    };
    let plain = |level: &str| make(level, "31", "8", "0");
    let rows: [(&str, &[&str]); 4] = [
        ("level 1", &["1"]),
        ("level 6", &["6"]),
        ("level 9", &["9"]),
        ("other levels", &["0", "2", "4", "5", "7", "8", "3"]),
    ];
    let family = |(row, of): (&str, &[&str])| levels(format!("zlib, {row}"), of, plain);
    let mut all: Vec<Family> = rows.into_iter().map(family).collect();
    let mut settings = Vec::new();
    for level in ["1", "6"] {
        for strategy in ["1", "2", "3", "4"] {
            settings.push(make(level, "31", "8", strategy));
        }
        for memory in ["7", "9"] {
            settings.push(make(level, "31", memory, "0"));
        }
        for window in ["9", "12", "15"] {
            settings.push(make(level, window, "8", "0"));
        }
    }
    all.push(Family {
        name: "zlib, strategies, windows, memory levels".to_owned(),
        settings,
        measured: None,
    });
    all
}

fn gnu_gzip(gzip: &Path) -> Vec<Family> {
    let make = |level: &str| setting(gzip, &["-c", level]);
    let rows: [(&str, &[&str]); 4] = [
        ("level 1", &["-1"]),
        ("level 6", &["-6"]),
        ("level 9", &["-9"]),
        ("other levels", &["-2", "-3", "-4", "-5", "-7", "-8"]),
    ];
    let family = |(row, of): (&str, &[&str])| levels(format!("GNU gzip, {row}"), of, make);
    rows.into_iter().map(family).collect()
}

fn pigz(pigz: &Path) -> Vec<Family> {
    let make = |level: &str| setting(pigz, &["-c", "-p", "1", level]);
    let several = |name: &str, settings: &[&[&str]]| Family {
        name: name.to_owned(),
        settings: settings
            .iter()
            .map(|more| setting(pigz, &[&["-c", "-p", "2"], *more].concat()))
            .collect(),
        measured: None,
    };
    vec![
        levels("pigz, level 6".to_owned(), &["-6"], make),
        levels("pigz, level 9".to_owned(), &["-9"], make),
        several(
            "pigz, several threads, other levels, independent blocks",
            &[
                &["-1"],
                &["-2"],
                &["-4"],
                &["-6"],
                &["-9"],
                &["-6", "-i"],
                &["-9", "-i"],
                &["-9", "-n", "-T", "-R"],
            ],
        ),
        several(
            "pigz, other sizes of blocks",
            &[
                &["-b", "64"],
                &["-b", "512"],
                &["-b", "1024"],
                &["-b", "300", "-i"],
            ],
        ),
    ]
}
