//! Ctrl-C and SIGTERM: the first asks the work to stop at the next safe place, the second ends it.

use std::sync::atomic::{AtomicBool, Ordering};

use sealift_pipeline::Cancel;

use crate::exit::Exit;
use crate::failure::Failure;

/// A flag that the first signal raises.
///
/// # Errors
/// Where the system lets no handler be set.
pub(crate) fn cancel_on_signal() -> Result<Cancel, Failure> {
    let cancel = Cancel::new();
    let raised = cancel.clone();
    let seen = AtomicBool::new(false);
    ctrlc::set_handler(move || {
        if seen.swap(true, Ordering::Relaxed) {
            end_now();
        }
        raised.cancel();
    })
    .map_err(|error| Failure::new(Exit::Failed, &error))?;
    Ok(cancel)
}

/// What is on the disk is as safe as after a power cut: the next run takes it up.
#[expect(clippy::exit, reason = "a second signal asks for exactly this")]
fn end_now() {
    std::process::exit(Exit::Interrupted as i32);
}
