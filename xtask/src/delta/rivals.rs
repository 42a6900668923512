//! Programs that make patches of the opened layers, one layer of the new release against the same of the old one.

use std::error::Error;
use std::process::Command;
use std::time::Duration;

use sealift_testkit::real::require;

use super::pairs::Pair;
use crate::clock::Times;
use crate::compact::sets::succeed;

/// A program and how it is called.
pub(crate) struct Rival {
    pub(crate) name: &'static str,
    pub(crate) program: &'static str,
}

pub(crate) const ALL: [Rival; 2] = [
    Rival {
        name: "zstd -12 --long=31 --patch-from",
        program: "zstd",
    },
    Rival {
        name: "bsdiff",
        program: "bsdiff",
    },
];

/// Bytes of the patches and the processor time that they took; nothing if the program is not installed.
pub(crate) fn run(pair: &Pair, rival: &Rival) -> Result<Option<(u64, Duration)>, Box<dyn Error>> {
    let Some(program) = require(rival.program) else {
        return Ok(None);
    };
    let folder = tempfile::tempdir()?;
    let patch = folder.path().join("patch");
    let times = Times::now()?;
    let mut stored = 0;
    for (old, new) in pair.old.layers.iter().zip(&pair.new.layers) {
        let mut command = Command::new(&program);
        if rival.program == "zstd" {
            command.args(["-12", "--long=31", "-q", "-f"]);
            command.arg(format!("--patch-from={}", old.tar.display()));
            command.arg(&new.tar).arg("-o").arg(&patch);
        } else {
            command.arg(&old.tar).arg(&new.tar).arg(&patch);
        }
        succeed(&mut command)?;
        stored += patch.metadata()?.len();
    }
    Ok(Some((stored, times.since()?.children)))
}
