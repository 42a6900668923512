//! Inputs, real encoders and the round trip that all tests share.
#![allow(dead_code, unreachable_pub, clippy::cast_possible_truncation)]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use regzip::{Analysis, Compressor, Encoder, Options, Recipe, Workers};

/// A small generator of numbers, always the same.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

/// Something like text: words of a small vocabulary, some more frequent than others.
pub fn text(len: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let words: Vec<Vec<u8>> = (0..600)
        .map(|_| {
            let n = 2 + random.next() as usize % 9;
            (0..n).map(|_| b'a' + (random.next() % 26) as u8).collect()
        })
        .collect();
    let mut out = Vec::with_capacity(len + 16);
    while out.len() < len {
        let pick = (random.next() % 600)
            .min(random.next() % 600)
            .min(random.next() % 600);
        out.extend_from_slice(&words[pick as usize]);
        out.push(if random.next().is_multiple_of(12) {
            b'\n'
        } else {
            b' '
        });
    }
    out.truncate(len);
    out
}

/// Something like a program: records with small differences, tables and noise in turn.
pub fn binary(len: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let mut out = Vec::with_capacity(len + 4096);
    while out.len() < len {
        match random.next() % 4 {
            0 => {
                let n = random.next() as usize % 2000;
                out.extend(random.bytes(n));
            }
            1 => out.resize(out.len() + random.next() as usize % 3000, 0),
            2 => {
                for i in 0..random.next() % 200 {
                    out.extend_from_slice(&[0x48, 0x8b, 0x05]);
                    out.extend_from_slice(&(i * 24 + random.next() % 3).to_le_bytes());
                    out.extend_from_slice(&[0xe8, random.next() as u8 & 7, 0, 0]);
                }
            }
            _ => {
                let n = (random.next() as usize % 1500).min(out.len());
                let back = n + random.next() as usize % 40_000;
                let from = out.len().saturating_sub(back);
                out.extend_from_within(from..from + n);
            }
        }
    }
    out.truncate(len);
    out
}

/// Named inputs: small ones, and ones that cross blocks and windows.
pub fn inputs() -> Vec<(String, Vec<u8>)> {
    let mut all = vec![
        ("empty".to_owned(), Vec::new()),
        ("one byte".to_owned(), vec![b'x']),
        ("random".to_owned(), Random(7).bytes(200_000)),
        ("zeros".to_owned(), vec![0; 400_000]),
        ("text".to_owned(), text(700_000, 1)),
        ("binary".to_owned(), binary(900_000, 2)),
    ];
    for len in [
        2, 3, 4, 5, 16, 17, 127, 128, 262, 16_384, 32_767, 32_768, 32_769, 65_274, 65_275,
    ] {
        all.push((format!("text of {len}"), text(len, 3)));
    }
    for len in [
        65_534, 65_535, 65_536, 65_537, 98_303, 98_304, 131_070, 131_071, 131_072,
    ] {
        all.push((format!("binary of {len}"), binary(len, 4)));
    }
    for period in [32_505, 32_506, 32_507, 32_766, 32_767, 32_768, 32_769] {
        let piece = Random(9).bytes(period);
        all.push((
            format!("period {period}"),
            piece.iter().copied().cycle().take(200_000).collect(),
        ));
    }
    all
}

/// A program if it is installed. Says `SKIPPED:` if not, and fails where it is required.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|p| p.is_file());
    if found.is_none() {
        skipped(&format!("{name} is not installed"));
    }
    found
}

/// Says that a comparison with a real encoder is left out.
pub fn skipped(why: &str) {
    assert!(
        std::env::var("SEALIFT_REQUIRE_REAL").as_deref() != Ok("1"),
        "a real encoder is required: {why}"
    );
    println!("SKIPPED: {why}");
}

/// Builds one of the writers under `tests/encoders`; `None` (and said so) where Go is missing.
pub fn go_writer(name: &str) -> Option<PathBuf> {
    build(name, name, &[], None)
}

/// The writer, if the installed Go is one of the old encoder's releases.
pub fn old_go_writer() -> Option<PathBuf> {
    let go = program("go")?;
    let version = String::from_utf8(run(&go, &["env", "GOVERSION"], &[])).unwrap();
    let minor: u32 = version
        .trim()
        .trim_start_matches("go1.")
        .split(|c: char| !c.is_ascii_digit())
        .next()
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0);
    if minor > 26 {
        skipped(&format!("{} has the new encoder", version.trim()));
        return None;
    }
    go_writer("go")
}

/// The writer with another release of klauspost/compress; `go.sum` has those that tests ask for.
pub fn klauspost_writer(release: &str) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/encoders/klauspost");
    let modules = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("klauspost-{release}.mod"));
    let list = std::fs::read_to_string(source.join("go.mod")).unwrap();
    let compress = "github.com/klauspost/compress";
    let list = format!("{list}\nreplace {compress} => {compress} v{release}\n");
    let _writing = WRITING.lock().unwrap();
    std::fs::write(&modules, list).unwrap();
    std::fs::copy(source.join("go.sum"), modules.with_extension("sum")).unwrap();
    let flag = format!("-modfile={}", modules.display());
    build("klauspost", &format!("klauspost-{release}"), &[&flag], None)
}

/// Lists of modules are written and read by one test at a time.
static WRITING: Mutex<()> = Mutex::new(());

/// The writer with the Go release that brought the new encoder, through Go's toolchain mechanism.
pub fn new_go_writer() -> Option<PathBuf> {
    build("go", "new-go", &[], Some("go1.27.1"))
}

