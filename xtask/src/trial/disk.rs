//! The trial `disk`: every call that writes, syncs, renames, reserves space or maps memory fails once.
//!
//! `strace` lets one call of one thread fail with ENOSPC, EIO or ENOMEM. A run then ends with a message, or in
//! spite of it; nothing that it leaves looks complete and is not, and the same command without the fault gives
//! the same result as if nothing had been. File systems that are full or read-only are real ones.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sealift_testkit::{Registry, real};
use tempfile::TempDir;

use super::Setting;
use super::content::{Content, Trees};
use super::program::{Ended, command, run as run_program};
use super::random::Random;
use super::report::Report;

const LIMIT: Duration = Duration::from_secs(60);

/// Calls that change what is on the disk, and those that get memory.
const CALLS: &str = "openat,write,pwrite64,ftruncate,fallocate,fsync,fdatasync,syncfs,\
rename,renameat,renameat2,linkat,mkdir,mkdirat,mmap";
const ERRORS: [&str; 2] = ["ENOSPC", "EIO"];

/// The commands that write files, and one that only reads them.
const SIDES: [Side; 5] = [
    Side::Bundle,
    Side::Compact,
    Side::Export,
    Side::Extract,
    Side::Load,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Bundle,
    Compact,
    Export,
    Extract,
    Load,
}

/// One call that fails.
#[derive(Debug)]
struct Point {
    side: Side,
    call: String,
    number: u64,
    error: &'static str,
}

/// Runs all rounds: one point each.
pub(super) fn run(setting: &Setting, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let Some(strace) = real::require("strace") else {
        return Ok(());
    };
    let scene = Scene::new(&setting.program, strace)?;
    let points = scene.points()?;
    report.largest("points of failure that there are", points.len() as u64);
    for seed in setting.rounds(60, points.len() as u64) {
        // Points that follow each other are far apart; as many rounds as there are points try each once.
        let step = points.len() as u64 / 3 * 2 + 1;
        let step = (step..step + 1000).find(|step| common_divisor(*step, points.len() as u64) == 1);
        let at = seed.wrapping_mul(step.unwrap_or(1)) % points.len() as u64;
        scene.attempt(report, seed, &points[usize::try_from(at)?])?;
    }
    for seed in setting.rounds(6, 60) {
        scene.full(report, seed)?;
        scene.read_only(report, seed)?;
    }
    Ok(())
}

fn common_divisor(a: u64, b: u64) -> u64 {
    match a.checked_rem(b) {
        None => a,
        Some(rest) => common_divisor(b, rest),
    }
}

struct Scene<'a> {
    program: &'a Path,
    strace: PathBuf,
    content: Content,
    source: Registry,
    /// A folder with what the commands read: a list, a file, and a bundle in both profiles.
    folder: TempDir,
    trees: Trees,
}

impl<'a> Scene<'a> {
    fn new(program: &'a Path, strace: PathBuf) -> Result<Self, Box<dyn Error>> {
        let content = Content::new(20_000);
        let (source, folder) = content.source()?;
        fs::create_dir(folder.path().join("files"))?;
        for name in ["files/a", "files/b"] {
            fs::write(
                folder.path().join(name),
                sealift_testkit::filler(name, 3000),
            )?;
        }
        let scene = Self {
            program,
            strace,
            trees: content.trees(source.address(), "")?,
            content,
            source,
            folder,
        };
        for arguments in [
            [
                "bundle",
                "-f",
                "images.txt",
                "--carry",
                "files",
                "-o",
                "p.tar",
            ]
            .as_slice(),
            &["compact", "p.tar", "-o", "c.tar"],
        ] {
            let mut run = command(program, scene.folder.path(), arguments);
            run_program(&mut run, LIMIT)?.succeeded()?;
        }
        Ok(scene)
    }

