//! Threads that write parts of a stream.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::error::{Error, Result};
use crate::feed::Stretch;
use crate::part::{Job, Running};
use crate::recipe::Recipe;

/// A job with all that it needs.
pub(crate) struct Work {
    pub(crate) job: Job,
    /// All from the history before it to the overshoot after it.
    pub(crate) plain: Stretch,
    /// Of the members that end in it.
    pub(crate) trailers: Vec<Vec<u8>>,
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
    /// Of the bytes; taken by the thread that has them at hand.
    pub(crate) crc: flate2::Crc,
}

/// Where the output of a job will arrive.
pub(crate) struct Pending(Receiver<Done>);

impl Pending {
    /// Waits for the output.
    pub(crate) fn wait(&self) -> Result<Done> {
        self.0.recv().map_err(|_| gone())
    }
}

fn gone() -> Error {
    Error::Io(std::io::Error::other(
        "a thread that rebuilt a part is gone",
    ))
}

type Item = (Work, SyncSender<Done>);

/// Jobs that nobody has begun.
#[derive(Default)]
struct Queue {
    state: Mutex<Waiting>,
    more: Condvar,
}

#[derive(Default)]
struct Waiting {
    items: VecDeque<Item>,
    closed: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, item: Item) {
        self.lock().items.push_back(item);
        self.more.notify_one();
    }

    fn try_pop(&self) -> Option<Item> {
        self.lock().items.pop_front()
    }

    /// Waits for the next job; `None` when there will be no more.
    fn pop(&self) -> Option<Item> {
        let idle = |waiting: &mut Waiting| waiting.items.is_empty() && !waiting.closed;
        let waiting = self.more.wait_while(self.lock(), idle);
        let mut waiting = waiting.unwrap_or_else(PoisonError::into_inner);
        if waiting.closed {
            return None;
        }
        waiting.items.pop_front()
    }

    /// Drops all jobs that nobody has begun.
    fn close(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        waiting.items.clear();
        self.more.notify_all();
    }
}

/// Threads that end when the pool is dropped. Whoever polls for a job works as well.
pub(crate) struct Pool {
    recipe: Arc<Recipe>,
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// Starts threads; as many as the system allows if that is less than `count`.
    pub(crate) fn new(recipe: &Arc<Recipe>, count: usize) -> Self {
        let queue = Arc::new(Queue::default());
        let threads = (0..count)
            .map_while(|_| {
                let (recipe, queue) = (recipe.clone(), queue.clone());
                std::thread::Builder::new()
                    .name("regzip".to_owned())
                    .spawn(move || {
                        while let Some(item) = queue.pop() {
                            work(&recipe, item);
                        }
                    })
                    .ok()
            })
            .collect();
        Self {
            recipe: recipe.clone(),
            queue,
            threads,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.threads.len()
    }

    pub(crate) fn start(&self, work: Work) -> Pending {
        let (reply, pending) = sync_channel(1);
        self.queue.push((work, reply));
        Pending(pending)
    }

    /// The output of a job; until it is there, does others that wait, `None` when none does.
    pub(crate) fn poll(&self, pending: &Pending) -> Result<Option<Done>> {
        loop {
            match pending.0.try_recv() {
                Ok(done) => return Ok(Some(done)),
                Err(TryRecvError::Disconnected) => return Err(gone()),
                Err(TryRecvError::Empty) => {}
            }
            match self.queue.try_pop() {
                Some(item) => work(&self.recipe, item),
                None => return Ok(None),
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            // A panic was reported already, to whoever wanted the output.
            drop(thread.join());
        }
    }
}

fn work(recipe: &Recipe, (mut work, reply): Item) {
    let out = std::mem::take(&mut work.out);
    let out = run(recipe, &work, out).map(|bytes| {
        let mut crc = flate2::Crc::new();
        crc.update(&bytes);
        Output { bytes, crc }
    });
    let plain = work.plain.bytes;
    // Whoever asked may have lost interest.
    drop(reply.send(Done { out, plain }));
}

/// Writes all parts of a job.
fn run(recipe: &Recipe, work: &Work, mut out: Vec<u8>) -> Result<Vec<u8>> {
    let job = &work.job;
    out.reserve_exact(job.output(recipe));
    let mut trailers = work.trailers.iter();
    let mut history = work.plain.range(job.from - job.history, job.from);
    let mut rest = work.plain.range(job.from, job.to + job.overshoot);
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
        let trailer = if part.to.is_none() {
            trailers.next()
        } else {
            None
        };
        running.finish(recipe, trailer.map_or(&[], Vec::as_slice), &mut out)?;
    }
    Ok(out)
}
