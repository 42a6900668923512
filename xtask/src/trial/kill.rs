//! The trial `kill`: builds and loads that are killed at any moment, run again until they are done.
//!
//! Moments are chosen in three ways: after so many requests, which reaches every state of the network; at one
//! system call that writes, which reaches every state of the disk; and, the other way round, the registry is
//! killed while a load runs. Whatever happened before, the last run has to give the same bytes, and nothing
//! that was complete is moved again.

mod calls;
mod crash;

use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use sealift_testkit::{Fault, Profile, Registry, Route, When};
use tempfile::TempDir;

use super::Setting;
use super::content::{Content, Trees};
use super::program::{Ended, command, run as run_program, run_and_kill};
use super::random::Random;
use super::report::Report;

/// A run takes a second or two; one that takes this long hangs.
const LIMIT: Duration = Duration::from_secs(60);
/// How many transfers run at once.
const CONNECTIONS: u64 = 2;
/// Bytes of each layer.
const LAYER: usize = 400_000;

/// Runs all rounds.
pub(super) fn run(setting: &Setting, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let scene = Scene::new(&setting.program)?;
    for seed in setting.rounds(100, 1000) {
        scene.build(report, seed)?;
        scene.load(report, seed)?;
    }
    calls::run(&scene, setting, report)?;
    crash::run(&scene, setting, report)
}

/// The source, its bundle, and what has to arrive.
struct Scene<'a> {
    program: &'a Path,
    content: Content,
    source: Registry,
    folder: TempDir,
    bundle: Vec<u8>,
    trees: Trees,
}

const BUILD: [&str; 7] = [
    "bundle",
    "-f",
    "images.txt",
    "-o",
    "product.tar",
    "--connections",
    "2",
];

impl<'a> Scene<'a> {
    fn new(program: &'a Path) -> Result<Self, Box<dyn Error>> {
        let content = Content::new(LAYER);
        let (source, folder) = content.source()?;
        run_program(&mut command(program, folder.path(), &BUILD), LIMIT)?.succeeded()?;
        // Responses come in pieces, so that kills meet blobs half on their way.
        let slow = Fault::Trickle(96 << 10, Duration::from_millis(3));
        source.script(When::new("GET", Route::Blob).always(), slow);
        Ok(Self {
            program,
            trees: content.trees(source.address(), "")?,
            bundle: fs::read(folder.path().join("product.tar"))?,
            content,
            source,
            folder,
        })
    }

