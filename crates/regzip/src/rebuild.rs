//! From recipe and plain content to the stream.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::recipe::{Recipe, Tail};
use feed::Feed;
use part::{Job, Planner, Running, longest_history};
use queue::{Pending, Queue, Work};
pub use workers::Workers;
#[cfg(test)]
pub(crate) use workers::workers;

mod feed;
mod part;
mod queue;
mod workers;

/// Plain bytes that an encoder is given at a time.
const PIECE: u64 = 1 << 16;
/// Jobs with more plain bytes are not held in memory: they run on the caller's thread, piece by
/// piece.
const MAX_JOB: u64 = 16 << 20;
/// Jobs for each thread that are under way or wait.
const JOBS: usize = 2;
/// Where one takes long there may be more, up to so many plain bytes for each thread.
const AHEAD: u64 = 4 << 20;

/// Writes the stream to `out` on one thread; returns its length.
///
/// The stream's checksum is compared at the end: after an error, what was written so far must not
/// be used.
pub fn rebuild<P: Read, W: Write>(recipe: &Recipe, plain: P, out: W) -> Result<u64> {
    rebuild_with(recipe, plain, out, &Workers::none())
}

/// As [`rebuild`], on several threads where the recipe has checkpoints or several members.
///
/// Holds some MiB for each thread; the output does not depend on their number.
pub fn rebuild_with<P: Read, W: Write>(
    recipe: &Recipe,
    plain: P,
    mut out: W,
    workers: &Workers,
) -> Result<u64> {
    let mut rebuilder = Rebuilder::new(Arc::new(recipe.clone()), plain, workers);
    while let Some(bytes) = rebuilder.next_piece()? {
        out.write_all(bytes)?;
    }
    Ok(recipe.stream_len)
}

/// The stream as a [`Read`]er. The last read fails if the stream is not the original.
pub struct RebuildReader<P> {
    rebuilder: Rebuilder<P>,
    at: usize,
    ended: bool,
}

impl<P: Read> RebuildReader<P> {
    /// Rebuilds while it is read from, on the reader's thread.
    pub fn new(recipe: impl Into<Arc<Recipe>>, plain: P) -> Self {
        Self::with_workers(recipe, plain, &Workers::none())
    }

    /// Rebuilds on several threads; the plain content is read on the reader's.
    pub fn with_workers(recipe: impl Into<Arc<Recipe>>, plain: P, workers: &Workers) -> Self {
        Self {
            rebuilder: Rebuilder::new(recipe.into(), plain, workers),
            at: 0,
            ended: false,
        }
    }

    /// The next bytes at once, `None` at the end.
    pub(crate) fn next_piece(&mut self) -> Result<Option<&[u8]>> {
        self.rebuilder.next_piece()
    }

    /// Gives the source of the plain content back.
    pub fn into_inner(self) -> P {
        self.rebuilder.feed.into_inner()
    }
}

impl<P: Read> Read for RebuildReader<P> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        while !self.ended && self.at >= self.rebuilder.piece.len() {
            self.at = 0;
            self.ended = self.rebuilder.next_piece()?.is_none();
        }
        if self.ended {
            return Ok(0);
        }
        let rest = &self.rebuilder.piece[self.at..];
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        self.at += n;
        Ok(n)
    }
}

/// Goes through the recipe and yields the stream in pieces.
struct Rebuilder<P> {
    recipe: Arc<Recipe>,
    feed: Feed<P>,
    planner: Planner,
    /// Where jobs are handed to other threads.
    queue: Option<Queue>,
    /// What was handed over, and its plain bytes.
    pending: VecDeque<(Pending, u64)>,
    /// Buffers of jobs that are done: new ones would cost more than filling them.
    spare: Vec<Vec<u8>>,
    /// Plain bytes before the next job that are kept.
    history: u64,
    /// A job too large to be handed over, until all before it are done.
    held: Option<Job>,
    inline: Option<Inline>,
    tail: Option<u64>,
    piece: Vec<u8>,
    written: u64,
    crc: flate2::Crc,
    done: bool,
}

/// A job that runs on the caller's thread.
struct Inline {
    running: Running,
    at: u64,
    /// Where the job ends and where its input ends.
    to: u64,
    end: u64,
    /// Whether its member ends with it.
    whole: bool,
}

impl<P: Read> Rebuilder<P> {
    fn new(recipe: Arc<Recipe>, plain: P, workers: &Workers) -> Self {
        let several = recipe.members.len() + recipe.checkpoints() > 1;
        let large = recipe.plain_len() > PIECE;
        let queue = (workers.count() > 0 && several && large)
            .then(|| Queue::new(recipe.clone(), workers.clone()));
        Self {
            feed: Feed::new(recipe.clone(), plain),
            planner: Planner::default(),
            history: queue.as_ref().map_or(0, |_| longest_history(&recipe)),
            recipe,
            queue,
            pending: VecDeque::new(),
            spare: Vec::new(),
            held: None,
            inline: None,
            tail: None,
            piece: Vec::new(),
            written: 0,
            crc: flate2::Crc::new(),
            done: false,
        }
    }

