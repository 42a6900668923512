//! Looks at gzip layers, tars and any other files: which encoder wrote each stream, what a recipe
//! costs, what is nested inside, how fast analysis and rebuild are, and that the bytes come out
//! equal.
//!
//! `cargo run --release -p regzip --example regzip -- [--json] [--threads N] [--depth N] FILE…`
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss
)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use regzip::nested::{self, Map};
use regzip::{Analysis, Options, Recipe, Workers};
use serde_json::{Value, json};

struct Settings {
    json: bool,
    workers: Workers,
    depth: usize,
    files: Vec<String>,
}

fn main() -> ExitCode {
    let settings = match settings() {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let mut failed = false;
    for path in &settings.files {
        match look(path, &settings) {
            Ok(report) if settings.json => println!("{}", report.json()),
            Ok(report) => report.print(),
            Err(error) => {
                eprintln!("{path}: {error}");
                failed = true;
            }
        }
    }
    if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn settings() -> Result<Settings, String> {
    let mut settings = Settings {
        json: false,
        workers: Workers::none(),
        depth: 4,
        files: Vec::new(),
    };
    let mut threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || -> Result<usize, String> {
            let value = arguments.next().unwrap_or_default();
            value
                .parse()
                .map_err(|_| format!("{argument}: not a number: {value:?}"))
        };
        match argument.as_str() {
            "--json" => settings.json = true,
            "--threads" => threads = number()?,
            "--depth" => settings.depth = number()?,
            _ => settings.files.push(argument),
        }
    }
    if threads > 1 {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        settings.workers = Arc::new(pool.map_err(|error| error.to_string())?).into();
    }
    Ok(settings)
}

/// All that is known about one file.
struct Report {
    file: String,
    len: u64,
    analysis: Duration,
    /// The file itself is a stream, or why it is not taken as one.
    stream: Result<Rebuilt, String>,
    nested: Nested,
}

struct Rebuilt {
    encoders: Vec<String>,
    members: usize,
    plain: u64,
    recipe: usize,
    checkpoints: usize,
    corrections: usize,
    rebuild: Duration,
    equal: bool,
}

struct Nested {
    map: Map,
    kept: Vec<nested::Kept>,
    open: Duration,
    close: Duration,
    equal: bool,
}

fn look(path: &str, settings: &Settings) -> Result<Report, regzip::Error> {
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    let start = Instant::now();
    let analysis = regzip::analyse(&mut file, &Options::default())?;
    let analysis_time = start.elapsed();
    let (stream, content) = match analysis {
        Analysis::Recipe(recipe) => {
            let (rebuilt, plain) = prove(&recipe, &mut file, settings)?;
            (Ok(rebuilt), plain)
        }
        Analysis::Verbatim(reason) => (Err(reason.to_string()), file),
        _ => (Err("unknown outcome".to_owned()), file),
    };
    let nested = look_inside(content, settings)?;
    Ok(Report {
        file: path.to_owned(),
        len,
        analysis: analysis_time,
        stream,
        nested,
    })
}

/// Rebuilds from the recipe's bytes and compares with the file; also the plain content.
fn prove(
    recipe: &Recipe,
    file: &mut File,
    settings: &Settings,
) -> Result<(Rebuilt, File), regzip::Error> {
    let bytes = recipe.to_bytes();
    let recipe = Recipe::from_bytes(&bytes)?;
    let mut plain = tempfile::tempfile()?;
    file.rewind()?;
    let mut writer = BufWriter::new(&mut plain);
    regzip::open(&recipe, BufReader::new(&mut *file), &mut writer)?;
    writer.flush()?;
    drop(writer);
    file.rewind()?;
    plain.rewind()?;
    let mut compare = Compare::new(file);
    let start = Instant::now();
    regzip::rebuild_with(&recipe, &plain, &mut compare, &settings.workers)?;
    let rebuild = start.elapsed();
    let mut encoders: Vec<String> = Vec::new();
    for encoder in recipe.encoders() {
        let name = encoder.map_or("no known encoder".to_owned(), |e| e.to_string());
        if !encoders.contains(&name) {
            encoders.push(name);
        }
    }
    let rebuilt = Rebuilt {
        encoders,
        members: recipe.members(),
        plain: recipe.plain_len(),
        recipe: bytes.len(),
        checkpoints: recipe.checkpoints(),
        corrections: recipe.corrections(),
        rebuild,
        equal: compare.finish()?,
    };
    Ok((rebuilt, plain))
}

/// Opens what is in the content, closes it again and compares.
fn look_inside(mut content: File, settings: &Settings) -> Result<Nested, regzip::Error> {
    let scratch = || Ok(Box::new(tempfile::tempfile()?) as Box<dyn nested::Storage>);
    let mut options = nested::Options::default();
    options.depth = settings.depth;
    options.scratch = Some(&scratch);
    let mut expanded = tempfile::tempfile()?;
    let start = Instant::now();
    let mut writer = BufWriter::new(&mut expanded);
    let opened = nested::open(&mut content, &mut writer, &options)?;
    writer.flush()?;
    drop(writer);
    let open = start.elapsed();
    content.rewind()?;
    expanded.rewind()?;
    let map = Map::from_bytes(&opened.map.to_bytes())?;
    let mut compare = Compare::new(&mut content);
    let start = Instant::now();
    nested::close(
        &map,
        BufReader::new(expanded),
        &mut compare,
        &settings.workers,
    )?;
    Ok(Nested {
        map,
        kept: opened.kept,
        open,
        close: start.elapsed(),
        equal: compare.finish()?,
    })
}

/// Takes bytes and compares them with the original.
struct Compare<R> {
    original: BufReader<R>,
    buffer: Vec<u8>,
    equal: bool,
}

impl<R: Read> Compare<R> {
    fn new(original: R) -> Self {
        Self {
            original: BufReader::new(original),
            buffer: Vec::new(),
            equal: true,
        }
    }

    /// Whether all was equal and the original ends here.
    fn finish(mut self) -> io::Result<bool> {
        Ok(self.equal && self.original.read(&mut [0])? == 0)
    }
}

impl<R: Read> Write for Compare<R> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.resize(bytes.len(), 0);
        self.original.read_exact(&mut self.buffer)?;
        self.equal &= self.buffer == bytes;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Nested streams of one encoder.
#[derive(Default)]
struct Group {
    streams: usize,
    bytes: u64,
    plain: u64,
}

impl Nested {
    fn groups(&self) -> BTreeMap<String, Group> {
        let mut groups: BTreeMap<String, Group> = BTreeMap::new();
        for stream in self.map.streams() {
            let name = stream.encoder.map_or("-".to_owned(), |e| e.to_string());
            let group = groups.entry(name).or_default();
            group.streams += 1;
            group.bytes += stream.len;
            group.plain += stream.plain_len;
        }
        groups
    }

    /// Streams that stay, by the encoder that came furthest.
    fn kept_groups(&self) -> BTreeMap<String, Group> {
        let mut groups: BTreeMap<String, Group> = BTreeMap::new();
        for kept in &self.kept {
            let name = match kept.like {
                Some((encoder, _)) => format!("like {encoder}"),
                None => "unknown encoder".to_owned(),
            };
            let group = groups.entry(name).or_default();
            group.streams += 1;
            group.bytes += kept.len;
        }
        groups
    }

    fn json(&self) -> Value {
        let streams = self.map.streams();
        let list: Vec<Value> = streams
            .iter()
            .map(|s| {
                json!({
                    "depth": s.depth,
                    "offset": s.offset,
                    "bytes": s.len,
                    "expanded_offset": s.expanded_offset,
                    "expanded_bytes": s.expanded_len,
                    "plain_bytes": s.plain_len,
                    "encoder": s.encoder.map(|e| e.to_string()),
                })
            })
            .collect();
        json!({
            "content_bytes": self.map.content_len(),
            "expanded_bytes": self.map.expanded_len(),
            "map_bytes": self.map.to_bytes().len(),
            "open_seconds": self.open.as_secs_f64(),
            "close_seconds": self.close.as_secs_f64(),
            "equal": self.equal,
            "streams": list,
            "kept": self.kept.iter().map(|k| json!({
                "depth": k.depth,
                "offset": k.offset,
                "bytes": k.len,
                "like": k.like.map(|(encoder, at)| format!("{encoder} up to plain byte {at}")),
            })).collect::<Vec<_>>(),
        })
    }
}

fn word(equal: bool) -> &'static str {
    if equal { "equal" } else { "DIFFERENT" }
}

