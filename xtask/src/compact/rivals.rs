//! What others make of the same content, for scale.

use std::error::Error;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::report::Row;
use super::sets::{Layer, Set};
use crate::clock::Times;

/// A compressor that reads the opened layers in a row.
struct Rival {
    name: &'static str,
    command: &'static [&'static str],
    slow: bool,
}

const RIVALS: [Rival; 5] = [
    Rival {
        name: "gzip -6 over the opened content",
        command: &["gzip", "-6", "-c"],
        slow: false,
    },
    Rival {
        name: "zstd -12 --long=27",
        command: &["zstd", "-12", "--long=27", "-c", "-q"],
        slow: false,
    },
    Rival {
        name: "zstd -19 --long=31",
        command: &["zstd", "-19", "--long=31", "-c", "-q", "-T1"],
        slow: true,
    },
    Rival {
        name: "xz -9",
        command: &["xz", "-9", "-T1", "-c"],
        slow: true,
    },
    Rival {
        name: "7-Zip, LZMA2 -mx=9",
        command: &[
            "7z", "a", "-txz", "-mx=9", "-mmt=1", "-bso0", "-bsp0", "-si", "-so", "tars",
        ],
        slow: true,
    },
];

/// The rivals that are installed.
pub(crate) fn rivals(set: &Set, slow: bool) -> Result<Vec<Row>, Box<dyn Error>> {
    let opened: Vec<PathBuf> = set
        .layers
        .iter()
        .map(Layer::opened)
        .collect::<Result<_, _>>()?;
    let mut rows = Vec::new();
    for rival in RIVALS.iter().filter(|rival| slow || !rival.slow) {
        let times = Times::now()?;
        let Some(stored) = run(&opened, rival)? else {
            println!("SKIPPED: {} is not installed", rival.command[0]);
            continue;
        };
        let time = times.since()?.children;
        rows.push(Row::of_rival(set, rival.name, stored, time)?);
    }
    Ok(rows)
}

fn run(opened: &[PathBuf], rival: &Rival) -> Result<Option<u64>, Box<dyn Error>> {
    let mut command = Command::new(rival.command[0]);
    command.args(&rival.command[1..]);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let (mut input, mut output) = (child.stdin.take(), child.stdout.take());
    let stored = std::thread::scope(|scope| {
        let feeder = scope.spawn(|| -> io::Result<()> {
            let mut input = input.take().ok_or(io::ErrorKind::BrokenPipe)?;
            opened.iter().try_for_each(|path| feed(path, &mut input))
        });
        let mut output = output.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let stored = io::copy(&mut output, &mut io::sink())?;
        feeder.join().map_err(|_| io::ErrorKind::Other)??;
        Ok::<u64, io::Error>(stored)
    })?;
    child.wait()?;
    Ok(Some(stored))
}

fn feed(path: &Path, input: &mut impl io::Write) -> io::Result<()> {
    io::copy(&mut File::open(path)?, input).map(drop)
}
