//! Goes through a recipe, plans jobs, and collects what they write.

use std::collections::VecDeque;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use super::feed::Feed;
use super::part::{Job, Planner, Running, longest_history};
use super::queue::{Pending, Queue, Work};
use super::resume_point::ResumePoint;
use super::workers::Workers;
use crate::error::{Error, Result};
use crate::recipe::{Recipe, Tail};

/// Plain bytes that an encoder is given at a time.
const PIECE: u64 = 1 << 16;
/// Jobs with more plain bytes are not held in memory: they run on the caller's thread, piece by
/// piece.
const MAX_JOB: u64 = 16 << 20;

/// Goes through the recipe and yields the stream in pieces.
pub(super) struct Rebuilder<P> {
    recipe: Arc<Recipe>,
    feed: Feed<P>,
    planner: Planner,
    /// Where jobs are handed to other threads.
    queue: Option<Queue>,
    /// What was handed over.
    pending: VecDeque<Pending>,
    /// Buffers of jobs that are done, for plain bytes and for outputs: new ones would cost more than filling them.
    spare_plain: Vec<Vec<u8>>,
    spare_out: Vec<Vec<u8>>,
    /// Plain bytes before the next job that are kept.
    history: u64,
    /// A job too large to be handed over, until all before it are done.
    held: Option<Job>,
    inline: Option<Inline>,
    tail: Option<u64>,
    piece: Vec<u8>,
    /// Where in it the bytes begin that are wanted, and how many before those are still to come.
    first: usize,
    skip: u64,
    /// Bytes of the stream up to the end of the piece.
    written: u64,
    /// Of what was written, and what it has to be in the end.
    crc: flate2::Crc,
    rest_crc: u32,
    done: bool,
}

/// A job that runs on the caller's thread.
struct Inline {
    running: Running,
    at: u64,
    /// Where the job ends and where its input ends.
    to: u64,
    end: u64,
}

impl<P: Read> Rebuilder<P> {
    /// From the start; the source is at the start of the content.
    pub(super) fn new(recipe: Arc<Recipe>, plain: P, workers: &Workers) -> Self {
        let point = ResumePoint::start(&recipe);
        let feed = Feed::new(recipe.clone(), plain);
        Self::at(recipe, feed, &point, workers)
    }

    fn at(recipe: Arc<Recipe>, feed: Feed<P>, point: &ResumePoint, workers: &Workers) -> Self {
        let several = recipe.members.len() + recipe.checkpoints() > 1;
        let large = recipe.plain_len() > PIECE;
        let queue = (workers.count() > 0 && several && large)
            .then(|| Queue::new(recipe.clone(), workers.clone()));
        Self {
            feed,
            planner: Planner::resume(point),
            history: queue.as_ref().map_or(0, |_| longest_history(&recipe)),
            recipe,
            queue,
            pending: VecDeque::new(),
            spare_plain: Vec::new(),
            spare_out: Vec::new(),
            held: None,
            inline: None,
            tail: None,
            piece: Vec::new(),
            first: 0,
            skip: 0,
            written: point.offset,
            crc: flate2::Crc::new(),
            rest_crc: point.rest_crc,
            done: false,
        }
    }

    /// Gives the source of the plain content back.
    pub(super) fn into_inner(self) -> P {
        self.feed.into_inner()
    }

    /// What [`Rebuilder::next_piece`] returned last.
    pub(super) fn piece(&self) -> &[u8] {
        &self.piece[self.first..]
    }

    /// The next bytes of the stream, maybe none yet; `None` when it is complete and proven.
    pub(super) fn next_piece(&mut self) -> Result<Option<&[u8]>> {
        self.piece.clear();
        self.first = 0;
        if self.done {
            return Ok(None);
        }
        let more = self.take_done()? || self.work()?;
        self.written += self.piece.len() as u64;
        if self.written > self.recipe.stream_len {
            return Err(Error::WrongContent("the stream comes out longer"));
        }
        if !more {
            if self.written != self.recipe.stream_len || self.crc.sum() != self.rest_crc {
                return Err(Error::WrongContent("the stream comes out different"));
            }
            self.done = true;
            return Ok(None);
        }
        let skipped = self.skip.min(self.piece.len() as u64);
        self.skip -= skipped;
        self.first = skipped as usize;
        Ok(Some(self.piece()))
    }

    /// The output of the next job that was handed to another thread.
    fn take_done(&mut self) -> Result<bool> {
        if self.inline.is_some() {
            return Ok(false);
        }
        self.fill_queue()?;
        let Some((queue, next)) = self.queue.as_ref().zip(self.pending.front()) else {
            return Ok(false);
        };
        let done = match queue.poll(next)? {
            Some(done) => done,
            None => next.wait()?,
        };
        self.pending.pop_front();
        let out = done.out?;
        self.crc.combine(&out.crc);
        let piece = std::mem::replace(&mut self.piece, out.bytes);
        keep(&mut self.spare_out, piece, self.pending.len());
        keep(&mut self.spare_plain, done.plain, self.pending.len());
        Ok(true)
    }

    /// Continues with what this thread does itself.
    fn work(&mut self) -> Result<bool> {
        let more = match self.inline.take() {
            Some(inline) => self.advance(inline)?,
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

    /// Starts a job if none is under way, and more as long as there is room.
    fn fill_queue(&mut self) -> Result<()> {
        let Some(queue) = &self.queue else {
            return Ok(());
        };
        while self.held.is_none() && (self.pending.is_empty() || queue.has_room()) {
            let Some(job) = self.planner.next_job(&self.recipe) else {
                return Ok(());
            };
            if job.to - job.from > MAX_JOB {
                self.held = Some(job);
                return Ok(());
            }
            self.feed.read_to(job.to + job.overshoot)?;
            let next = self.spare_plain.pop().unwrap_or_default();
            let out = self.spare_out.pop().unwrap_or_default();
            let plain = self.feed.take(job.to.saturating_sub(self.history), next);
            self.pending
                .push_back(queue.start(Work { job, plain, out }));
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
        });
        Ok(true)
    }

    fn advance(&mut self, mut inline: Inline) -> Result<bool> {
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
        inline.running.finish(&self.recipe, &mut self.piece)?;
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

/// Keeps a buffer to be used again, unless there are more than jobs under way.
fn keep(spare: &mut Vec<Vec<u8>>, mut buffer: Vec<u8>, under_way: usize) {
    spare.truncate(under_way);
    buffer.clear();
    spare.push(buffer);
}

impl<P: Read + Seek> Rebuilder<P> {
    /// From an offset in the stream, which is not beyond its end; the source is at the start of the content.
    pub(super) fn from_offset(
        recipe: Arc<Recipe>,
        mut plain: P,
        offset: u64,
        workers: &Workers,
    ) -> Result<Self> {
        let point = ResumePoint::before(&recipe, offset);
        let first = point.plain - point.history;
        let start = plain.stream_position()?;
        plain.seek(SeekFrom::Start(start.saturating_add(first)))?;
        let inside = point.inside - point.history;
        let feed = Feed::resume(recipe.clone(), plain, first, (point.member, inside));
        let mut new = Self::at(recipe, feed, &point, workers);
        new.skip = offset - point.offset;
        Ok(new)
    }
}
