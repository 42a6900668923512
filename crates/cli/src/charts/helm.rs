//! `helm template`, if helm is installed.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sealift_pipeline::Cancel;

use crate::exit::Exit;
use crate::failure::Failure;

/// What `imagerefs` reads at the most, and a byte to notice more.
const MAX_OUTPUT_BYTES: u64 = (64 << 20) + 1;
/// The most of an error message that is repeated.
const MAX_ERROR_BYTES: u64 = 4 << 10;
/// How long rendering may take.
const TIMEOUT: Duration = Duration::from_secs(120);
/// How often the program is looked at.
const STEP: Duration = Duration::from_millis(20);

/// The manifests of the chart in `package`; `None` if helm is not installed.
///
/// # Errors
/// If helm cannot render the chart.
pub(super) fn template(
    package: &Path,
    values: &[PathBuf],
    cancel: &Cancel,
) -> Result<Option<Vec<u8>>, Failure> {
    let mut command = Command::new("helm");
    command
        .args(["template", "release", "--include-crds", "--skip-tests"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for file in values {
        command.arg("--values").arg(file);
    }
    // A package that begins with a dash is no option.
    command.arg("--").arg(package);
    let child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(package, &format!("cannot start helm: {error}"))),
    };
    run(child, package, cancel).map(Some)
}

fn run(mut child: Child, package: &Path, cancel: &Cancel) -> Result<Vec<u8>, Failure> {
    let output = reader(child.stdout.take(), MAX_OUTPUT_BYTES);
    let errors = reader(child.stderr.take(), MAX_ERROR_BYTES);
    let end = Instant::now() + TIMEOUT;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if cancel.is_cancelled() || Instant::now() > end => {
                let _ = child.kill();
                let _ = child.wait();
                cancel.check()?;
                let seconds = TIMEOUT.as_secs();
                return Err(failed(package, &format!("helm took more than {seconds} s")));
            }
            Ok(None) => thread::sleep(STEP),
            Err(error) => return Err(failed(package, &error.to_string())),
        }
    };
    let (output, errors) = (joined(output), joined(errors));
    if status.success() {
        return Ok(output);
    }
    let errors = String::from_utf8_lossy(&errors);
    Err(failed(package, &format!("helm: {}", errors.trim()))
        .hint("a chart that needs values is rendered with --chart-values FILE"))
}

/// Reads a pipe to its end on a thread of its own, and keeps the first bytes.
fn reader(
    pipe: Option<impl Read + Send + 'static>,
    limit: u64,
) -> Option<thread::JoinHandle<Vec<u8>>> {
    let mut pipe = pipe?;
    let read = move || {
        let mut kept = Vec::new();
        let _ = (&mut pipe).take(limit).read_to_end(&mut kept);
        let _ = io::copy(&mut pipe, &mut io::sink());
        kept
    };
    thread::Builder::new().spawn(read).ok()
}

fn joined(thread: Option<thread::JoinHandle<Vec<u8>>>) -> Vec<u8> {
    thread
        .and_then(|thread| thread.join().ok())
        .unwrap_or_default()
}

fn failed(package: &Path, reason: &str) -> Failure {
    let message = format!("{} cannot be rendered: {reason}", package.display());
    Failure::message(Exit::Failed, message)
}
