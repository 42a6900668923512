//! `cargo xtask bench`: sealift against its floor and against skopeo, on loopback, as ratios of one run.

mod floor;
mod images;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use sealift_testkit::real::{RealRegistry, require};

use crate::binary::sealift;
use images::{Image, TAG};

/// What to measure: transfers, unless something else is named.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct BenchArguments {
    #[command(subcommand)]
    other: Option<Other>,
    /// How large the layers are together, in megabytes; shared ones, which are stored once, count for
    /// each image
    #[arg(long, default_value_t = 800)]
    megabytes: u64,
    /// Transfers at once, for sealift and for the floor
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// How often each thing is measured; the median counts
    #[arg(long, default_value_t = 3)]
    runs: usize,
}

/// Benchmarks besides that of transfers.
#[derive(Subcommand)]
enum Other {
    /// Measure the crate relate on programs and libraries in two versions
    Relate(crate::relate::RelateArguments),
    /// Measure packs against gzip layers and against compressors of the opened content
    Compact(crate::compact::CompactArguments),
    /// Measure packs that lean on the layers of the release before
    Delta(crate::delta::DeltaArguments),
}

/// One measured thing.
struct Row {
    what: &'static str,
    time: Duration,
    floor: Option<Duration>,
}

pub(crate) fn run(arguments: &BenchArguments) -> Result<(), Box<dyn Error>> {
    match &arguments.other {
        Some(Other::Relate(arguments)) => return crate::relate::run(arguments),
        Some(Other::Compact(arguments)) => return crate::compact::run(arguments),
        Some(Other::Delta(arguments)) => return crate::delta::run(arguments),
        None => {}
    }
    let folder = tempfile::tempdir()?;
    let bench = Bench {
        sealift: sealift()?,
        images: images::set(arguments.megabytes),
        folder: folder.path().to_owned(),
        connections: arguments.connections,
        runs: arguments.runs.max(1),
    };
    let source = registry()?;
    images::push(&bench.images, source.address())?;
    let mut rows = bench.build(&source)?;
    rows.extend(bench.verify()?);
    rows.extend(bench.load()?);
    if require("skopeo").is_some() {
        rows.extend(bench.skopeo(&source)?);
    }
    bench.print(&rows);
    Ok(())
}

struct Bench {
    sealift: PathBuf,
    images: Vec<Image>,
    folder: PathBuf,
    connections: usize,
    runs: usize,
}

impl Bench {
    fn bundle(&self) -> PathBuf {
        self.folder.join("bench.tar")
    }

    fn list(&self, registry: &RealRegistry) -> Result<PathBuf, Box<dyn Error>> {
        let list = self.folder.join("images.txt");
        let lines: Vec<String> = self
            .images
            .iter()
            .map(|image| format!("{}/{}:{TAG}\n", registry.address(), image.repository))
            .collect();
        fs::write(&list, lines.concat())?;
        Ok(list)
    }

    fn build(&self, source: &RealRegistry) -> Result<Vec<Row>, Box<dyn Error>> {
        let list = self.list(source)?;
        let raw = self.folder.join("floor.bin");
        let (mut floors, mut times) = (Vec::new(), Vec::new());
        for _ in 0..self.runs {
            let _ = fs::remove_file(&raw);
            floors.push(timed(|| {
                Ok(floor::build(
                    &self.images,
                    source.address(),
                    self.connections,
                    &raw,
                )?)
            })?);
            let _ = fs::remove_file(self.bundle());
            times.push(timed(|| {
                self.run_sealift(&[
                    "bundle",
                    "--no-referrers",
                    "-f",
                    text(&list)?,
                    "-o",
                    text(&self.bundle())?,
                ])
            })?);
        }
        Ok(vec![row("bundle", times, Some(floors))])
    }

    fn verify(&self) -> Result<Vec<Row>, Box<dyn Error>> {
        let (mut floors, mut times) = (Vec::new(), Vec::new());
        let bundle = self.bundle();
        for _ in 0..self.runs {
            floors.push(timed(|| Ok(floor::hash(&bundle)?))?);
            times.push(timed(|| {
                self.run_sealift_bare(&["verify", text(&bundle)?])
            })?);
        }
        Ok(vec![row("verify", times, Some(floors))])
    }