impl Report {
    fn print(&self) {
        let seconds = self.analysis.as_secs_f64();
        match &self.stream {
            Err(why) => println!("{}: {} bytes, {why}; {seconds:.2} s", self.file, self.len),
            Ok(r) => println!(
                "{}: {} -> {} bytes in {} member(s), {}; recipe {} bytes with {} checkpoint(s) and \
                 {} bytes of corrections; \
                 analysis {seconds:.2} s, rebuild {:.2} s ({:.0} MB/s), {}",
                self.file,
                self.len,
                r.plain,
                r.members,
                r.encoders.join(" + "),
                r.recipe,
                r.checkpoints,
                r.corrections,
                r.rebuild.as_secs_f64(),
                r.plain as f64 / 1e6 / r.rebuild.as_secs_f64(),
                word(r.equal)
            ),
        }
        let nested = &self.nested;
        println!(
            "  inside: {} -> {} bytes, map {} bytes; open {:.2} s, close {:.2} s, {}",
            nested.map.content_len(),
            nested.map.expanded_len(),
            nested.map.to_bytes().len(),
            nested.open.as_secs_f64(),
            nested.close.as_secs_f64(),
            word(nested.equal)
        );
        for (name, group) in nested.groups() {
            println!(
                "    {} stream(s), {} -> {} bytes, {name}",
                group.streams, group.bytes, group.plain
            );
        }
        for (name, group) in nested.kept_groups() {
            println!(
                "    {} stream(s), {} bytes kept: {name}",
                group.streams, group.bytes
            );
        }
    }

    fn json(&self) -> Value {
        let mut value = json!({
            "file": self.file,
            "bytes": self.len,
            "analysis_seconds": self.analysis.as_secs_f64(),
            "nested": self.nested.json(),
        });
        match &self.stream {
            Err(why) => value["verbatim"] = why.as_str().into(),
            Ok(r) => {
                value["stream"] = json!({
                    "encoders": r.encoders,
                    "members": r.members,
                    "plain_bytes": r.plain,
                    "recipe_bytes": r.recipe,
                    "checkpoints": r.checkpoints,
                    "correction_bytes": r.corrections,
                    "rebuild_seconds": r.rebuild.as_secs_f64(),
                    "equal": r.equal,
                });
            }
        }
        value
    }
}