    /// The next bytes of the stream, `None` when it is complete and proven.
    fn next_piece(&mut self) -> Result<Option<&[u8]>> {
        self.piece.clear();
        if self.done {
            return Ok(None);
        }
        let more = self.take_done()? || self.work()?;
        self.written += self.piece.len() as u64;
        if self.written > self.recipe.stream_len {
            return Err(Error::WrongContent("the stream comes out longer"));
        }
        if !more {
            if self.written != self.recipe.stream_len || self.crc.sum() != self.recipe.stream_crc {
                return Err(Error::WrongContent("the stream comes out different"));
            }
            self.done = true;
            return Ok(None);
        }
        Ok(Some(&self.piece))
    }

    /// The output of the next job that was handed to another thread.
    fn take_done(&mut self) -> Result<bool> {
        if self.inline.is_some() {
            return Ok(false);
        }
        let Some(threads) = self.queue.as_ref().map(Queue::threads) else {
            return Ok(false);
        };
        self.fill_queue(JOBS * threads)?;
        let done = loop {
            let Some((queue, (next, _))) = self.queue.as_ref().zip(self.pending.front()) else {
                return Ok(false);
            };
            if let Some(done) = queue.poll(next)? {
                break done;
            }
            // A job that takes long must not keep the others waiting.
            let started = self.pending.len();
            let held: u64 = self.pending.iter().map(|(_, len)| len).sum();
            if held < AHEAD * threads as u64 {
                self.fill_queue(started + 1)?;
            }
            if self.pending.len() > started {
                continue;
            }
            if let Some((next, _)) = self.pending.front() {
                break next.wait()?;
            }
        };
        self.pending.pop_front();
        let out = done.out?;
        self.crc.combine(&out.crc);
        let piece = std::mem::replace(&mut self.piece, out.bytes);
        self.spare.extend([piece, done.plain]);
        Ok(true)
    }

    /// Goes on with what this thread does alone.
    fn work(&mut self) -> Result<bool> {
        let more = match self.inline.take() {
            Some(inline) => self.go_on(inline)?,
            None => self.begin()?,
        };
        self.crc.update(&self.piece);
        Ok(more)
    }

    fn begin(&mut self) -> Result<bool> {
        let job = match self.held.take() {
            None if self.queue.is_none() => self.planner.next_member(&self.recipe),
            held => held,
        };
        match job {
            Some(job) => self.start_inline(&job),
            None => self.write_tail(),
        }
    }

    /// Starts jobs until so many are under way or wait.
    fn fill_queue(&mut self, count: usize) -> Result<()> {
        let Some(queue) = &self.queue else {
            return Ok(());
        };
        while self.held.is_none() && self.pending.len() < count {
            let Some(job) = self.planner.next_job(&self.recipe) else {
                return Ok(());
            };
            if job.to - job.from > MAX_JOB {
                self.held = Some(job);
                return Ok(());
            }
            self.feed.read_to(job.to + job.overshoot)?;
            let ends = job.parts.iter().filter(|part| part.to.is_none());
            let trailers = ends.map(|_| self.feed.trailer()).collect::<Result<_>>()?;
            let mut buffer = || {
                let mut buffer = self.spare.pop().unwrap_or_default();
                buffer.clear();
                buffer
            };
            let (next, out) = (buffer(), buffer());
            let plain = self.feed.take(job.to.saturating_sub(self.history), next);
            let len = job.to - job.from;
            let pending = queue.start(Work {
                job,
                plain,
                trailers,
                out,
            });
            self.pending.push_back((pending, len));
        }
        Ok(())
    }

    /// A large job has one part.
    fn start_inline(&mut self, job: &Job) -> Result<bool> {
        self.feed.read_to(job.from)?;
        let history = self.feed.range(job.from - job.history, job.from);
        let part = job.parts[0];
        let running = Running::start(&self.recipe, part, history, &mut self.piece);
        self.inline = Some(Inline {
            running,
            at: job.from,
            to: job.to,
            end: job.to + job.overshoot,
            whole: part.to.is_none(),
        });
        Ok(true)
    }

    fn go_on(&mut self, mut inline: Inline) -> Result<bool> {
        if inline.at < inline.end {
            let to = inline.end.min(inline.at + PIECE);
            self.feed.read_to(to)?;
            let plain = self.feed.range(inline.at, to);
            inline.running.feed(&self.recipe, plain, &mut self.piece);
            inline.at = to;
            self.feed
                .discard(to.min(inline.to.saturating_sub(self.history)));
            self.inline = Some(inline);
            return Ok(true);
        }
        let trailer = if inline.whole {
            self.feed.trailer()?
        } else {
            Vec::new()
        };
        inline
            .running
            .finish(&self.recipe, &trailer, &mut self.piece)?;
        Ok(true)
    }

    fn write_tail(&mut self) -> Result<bool> {
        let left = match &self.recipe.tail {
            Tail::Zeros(n) => *self.tail.get_or_insert(*n),
            Tail::Bytes(bytes) if self.tail.is_none() => {
                self.piece.extend_from_slice(bytes);
                0
            }
            Tail::None | Tail::Bytes(_) => 0,
        };
        let now = left.min(PIECE);
        self.piece.resize(self.piece.len() + now as usize, 0);
        self.tail = Some(left - now);
        if self.piece.is_empty() && !self.feed.ended()? {
            return Err(Error::WrongContent("it is too long"));
        }
        Ok(!self.piece.is_empty())
    }
}