    /// A folder to work in, with what the commands read.
    fn work_folder(&self) -> Result<TempDir, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        fs::write(
            folder.path().join("images.txt"),
            self.content.list(&self.source.host()),
        )?;
        for name in ["p.tar", "c.tar"] {
            fs::hard_link(self.folder.path().join(name), folder.path().join(name))?;
        }
        std::os::unix::fs::symlink(
            self.folder.path().join("files"),
            folder.path().join("files"),
        )?;
        Ok(folder)
    }

    /// The run under `strace` with these options, `host` being where a load goes.
    fn traced(&self, folder: &Path, options: &[&str], side: Side, host: &str) -> Command {
        let program = self.program.display().to_string();
        let mut all = vec!["-f", "-qq"];
        all.extend(options);
        all.extend(["--", &program]);
        let arguments = side.arguments(host);
        all.extend(arguments.iter().copied());
        command(&self.strace, folder, &all)
    }

    /// Every call of every command, with each error that is tried.
    fn points(&self) -> Result<Vec<Point>, Box<dyn Error>> {
        let mut points = Vec::new();
        for side in SIDES {
            let (folder, registry) = (self.work_folder()?, Registry::start());
            let log = tempfile::NamedTempFile::new()?;
            let (output, trace) = (
                log.path().display().to_string(),
                format!("trace={CALLS},sigaltstack"),
            );
            let options = ["-o", output.as_str(), "-e", trace.as_str()];
            let mut run = self.traced(folder.path(), &options, side, &registry.host());
            let ended = run_program(&mut run, LIMIT)?;
            if ended.code() != Some(0) {
                return Err(format!("{side:?} under strace failed: {}", ended.words()).into());
            }
            for (call, numbers) in own_calls(&fs::read_to_string(log.path())?) {
                for number in numbers {
                    let errors: &[&'static str] =
                        if call == "mmap" { &["ENOMEM"] } else { &ERRORS };
                    points.extend(errors.iter().map(|error| Point {
                        side,
                        call: call.clone(),
                        number,
                        error,
                    }));
                }
            }
        }
        if points.is_empty() {
            return Err("strace saw no system call".into());
        }
        Ok(points)
    }

    /// Lets one call fail, looks at what is left, and runs the same command again.
    fn attempt(&self, report: &mut Report, seed: u64, point: &Point) -> Result<(), Box<dyn Error>> {
        let Point {
            side,
            call,
            number,
            error,
        } = point;
        let what = format!("{side:?}, {call} number {number} fails with {error}");
        let (folder, registry) = (self.work_folder()?, Registry::start());
        let (trace, inject) = (
            format!("trace={call}"),
            format!("inject={call}:error={error}:when={number}"),
        );
        let log = tempfile::NamedTempFile::new()?;
        let output = log.path().display().to_string();
        let options = ["-o", &output, "-e", &trace, "-e", &inject];
        let mut run = self.traced(folder.path(), &options, *side, &registry.host());
        let ended = run_program(&mut run, LIMIT)?;
        report.count(format!("{side:?}: a call failed once"));
        let no_memory = *error == "ENOMEM" && is_out_of_memory(&ended);
        match ended.code() {
            _ if no_memory => {
                report.count("runs that the system did not start or that got no memory");
            }
            _ if ended.hung || ended.crashed() => {
                report.fault(seed, format!("{what}: {}", ended.words()));
            }
            Some(0) => report.count("runs that succeeded in spite of it"),
            Some(1 | 3) if ended.stderr.contains("error: ") => {
                report.count("runs that ended with a message");
            }
            // Each thread's call of this number fails, and the one that would print the message may be among them.
            Some(1 | 3) if is_silenced(&fs::read_to_string(log.path())?) => {
                report.count("runs that could not print their message");
            }
            // What cannot be opened or read may be taken for damaged only where reading failed.
            Some(2 | 4) if *call == "openat" => report.count("runs that ended with a message"),
            _ => report.fault(seed, format!("{what}: {}", ended.words())),
        }
        if ended.code() != Some(0) {
            self.check_left(report, seed, &what, *side, folder.path())?;
        }
        self.again(report, seed, &what, *side, folder.path(), &registry)
    }

    /// Nothing that a failed run left has the name of the result, unless it is the result.
    fn check_left(
        &self,
        report: &mut Report,
        seed: u64,
        what: &str,
        side: Side,
        folder: &Path,
    ) -> Result<(), Box<dyn Error>> {
        if folder.join(side.output()).exists() && !self.is_right(side, folder)? {
            report.fault(seed, format!("{what}: {} is incomplete", side.output()));
        }
        Ok(())
    }

    /// The same command again, without a fault.
    fn again(
        &self,
        report: &mut Report,
        seed: u64,
        what: &str,
        side: Side,
        folder: &Path,
        registry: &Registry,
    ) -> Result<(), Box<dyn Error>> {
        let host = registry.host();
        if side != Side::Load && folder.join(side.output()).exists() {
            // It was complete, as was checked; a second run would refuse to replace it.
            if !self.is_right(side, folder)? {
                report.fault(seed, format!("{what}: the result is wrong"));
            }
            return Ok(());
        }
        let ended = run_program(
            &mut command(self.program, folder, &side.arguments(&host)),
            LIMIT,
        )?;
        if ended.code() != Some(0) {
            report.fault(
                seed,
                format!("{what}, then again without it: {}", ended.words()),
            );
            return Ok(());
        }
        if side == Side::Load {
            if self.content.trees(registry.address(), "").ok().as_ref() != Some(&self.trees) {
                report.fault(seed, format!("{what}: the registry serves something else"));
            }
        } else if !self.is_right(side, folder)? {
            report.fault(
                seed,
                format!("{what}, then again without it: the result is wrong"),
            );
        }
        Ok(())
    }

    /// Whether the result of `side` in `folder` is what an undisturbed run writes.
    fn is_right(&self, side: Side, folder: &Path) -> Result<bool, Box<dyn Error>> {
        let same = |name: &str, other: &str| -> Result<bool, Box<dyn Error>> {
            Ok(fs::read(folder.join(name)).ok() == Some(fs::read(self.folder.path().join(other))?))
        };
        match side {
            Side::Bundle | Side::Export => same("x.tar", "p.tar"),
            Side::Compact => same("x.tar", "c.tar"),
            Side::Extract => Ok(same("out/files/a", "files/a")? && same("out/files/b", "files/b")?),
            // A receipt is complete JSON.
            Side::Load => Ok(serde_json::from_slice::<serde_json::Value>(&fs::read(
                folder.join("r.json"),
            )?)
            .is_ok()),
        }
    }

    /// A small file system that gets full at some point.
    fn full(&self, report: &mut Report, seed: u64) -> Result<(), Box<dyn Error>> {
        let mut random = Random::new(seed, "full");
        let size = fs::metadata(self.folder.path().join("p.tar"))?.len();
        let options = format!("size={}", random.below(size).max(4096));
        self.mounted(report, seed, &options)
    }

    /// A file system that is read-only.
    fn read_only(&self, report: &mut Report, seed: u64) -> Result<(), Box<dyn Error>> {
        self.mounted(report, seed, "ro")
    }

    /// Runs the commands that write into a new file system with these options, on a mount that only they see.
    fn mounted(&self, report: &mut Report, seed: u64, options: &str) -> Result<(), Box<dyn Error>> {
        const SCRIPT: &str = "mount -t tmpfs -o \"$1\" tmpfs fs || exit 99; shift; \"$@\"; code=$?; \
ls -A fs | grep -v -e partial -e journal >left; exit $code";
        let unshare = Path::new("unshare");
        let program = self.program.display().to_string();
        for arguments in [
            [
                "bundle",
                "-f",
                "images.txt",
                "--carry",
                "files",
                "-o",
                "fs/x.tar",
            ]
            .as_slice(),
            &["export", "c.tar", "-o", "fs/x.tar"],
            &["compact", "p.tar", "-o", "p2.tar", "--scratch-dir", "fs"],
            &["verify", "--deep", "c.tar", "--scratch-dir", "fs"],
            &["extract", "p.tar", "--to", "fs/out"],
        ] {
            let folder = self.work_folder()?;
            fs::create_dir(folder.path().join("fs"))?;
            let mut all = vec!["-rm", "sh", "-c", SCRIPT, "sh", options, &program];
            all.extend(arguments);
            let ended = run_program(&mut command(unshare, folder.path(), &all), LIMIT)?;
            if ended.code() == Some(99) || ended.stderr.contains("unshare: ") {
                real::skipped("no file system can be mounted here");
                return Ok(());
            }
            let what = format!("{} into tmpfs with {options}", arguments.join(" "));
            report.count(format!(
                "runs into a file system that is {}",
                if options == "ro" {
                    "read-only"
                } else {
                    "too small"
                }
            ));
            let left = fs::read_to_string(folder.path().join("left")).unwrap_or_default();
            let complete = left.contains("x.tar") || folder.path().join("p2.tar").exists();
            match ended.code() {
                Some(0) => {}
                Some(1 | 2)
                    if !ended.crashed() && !complete && ended.stderr.contains("error: ") => {}
                _ => report.fault(seed, format!("{what}: {} (left: {left:?})", ended.words())),
            }
        }
        Ok(())
    }
}

