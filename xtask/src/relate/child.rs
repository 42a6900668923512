//! Encoding and decoding in a process of its own, with files read and written at offsets.

use std::error::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use clap::Args;
use relate::{Codec, Content, Input, Options, StreamId, Window};
use serde_json::json;

use crate::clock::Times;

#[derive(Args)]
pub(super) struct EncodeArguments {
    #[arg(long)]
    effort: u8,
    #[arg(long)]
    level: i32,
    folder: PathBuf,
    new: PathBuf,
    bases: Vec<PathBuf>,
}

#[derive(Args)]
pub(super) struct DecodeArguments {
    folder: PathBuf,
    new: PathBuf,
    bases: Vec<PathBuf>,
}

/// Prints the size of the compressed streams, the processor time of encoding in seconds, and the peak of memory in MiB.
pub(super) fn encode(arguments: &EncodeArguments) -> Result<(), Box<dyn Error>> {
    let bases = open(&arguments.bases)?;
    let new = File::open(&arguments.new)?;
    let (new, bases) = (window(&new)?, windows(&bases)?);
    let options = Options {
        effort: arguments.effort,
    };
    let start = Times::now()?;
    let encoded = relate::encode(&new, &contents(&bases), &options)?;
    let seconds = start.since()?.own.as_secs_f64();
    let memory = peak_memory();
    let codec = [encoded.codec.id, encoded.codec.version];
    fs::write(arguments.folder.join("codec"), codec)?;
    let mut size = 0;
    for stream in &encoded.streams {
        let compressed = zstd::bulk::compress(&stream.bytes, arguments.level)?;
        size += compressed.len();
        let name = format!("{}.zst", stream.id.number());
        fs::write(arguments.folder.join(name), compressed)?;
    }
    println!(
        "{}",
        json!({ "size": size, "seconds": seconds, "memory": memory })
    );
    Ok(())
}

/// Processor time is counted in hundredths of a second: a short decoding is repeated until it took so many seconds.
const ENOUGH: f64 = 0.5;

/// Prints the processor time of decoding, with decompression, in seconds, and the peak of memory in MiB.
pub(super) fn decode(arguments: &DecodeArguments) -> Result<(), Box<dyn Error>> {
    let bases = open(&arguments.bases)?;
    let bases = windows(&bases)?;
    let [id, version] = fs::read(arguments.folder.join("codec"))?[..] else {
        return Err("no codec".into());
    };
    let output = tempfile::tempfile_in(&arguments.folder)?;
    let mut target = Window::new(&output, 0, fs::metadata(&arguments.new)?.len());
    let codec = Codec { id, version };
    let (start, mut rounds) = (Times::now()?, 0);
    let seconds = loop {
        let streams = streams(&arguments.folder)?;
        relate::decode(codec, streams, &contents(&bases), &mut target)?;
        rounds += 1;
        let seconds = start.since()?.own.as_secs_f64();
        if seconds >= ENOUGH {
            break seconds / f64::from(rounds);
        }
    };
    let memory = peak_memory();
    let new = fs::read(&arguments.new)?;
    let mut decoded = vec![0; new.len()];
    target.read_at(&mut decoded, 0)?;
    if decoded != new {
        return Err("decoded content differs".into());
    }
    println!("{}", json!({ "seconds": seconds, "memory": memory }));
    Ok(())
}

fn streams(folder: &Path) -> Result<Vec<Input<'static>>, Box<dyn Error>> {
    let mut inputs = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let Some(id) = stem.and_then(|stem| StreamId::from_number(stem.parse().ok()?)) else {
            continue;
        };
        let reader = zstd::Decoder::new(File::open(&path)?)?;
        inputs.push(Input {
            id,
            reader: Box::new(reader),
        });
    }
    Ok(inputs)
}

fn open(paths: &[PathBuf]) -> Result<Vec<File>, Box<dyn Error>> {
    Ok(paths.iter().map(File::open).collect::<Result<_, _>>()?)
}

fn window(file: &File) -> Result<Window<'_>, Box<dyn Error>> {
    Ok(Window::new(file, 0, file.metadata()?.len()))
}

fn windows(files: &[File]) -> Result<Vec<Window<'_>>, Box<dyn Error>> {
    files.iter().map(window).collect()
}

fn contents<'a>(windows: &'a [Window<'a>]) -> Vec<&'a dyn Content> {
    windows
        .iter()
        .map(|window| window as &dyn Content)
        .collect()
}

/// The most memory that this process had, in MiB; 0 where the system does not report it.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}
