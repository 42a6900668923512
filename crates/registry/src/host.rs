//! One registry: where it is, what it is shown, what was learned about it, and what happens to be so now.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::origin::Origin;
use crate::quirks::learned::Learned;
use crate::tokens::Shown;

/// No more warnings of one host are reported.
const MAX_WARNINGS: usize = 20;

/// One registry, shared by all threads.
pub(crate) struct Host {
    /// As references name it.
    pub(crate) name: String,
    /// Where its API is.
    pub(crate) origin: Origin,
    /// Credentials and tokens.
    pub(crate) shown: Arc<Shown>,
    learned: Mutex<Learned>,
    now: Mutex<Now>,
}

/// What happens to be so at the moment.
#[derive(Default)]
struct Now {
    /// It responded at least once.
    reached: bool,
    /// It asked for no requests until then.
    pause: Option<Instant>,
    warnings: HashSet<String>,
}

impl Host {
    pub(crate) fn new(name: String, origin: Origin, shown: Shown) -> Self {
        Self {
            name,
            origin,
            shown: Arc::new(shown),
            learned: Mutex::default(),
            now: Mutex::default(),
        }
    }

    pub(crate) fn learned(&self) -> Learned {
        *self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn learn(&self, update: impl FnOnce(&mut Learned)) {
        update(&mut self.learned.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn was_reached(&self) -> bool {
        self.now().reached
    }

    pub(crate) fn note_reached(&self) {
        self.now().reached = true;
    }

    /// No request begins before `end`.
    pub(crate) fn pause_until(&self, end: Instant) {
        let mut now = self.now();
        now.pause = now.pause.max(Some(end));
    }

    pub(crate) fn pause_left(&self) -> Duration {
        self.now().pause.map_or(Duration::ZERO, |end| {
            end.saturating_duration_since(Instant::now())
        })
    }

    /// Whether a warning is new and there have not been too many.
    pub(crate) fn is_new_warning(&self, text: &str) -> bool {
        let mut now = self.now();
        now.warnings.len() < MAX_WARNINGS && now.warnings.insert(text.to_owned())
    }
}
