//! SIGINT, SIGTERM and SIGHUP: the first asks the work to stop at the next safe place and ends it soon in any
//! case, the second ends it at once. SIGXFSZ: a file that grows beyond a limit is an error of the write.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use sealift_pipeline::{Cancel, Cancelled};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::interruption::Kept;

/// How long the work may take to stop by itself. It may be waiting for something that never comes: the other
/// end of a pipe, a registry, a disk.
const GRACE: Duration = Duration::from_millis(1200);
/// How long the last message may wait for a standard error that nobody reads.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// A flag that the first signal raises. The command keeps `kept` when it is interrupted.
///
/// # Errors
/// Where the system lets no handler be set or starts no thread.
pub(crate) fn cancel_on_signal(kept: Kept) -> Result<Cancel, Failure> {
    let cancel = Cancel::new();
    watch(cancel.clone(), kept).map_err(|error| {
        Failure::message(Exit::Failed, format!("cannot handle signals: {error}"))
    })?;
    Ok(cancel)
}

fn watch(cancel: Cancel, kept: Kept) -> io::Result<()> {
    // The handler's only purpose is that the process is not ended: the write fails with its reason.
    signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
    let ignored = ignored();
    let wanted = [SIGINT, SIGTERM, SIGHUP].into_iter();
    let mut signals = Signals::new(wanted.filter(|signal| !is_in(ignored, *signal)))?;
    let end = move || {
        for (seen, _) in signals.forever().enumerate() {
            if seen > 0 {
                end_now();
            }
            cancel.cancel();
            // On a thread of its own, so that a second signal is noticed.
            let end = move || end_after_grace(kept);
            if thread::Builder::new().spawn(end).is_err() {
                end_after_grace(kept);
            }
        }
    };
    thread::Builder::new().spawn(end).map(drop)
}

/// The signals that the parent process set to be ignored, as `nohup` does: a bit set; 0 if the system does not report
/// them.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let set = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    set.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .unwrap_or(0)
}

fn is_in(set: u64, signal: i32) -> bool {
    u32::try_from(signal - 1)
        .is_ok_and(|bit| set.checked_shr(bit).is_some_and(|bits| bits & 1 == 1))
}

fn end_after_grace(kept: Kept) {
    thread::sleep(GRACE);
    let (said, wait) = mpsc::channel();
    let say = move || {
        Failure::from(Cancelled).report(kept);
        let _ = said.send(());
    };
    if thread::Builder::new().spawn(say).is_ok() {
        let _ = wait.recv_timeout(LAST_WORDS);
    }
    end_now();
}

/// What is on the disk is as safe as after a power cut: the next run takes it up.
#[expect(clippy::exit, reason = "a signal asks for exactly this")]
fn end_now() {
    std::process::exit(Exit::Interrupted as i32);
}