impl Side {
    fn arguments(self, host: &str) -> Vec<&str> {
        match self {
            Self::Bundle => vec![
                "bundle",
                "-f",
                "images.txt",
                "--carry",
                "files",
                "-o",
                "x.tar",
                "--connections",
                "2",
            ],
            Self::Compact => vec!["compact", "p.tar", "-o", "x.tar"],
            Self::Export => vec!["export", "c.tar", "-o", "x.tar"],
            Self::Extract => vec!["extract", "p.tar", "--to", "out"],
            Self::Load => vec![
                "load",
                "p.tar",
                host,
                "--receipt",
                "r.json",
                "--connections",
                "2",
            ],
        }
    }

    /// What a complete run leaves.
    fn output(self) -> &'static str {
        match self {
            Self::Bundle | Self::Compact | Self::Export => "x.tar",
            Self::Extract => "out/files",
            Self::Load => "r.json",
        }
    }
}

/// Whether the system or the allocator ended the run because there was no memory: no program can do more then.
fn is_out_of_memory(ended: &Ended) -> bool {
    [
        "memory allocation of",
        "error while loading shared libraries",
        "failed to allocate",
        "Cannot allocate memory",
    ]
    .iter()
    .any(|words| ended.stderr.contains(words))
        || ended.code() == Some(127)
}

