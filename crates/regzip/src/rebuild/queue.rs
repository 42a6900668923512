//! Jobs on their way to the threads that do them, and their outputs on their way back.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::feed::Stretch;
use super::part::{Job, Running};
use super::workers::{Held, Workers};
use crate::error::{Error, Result};
use crate::recipe::Recipe;

/// A job with all that it needs.
pub(crate) struct Work {
    pub(crate) job: Job,
    /// All from the history before it to the overshoot after it.
    pub(crate) plain: Stretch,
    /// An empty buffer for the output.
    pub(crate) out: Vec<u8>,
}

/// A job that was done.
pub(crate) struct Done {
    pub(crate) out: Result<Output>,
    /// Its input's buffer, to be used again.
    pub(crate) plain: Vec<u8>,
}

/// Bytes of a stream.
#[derive(Default)]
pub(crate) struct Output {
    pub(crate) bytes: Vec<u8>,
    /// Of the bytes; computed by the thread that wrote them.
    pub(crate) crc: flate2::Crc,
}

/// Where the output of a job will arrive.
pub(crate) struct Pending {
    done: Receiver<Done>,
    _held: Held,
}

impl Pending {
    /// Waits for the output: a thread of the pool has begun the job or will begin it.
    pub(crate) fn wait(&self) -> Result<Done> {
        self.done.recv().map_err(|_| lost())
    }
}

fn lost() -> Error {
    Error::Io(std::io::Error::other(
        "the thread that rebuilt a part panicked",
    ))
}

type Item = (Work, SyncSender<Done>);

/// Jobs that no thread has begun, in the order of the stream.
#[derive(Default)]
struct Waiting(Mutex<VecDeque<Item>>);

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Item>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does the first job, if there is one.
    fn work(&self, recipe: &Recipe) -> bool {
        let item = self.lock().pop_front();
        let Some((work, reply)) = item else {
            return false;
        };
        // A panic drops the reply, which the reader notices.
        if let Ok(done) = catch_unwind(AssertUnwindSafe(|| work.run(recipe))) {
            // The reader may have been dropped.
            drop(reply.send(done));
        }
        true
    }
}

/// Hands jobs to the workers. Those that no thread has begun are dropped with it.
pub(crate) struct Queue {
    recipe: Arc<Recipe>,
    waiting: Arc<Waiting>,
    workers: Workers,
}

impl Queue {
    pub(crate) fn new(recipe: Arc<Recipe>, workers: Workers) -> Self {
        Self {
            recipe,
            waiting: Arc::default(),
            workers,
        }
    }

    /// Whether there is room for more jobs than one.
    pub(crate) fn has_room(&self) -> bool {
        self.workers.have_room()
    }

    pub(crate) fn start(&self, work: Work) -> Pending {
        let (reply, done) = sync_channel(1);
        let held = self.workers.hold(work.job.to - work.job.from);
        self.waiting.lock().push_back((work, reply));
        let (recipe, waiting) = (self.recipe.clone(), self.waiting.clone());
        // Any thread takes the first job: this one may have been done by the reader.
        self.workers.spawn(move || {
            waiting.work(&recipe);
        });
        Pending { done, _held: held }
    }

    /// The output of a job if it is there. A reader on a thread of the pool does jobs itself until it is, or
    /// until all have been begun.
    pub(crate) fn poll(&self, pending: &Pending) -> Result<Option<Done>> {
        loop {
            match pending.done.try_recv() {
                Ok(done) => return Ok(Some(done)),
                Err(TryRecvError::Disconnected) => return Err(lost()),
                Err(TryRecvError::Empty) => {}
            }
            if !self.workers.include_caller() || !self.waiting.work(&self.recipe) {
                return Ok(None);
            }
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.waiting.lock().clear();
    }
}

impl Work {
    fn run(mut self, recipe: &Recipe) -> Done {
        let out = std::mem::take(&mut self.out);
        let out = self.write(recipe, out).map(|bytes| {
            let mut crc = flate2::Crc::new();
            crc.update(&bytes);
            Output { bytes, crc }
        });
        let plain = self.plain.bytes;
        Done { out, plain }
    }

    /// Writes all parts of the job.
    fn write(&self, recipe: &Recipe, mut out: Vec<u8>) -> Result<Vec<u8>> {
        let job = &self.job;
        out.reserve_exact(job.output(recipe));
        let mut history = self.plain.range(job.from - job.history, job.from);
        let mut rest = self.plain.range(job.from, job.to + job.overshoot);
        let last = job.parts.len() - 1;
        for (index, &part) in job.parts.iter().enumerate() {
            let mut running = Running::start(recipe, part, history, &mut out);
            history = &[];
            // The last part also gets what lies beyond its end.
            let len = if index == last {
                rest.len()
            } else {
                part.len(recipe) as usize
            };
            let (now, later) = rest.split_at(len);
            rest = later;
            for piece in now.chunks(1 << 16) {
                running.feed(recipe, piece, &mut out);
            }
            running.finish(recipe, &mut out)?;
        }
        Ok(out)
    }
}
