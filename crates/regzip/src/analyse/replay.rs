//! Proving an encoder: it writes the content again while the original is read.

use std::io::Read;

use crate::checkpoint::{Checkpoint, MIN_SPACING, OVERSHOOT};
use crate::encode::Encode;
use crate::encoder::Encoder;
use crate::error::{Error, Result};
use crate::inflate::{Block, Inflater};
use crate::recipe::{Event, EventKind, push_event};
use crate::wrapper::{Sums, Wrapper};

/// How a replay ended.
pub(crate) enum Outcome {
    /// Every byte of the deflate stream came out equal.
    Equal {
        events: Vec<Event>,
        checkpoints: Vec<Checkpoint>,
        sums: Sums,
    },
    /// The output left the original somewhere before this plain position.
    Differs {
        plain: u64,
        /// There was a flush before.
        flushed: bool,
        /// Plain positions of write ends that would change the output, the likeliest first.
        sensitive: Vec<u64>,
    },
    /// All was equal as far as the input went, which was cut short.
    Undecided,
}

/// What a replay is given besides the encoder.
#[derive(Clone, Copy)]
pub(crate) struct Conditions<'a> {
    /// Plain positions, in order, at which the original writer ended a write.
    pub(crate) boundaries: &'a [u64],
    /// What flushes, which are found on the way, are assumed to be.
    pub(crate) flush: EventKind,
    /// Plain bytes from one checkpoint to the next.
    pub(crate) spacing: Option<u64>,
}

impl Default for Conditions<'_> {
    fn default() -> Self {
        Self {
            boundaries: &[],
            flush: EventKind::Flush,
            spacing: None,
        }
    }
}

/// Replays one deflate stream at the input's position.
pub(crate) fn replay<R: Read>(
    inflater: &mut Inflater<R>,
    encoder: Encoder,
    wrapper: Wrapper,
    conditions: Conditions<'_>,
) -> Result<Outcome> {
    inflater.restart();
    let mut replay = Replay::new(encoder, wrapper, conditions);
    loop {
        let ended = match inflater.step() {
            Err(Error::BadStream("cut short")) => return Ok(Outcome::Undecided),
            other => other?,
        };
        let last = ended.is_some_and(|b| b.last);
        replay.take(inflater.plain(), ended);
        let output = replay.running.output();
        let equal = inflater.bits.input.compare(output)?;
        replay.taken.drained += output.len() as u64;
        output.clear();
        match equal {
            None => return Ok(Outcome::Undecided),
            Some(true) if !last => {}
            Some(true) if inflater.bits.input.all_compared() => return Ok(replay.equal()),
            Some(_) => return Ok(replay.differs()),
        }
    }
}

/// An encoder that writes again what was read.
struct Replay<'a> {
    encoder: Encoder,
    conditions: Conditions<'a>,
    running: Box<dyn Encode>,
    taken: Taken,
    sums: Sums,
    events: Vec<Event>,
    /// Plain positions of the last event and of the last flush mark.
    marked: u64,
    mark: u64,
    /// A flush mark was read, and what it means depends on what follows.
    pending: bool,
    flushed: bool,
}

impl<'a> Replay<'a> {
    fn new(encoder: Encoder, wrapper: Wrapper, conditions: Conditions<'a>) -> Self {
        let mut running = encoder.start();
        Self {
            encoder,
            conditions,
            taken: Taken::new(encoder, running.as_mut(), conditions.spacing),
            running,
            sums: Sums::new(wrapper),
            events: Vec::new(),
            marked: 0,
            mark: 0,
            pending: false,
            flushed: false,
        }
    }

    fn note(&mut self, kind: EventKind, position: u64) {
        push_event(&mut self.events, kind, position - self.marked);
        self.marked = position;
    }

