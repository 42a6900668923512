//! The fuzzer's cases: how an input is made from a number, and what must hold for any input.
//!
//! The crate's tests run some of them and `cargo xtask fuzz` as many as one likes. An input is plain
//! bytes, so that one that failed can be kept in a file and tried again.
#![allow(
    clippy::cast_possible_truncation,
    reason = "bytes are made of wider numbers"
)]

mod make;
mod mutate;
mod random;

use std::io::{self, Cursor, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use regzip::{Analysis, Error, Options, RebuildReader, Recipe, Workers, Wrapper, nested};

use make::Manner;
use mutate::mutate;
use random::{Random, content};

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Any bytes are analysed; what is found is rebuilt.
    Stream,
    /// Any bytes are read as a recipe, by which content is rebuilt.
    Recipe,
    /// What an encoder wrote is found and rebuilt.
    RoundTrip,
    /// Any bytes are opened as content with streams in it, and closed.
    Nested,
    /// Any bytes are read as a map, by which an expansion is closed.
    Map,
}

/// All kinds.
pub(crate) const KINDS: [Kind; 5] = [
    Kind::Stream,
    Kind::Recipe,
    Kind::RoundTrip,
    Kind::Nested,
    Kind::Map,
];

/// More output than this is cut off: what a recipe asks for may be endless.
const MAX_OUTPUT: usize = 64 << 20;
/// Failing inputs start with this, the kind and the length of the first part.
const MAGIC: &[u8] = b"regzip-fuzz";

/// One input of a case.
pub(crate) struct Input {
    pub(crate) kind: Kind,
    /// What the case is about: a stream, a recipe, content or a map.
    first: Vec<u8>,
    /// What it is used on: the plain content or the expansion.
    second: Vec<u8>,
    /// The stream must be found.
    known: bool,
}

/// Makes inputs of numbers; the same from the same, whatever was made before.
#[derive(Default)]
pub(crate) struct Maker {
    /// A recipe and its content, a map and its expansion, and the numbers that they were made from:
    /// they take longer than what is done with them.
    recipe: Option<(u64, Vec<u8>, Vec<u8>)>,
    map: Option<(u64, Vec<u8>, Vec<u8>)>,
}

/// So many numbers in a row share a recipe (a power of two).
const SHARED: u32 = 6;

impl Maker {
    /// The input of a number.
    pub(crate) fn input(&mut self, kind: Kind, seed: u64) -> Input {
        let mut random = Random::new(seed);
        let random = &mut random;
        let mut known = false;
        let (first, second) = match kind {
            Kind::Stream => (stream(random), Vec::new()),
            Kind::Recipe => {
                let made = of(&mut self.recipe, seed >> SHARED, recipe);
                mutated(random, made)
            }
            Kind::RoundTrip => {
                let odd = random.one_in(4);
                let manner = Manner::any(random);
                let encoder = if odd {
                    make::odd_encoder(random)
                } else {
                    make::encoder(random)
                };
                known = !odd && manner == Manner::Whole;
                let len = random.len();
                let plain = content(random, len);
                (make::gzip(random, encoder, manner, &plain), plain)
            }
            Kind::Nested => {
                let mut content = make::nested(random, 2);
                if random.one_in(2) {
                    mutate(random, &mut content);
                }
                (content, Vec::new())
            }
            Kind::Map => {
                let made = of(&mut self.map, seed >> SHARED, map);
                mutated(random, made)
            }
        };
        Input {
            kind,
            first,
            second,
            known,
        }
    }
}

/// What is kept, if it was made from this number; else it is made.
fn of(
    kept: &mut Option<(u64, Vec<u8>, Vec<u8>)>,
    seed: u64,
    make: impl Fn(&mut Random) -> (Vec<u8>, Vec<u8>),
) -> (Vec<u8>, Vec<u8>) {
    if let Some((from, first, second)) = kept
        && *from == seed
    {
        return (first.clone(), second.clone());
    }
    let (first, second) = make(&mut Random::new(seed));
    *kept = Some((seed, first.clone(), second.clone()));
    (first, second)
}

fn mutated(random: &mut Random, made: (Vec<u8>, Vec<u8>)) -> (Vec<u8>, Vec<u8>) {
    let (mut first, second) = made;
    mutate(random, &mut first);
    (first, second)
}

/// A stream, mostly a damaged one.
fn stream(random: &mut Random) -> Vec<u8> {
    let len = random.len();
    let plain = content(random, len);
    let mut stream = make::stream(random, &plain);
    if random.one_in(8) {
        let plain = content(random, 500);
        stream.extend(make::stream(random, &plain));
    }
    if !random.one_in(4) {
        mutate(random, &mut stream);
    }
    stream
}

