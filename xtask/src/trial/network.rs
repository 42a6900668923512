//! The trial `network`: bundles and loads over a line on which one thing goes wrong, to registries of other people.
//!
//! Whatever goes wrong, no command hangs, none claims what is not so, and the same command without the fault
//! completes the work.

mod line;

use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sealift_testkit::real::RealRegistry;
use tempfile::TempDir;

use self::line::{Fault, Line, Target, Wrong};
use super::Setting;
use super::content::{Content, Trees};
use super::program::{Ended, command, run as run_program};
use super::random::Random;
use super::report::Report;

/// One fault costs a few seconds of waiting; a run that takes this long hangs.
const LIMIT: Duration = Duration::from_secs(90);
/// How many rounds run at once: most of their time is waiting.
const LANES: usize = 6;
/// The step from one fault to the next: a prime that does not divide their number.
const STRIDE: usize = 53;
/// Bytes of each layer: large enough to be sent by PATCH.
const LAYER: usize = 500_000;

/// Which requests can go wrong, and how.
const WRONGS: [Wrong; 20] = [
    Wrong::Refuse,
    Wrong::LoseResponse,
    Wrong::CutHead,
    Wrong::CutAtStart,
    Wrong::CutInside,
    Wrong::Status(429),
    Wrong::Status(500),
    Wrong::Status(502),
    Wrong::Status(503),
    Wrong::StatusAfter(500),
    Wrong::StatusAfter(504),
    Wrong::Garbage,
    Wrong::Nothing,
    Wrong::Late,
    Wrong::Drip,
    Wrong::Flip,
    Wrong::Interim,
    Wrong::CutRequest,
    Wrong::Without("docker-content-digest"),
    Wrong::Without("location"),
];
const OF_LOADS: [Target; 7] = [
    Target::HeadManifest,
    Target::GetManifest,
    Target::PutManifest,
    Target::HeadBlob,
    Target::OpenUpload,
    Target::Send,
    Target::Commit,
];
const OF_BUNDLES: [Target; 2] = [Target::GetManifest, Target::GetBlob];

/// Every fault: what it hits, what happens, and whether it is for a load or for a bundle.
fn faults() -> Vec<(Target, Wrong, bool)> {
    let mut faults = Vec::new();
    for (targets, is_load) in [(&OF_LOADS[..], true), (&OF_BUNDLES[..], false)] {
        for target in targets {
            for wrong in WRONGS {
                let has_body = matches!(target, Target::GetManifest | Target::GetBlob);
                let sends = matches!(target, Target::PutManifest | Target::Send);
                let fits = match wrong {
                    Wrong::CutAtStart | Wrong::CutInside | Wrong::Drip | Wrong::Flip => has_body,
                    Wrong::CutRequest => sends,
                    Wrong::Without("location") => {
                        matches!(target, Target::OpenUpload | Target::Send)
                    }
                    _ => true,
                };
                if fits {
                    faults.push((*target, wrong, is_load));
                }
            }
        }
    }
    faults
}

/// Runs all faults against all registries that are installed.
pub(super) fn run(setting: &Setting, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let registries = [
        ("docker-registry 2.8", RealRegistry::distribution2()),
        ("distribution 3", RealRegistry::distribution3()),
        ("go-containerregistry", RealRegistry::crane()),
    ];
    let registries: Vec<(&str, RealRegistry)> = registries
        .into_iter()
        .filter_map(|(name, registry)| Some((name, registry?)))
        .collect();
    if registries.is_empty() {
        return Ok(());
    }
    let faults = faults();
    report.largest("different faults", faults.len() as u64);
    let scene = Scene::new(&setting.program)?;
    let mut lanes = Vec::new();
    for (name, registry) in &registries {
        for _ in 0..LANES {
            lanes.push(Lane::new(&scene, name, registry.address())?);
        }
    }
    let all = (faults.len() * registries.len()) as u64;
    let seeds: Vec<u64> = setting.rounds(faults.len() as u64 / 2, 3 * all).collect();
    let next = AtomicUsize::new(0);
    let shared = Mutex::new(report);
    let failed: Mutex<Option<String>> = Mutex::new(None);
    std::thread::scope(|scope| {
        for number in 0..LANES {
            let (lanes, faults, scene, shared, failed, next, seeds) =
                (&lanes, &faults, &scene, &shared, &failed, &next, &seeds);
            scope.spawn(move || {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let at = usize::try_from(seed.wrapping_sub(1)).unwrap_or(0);
                    // In mixed order, so that few rounds have some of each kind, and each with all registries.
                    let fault = faults[at.wrapping_mul(STRIDE) % faults.len()];
                    let registry = (at + at / faults.len()) % (lanes.len() / LANES);
                    let lane = &lanes[registry * LANES + number];
                    if let Err(error) = lane.round(scene, shared, *seed, fault) {
                        let text = error.to_string();
                        let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                        failed.get_or_insert(text);
                        return;
                    }
                }
            });
        }
    });
    match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(text) => Err(text.into()),
        None => Ok(()),
    }
}