    /// A folder with the image list.
    fn build_folder(&self) -> Result<TempDir, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        fs::copy(
            self.folder.path().join("images.txt"),
            folder.path().join("images.txt"),
        )?;
        Ok(folder)
    }

    /// Builds, killed up to three times, and once more to the end.
    fn build(&self, report: &mut Report, seed: u64) -> Result<(), Box<dyn Error>> {
        let mut random = Random::new(seed, "build");
        let folder = self.build_folder()?;
        self.source.clear_traffic();
        for _ in 0..=random.below(3) {
            let moment = Moment::new(&mut random, 45);
            let mut command = command(self.program, folder.path(), &BUILD);
            let ended = moment.kill(&mut command, &self.source)?;
            report.count(if ended.code().is_none() {
                "builds killed after some requests"
            } else {
                "builds done before the kill"
            });
        }
        self.finish_build(report, seed, folder.path())
    }

    /// Runs a build to its end, and compares.
    fn finish_build(
        &self,
        report: &mut Report,
        seed: u64,
        folder: &Path,
    ) -> Result<(), Box<dyn Error>> {
        let mut again = command(self.program, folder, &BUILD);
        let mut ended = run_program(&mut again, LIMIT)?;
        if ended.code() == Some(5) && folder.join("product.tar").exists() {
            // It was published before the kill.
            report.count("bundles that were complete before the last run");
            ended = run_program(
                &mut command(self.program, folder, &["verify", "product.tar"]),
                LIMIT,
            )?;
        }
        report.run(&ended);
        if ended.code() != Some(0) {
            report.fault(seed, format!("the last build failed: {}", ended.words()));
            return Ok(());
        }
        if fs::read(folder.join("product.tar"))? != self.bundle {
            report.fault(seed, "the bundle has other bytes");
        }
        let mut left: Vec<_> = fs::read_dir(folder)?
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<Result<_, _>>()?;
        left.retain(|name| name != "images.txt" && name != "product.tar");
        if !left.is_empty() {
            report.fault(seed, format!("files were left: {left:?}"));
        }
        self.count_repeated_downloads(report, seed);
        Ok(())
    }

    /// A blob may be complete on the wire and not yet in the journal, one for each connection and kill.
    fn count_repeated_downloads(&self, report: &mut Report, seed: u64) {
        let downloads = self.source.traffic().whole_downloads();
        let again: u64 = downloads
            .values()
            .map(|times| times.saturating_sub(1) as u64)
            .sum();
        report.largest("complete blobs fetched again in one round", again);
        if again > 3 * CONNECTIONS {
            report.fault(seed, format!("{again} complete blobs were fetched again"));
        }
    }

    /// Loads, killed up to three times, and once more to the end.
    fn load(&self, report: &mut Report, seed: u64) -> Result<(), Box<dyn Error>> {
        let mut random = Random::new(seed, "load");
        let destination = Registry::with_profile(Profile::Distribution3);
        let late = Fault::Delay(Duration::from_millis(3));
        destination.script(When::new("PUT", Route::Session).always(), late);
        let folder = self.load_folder()?;
        let host = destination.host();
        for _ in 0..=random.below(3) {
            let moment = Moment::new(&mut random, 60);
            let mut command = command(self.program, folder.path(), &load(&host));
            let ended = moment.kill(&mut command, &destination)?;
            // What the registry has received and not yet kept would be sent again.
            destination.wait_until_idle();
            report.count(if ended.code().is_none() {
                "loads killed after some requests"
            } else {
                "loads done before the kill"
            });
        }
        let ended = self.finish_load(folder.path(), &host)?;
        let uploads = destination.traffic().uploads();
        let twice = uploads.values().filter(|times| **times > 1).count();
        if twice > 0 {
            report.fault(seed, format!("{twice} complete blobs were sent again"));
        }
        self.check_load(report, seed, &ended, destination.address());
        Ok(())
    }

    /// A folder with the bundle.
    fn load_folder(&self) -> Result<TempDir, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        fs::hard_link(
            self.folder.path().join("product.tar"),
            folder.path().join("product.tar"),
        )?;
        Ok(folder)
    }

    /// Runs a load to its end.
    fn finish_load(&self, folder: &Path, host: &str) -> Result<Ended, Box<dyn Error>> {
        let mut again = command(self.program, folder, &load(host));
        Ok(run_program(&mut again, LIMIT)?)
    }

    /// Compares what a registry serves after the last load.
    fn check_load(&self, report: &mut Report, seed: u64, ended: &Ended, registry: SocketAddr) {
        report.run(ended);
        if ended.code() != Some(0) {
            report.fault(seed, format!("the last load failed: {}", ended.words()));
            return;
        }
        match self.content.trees(registry, "") {
            Ok(trees) if trees == self.trees => {}
            Ok(_) => report.fault(seed, "the registry serves something else"),
            Err(error) => report.fault(seed, format!("the registry serves too little: {error}")),
        }
    }
}

fn load(host: &str) -> [&str; 5] {
    ["load", "product.tar", host, "--connections", "2"]
}

/// When a run is killed: so many requests after its start, and so long after that.
struct Moment {
    requests: usize,
    wait: Duration,
}

impl Moment {
    /// Any moment of a run that makes about so many requests.
    fn new(random: &mut Random, requests: u64) -> Self {
        Self {
            requests: usize::try_from(random.below(requests)).unwrap_or(0),
            wait: Duration::from_micros(random.below(4000)),
        }
    }

    /// Runs a command and kills it at this moment, if it lives that long.
    fn kill(self, command: &mut Command, registry: &Registry) -> Result<Ended, Box<dyn Error>> {
        let before = registry.traffic().0.len();
        let mut reached = None;
        let mut is_time = |now: Duration| {
            if reached.is_none() && registry.traffic().0.len() >= before + self.requests {
                reached = Some(now);
            }
            reached.is_some_and(|at| now >= at + self.wait)
        };
        Ok(run_and_kill(command, LIMIT, &mut is_time)?)
    }
}