/// A recipe of one member or of several, and the content.
fn recipe(random: &mut Random) -> (Vec<u8>, Vec<u8>) {
    let (mut stream, mut plain) = (Vec::new(), Vec::new());
    for member in 0..=random.below(4) {
        let len = if member == 0 {
            random.below(300_000)
        } else {
            random.below(2000)
        };
        let content = content(random, len);
        let manner = Manner::any(random);
        let encoder = if random.one_in(3) {
            make::odd_encoder(random)
        } else {
            make::encoder(random)
        };
        stream.extend(make::gzip(random, encoder, manner, &content));
        plain.extend(content);
    }
    let mut options = Options::default();
    options.checkpoints = Some(0);
    let recipe = match regzip::analyse(Cursor::new(stream), &options) {
        Ok(Analysis::Recipe(recipe)) => recipe.to_bytes(),
        _ => b"RZ\x01".to_vec(),
    };
    (recipe, plain)
}

/// A map and the expansion.
fn map(random: &mut Random) -> (Vec<u8>, Vec<u8>) {
    let mut options = nested::Options::default();
    options.checkpoints = Some(0);
    let content = make::nested(random, 2);
    let mut expanded = Vec::new();
    let opened = nested::open(Cursor::new(content), &mut expanded, &options);
    let map = opened.map_or_else(|_| Vec::new(), |o| o.map.to_bytes());
    (map, expanded)
}

impl Input {
    /// The input as the bytes of a file.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend([self.kind as u8, u8::from(self.known)]);
        out.extend((self.first.len() as u64).to_le_bytes());
        out.extend_from_slice(&self.first);
        out.extend_from_slice(&self.second);
        out
    }

    /// Reads what `to_bytes` wrote.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&[kind, known], bytes) = bytes.strip_prefix(MAGIC)?.split_first_chunk()?;
        let (len, bytes) = bytes.split_first_chunk()?;
        let len = usize::try_from(u64::from_le_bytes(*len)).ok()?;
        let (first, second) = bytes.split_at_checked(len)?;
        Some(Self {
            kind: *KINDS.get(usize::from(kind))?,
            first: first.to_vec(),
            second: second.to_vec(),
            known: known != 0,
        })
    }

    /// Tries the input; how it came out, or what is wrong. A panic on any thread is wrong too.
    pub(crate) fn run(&self) -> Result<&'static str, String> {
        let result = catch_unwind(AssertUnwindSafe(|| match self.kind {
            Kind::Stream | Kind::RoundTrip => self.analyse(),
            Kind::Recipe => self.rebuild(),
            Kind::Nested => self.open(),
            Kind::Map => self.close(),
        }));
        let panics = std::mem::take(&mut *panics());
        if !panics.is_empty() {
            return Err(panics.join("; "));
        }
        result.unwrap_or_else(|_| Err("a panic that nobody saw".to_owned()))
    }

    fn analyse(&self) -> Result<&'static str, String> {
        let mut options = Options::default();
        options.checkpoints = Some(0);
        if self.known {
            options.corrections = 0;
        }
        let found = regzip::analyse(Cursor::new(&self.first), &options);
        let recipe = match found.map_err(|e| format!("analysis fails: {e}"))? {
            Analysis::Recipe(recipe) => recipe,
            Analysis::Verbatim(reason) if self.known => {
                return Err(format!("a known encoder is not found: {reason}"));
            }
            _ => return Ok("verbatim"),
        };
        let mut plain = Vec::new();
        regzip::open(&recipe, self.first.as_slice(), &mut plain)
            .map_err(|e| format!("opening fails: {e}"))?;
        if self.kind == Kind::RoundTrip && plain != self.second {
            return Err("other content comes out".to_owned());
        }
        let read = Recipe::from_bytes(&recipe.to_bytes());
        let read = read.map_err(|e| format!("its own recipe is refused: {e}"))?;
        if read != recipe {
            return Err("the recipe reads as another".to_owned());
        }
        for threads in [0, 2] {
            let mut again = Vec::new();
            regzip::rebuild_with(&recipe, plain.as_slice(), &mut again, &workers(threads))
                .map_err(|e| format!("rebuilding on {threads} threads fails: {e}"))?;
            if again != self.first {
                return Err(format!("{threads} threads: other bytes"));
            }
        }
        self.rebuild_from_offsets(&recipe, &plain)?;
        self.analyse_raw();
        Ok("rebuilt")
    }

    /// The stream from some offsets on.
    fn rebuild_from_offsets(&self, recipe: &Recipe, plain: &[u8]) -> Result<(), String> {
        for offset in offsets(recipe) {
            let rest = from_offset(recipe, plain, offset, &workers(2));
            let rest = rest.map_err(|e| format!("rebuilding from {offset} fails: {e}"))?;
            if rest != self.first[offset as usize..] {
                return Err(format!("other bytes from {offset}"));
            }
        }
        Ok(())
    }

    /// The same bytes as what they are not.
    fn analyse_raw(&self) {
        let mut options = Options::default();
        options.wrapper = Some(Wrapper::Raw);
        drop(regzip::analyse(Cursor::new(&self.first), &options));
    }

    fn rebuild(&self) -> Result<&'static str, String> {
        let Ok(recipe) = Recipe::from_bytes(&self.first) else {
            return Ok("refused");
        };
        if recipe.to_bytes() != self.first {
            return Err("a recipe is written otherwise than it was read".to_owned());
        }
        let mut outcome = "failed";
        for threads in [0, 2] {
            let mut out = Limited::default();
            match regzip::rebuild_with(&recipe, self.second.as_slice(), &mut out, &workers(threads))
            {
                Ok(len) if len == out.len as u64 => outcome = "rebuilt",
                Ok(_) => return Err("another length than it says".to_owned()),
                Err(Error::Io(e)) if e.kind() != io::ErrorKind::StorageFull => {
                    return Err(format!("{threads} threads: {e}"));
                }
                Err(_) => {}
            }
        }
        for offset in offsets(&recipe) {
            let rest = from_offset(&recipe, &self.second, offset, &workers(0));
            if let Err(Error::Io(e)) = rest {
                return Err(format!("from {offset}: {e}"));
            }
        }
        Ok(outcome)
    }

    fn open(&self) -> Result<&'static str, String> {
        let mut options = nested::Options::default();
        options.checkpoints = Some(0);
        let mut expanded = Vec::new();
        let opened = nested::open(Cursor::new(&self.first), &mut expanded, &options);
        let map = opened.map_err(|e| format!("opening fails: {e}"))?.map;
        if map.expanded_len() != expanded.len() as u64 {
            return Err("the expansion has another length".to_owned());
        }
        let read = nested::Map::from_bytes(&map.to_bytes());
        if !read.is_ok_and(|read| read == map) {
            return Err("its own map is not read".to_owned());
        }
        let mut again = Vec::new();
        nested::close(&map, expanded.as_slice(), &mut again, &workers(2))
            .map_err(|e| format!("closing fails: {e}"))?;
        if again != self.first {
            return Err("other content comes out".to_owned());
        }
        Ok(if map.is_empty() { "nothing" } else { "opened" })
    }

    fn close(&self) -> Result<&'static str, String> {
        let Ok(map) = nested::Map::from_bytes(&self.first) else {
            return Ok("refused");
        };
        if map.to_bytes() != self.first {
            return Err("a map is written otherwise than it was read".to_owned());
        }
        let mut out = Limited::default();
        match nested::close(&map, self.second.as_slice(), &mut out, &workers(2)) {
            Ok(len) if len == out.len as u64 => Ok("closed"),
            Ok(_) => Err("another length than it says".to_owned()),
            Err(Error::Io(e)) if e.kind() != io::ErrorKind::StorageFull => Err(e.to_string()),
            Err(_) => Ok("failed"),
        }
    }
}

