//! Events of progress, and who receives them.

use std::time::Duration;

use sealift_oci::Digest;

use crate::Cancel;

/// How the work on one blob or manifest ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Fetched and written.
    Fetched,
    /// Sent to the registry.
    Sent,
    /// Mounted from another repository of the registry.
    Mounted,
    /// It was there already.
    Present,
    /// Read and found right.
    Verified,
    /// Not done; the error comes with the command's result.
    Failed,
    /// Not done, since the work was stopped before.
    Stopped,
}

impl Outcome {
    /// The outcome of work that was not done: stopped if one of `cancels` was raised, failed otherwise.
    pub fn not_done(cancels: &[&Cancel]) -> Self {
        if cancels.iter().any(|cancel| cancel.is_cancelled()) {
            Self::Stopped
        } else {
            Self::Failed
        }
    }
}

/// Something that happened, for whoever watches. Byte counts are of content, not of the wire.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A new part of the work begins.
    Phase {
        /// What it does, in the present participle: "resolving".
        name: &'a str,
    },
    /// What the phase has to do in all, once it is known.
    Total {
        /// How many blobs.
        blobs: u64,
        /// How many bytes.
        bytes: u64,
    },
    /// Work on one piece of content begins.
    Started {
        /// Which.
        digest: &'a Digest,
        /// Its size in bytes.
        size: u64,
        /// What it belongs to, for a person: an image or a repository; empty if it is named by its digest only.
        what: &'a str,
    },
    /// More bytes of it were moved. Bytes that a retry repeats are not counted again.
    Advanced {
        /// Which.
        digest: &'a Digest,
        /// How many more.
        bytes: u64,
    },
    /// Work on it ended.
    Finished {
        /// Which.
        digest: &'a Digest,
        /// How.
        outcome: Outcome,
    },
    /// A request failed and will be made again.
    Retry {
        /// The host.
        host: &'a str,
        /// What was asked of it.
        what: &'a str,
        /// What came instead.
        error: &'a str,
        /// How long it will wait.
        wait: Duration,
    },
    /// Something that a person should know and that does not stop the work.
    Warning {
        /// The whole sentence.
        text: &'a str,
    },
    /// Something worth a line in a log.
    Note {
        /// The whole sentence.
        text: &'a str,
    },
}

/// Watches the work. Called from many threads; must return quickly.
pub trait Observer: Send + Sync {
    /// Takes one event.
    fn event(&self, event: &Event<'_>);
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObserver;

impl Observer for NoObserver {
    fn event(&self, _: &Event<'_>) {}
}