    fn load(&self) -> Result<Vec<Row>, Box<dyn Error>> {
        let raw = self.folder.join("floor.bin");
        let bundle = self.bundle();
        let (mut floors, mut times, mut again) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.runs {
            let bare = registry()?;
            floors.push(timed(|| {
                Ok(floor::load(
                    &self.images,
                    bare.address(),
                    self.connections,
                    &raw,
                )?)
            })?);
            drop(bare);
            let destination = registry()?;
            let to = destination.address().to_string();
            let arguments = ["load", text(&bundle)?, to.as_str()];
            times.push(timed(|| self.run_sealift(&arguments))?);
            again.push(timed(|| self.run_sealift(&arguments))?);
        }
        Ok(vec![
            row("load", times, Some(floors)),
            row("load again", again, None),
        ])
    }

    fn skopeo(&self, source: &RealRegistry) -> Result<Vec<Row>, Box<dyn Error>> {
        let layout = self.folder.join("skopeo");
        let build = timed(|| {
            for image in &self.images {
                let from = format!("docker://{}/{}:{TAG}", source.address(), image.repository);
                let to = format!(
                    "oci:{}:{}",
                    layout.display(),
                    image.repository.replace('/', "-")
                );
                checked(Command::new("skopeo").args([
                    "copy",
                    "-q",
                    "--src-tls-verify=false",
                    &from,
                    &to,
                ]))?;
            }
            Ok(())
        })?;
        let destination = registry()?;
        let load = timed(|| {
            for image in &self.images {
                let from = format!(
                    "oci:{}:{}",
                    layout.display(),
                    image.repository.replace('/', "-")
                );
                let to = format!(
                    "docker://{}/{}:{TAG}",
                    destination.address(),
                    image.repository
                );
                checked(Command::new("skopeo").args([
                    "copy",
                    "-q",
                    "--dest-tls-verify=false",
                    &from,
                    &to,
                ]))?;
            }
            Ok(())
        })?;
        Ok(vec![
            row("skopeo, out of the registry", vec![build], None),
            row("skopeo, into the registry", vec![load], None),
        ])
    }

    /// Runs sealift with the bench's number of connections.
    fn run_sealift(&self, arguments: &[&str]) -> Result<(), Box<dyn Error>> {
        let connections = self.connections.to_string();
        let mut command = Command::new(&self.sealift);
        checked(
            command
                .args(arguments)
                .args(["--quiet", "--connections", &connections]),
        )
    }

    fn run_sealift_bare(&self, arguments: &[&str]) -> Result<(), Box<dyn Error>> {
        checked(Command::new(&self.sealift).args(arguments).arg("--quiet"))
    }

    fn print(&self, rows: &[Row]) {
        let bytes: u64 = images::unique_blobs(&self.images)
            .iter()
            .map(|blob| blob.size)
            .sum();
        println!(
            "{} images, {} MB, {} connections, median of {}",
            self.images.len(),
            bytes / 1_000_000,
            self.connections,
            self.runs
        );
        println!("| what | seconds | floor | ratio |");
        println!("|---|---|---|---|");
        for row in rows {
            let seconds = row.time.as_secs_f64();
            match row.floor {
                Some(floor) => {
                    let floor = floor.as_secs_f64();
                    println!(
                        "| {} | {seconds:.2} | {floor:.2} | {:.2} |",
                        row.what,
                        seconds / floor
                    );
                }
                None => println!("| {} | {seconds:.2} | | |", row.what),
            }
        }
    }
}

fn row(what: &'static str, times: Vec<Duration>, floors: Option<Vec<Duration>>) -> Row {
    Row {
        what,
        time: median(times),
        floor: floors.map(median),
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn timed(work: impl FnOnce() -> Result<(), Box<dyn Error>>) -> Result<Duration, Box<dyn Error>> {
    let begun = Instant::now();
    work()?;
    Ok(begun.elapsed())
}

fn checked(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{command:?} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    )
    .into())
}

fn text(path: &Path) -> Result<&str, Box<dyn Error>> {
    path.to_str()
        .ok_or_else(|| "the temporary folder's name is not UTF-8".into())
}

/// A registry with storage of its own.
fn registry() -> Result<RealRegistry, Box<dyn Error>> {
    RealRegistry::distribution2().ok_or_else(|| "the bench measures with docker-registry".into())
}