/// Some offsets of a stream: around those at which a rebuild can start, and its end.
fn offsets(recipe: &Recipe) -> Vec<u64> {
    let starts = recipe.starts();
    let step = starts.len().div_ceil(4);
    let starts = starts.into_iter().rev().step_by(step);
    let around = starts.flat_map(|at| [at.saturating_sub(1), at.saturating_add(1)]);
    let mut all: Vec<u64> = around.chain([recipe.stream_len()]).collect();
    all.retain(|&offset| offset <= recipe.stream_len());
    all
}

/// The stream from an offset on, up to a limit.
fn from_offset(
    recipe: &Recipe,
    plain: &[u8],
    offset: u64,
    workers: &Workers,
) -> regzip::Result<Vec<u8>> {
    let plain = Cursor::new(plain);
    let reader = RebuildReader::from_offset(recipe.clone(), plain, offset, workers)?;
    let mut out = Vec::new();
    reader.take(MAX_OUTPUT as u64).read_to_end(&mut out)?;
    Ok(out)
}

/// Counts what is written, up to a limit.
#[derive(Default)]
struct Limited {
    len: usize,
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.len += bytes.len();
        if self.len > MAX_OUTPUT {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// No threads, or the two that all cases share.
fn workers(threads: usize) -> Workers {
    static TWO: LazyLock<Workers> = LazyLock::new(|| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build();
        pool.map_or_else(|_| Workers::none(), |pool| Arc::new(pool).into())
    });
    match threads {
        0 => Workers::none(),
        _ => TWO.clone(),
    }
}

static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn panics() -> std::sync::MutexGuard<'static, Vec<String>> {
    PANICS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on panics of all threads are collected rather than printed.
pub(crate) fn watch_for_panics() {
    std::panic::set_hook(Box::new(|panic| panics().push(panic.to_string())));
}
