//! Parts of a stream that are written one by one, on one thread or on several.

use crate::checkpoint::{Checkpoint, OVERSHOOT};
use crate::encode::Encode;
use crate::error::{Error, Result};
use crate::recipe::{EventCursor, Member, Method, Recipe};

use super::resume_point::ResumePoint;

/// A part of one member: from its start or a checkpoint to a checkpoint or its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) member: usize,
    pub(crate) from: Option<usize>,
    pub(crate) to: Option<usize>,
}

impl Part {
    fn member(self, recipe: &Recipe) -> &Member {
        &recipe.members[self.member]
    }

    fn start(self, recipe: &Recipe) -> Option<&Checkpoint> {
        self.from
            .map(|index| &self.member(recipe).checkpoints[index])
    }

    fn end(self, recipe: &Recipe) -> Option<&Checkpoint> {
        self.to.map(|index| &self.member(recipe).checkpoints[index])
    }

    /// Plain bytes of the part itself.
    pub(crate) fn len(self, recipe: &Recipe) -> u64 {
        let member = self.member(recipe);
        let to = self.end(recipe).map_or(member.plain_len, |c| c.plain);
        to - self.start(recipe).map_or(0, |c| c.plain)
    }

    /// Bytes of the output that the recipe contains as they are, up to the deflate stream's end.
    fn copied(self, recipe: &Recipe) -> u64 {
        let member = self.member(recipe);
        let literal = match &member.method {
            Method::Literal(bytes) => bytes.len(),
            Method::Replay(_) | Method::Corrected(_) => 0,
        };
        (member.header.len() + literal) as u64
    }

    /// Plain bytes before it that it needs.
    pub(crate) fn history(self, recipe: &Recipe) -> usize {
        match (self.start(recipe), &self.member(recipe).method) {
            (Some(checkpoint), Method::Replay(encoder)) => encoder
                .limits()
                .map_or(0, |limits| limits.history(checkpoint)),
            _ => 0,
        }
    }

    /// Plain bytes after it that it needs.
    pub(crate) fn overshoot(self, recipe: &Recipe) -> u64 {
        let left = |c: &Checkpoint| self.member(recipe).plain_len - c.plain;
        self.end(recipe)
            .map_or(0, |c| left(c).min(OVERSHOOT as u64))
    }
}

/// The most plain bytes before a part that any part of the recipe needs.
pub(crate) fn longest_history(recipe: &Recipe) -> u64 {
    let of_member = |member: &Member| match member.method {
        Method::Replay(encoder) => {
            let limits = encoder.limits()?;
            let histories = member.checkpoints.iter().map(|c| limits.history(c));
            histories.max()
        }
        Method::Literal(_) | Method::Corrected(_) => None,
    };
    recipe
        .members
        .iter()
        .filter_map(of_member)
        .max()
        .unwrap_or(0) as u64
}

/// Goes through a recipe and cuts it into jobs.
#[derive(Debug, Default)]
pub(crate) struct Planner {
    member: usize,
    from: Option<usize>,
    /// Plain position, over all members.
    at: u64,
}

/// Parts that are written together, one after the other.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) parts: Vec<Part>,
    /// Plain positions over all members.
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) history: u64,
    pub(crate) overshoot: u64,
}

impl Job {
    /// Bytes of output to reserve space for.
    pub(crate) fn output(&self, recipe: &Recipe) -> usize {
        let between = |part: &Part| {
            let from = part.start(recipe).map_or(0, |start| start.bits);
            Some((part.end(recipe)?.bits - from) / 8)
        };
        let plain = self.to - self.from;
        let known = match self.parts.as_slice() {
            [part] => between(part),
            _ => None,
        };
        // A recipe may say anything.
        let len = known.unwrap_or(plain / 2).min(plain) + SLACK;
        len as usize
    }
}

/// Small members are put together until a job has this many bytes, or this many parts. Those count
/// that are in the recipe: a thousand members may share one long literal.
const JOB: u64 = 1 << 20;
const PARTS: usize = 1 << 10;
/// What an encoder usually writes at most beyond the end of a part.
const SLACK: u64 = 3 << 15;

impl Planner {
    /// Starts at a resume point.
    pub(crate) fn resume(point: &ResumePoint) -> Self {
        Self {
            member: point.member,
            from: point.checkpoint,
            at: point.plain,
        }
    }

    /// All that is left of the member.
    pub(crate) fn next_member(&mut self, recipe: &Recipe) -> Option<Job> {
        recipe.members.get(self.member)?;
        let part = Part {
            member: self.member,
            from: self.from.take(),
            to: None,
        };
        let from = self.at;
        self.member += 1;
        self.at += part.len(recipe);
        Some(Job {
            parts: vec![part],
            from,
            to: self.at,
            history: part.history(recipe) as u64,
            overshoot: 0,
        })
    }

    fn peek(&self, recipe: &Recipe) -> Option<Part> {
        let member = recipe.members.get(self.member)?;
        let to = self.from.map_or(0, |from| from + 1);
        Some(Part {
            member: self.member,
            from: self.from,
            to: (to < member.checkpoints.len()).then_some(to),
        })
    }

