//! The trial `offline`: the isolated side in a network namespace, watched by `strace`.
//!
//! The namespace has a loopback interface and nothing else, so that no address but the registry's is reachable;
//! the log of system calls shows whether any other was tried. The trial starts itself again inside of it.

use std::collections::BTreeSet;
use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sealift_testkit::{Registry, real};
use tempfile::TempDir;

use super::Setting;
use super::content::Content;
use super::program::{command, run as run_program};
use super::report::Report;

const LIMIT: Duration = Duration::from_secs(60);
/// Set for the run inside of the namespace.
const INSIDE: &str = "SEALIFT_TRIAL_INSIDE";
/// Brings loopback up, then runs what follows.
const LOOPBACK: &str = "ip link set lo up && exec \"$0\" \"$@\"";
/// How images are named, one after the other.
const NAMING: [&str; 3] = ["keep", "flat", "host"];

/// Runs all rounds, in a namespace of its own.
pub(super) fn run(setting: &Setting, report: &mut Report) -> Result<(), Box<dyn Error>> {
    if env::var_os(INSIDE).is_some() {
        return rounds(setting, report);
    }
    let programs = ["strace", "unshare", "ip"];
    if programs
        .iter()
        .any(|program| real::require(program).is_none())
    {
        return Ok(());
    }
    let mut inside = Command::new("unshare");
    inside.args(["-rn", "sh", "-c", LOOPBACK]);
    inside
        .arg(env::current_exe()?)
        .args(["trial", "offline", "--seed"]);
    inside
        .arg(setting.seed.to_string())
        .arg("--program")
        .arg(&setting.program);
    if let Some(rounds) = setting.rounds {
        inside.args(["--rounds", &rounds.to_string()]);
    }
    if setting.long {
        inside.arg("--long");
    }
    let status = inside.env(INSIDE, "1").status()?;
    if status.success() {
        report.count("runs in a network namespace, whose report is above");
        Ok(())
    } else {
        Err(format!("the trial in a network namespace failed: {status}").into())
    }
}

fn rounds(setting: &Setting, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let strace = real::require("strace").ok_or("strace is not installed")?;
    let interfaces = fs::read_to_string("/proc/net/dev")?;
    if interfaces.lines().filter(|line| line.contains(':')).count() != 1 {
        return Err("the namespace has more than a loopback interface".into());
    }
    let scene = Scene::new(&setting.program, strace)?;
    for seed in setting.rounds(2, 30) {
        scene.round(report, seed)?;
    }
    Ok(())
}

struct Scene<'a> {
    program: &'a Path,
    strace: PathBuf,
    folder: TempDir,
}

impl<'a> Scene<'a> {
    fn new(program: &'a Path, strace: PathBuf) -> Result<Self, Box<dyn Error>> {
        let content = Content::new(20_000);
        let (source, folder) = content.source()?;
        let yaml = format!(
            "image: {}",
            content
                .list(&source.host())
                .trim()
                .replace('\n', "\n---\nimage: ")
        );
        fs::write(folder.path().join("a.yaml"), yaml)?;
        let build = [
            "bundle",
            "-f",
            "images.txt",
            "--carry",
            "a.yaml",
            "-o",
            "p.tar",
        ];
        for arguments in [build.as_slice(), &["compact", "p.tar", "-o", "c.tar"]] {
            run_program(&mut command(program, folder.path(), arguments), LIMIT)?.succeeded()?;
        }
        Ok(Self {
            program,
            strace,
            folder,
        })
    }

