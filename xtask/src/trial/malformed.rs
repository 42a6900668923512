//! The trial `malformed`: bundles with one thing wrong each, written by a second writer that was made from
//! `docs/format.md` alone (`malformed/bundle.py`), and read by every command.
//!
//! A command that is given one ends with exit code 4, in bounded time and memory, and has written nothing.

use std::error::Error;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use sealift_testkit::{Registry, real};

use super::Setting;
use super::program::{Ended, command, run as run_program};
use super::report::Report;

/// A command that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(30);
/// No malformed bundle may take more than this: seconds, and MiB.
const MOST_SECONDS: u64 = 10;
const MOST_MEMORY: u64 = 256;

/// What should become of a case.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// It is intact.
    Accept,
    /// No command uses it.
    Refuse,
    /// Commands that read all blobs refuse it.
    Content,
    /// Writing its files out is refused.
    Extract,
}

/// A command and what it does with a bundle.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    Verify,
    Inspect,
    Load,
    Extract,
    Serve,
    Export,
    Compact,
    BundleFrom,
}

const READERS: [Reader; 8] = [
    Reader::Verify,
    Reader::Load,
    Reader::Inspect,
    Reader::Extract,
    Reader::Serve,
    Reader::Export,
    Reader::Compact,
    Reader::BundleFrom,
];

/// Runs all cases.
pub(super) fn run(setting: &Setting, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let Some(python) = real::require("python3") else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let cases = written(&python, folder.path())?;
    let count = cases.len() as u64;
    if count < 500 {
        return Err(format!("only {count} cases were written").into());
    }
    for seed in setting.rounds(count, count) {
        let number = usize::try_from(seed.wrapping_sub(1) % count)?;
        let (expected, name) = &cases[number];
        let bundle = folder.path().join(format!("{number}.tar"));
        for reader in readers(number, setting.long) {
            let work_dir = tempfile::tempdir()?;
            let registry = Registry::start();
            fs::hard_link(&bundle, work_dir.path().join("case.tar"))?;
            let ended = reader.run(setting, work_dir.path(), &registry)?;
            report.run(&ended);
            report.count(format!("runs of {}", reader.name()));
            let verdict = judge(*expected, reader, &ended)
                .or_else(|| left_behind(reader, &ended, work_dir.path(), &registry));
            if let Some(wrong) = verdict {
                let words = ended.words();
                report.fault(seed, format!("{name}: {}: {wrong}: {words}", reader.name()));
            }
        }
        report.count("bundles");
    }
    Ok(())
}

/// Writes all cases into `folder`; what is expected of each, and its name.
fn written(python: &Path, folder: &Path) -> Result<Vec<(Expected, String)>, Box<dyn Error>> {
    let script = crate::workspace::root().join("xtask/src/trial/malformed/cases.py");
    let output = Command::new(python)
        .args([script.as_path(), folder])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let mut cases = Vec::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let (expected, name) = line.split_once(' ').ok_or("a case without a name")?;
        let expected = match expected {
            "accept" => Expected::Accept,
            "refuse" => Expected::Refuse,
            "content" => Expected::Content,
            "extract" => Expected::Extract,
            other => return Err(format!("{other} is not an expectation").into()),
        };
        cases.push((expected, name.to_owned()));
    }
    Ok(cases)
}

/// The short form gives each case to two commands that read all of it, and to one of the others in turn.
fn readers(number: usize, long: bool) -> Vec<Reader> {
    if long {
        return READERS.to_vec();
    }
    vec![READERS[0], READERS[1], READERS[2 + number % 6]]
}

/// What is wrong with the way in which a command ended.
fn judge(expected: Expected, reader: Reader, ended: &Ended) -> Option<String> {
    if ended.hung {
        return Some("it hung".to_owned());
    }
    if ended.crashed() {
        return Some("it crashed".to_owned());
    }
    if ended.took.as_secs() >= MOST_SECONDS || ended.memory > MOST_MEMORY {
        let took = ended.took.as_secs_f64();
        return Some(format!("it took {took:.1} s and {} MiB", ended.memory));
    }
    let allowed = allowed(expected, reader)?;
    match ended.code() {
        Some(code) if allowed.contains(&code) => None,
        _ => Some(format!("expected exit code {allowed:?}")),
    }
}

/// The exit codes that a command may end with; `None` if any will do.
fn allowed(expected: Expected, reader: Reader) -> Option<&'static [i32]> {
    Some(match (expected, reader) {
        (Expected::Refuse, Reader::Serve) => &[4],
        // A server that has nothing to refuse finds its address taken.
        (_, Reader::Serve) => return None,
        // It reads any archive of images: some of these are archives, though not bundles.
        (Expected::Refuse | Expected::Content, Reader::BundleFrom) => &[0, 1, 4],
        // Extracting reads only the blobs of carried files, and a bundle of it would have the same names.
        (Expected::Content, Reader::Extract) | (Expected::Extract, Reader::BundleFrom) => &[0, 4],
        (Expected::Refuse, _) | (Expected::Extract, Reader::Extract) => &[4],
        (Expected::Accept | Expected::Extract, _) | (Expected::Content, Reader::Inspect) => &[0],
        (Expected::Content, _) => &[4],
    })
}

/// What a command that refused a bundle has left.
fn left_behind(
    reader: Reader,
    ended: &Ended,
    work_dir: &Path,
    registry: &Registry,
) -> Option<String> {
    if ended.code() == Some(0) {
        return None;
    }
    let visible = registry.snapshot().0.into_values();
    let visible = visible.filter(|kept| !kept.manifests.is_empty() || !kept.tags.is_empty());
    if visible.count() > 0 {
        return Some("the registry shows something of it".to_owned());
    }
    let files = fs::read_dir(work_dir.join("out")).into_iter().flatten();
    if reader == Reader::Extract && files.count() > 0 {
        return Some("files were written".to_owned());
    }
    work_dir
        .join("out.tar")
        .exists()
        .then(|| "a bundle was written".to_owned())
}

impl Reader {
    fn name(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Inspect => "inspect",
            Self::Load => "load",
            Self::Extract => "extract",
            Self::Serve => "serve",
            Self::Export => "export",
            Self::Compact => "compact",
            Self::BundleFrom => "bundle --from",
        }
    }

    fn run(
        self,
        setting: &Setting,
        work_dir: &Path,
        registry: &Registry,
    ) -> Result<Ended, Box<dyn Error>> {
        let host = registry.host();
        // A server of an intact bundle does not end: one that finds its port taken does.
        let taken = TcpListener::bind("127.0.0.1:0")?;
        let address = taken.local_addr()?.to_string();
        let arguments: &[&str] = match self {
            Self::Verify => &["verify", "case.tar", "--quiet"],
            Self::Inspect => &["inspect", "case.tar", "--json"],
            Self::Load => &["load", "case.tar", &host, "--quiet"],
            Self::Extract => &["extract", "case.tar", "--to", "out"],
            Self::Serve => &["serve", "case.tar", "--listen", &address],
            Self::Export => &["export", "case.tar", "-o", "out.tar", "--quiet"],
            Self::Compact => &["compact", "case.tar", "-o", "out.tar", "--quiet"],
            Self::BundleFrom => &["bundle", "--from", "case.tar", "-o", "out.tar", "--quiet"],
        };
        let mut command = command(&setting.program, work_dir, arguments);
        Ok(run_program(&mut command, LIMIT)?)
    }
}
