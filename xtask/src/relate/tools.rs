//! The programs that relate is compared with.

use std::error::Error;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use sealift_testkit::real::require;

/// What a program made of a case.
#[derive(Clone, Copy)]
pub(super) struct Outcome {
    pub(super) bytes: u64,
    pub(super) seconds: f64,
    /// The peak of memory in MiB, if it is known.
    pub(super) memory: Option<u64>,
}

impl Outcome {
    /// Both, one after the other.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            bytes: self.bytes + other.bytes,
            seconds: self.seconds + other.seconds,
            memory: self.memory.max(other.memory),
        }
    }
}

/// Runs a command to success.
pub(super) fn succeed(command: &mut Command) -> Result<(), Box<dyn Error>> {
    output(command).map(drop)
}

/// Runs a command to success; what it printed.
pub(super) fn output(command: &mut Command) -> Result<String, Box<dyn Error>> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?);
    }
    let message = String::from_utf8_lossy(&output.stderr);
    Err(format!("{} failed: {message}", command.get_program().display()).into())
}

/// Bytes of `gzip -6`.
pub(super) fn gzip(path: &Path) -> Result<u64, Box<dyn Error>> {
    let mut gzip = Command::new("gzip");
    gzip.args(["-6", "-c"]).arg(path).stdout(Stdio::piped());
    let mut child = gzip.spawn()?;
    let mut output = child.stdout.take().ok_or("no output")?;
    let bytes = std::io::copy(&mut output, &mut std::io::sink())?;
    child.wait()?;
    Ok(bytes)
}

pub(super) fn bsdiff(old: &Path, new: &Path) -> Result<Option<Outcome>, Box<dyn Error>> {
    let arguments = |patch: &Path| -> Vec<Box<OsStr>> {
        [old.as_os_str(), new.as_os_str(), patch.as_os_str()]
            .map(Into::into)
            .into()
    };
    measured("bsdiff", arguments)
}

pub(super) fn xdelta3(old: &Path, new: &Path) -> Result<Option<Outcome>, Box<dyn Error>> {
    let arguments = |patch: &Path| -> Vec<Box<OsStr>> {
        let flags = ["-e", "-9", "-f", "-B", "1000000000", "-s"].map(OsStr::new);
        let files = [old.as_os_str(), new.as_os_str(), patch.as_os_str()];
        flags.into_iter().chain(files).map(Into::into).collect()
    };
    measured("xdelta3", arguments)
}

pub(super) fn zstd(old: &Path, new: &Path) -> Result<Option<Outcome>, Box<dyn Error>> {
    let arguments = |patch: &Path| -> Vec<Box<OsStr>> {
        let mut base = std::ffi::OsString::from("--patch-from=");
        base.push(old);
        let flags = ["-19", "--long=31", "-q", "-f"].map(OsStr::new);
        let files = [
            base.as_os_str(),
            new.as_os_str(),
            OsStr::new("-o"),
            patch.as_os_str(),
        ];
        flags.into_iter().chain(files).map(Into::into).collect()
    };
    measured("zstd", arguments)
}

/// Runs a program that writes a patch; nothing if it is not installed.
fn measured(
    name: &str,
    arguments: impl Fn(&Path) -> Vec<Box<OsStr>>,
) -> Result<Option<Outcome>, Box<dyn Error>> {
    let Some(program) = require(name) else {
        return Ok(None);
    };
    let folder = tempfile::tempdir()?;
    let patch = folder.path().join("patch");
    let report = folder.path().join("memory");
    let mut command = match require("time") {
        Some(time) => {
            let mut command = Command::new(time);
            command.args(["-f", "%M", "-o"]).arg(&report).arg(program);
            command
        }
        None => Command::new(program),
    };
    command.args(arguments(&patch));
    let start = Instant::now();
    succeed(&mut command)?;
    let seconds = start.elapsed().as_secs_f64();
    let memory = std::fs::read_to_string(&report).ok();
    let memory = memory.and_then(|kib| kib.trim().parse::<u64>().ok());
    Ok(Some(Outcome {
        bytes: patch.metadata()?.len(),
        seconds,
        memory: memory.map(|kib| kib / 1024),
    }))
}