/// Tests run side by side; each writer is built once.
static BUILT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn build(source: &str, target: &str, flags: &[&str], toolchain: Option<&str>) -> Option<PathBuf> {
    let go = program("go")?;
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/encoders")
        .join(source);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("encoder-{target}"));
    let mut built = BUILT.lock().unwrap();
    if built.contains(&target) {
        return Some(target);
    }
    let mut command = Command::new(go);
    command
        .args(["build", "-o"])
        .arg(&target)
        .args(flags)
        .arg(".");
    if let Some(toolchain) = toolchain {
        command.env("GOTOOLCHAIN", toolchain);
    }
    let name = target.display().to_string();
    match command.current_dir(source).output() {
        Ok(output) if output.status.success() => {
            built.insert(target.clone());
            Some(target)
        }
        Ok(output) => {
            let error = String::from_utf8_lossy(&output.stderr);
            skipped(&format!("{name}: {}", error.trim()));
            None
        }
        Err(error) => {
            skipped(&format!("{name}: {error}"));
            None
        }
    }
}

/// Runs a filter over `input`.
pub fn run(program: &Path, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || drop(stdin.write_all(input)));
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{} {arguments:?} failed",
            program.display()
        );
        output.stdout
    })
}

/// Compresses stdin with Python's zlib, once for every six numbers: level, window bits, memory level,
/// strategy, flush distance and kind (2 sync, 3 full). Streams have their length in front.
const ZLIB: &str = "
import sys, zlib
data = sys.stdin.buffer.read()
numbers = iter(map(int, sys.argv[1:]))
for level, bits, memory, strategy, flush, kind in zip(*[numbers] * 6):
    c = zlib.compressobj(level, zlib.DEFLATED, bits, memory, strategy)
    out = b''
    if flush:
        for at in range(0, len(data), flush):
            out += c.compress(data[at:at + flush])
            if at + flush < len(data):
                out += c.flush(kind)
    else:
        out += c.compress(data)
    out += c.flush()
    sys.stdout.buffer.write(len(out).to_bytes(4, 'little') + out)
";

/// What Python's zlib makes of `plain` with each of the settings (as in the script above).
pub fn zlib_all(python: &Path, settings: &[[i32; 6]], plain: &[u8]) -> Vec<Vec<u8>> {
    let numbers: Vec<_> = settings.iter().flatten().map(i32::to_string).collect();
    let mut arguments = vec!["-c", ZLIB];
    arguments.extend(numbers.iter().map(String::as_str));
    let output = run(python, &arguments, plain);
    let mut rest = output.as_slice();
    let mut streams = Vec::new();
    while let Some((len, later)) = rest.split_first_chunk() {
        let (stream, later) = later.split_at(u32::from_le_bytes(*len) as usize);
        streams.push(stream.to_vec());
        rest = later;
    }
    streams
}

/// The same with one of them.
pub fn zlib(python: &Path, settings: [i32; 6], plain: &[u8]) -> Vec<u8> {
    zlib_all(python, &[settings], plain).remove(0)
}

/// Compares a gzip stream whose header has ten bytes with what the encoder writes.
pub fn same(what: &str, encoder: Encoder, stream: &[u8], plain: &[u8]) {
    let mut writer = Compressor::new(encoder, Vec::new()).unwrap();
    writer.write_all(plain).unwrap();
    let ours = writer.finish().unwrap();
    assert!(
        stream[10..stream.len() - 8] == ours,
        "{what}: not what {encoder} writes"
    );
}

/// The round trip of a stream that a known encoder wrote, so that nothing may be corrected.
pub fn round_trip(what: &str, stream: &[u8], plain: &[u8], options: &Options) -> Recipe {
    let mut options = *options;
    options.corrections = 0;
    any_round_trip(what, stream, plain, &options)
}

/// Analyses `stream`, rebuilds it from the recipe's bytes, on one thread and from all checkpoints at
/// once, and compares; the recipe.
pub fn any_round_trip(what: &str, stream: &[u8], plain: &[u8], options: &Options) -> Recipe {
    let mut options = *options;
    options.checkpoints = Some(1 << 17);
    let recipe = match regzip::analyse(Cursor::new(stream), &options).unwrap() {
        Analysis::Recipe(recipe) => recipe,
        other => panic!("{what}: {other:?}"),
    };
    let recipe = Recipe::from_bytes(&recipe.to_bytes()).unwrap();
    for threads in [0, 2] {
        let mut again = Vec::new();
        regzip::rebuild_with(&recipe, plain, &mut again, &workers(threads))
            .unwrap_or_else(|error| panic!("{what}: {threads} threads: {error}"));
        assert!(again == stream, "{what}: {threads} threads: it differs");
    }
    let mut opened = Vec::new();
    regzip::open(&recipe, stream, &mut opened).unwrap();
    assert!(opened == plain, "{what}: the opened content differs");
    recipe
}

/// So many threads besides the caller's, which all tests with the same number share.
pub fn workers(threads: usize) -> Workers {
    static POOLS: Mutex<BTreeMap<usize, Workers>> = Mutex::new(BTreeMap::new());
    if threads == 0 {
        return Workers::none();
    }
    let pool = || rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let mut pools = POOLS.lock().unwrap();
    let workers = pools.entry(threads);
    workers
        .or_insert_with(|| Arc::new(pool().unwrap()).into())
        .clone()
}

/// The bytes of a recipe that are not checkpoints.
pub fn essence(recipe: &Recipe) -> usize {
    recipe.without_checkpoints().to_bytes().len()
}

/// The only encoder of a recipe with one member.
pub fn encoder(recipe: &Recipe) -> Option<Encoder> {
    assert_eq!(recipe.members(), 1);
    recipe.encoders().next().unwrap()
}