    /// Gives the encoder what one step of the inflater yielded.
    fn take(&mut self, mut data: &[u8], ended: Option<Block>) {
        let last = ended.is_some_and(|b| b.last);
        let mut at = self.sums.len;
        // A block writer flushes before it ends the stream, which is no event.
        let at_the_end = last && data.is_empty() && self.encoder.flushes_at_the_end();
        if std::mem::take(&mut self.pending) && !at_the_end {
            self.conditions.flush.apply(self.running.as_mut());
            self.note(self.conditions.flush, at);
            self.flushed = true;
        }
        self.sums.update(data);
        let end = self.sums.len;
        while let Some((&position, later)) = self.conditions.boundaries.split_first()
            && position <= end
        {
            self.conditions.boundaries = later;
            let (now, rest) = data.split_at(position.saturating_sub(at) as usize);
            self.running.write(now);
            self.running.boundary();
            (data, at) = (rest, position);
            self.note(EventKind::Boundary, position);
        }
        self.running.write(data);
        if self.encoder.ends_blocks_with_writes() && ended.is_some() && !last {
            self.running.boundary();
            self.note(EventKind::Boundary, end);
        }
        if ended.is_some_and(|b| b.is_flush_mark()) {
            self.pending = !self.encoder.marks(end, self.mark);
            self.mark = end;
        }
        if last {
            self.running.finish();
        }
        self.taken.collect(self.running.as_mut());
    }

    fn equal(self) -> Outcome {
        Outcome::Equal {
            events: self.events,
            checkpoints: self.taken.finish(self.sums.len),
            sums: self.sums,
        }
    }

    fn differs(&self) -> Outcome {
        Outcome::Differs {
            plain: self.sums.len,
            flushed: self.flushed,
            sensitive: self.running.sensitive(),
        }
    }
}

/// For a byte that is searched again before a checkpoint, so many are not before the next.
const SPARED: u64 = 4;
/// Bytes that a checkpoint may take. A larger one has to be further from the one before, so that it takes
/// no greater part of the content.
const WORTH: u64 = 700;

/// Checkpoints on their way into the recipe.
struct Taken {
    encoder: Encoder,
    list: Vec<Checkpoint>,
    spacing: Option<u64>,
    /// Bytes drained from the encoder's output so far.
    drained: u64,
}

impl Taken {
    fn new(encoder: Encoder, running: &mut dyn Encode, spacing: Option<u64>) -> Self {
        let spacing = spacing.map(|n| n.max(MIN_SPACING));
        if let Some(spacing) = spacing {
            running.want_checkpoint(spacing);
        }
        Self {
            encoder,
            list: Vec::new(),
            spacing,
            drained: 0,
        }
    }

    /// Where much is searched again before a checkpoint, the next is further away.
    fn collect(&mut self, running: &mut dyn Encode) {
        let Some((mut checkpoint, spacing)) = running.checkpoint().zip(self.spacing) else {
            return;
        };
        checkpoint.bits += self.drained * 8;
        let last = self.list.last();
        let mut bytes = Vec::new();
        checkpoint.put(&mut bytes, last);
        let distance = checkpoint.plain - last.map_or(0, |last| last.plain);
        if spacing.saturating_mul(bytes.len() as u64) > distance.saturating_mul(WORTH) {
            // A checkpoint at another position may be smaller.
            running.want_checkpoint(checkpoint.plain + spacing / 8);
            return;
        }
        let limits = self.encoder.limits();
        let again = limits.map_or(0, |l| l.searched_again(&checkpoint)) as u64;
        running.want_checkpoint(checkpoint.plain + spacing.max(SPARED * again));
        self.list.push(checkpoint);
    }

    /// The checkpoints that are followed by enough content to write all that comes before them.
    fn finish(mut self, plain_len: u64) -> Vec<Checkpoint> {
        let followed = |c: &Checkpoint| c.plain + OVERSHOOT as u64 <= plain_len;
        self.list.retain(followed);
        self.list
    }
}

/// Whether a started encoder, given the plain bytes only, writes the deflate stream at the input's
/// position.
pub(crate) fn prove<R: Read>(inflater: &mut Inflater<R>, running: &mut dyn Encode) -> Result<bool> {
    inflater.restart();
    loop {
        let last = inflater.step()?.is_some_and(|b| b.last);
        running.write(inflater.plain());
        if last {
            running.finish();
        }
        let output = running.output();
        let equal = inflater.bits.input.compare(output)?;
        output.clear();
        if equal != Some(true) || last {
            return Ok(equal == Some(true) && inflater.bits.input.all_compared());
        }
    }
}

/// Reads one deflate stream without comparing; its plain checksum.
pub(crate) fn skim<R: Read>(inflater: &mut Inflater<R>, wrapper: Wrapper) -> Result<Sums> {
    inflater.restart();
    let mut sums = Sums::new(wrapper);
    loop {
        let ended = inflater.step()?;
        sums.update(inflater.plain());
        inflater.bits.input.skip_comparison();
        if ended.is_some_and(|b| b.last) {
            return Ok(sums);
        }
    }
}
