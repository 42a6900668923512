//! Runs that end at one system call: `strace` kills the program when it makes a call for the Nth time.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

use sealift_testkit::{Profile, Registry, real};

use super::{BUILD, LIMIT, Scene, load};
use crate::trial::Setting;
use crate::trial::program::{Ended, command, run as run_program};
use crate::trial::random::Random;
use crate::trial::report::Report;

/// Calls that change what is on the disk or on the wire.
const CALLS: &str = "openat,write,pwrite64,writev,sendto,ftruncate,fallocate,fsync,fdatasync,syncfs,\
rename,renameat,renameat2,linkat,unlink,unlinkat,flock,mkdir";

/// Kills builds and loads at chosen calls.
pub(super) fn run(
    scene: &Scene<'_>,
    setting: &Setting,
    report: &mut Report,
) -> Result<(), Box<dyn Error>> {
    let Some(strace) = real::require("strace") else {
        return Ok(());
    };
    let builds = Calls::of(scene, &strace, scene.build_folder()?.path(), &BUILD)?;
    let registry = Registry::with_profile(Profile::Distribution3);
    let host = registry.host();
    let loads = Calls::of(scene, &strace, scene.load_folder()?.path(), &load(&host))?;
    for seed in setting.rounds(20, 500) {
        let mut random = Random::new(seed, "calls");
        let folder = scene.build_folder()?;
        scene.source.clear_traffic();
        let ended = builds.end_at_one(scene, &mut random, folder.path(), &BUILD)?;
        note(report, "builds", &ended);
        scene.finish_build(report, seed, folder.path())?;

        let registry = Registry::with_profile(Profile::Distribution3);
        let folder = scene.load_folder()?;
        let host = registry.host();
        let ended = loads.end_at_one(scene, &mut random, folder.path(), &load(&host))?;
        note(report, "loads", &ended);
        let ended = scene.finish_load(folder.path(), &host)?;
        scene.check_load(report, seed, &ended, registry.address());
    }
    Ok(())
}

fn note(report: &mut Report, what: &str, ended: &Ended) {
    report.count(match ended.code() {
        None => format!("{what} killed at a system call"),
        Some(_) => format!("{what} that did not make the chosen call"),
    });
}

/// The calls that a run makes, and how often one of its threads makes each.
struct Calls<'a> {
    strace: &'a Path,
    counts: Vec<(String, u64)>,
}

impl<'a> Calls<'a> {
    /// Runs the program once to its end.
    fn of(
        scene: &Scene<'_>,
        strace: &'a Path,
        folder: &Path,
        arguments: &[&str],
    ) -> Result<Self, Box<dyn Error>> {
        let log = tempfile::NamedTempFile::new()?;
        let output = log.path().display().to_string();
        let trace = format!("trace={CALLS}");
        let options = ["-o", &output, "-e", &trace];
        let mut run = traced(scene, strace, &options, folder, arguments);
        let ended = run_program(&mut run, LIMIT)?;
        if ended.code() != Some(0) {
            return Err(format!("a run under strace failed: {}", ended.words()).into());
        }
        let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
        for line in fs::read_to_string(log.path())?.lines() {
            // `THREAD call(arguments) = result`
            let mut words = line.split_whitespace();
            let thread = words.next().unwrap_or_default();
            if let Some((call, _)) = words.next().and_then(|word| word.split_once('(')) {
                *counts
                    .entry((call.to_owned(), thread.to_owned()))
                    .or_default() += 1;
            }
        }
        let mut most: BTreeMap<String, u64> = BTreeMap::new();
        for ((call, _), count) in counts {
            let most = most.entry(call).or_default();
            *most = count.max(*most);
        }
        if most.is_empty() {
            return Err("strace saw no system call".into());
        }
        Ok(Self {
            strace,
            counts: most.into_iter().collect(),
        })
    }

    /// Runs the program until one of its threads makes some call for some time; each kind of call is as
    /// likely as every other.
    fn end_at_one(
        &self,
        scene: &Scene<'_>,
        random: &mut Random,
        folder: &Path,
        arguments: &[&str],
    ) -> Result<Ended, Box<dyn Error>> {
        let kind = usize::try_from(random.below(self.counts.len() as u64)).unwrap_or(0);
        let (call, times) = &self.counts[kind];
        let number = random.below(*times) + 1;
        let trace = format!("trace={call}");
        let inject = format!("inject={call}:signal=KILL:when={number}");
        let options = ["-o", "/dev/null", "-e", &trace, "-e", &inject];
        let mut run = traced(scene, self.strace, &options, folder, arguments);
        Ok(run_program(&mut run, LIMIT)?)
    }
}

fn traced(
    scene: &Scene<'_>,
    strace: &Path,
    options: &[&str],
    folder: &Path,
    arguments: &[&str],
) -> Command {
    let mut all = vec!["-f", "-qq"];
    all.extend(options);
    let program = scene.program.display().to_string();
    all.extend(["--", &program]);
    all.extend(arguments);
    command(strace, folder, &all)
}
