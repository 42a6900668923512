//! Proving an encoder: it writes the content again while the original is read.

use std::io::Read;

use crate::checkpoint::{Checkpoint, MIN_SPACING, OVERSHOOT};
use crate::encoder::{Encode, Encoder};
use crate::error::{Error, Result};
use crate::inflate::Inflater;
use crate::part::apply;
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
        /// Plain positions of write ends that would change the output, the likeliest first.
        sensitive: Vec<u64>,
    },
    /// All was equal as far as the input went, which was cut short.
    Undecided,
}

/// Replays one deflate stream from where the input stands.
///
/// `boundaries` are plain positions, in order, at which the original writer ended a write; flushes
/// are found on the way. `spacing` are plain bytes from one checkpoint to the next.
pub(crate) fn replay<R: Read>(
    inflater: &mut Inflater<R>,
    encoder: Encoder,
    wrapper: Wrapper,
    boundaries: &[u64],
    spacing: Option<u64>,
) -> Result<Outcome> {
    inflater.restart();
    let mut running = encoder.start();
    let mut taken = Taken::new(running.as_mut(), spacing);
    let mut sums = Sums::new(wrapper);
    let mut events = Vec::new();
    let mut marked = 0;
    let mut boundaries = boundaries.iter().copied().peekable();
    let block_size = encoder.block_size();
    let mut mark = 0;
    let mut flush_pending = false;
    loop {
        let ended = match inflater.step() {
            Err(Error::BadStream("cut short")) => return Ok(Outcome::Undecided),
            other => other?,
        };
        let mut data = inflater.plain();
        let last = ended.is_some_and(|b| b.last);
        // A block writer flushes before it ends the stream, which is no event.
        if std::mem::take(&mut flush_pending) && !(last && data.is_empty() && block_size.is_some())
        {
            apply(running.as_mut(), EventKind::Flush);
            push_event(&mut events, EventKind::Flush, sums.len - marked);
            marked = sums.len;
        }
        let mut at = sums.len;
        sums.update(data);
        while let Some(&position) = boundaries.peek()
            && position <= sums.len
        {
            let (now, later) = data.split_at(position.saturating_sub(at) as usize);
            running.write(now);
            running.boundary();
            (data, at) = (later, position);
            push_event(&mut events, EventKind::Boundary, position - marked);
            marked = position;
            boundaries.next();
        }
        running.write(data);
        if ended.is_some_and(|b| b.is_flush_mark()) {
            flush_pending = block_size != Some(sums.len - mark);
            mark = sums.len;
        }
        if last {
            running.finish();
        }
        taken.collect(running.as_mut());
        let equal = inflater.input.compare(running.output())?;
        taken.drained += running.output().len() as u64;
        running.output().clear();
        match equal {
            Some(false) => {
                let sensitive = running.sensitive();
                return Ok(Outcome::Differs {
                    plain: sums.len,
                    sensitive,
                });
            }
            None => return Ok(Outcome::Undecided),
            Some(true) if last && inflater.input.all_compared() => {
                let checkpoints = taken.finish(sums.len);
                return Ok(Outcome::Equal {
                    events,
                    checkpoints,
                    sums,
                });
            }
            Some(true) if last => {
                return Ok(Outcome::Differs {
                    plain: sums.len,
                    sensitive: Vec::new(),
                });
            }
            Some(true) => {}
        }
    }
}

/// Checkpoints on their way into the recipe.
struct Taken {
    list: Vec<Checkpoint>,
    spacing: Option<u64>,
    /// Bytes drained from the encoder's output so far.
    drained: u64,
}

impl Taken {
    fn new(encoder: &mut dyn Encode, spacing: Option<u64>) -> Self {
        let spacing = spacing.map(|n| n.max(MIN_SPACING));
        if let Some(spacing) = spacing {
            encoder.want_checkpoint(spacing);
        }
        Self {
            list: Vec::new(),
            spacing,
            drained: 0,
        }
    }

    fn collect(&mut self, encoder: &mut dyn Encode) {
        if let Some(mut checkpoint) = encoder.checkpoint() {
            checkpoint.bits += self.drained * 8;
            encoder.want_checkpoint(checkpoint.plain + self.spacing.unwrap_or(0));
            self.list.push(checkpoint);
        }
    }

    /// The checkpoints that are followed by enough content to write all that comes before them.
    fn finish(mut self, plain_len: u64) -> Vec<Checkpoint> {
        let followed = |c: &Checkpoint| c.plain + OVERSHOOT as u64 <= plain_len;
        self.list.retain(followed);
        self.list
    }
}

/// Reads one deflate stream without comparing; its plain checksum.
pub(crate) fn skim<R: Read>(inflater: &mut Inflater<R>, wrapper: Wrapper) -> Result<Sums> {
    inflater.restart();
    let mut sums = Sums::new(wrapper);
    loop {
        let ended = inflater.step()?;
        sums.update(inflater.plain());
        inflater.input.skip_comparison();
        if ended.is_some_and(|b| b.last) {
            return Ok(sums);
        }
    }
}
