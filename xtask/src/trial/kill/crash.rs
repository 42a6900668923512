//! Loads into a registry that is killed and started again meanwhile.

use std::error::Error;
use std::time::Duration;

use sealift_testkit::real::{self, RealRegistry};

use super::{LIMIT, Scene, load};
use crate::trial::Setting;
use crate::trial::program::{command, run_and_kill};
use crate::trial::random::Random;
use crate::trial::report::Report;

/// A load into a registry of this kind takes about so long, in milliseconds.
const USUAL: u64 = 600;

/// Kills the registry once in each load.
pub(super) fn run(
    scene: &Scene<'_>,
    setting: &Setting,
    report: &mut Report,
) -> Result<(), Box<dyn Error>> {
    let Some(program) = real::require("docker-registry") else {
        return Ok(());
    };
    for seed in setting.rounds(10, 200) {
        let mut random = Random::new(seed, "crash");
        let moment = Duration::from_millis(random.below(USUAL));
        let mut registry = RealRegistry::start(&program);
        let host = registry.host();
        let folder = scene.load_folder()?;
        let mut crashed = false;
        let mut crash = |now: Duration| {
            if now >= moment && !crashed {
                crashed = true;
                registry.crash_and_restart(&program);
            }
            false
        };
        let mut first = command(scene.program, folder.path(), &load(&host));
        let ended = run_and_kill(&mut first, LIMIT, &mut crash)?;
        report.count(match (crashed, ended.code()) {
            (false, _) => "loads done before the registry was killed",
            (true, Some(0)) => "loads that outlived a crash of the registry",
            (true, _) => "loads that a crash of the registry ended",
        });
        if ended.hung || ended.crashed() {
            report.fault(seed, format!("a load hung or crashed: {}", ended.words()));
        }
        let ended = scene.finish_load(folder.path(), &host)?;
        scene.check_load(report, seed, &ended, registry.address());
    }
    Ok(())
}