    /// Every command of the isolated side. The registry that the bundle came from is gone.
    fn round(&self, report: &mut Report, seed: u64) -> Result<(), Box<dyn Error>> {
        let registry = Registry::start();
        let host = registry.host();
        let naming = NAMING[usize::try_from(seed % 3)?];
        let bundle = if seed.is_multiple_of(2) {
            "p.tar"
        } else {
            "c.tar"
        };
        let to = ["--naming", naming];
        // A receipt is not replaced by that of a load to another registry.
        let receipt = format!("receipt-{seed}.json");
        let receipt = receipt.as_str();
        for arguments in [
            ["load", bundle, &host, to[0], to[1], "--dry-run"].as_slice(),
            &["load", bundle, &host, to[0], to[1], "--receipt", receipt],
            &["load", bundle, &host, to[0], to[1], "--overwrite", "--deep"],
            &["check", receipt],
            &["check", receipt, "--deep"],
        ] {
            self.watched(report, seed, arguments, Some(&host))?;
        }
        for arguments in [
            ["verify", bundle].as_slice(),
            &["verify", "--deep", bundle],
            &["inspect", bundle],
            &["extract", bundle, "--to", "out", "--overwrite"],
            &["export", bundle, "-o", "x.tar", "--force"],
            &["compact", bundle, "-o", "x.tar", "--force"],
            &["images", "-f", "a.yaml"],
            &[
                "rewrite",
                "a.yaml",
                "--receipt",
                receipt,
                "--pin",
                bundle,
                "--dry-run",
            ],
            &["mirror", "containerd", bundle, &host, "--naming", "host"],
            &["product", "list"],
        ] {
            self.watched(report, seed, arguments, None)?;
        }
        Ok(())
    }

    /// Runs a command and reads from its log whom it contacted: `registry`, and nobody else.
    fn watched(
        &self,
        report: &mut Report,
        seed: u64,
        arguments: &[&str],
        registry: Option<&str>,
    ) -> Result<(), Box<dyn Error>> {
        let folder = self.folder.path();
        let log = tempfile::NamedTempFile::new()?;
        let (output, program) = (
            log.path().display().to_string(),
            self.program.display().to_string(),
        );
        let mut all = vec![
            "-f",
            "-qq",
            "-o",
            &output,
            "-e",
            "trace=%network",
            "--",
            &program,
        ];
        all.extend(arguments);
        let ended = run_program(&mut command(&self.strace, folder, &all), LIMIT)?;
        report.count("runs watched");
        let what = arguments.join(" ");
        if ended.hung || ended.crashed() || ended.code() != Some(0) {
            report.fault(seed, format!("{what}: {}", ended.words()));
        }
        let contacts = contacts(&fs::read_to_string(log.path())?);
        report.add(
            "contacts with the registry",
            contacts
                .iter()
                .filter(|at| Some(at.as_str()) == registry)
                .count() as u64,
        );
        for other in contacts.iter().filter(|at| Some(at.as_str()) != registry) {
            report.fault(seed, format!("{what}: it contacts {other}"));
        }
        if registry.is_some() && contacts.is_empty() {
            report.fault(
                seed,
                format!("{what}: the log shows no contact with the registry"),
            );
        }
        Ok(())
    }
}

/// The addresses in a log of system calls, as `HOST:PORT`, or as they are written there.
fn contacts(log: &str) -> BTreeSet<String> {
    let lines = log.lines().filter(|line| {
        ["connect(", "sendto(", "sendmsg(", "sendmmsg(", "bind("]
            .iter()
            .any(|call| line.contains(call))
    });
    lines.filter_map(address).collect()
}

/// The address in one line; none if the call has none or is local to this machine's kernel (netlink).
fn address(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("sa_family=")?;
    let family = rest.split([',', '}']).next()?;
    if family == "AF_NETLINK" {
        return None;
    }
    let port = rest
        .split_once("_port=htons(")
        .and_then(|(_, rest)| rest.split_once(')'));
    let host = rest
        .split_once("inet_addr(\"")
        .and_then(|(_, rest)| rest.split_once('"'));
    match (host, port) {
        (Some((host, _)), Some((port, _))) => Some(format!("{host}:{port}")),
        _ => Some(rest.chars().take(80).collect()),
    }
}
