//! One run of the program under trial, watched: it may take only so long.

use std::error::Error;
use std::fs;
use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How often a running program is looked at.
const STEP: Duration = Duration::from_millis(2);
/// A message that is longer is cut.
const MAX_SHOWN: usize = 600;

/// How a run ended.
pub(crate) struct Ended {
    status: ExitStatus,
    /// Whether it had to be killed because its time was over.
    pub(crate) hung: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
    /// The most memory that it was seen to use, in MiB.
    pub(crate) memory: u64,
}

impl Ended {
    /// The exit code; `None` after a signal.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Whether it panicked, or was ended by a signal of its own making.
    pub(crate) fn crashed(&self) -> bool {
        let signal = self.status.signal();
        self.code() == Some(101)
            || self.stderr.contains("panicked at")
            || (!self.hung && signal.is_some_and(|signal| signal != 9))
    }

    /// Requires success, for a run that nothing disturbs.
    ///
    /// # Errors
    /// How it ended, if it did not succeed.
    pub(crate) fn succeeded(&self) -> Result<(), Box<dyn Error>> {
        match self.code() {
            Some(0) => Ok(()),
            _ => Err(format!("a run without a fault failed: {}", self.words()).into()),
        }
    }

    /// How it ended, for a message.
    pub(crate) fn words(&self) -> String {
        let hung = if self.hung { " (killed: it hung)" } else { "" };
        let output = format!("{}{}", self.stderr, self.stdout);
        let output: String = output.trim().chars().take(MAX_SHOWN).collect();
        format!("{}{hung}: {output}", self.status)
    }
}

/// The program with these arguments in a folder, with nothing of the user's environment but `PATH`.
pub(crate) fn command(program: &Path, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .env("TMPDIR", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs a command to its end, or kills it when `limit` is over.
///
/// # Errors
/// If it does not start.
pub(crate) fn run(command: &mut Command, limit: Duration) -> io::Result<Ended> {
    watch(command.spawn()?, limit, &mut |_| false)
}

/// Runs a command and kills it as soon as `is_time`, which is given the time since the start, says so.
///
/// # Errors
/// If it does not start.
pub(crate) fn run_and_kill(
    command: &mut Command,
    limit: Duration,
    is_time: &mut dyn FnMut(Duration) -> bool,
) -> io::Result<Ended> {
    watch(command.spawn()?, limit, is_time)
}

fn watch(
    mut child: Child,
    limit: Duration,
    is_time: &mut dyn FnMut(Duration) -> bool,
) -> io::Result<Ended> {
    let begun = Instant::now();
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let (mut hung, mut memory) = (false, 0);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        memory = memory.max(peak_memory(child.id()));
        hung = begun.elapsed() > limit;
        if hung || is_time(begun.elapsed()) {
            child.kill()?;
            break child.wait()?;
        }
        thread::sleep(STEP);
    };
    Ok(Ended {
        status,
        hung,
        took: begun.elapsed(),
        stdout: text(stdout),
        stderr: text(stderr),
        memory,
    })
}

type Output = Option<thread::JoinHandle<Vec<u8>>>;

/// Reads a pipe on a thread of its own, so that the program never waits for it.
fn collect(pipe: Option<impl Read + Send + 'static>) -> Output {
    let mut pipe = pipe?;
    Some(thread::spawn(move || {
        let mut bytes = Vec::new();
        // What came before an error is what there is.
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    }))
}

fn text(output: Output) -> String {
    let bytes = output.and_then(|thread| thread.join().ok());
    String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
}

/// The most memory that a process has used so far, in MiB; 0 if the system does not say.
fn peak_memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kilobytes
        .and_then(|number| number.trim().parse::<u64>().ok())
        .unwrap_or(0)
        >> 10
}
