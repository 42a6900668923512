//! Threads that write parts of a stream.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::error::{Error, Result};
use crate::part::{Job, Running};
use crate::recipe::Recipe;

/// A job with all that it needs.
pub(crate) struct Work {
    pub(crate) job: Job,
    /// From the history before it to the overshoot after it.
    pub(crate) plain: Vec<u8>,
    /// Of the members that end in it.
    pub(crate) trailers: Vec<Vec<u8>>,
    /// An empty buffer for the output.
    pub(crate) out: Vec<u8>,
}

/// A job that was done.
pub(crate) struct Done {
    pub(crate) out: Result<Vec<u8>>,
    /// Its input's buffer, to be used again.
    pub(crate) plain: Vec<u8>,
}

/// Where the output of a job will arrive.
pub(crate) struct Pending(Receiver<Done>);

impl Pending {
    /// Waits for the output.
    pub(crate) fn wait(self) -> Result<Done> {
        let gone = || {
            Error::Io(std::io::Error::other(
                "a thread that rebuilt a part is gone",
            ))
        };
        self.0.recv().map_err(|_| gone())
    }
}

type Item = (Work, SyncSender<Done>);

/// Threads that end when the pool is dropped.
pub(crate) struct Pool {
    queue: Option<Sender<Item>>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// Starts threads; as many as the system allows if that is less than `count`.
    pub(crate) fn new(recipe: &Arc<Recipe>, count: usize) -> Self {
        let (queue, items) = channel::<Item>();
        let items = Arc::new(Mutex::new(items));
        let threads = (0..count)
            .map_while(|_| {
                let (recipe, items) = (recipe.clone(), items.clone());
                std::thread::Builder::new()
                    .name("regzip".to_owned())
                    .spawn(move || work(&recipe, &items))
                    .ok()
            })
            .collect();
        Self {
            queue: Some(queue),
            threads,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.threads.len()
    }

    pub(crate) fn start(&self, work: Work) -> Pending {
        let (reply, pending) = sync_channel(1);
        if let Some(queue) = &self.queue {
            // If it fails, nobody answers, which `Pending::wait` reports.
            drop(queue.send((work, reply)));
        }
        Pending(pending)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            // A panic was reported by `Pending::wait` already.
            drop(thread.join());
        }
    }
}

fn work(recipe: &Recipe, items: &Mutex<Receiver<Item>>) {
    loop {
        let item = items.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((mut work, reply)) = item else {
            return;
        };
        let out = std::mem::take(&mut work.out);
        let out = run(recipe, &work, out);
        let plain = work.plain;
        // Whoever asked may have lost interest.
        drop(reply.send(Done { out, plain }));
    }
}

/// Writes all parts of a job.
fn run(recipe: &Recipe, work: &Work, mut out: Vec<u8>) -> Result<Vec<u8>> {
    out.reserve(work.plain.len() / 2);
    let mut trailers = work.trailers.iter();
    let (mut history, mut rest) = work.plain.split_at(work.job.history as usize);
    let last = work.job.parts.len() - 1;
    for (index, &part) in work.job.parts.iter().enumerate() {
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
        let trailer = if part.to.is_none() {
            trailers.next()
        } else {
            None
        };
        running.finish(recipe, trailer.map_or(&[], Vec::as_slice), &mut out)?;
    }
    Ok(out)
}