/// What all lanes share.
struct Scene<'a> {
    program: &'a Path,
    content: Content,
    trees: Trees,
    /// The bundle that is loaded.
    folder: TempDir,
}

impl<'a> Scene<'a> {
    fn new(program: &'a Path) -> Result<Self, Box<dyn Error>> {
        let content = Content::new(LAYER);
        let (source, folder) = content.source()?;
        bundle(program, folder.path())?.succeeded()?;
        Ok(Self {
            program,
            trees: content.trees(source.address(), "")?,
            content,
            folder,
        })
    }
}

fn bundle(program: &Path, folder: &Path) -> Result<Ended, Box<dyn Error>> {
    let arguments = ["bundle", "-f", "images.txt", "-o", "out.tar", "--quiet"];
    Ok(run_program(
        &mut command(program, folder, &arguments),
        LIMIT,
    )?)
}

/// A line to one registry, on which one round runs at a time.
struct Lane<'a> {
    registry: &'a str,
    address: SocketAddr,
    line: Line,
    /// The bundle that comes of the registry's images without a fault.
    bundle: Vec<u8>,
}

impl<'a> Lane<'a> {
    fn new(
        scene: &Scene<'_>,
        registry: &'a str,
        address: SocketAddr,
    ) -> Result<Self, Box<dyn Error>> {
        let mut lane = Self {
            registry,
            address,
            line: Line::to(address)?,
            bundle: Vec::new(),
        };
        let work_dir = lane.work_dir(scene)?;
        lane.load(scene, work_dir.path(), "")?.succeeded()?;
        bundle(scene.program, work_dir.path())?.succeeded()?;
        lane.bundle = fs::read(work_dir.path().join("out.tar"))?;
        Ok(lane)
    }

    /// A folder with the bundle to load and the list of images to bundle.
    fn work_dir(&self, scene: &Scene<'_>) -> Result<TempDir, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        fs::hard_link(
            scene.folder.path().join("out.tar"),
            folder.path().join("in.tar"),
        )?;
        let list = scene.content.list(&self.line.host());
        fs::write(folder.path().join("images.txt"), list)?;
        Ok(folder)
    }

    fn load(&self, scene: &Scene<'_>, folder: &Path, path: &str) -> Result<Ended, Box<dyn Error>> {
        let destination = format!("{}{path}", self.line.host());
        let arguments = ["load", "in.tar", &destination, "--quiet"];
        Ok(run_program(
            &mut command(scene.program, folder, &arguments),
            LIMIT,
        )?)
    }

    fn round(
        &self,
        scene: &Scene<'_>,
        report: &Mutex<&mut Report>,
        seed: u64,
        (target, wrong, is_load): (Target, Wrong, bool),
    ) -> Result<(), Box<dyn Error>> {
        let mut random = Random::new(seed, "network");
        let fault = Fault {
            target,
            wrong,
            skip: random.below(3),
            times: random.below(3) + 1,
        };
        let work_dir = self.work_dir(scene)?;
        let path = format!("/round{seed}");
        let attempt = || {
            if is_load {
                self.load(scene, work_dir.path(), &path)
            } else {
                bundle(scene.program, work_dir.path())
            }
        };
        self.line.script(Some(fault));
        let first = attempt()?;
        let missed = self.line.script(None) == fault.times;
        let second = if first.code() == Some(0) {
            None
        } else {
            Some(attempt()?)
        };
        let last = second.as_ref().unwrap_or(&first);
        let wrong = self.judge(scene, &first, last, is_load, &path, work_dir.path());

        let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
        report.run(&first);
        let what = if is_load { "loads" } else { "bundles" };
        report.count(format!("{what} with a fault, {}", self.registry));
        if missed {
            report.count(format!("{what} that the fault did not meet"));
        } else if second.is_some() {
            report.count(format!("{what} that the same command completed afterwards"));
        } else {
            report.count(format!("{what} that completed in spite of the fault"));
        }
        if let Some(found) = wrong {
            let words = first.words();
            report.fault(
                seed,
                format!("{fault:?}, {}: {found}; first run: {words}", self.registry),
            );
        }
        Ok(())
    }

    /// What is wrong after a round.
    fn judge(
        &self,
        scene: &Scene<'_>,
        first: &Ended,
        last: &Ended,
        is_load: bool,
        path: &str,
        work_dir: &Path,
    ) -> Option<String> {
        if first.hung || last.hung {
            return Some("it hung".to_owned());
        }
        if first.crashed() || last.crashed() {
            return Some("it crashed".to_owned());
        }
        if last.code() != Some(0) {
            return Some(format!(
                "the run without the fault failed: {}",
                last.words()
            ));
        }
        if !is_load {
            let bundle = fs::read(work_dir.join("out.tar")).unwrap_or_default();
            return (bundle != self.bundle).then(|| "the bundle has other bytes".to_owned());
        }
        let prefix = format!("{}/", path.trim_start_matches('/'));
        match scene.content.trees(self.address, &prefix) {
            Ok(trees) if trees == scene.trees => None,
            Ok(_) => Some("the registry serves something else".to_owned()),
            Err(error) => Some(format!("the registry serves too little: {error}")),
        }
    }
}