/// Whether a write to standard error failed, from the log of `strace`, which divides a call in two lines if another
/// thread's comes between.
fn is_silenced(log: &str) -> bool {
    let mut unfinished = BTreeSet::new();
    log.lines().any(|line| {
        let thread = line.split_whitespace().next();
        let is_message = if line.contains(" write(2, ") {
            if line.ends_with("<unfinished ...>") {
                unfinished.insert(thread);
            }
            true
        } else {
            line.contains("<... write resumed>") && unfinished.remove(&thread)
        };
        is_message && line.ends_with("(INJECTED)")
    })
}

/// The numbers of the calls that a run makes, for the thread that makes each most often; from
/// `THREAD call(arguments) = result`. What comes before the program's own start, which sets a signal stack, is
/// the loader's.
fn own_calls(log: &str) -> BTreeMap<String, RangeInclusive<u64>> {
    let mut first: BTreeMap<&str, u64> = BTreeMap::new();
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    let mut is_started = false;
    for line in log.lines() {
        let mut words = line.split_whitespace();
        let thread = words.next().unwrap_or_default();
        let Some((call, _)) = words.next().and_then(|word| word.split_once('(')) else {
            continue;
        };
        is_started |= call == "sigaltstack";
        *counts.entry((call, thread)).or_default() += 1;
        if !is_started {
            *first.entry(call).or_default() += 1;
        }
    }
    let mut own: BTreeMap<String, RangeInclusive<u64>> = BTreeMap::new();
    for ((call, _), count) in counts {
        let start = first.get(call).map_or(1, |loader| loader + 1);
        let known = own.get(call).map_or(0, |range| *range.end());
        own.insert(call.to_owned(), start..=count.max(known));
    }
    own.remove("sigaltstack");
    own
}
