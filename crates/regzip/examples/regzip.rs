//! Looks at gzip layers and other compressed files: which encoder wrote them, what a recipe costs,
//! how fast analysis and rebuild are, and that the rebuilt bytes are equal.
//!
//! `cargo run --release -p regzip --example regzip -- [--json] FILE…`
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss
)]

use std::fs::File;
use std::io::{BufReader, Read, Seek, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use regzip::{Analysis, Options, Recipe};

fn main() -> ExitCode {
    let mut json = false;
    let mut failed = false;
    for argument in std::env::args().skip(1) {
        if argument == "--json" {
            json = true;
            continue;
        }
        match look(&argument) {
            Ok(report) if json => println!("{}", report.json()),
            Ok(report) => println!("{}", report.text()),
            Err(error) => {
                eprintln!("{argument}: {error}");
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

struct Report {
    file: String,
    stream: u64,
    analysis: Duration,
    result: Result<Rebuilt, String>,
}

struct Rebuilt {
    encoders: Vec<String>,
    members: usize,
    plain: u64,
    recipe: usize,
    rebuild: Duration,
    equal: bool,
}

fn look(path: &str) -> Result<Report, regzip::Error> {
    let mut file = File::open(path)?;
    let stream = file.metadata()?.len();
    let start = Instant::now();
    let analysis = regzip::analyse(&mut file, &Options::default())?;
    let analysis_time = start.elapsed();
    let result = match analysis {
        Analysis::Recipe(recipe) => Ok(prove(&recipe, &mut file)?),
        Analysis::Verbatim(reason) => Err(reason.to_string()),
        _ => Err("unknown outcome".to_owned()),
    };
    Ok(Report {
        file: path.to_owned(),
        stream,
        analysis: analysis_time,
        result,
    })
}

/// Rebuilds from the recipe's bytes and compares with the file.
fn prove(recipe: &Recipe, file: &mut File) -> Result<Rebuilt, regzip::Error> {
    let bytes = recipe.to_bytes();
    let recipe = Recipe::from_bytes(&bytes)?;
    let mut plain = Vec::new();
    file.rewind()?;
    regzip::open(&recipe, BufReader::new(&mut *file), &mut plain)?;
    file.rewind()?;
    let mut compare = Compare {
        original: BufReader::new(file),
        buffer: Vec::new(),
        equal: true,
    };
    let start = Instant::now();
    let threads = std::env::var("THREADS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1);
    regzip::rebuild_with(&recipe, plain.as_slice(), &mut compare, threads)?;
    let rebuild = start.elapsed();
    let mut encoders: Vec<String> = Vec::new();
    for encoder in recipe.encoders() {
        let name = encoder.map_or("kept as it is".to_owned(), |e| e.to_string());
        if !encoders.contains(&name) {
            encoders.push(name);
        }
    }
    let equal = compare.equal && compare.original.read(&mut [0])? == 0;
    let (members, plain) = (recipe.members(), recipe.plain_len());
    Ok(Rebuilt {
        encoders,
        members,
        plain,
        recipe: bytes.len(),
        rebuild,
        equal,
    })
}

/// Takes the rebuilt stream and compares it with the original.
struct Compare<R> {
    original: R,
    buffer: Vec<u8>,
    equal: bool,
}

impl<R: Read> Write for Compare<R> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.buffer.resize(bytes.len(), 0);
        self.original.read_exact(&mut self.buffer)?;
        self.equal &= self.buffer == bytes;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Report {
    fn text(&self) -> String {
        let seconds = self.analysis.as_secs_f64();
        match &self.result {
            Err(why) => format!("{}: kept as it is ({why}), {seconds:.2} s", self.file),
            Ok(r) => format!(
                "{}: {} -> {} bytes in {} member(s), {}; recipe {} bytes; analysis {seconds:.2} s, \
                 rebuild {:.2} s ({:.0} MB/s), {}",
                self.file,
                self.stream,
                r.plain,
                r.members,
                r.encoders.join(" + "),
                r.recipe,
                r.rebuild.as_secs_f64(),
                r.plain as f64 / 1e6 / r.rebuild.as_secs_f64(),
                if r.equal { "equal" } else { "DIFFERENT" }
            ),
        }
    }

    fn json(&self) -> String {
        let mut value = serde_json::json!({
            "file": self.file,
            "stream_bytes": self.stream,
            "analysis_seconds": self.analysis.as_secs_f64(),
        });
        match &self.result {
            Err(why) => value["verbatim"] = why.as_str().into(),
            Ok(r) => {
                value["encoders"] = r.encoders.clone().into();
                value["members"] = r.members.into();
                value["plain_bytes"] = r.plain.into();
                value["recipe_bytes"] = r.recipe.into();
                value["rebuild_seconds"] = r.rebuild.as_secs_f64().into();
                value["equal"] = r.equal.into();
            }
        }
        value.to_string()
    }
}