    /// The next part, or several small ones.
    pub(crate) fn next_job(&mut self, recipe: &Recipe) -> Option<Job> {
        let from = self.at;
        let history = self
            .peek(recipe)
            .map_or(0, |part| part.history(recipe) as u64);
        let mut parts = Vec::new();
        let (mut overshoot, mut copied) = (0, 0);
        while let Some(part) = self.peek(recipe) {
            let len = part.len(recipe);
            copied += part.copied(recipe);
            let full = self.at - from + len + copied > JOB || parts.len() == PARTS;
            if !parts.is_empty() && full {
                break;
            }
            parts.push(part);
            self.at += len;
            overshoot = part.overshoot(recipe);
            self.from = part.to;
            if part.to.is_some() {
                break;
            }
            self.member += 1;
        }
        (!parts.is_empty()).then_some(Job {
            parts,
            from,
            to: self.at,
            history,
            overshoot,
        })
    }
}

/// A part that is being written.
pub(crate) struct Running {
    part: Part,
    encoder: Option<Box<dyn Encode>>,
    events: EventCursor,
    at: u64,
    /// Output still to come, where the part ends at a checkpoint.
    left: Option<u64>,
}

impl Running {
    /// Starts a part; `history` are the plain bytes that it needs.
    pub(crate) fn start(recipe: &Recipe, part: Part, history: &[u8], out: &mut Vec<u8>) -> Self {
        let member = part.member(recipe);
        let start = part.start(recipe);
        if start.is_none() {
            out.extend_from_slice(&member.header);
        }
        let encoder = match (&member.method, start) {
            (Method::Replay(encoder), None) => Some(encoder.start()),
            (Method::Replay(encoder), Some(from)) => Some(encoder.resume(from, history)),
            (Method::Corrected(corrections), _) => Some(corrections.start()),
            (Method::Literal(_), _) => None,
        };
        let whole = |c: Option<&Checkpoint>| c.map_or(0, |c| c.bits / 8);
        let at = start.map_or(0, |c| c.plain);
        Self {
            part,
            encoder,
            events: start.map_or_else(EventCursor::default, |_| {
                EventCursor::after(&member.events, at)
            }),
            at,
            left: part.end(recipe).map(|end| end.bits / 8 - whole(start)),
        }
    }

    /// Gives the encoder plain bytes; what it wrote goes to `out`.
    pub(crate) fn feed(&mut self, recipe: &Recipe, mut data: &[u8], out: &mut Vec<u8>) {
        let events = &self.part.member(recipe).events;
        let Some(encoder) = &mut self.encoder else {
            self.at += data.len() as u64;
            return;
        };
        let before = out.len();
        // The encoder appends to what there is, so that nothing is copied.
        std::mem::swap(encoder.output(), out);
        while let Some((position, kind)) = self.events.peek(events)
            && position <= self.at + data.len() as u64
        {
            let (now, later) = data.split_at((position - self.at) as usize);
            encoder.write(now);
            kind.apply(encoder.as_mut());
            self.at = position;
            data = later;
            self.events.advance(events);
        }
        encoder.write(data);
        self.at += data.len() as u64;
        std::mem::swap(encoder.output(), out);
        if let Some(left) = &mut self.left {
            let most = usize::try_from(*left).unwrap_or(usize::MAX);
            out.truncate(before.saturating_add(most));
            *left -= (out.len() - before) as u64;
        }
    }

    /// Ends the part; the trailer follows if the member ends with it.
    pub(crate) fn finish(mut self, recipe: &Recipe, out: &mut Vec<u8>) -> Result<()> {
        if let Some(left) = self.left {
            if left > 0 {
                return Err(Error::WrongContent("the stream comes out different"));
            }
            return Ok(());
        }
        // Events of empty content.
        self.feed(recipe, &[], out);
        if let Some(encoder) = &mut self.encoder {
            encoder.finish();
            out.append(encoder.output());
        }
        let member = self.part.member(recipe);
        if let Method::Literal(bytes) = &member.method {
            out.extend_from_slice(bytes);
        }
        out.extend_from_slice(&member.trailer());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wrapper::Wrapper;

    #[test]
    fn members_that_share_one_literal_do_not_all_go_into_one_job() {
        let literal: std::sync::Arc<[u8]> = vec![0; JOB as usize / 4].into();
        let member = || Member {
            wrapper: Wrapper::Gzip,
            header: std::sync::Arc::default(),
            method: Method::Literal(literal.clone()),
            plain_len: 1,
            plain_sum: 0,
            trailer: None,
            events: Vec::new(),
            checkpoints: Vec::new(),
            start: None,
        };
        let recipe = Recipe {
            stream_len: 0,
            stream_crc: 0,
            members: std::iter::repeat_with(member).take(PARTS).collect(),
            tail: crate::recipe::Tail::None,
        };
        let mut planner = Planner::default();
        let jobs: Vec<_> = std::iter::from_fn(|| planner.next_job(&recipe)).collect();
        assert!(jobs.iter().all(|job| job.parts.len() <= 4));
        assert_eq!(jobs.iter().map(|job| job.parts.len()).sum::<usize>(), PARTS);
    }
}
