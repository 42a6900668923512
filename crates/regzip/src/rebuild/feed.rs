//! Plain content on its way to the encoders, with the checksums that the trailers need.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::recipe::Recipe;
use crate::wrapper::Sums;

/// Read from the source in pieces of this size at most.
const PIECE: u64 = 1 << 18;

/// Reads plain content in order and keeps what is still needed.
pub(crate) struct Feed<P> {
    source: P,
    recipe: Arc<Recipe>,
    buffer: Vec<u8>,
    /// Plain position of the buffer's start, over all members.
    start: u64,
    /// The member that is being read.
    member: usize,
    sums: Sums,
    /// Trailers of the members that were read whole.
    trailers: VecDeque<Vec<u8>>,
}

/// Plain bytes that were handed out.
pub(crate) struct Stretch {
    pub(crate) bytes: Vec<u8>,
    /// Plain position of the first, over all members.
    start: u64,
}

impl Stretch {
    /// The bytes between two positions, all of which it holds.
    pub(crate) fn range(&self, from: u64, to: u64) -> &[u8] {
        &self.bytes[(from - self.start) as usize..(to - self.start) as usize]
    }
}

impl<P: Read> Feed<P> {
    pub(crate) fn new(recipe: Arc<Recipe>, source: P) -> Self {
        let wrapper = recipe
            .members
            .first()
            .map_or_else(Default::default, |m| m.wrapper);
        Self {
            source,
            recipe,
            buffer: Vec::new(),
            start: 0,
            member: 0,
            sums: Sums::new(wrapper),
            trailers: VecDeque::new(),
        }
    }

    /// Makes everything up to the plain position `end` available.
    pub(crate) fn read_to(&mut self, end: u64) -> Result<()> {
        loop {
            let have = self.start + self.buffer.len() as u64;
            if have >= end {
                return Ok(());
            }
            let old = self.buffer.len();
            self.reserve((end - have) as usize);
            let wanted = (end - have).min(PIECE);
            // Unlike `read_exact` this needs no buffer that was filled before.
            let read = self
                .source
                .by_ref()
                .take(wanted)
                .read_to_end(&mut self.buffer)?;
            if (read as u64) < wanted {
                return Err(Error::WrongContent("it is too short"));
            }
            self.sum(old)?;
        }
    }

    /// Makes room for so much more, a little generously: buffers are used again, for stretches of about
    /// the same length.
    fn reserve(&mut self, more: usize) {
        let wanted = (self.buffer.len() + more).next_multiple_of(PIECE as usize);
        self.buffer.reserve_exact(wanted - self.buffer.len());
    }

    /// Adds what was read from `from` on to the checksums of the members it belongs to.
    fn sum(&mut self, mut from: usize) -> Result<()> {
        while from < self.buffer.len() {
            self.end_members(false)?;
            let Some(member) = self.recipe.members.get(self.member) else {
                return Ok(());
            };
            let left = member.plain_len - self.sums.len;
            let rest = &self.buffer[from..];
            let n = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
            self.sums.update(&rest[..n]);
            from += n;
        }
        Ok(())
    }

    /// Ends the members that are complete; only the first if `one` is set.
    fn end_members(&mut self, one: bool) -> Result<()> {
        while let Some(member) = self.recipe.members.get(self.member)
            && member.plain_len == self.sums.len
        {
            if self.sums.crc32() != member.plain_crc {
                return Err(Error::WrongContent("its checksum differs"));
            }
            let trailer = match &member.trailer {
                Some(trailer) => trailer.clone(),
                None => member.wrapper.trailer(&self.sums),
            };
            self.trailers.push_back(trailer);
            self.member += 1;
            let next = self.recipe.members.get(self.member);
            self.sums = Sums::new(next.map_or_else(Default::default, |m| m.wrapper));
            if one {
                break;
            }
        }
        Ok(())
    }

    /// The trailer of the next member, all of which was read.
    pub(crate) fn trailer(&mut self) -> Result<Vec<u8>> {
        if self.trailers.is_empty() {
            self.end_members(true)?;
        }
        self.trailers
            .pop_front()
            .ok_or(Error::WrongContent("it is too short"))
    }

    /// Plain bytes that are at hand.
    pub(crate) fn range(&self, from: u64, to: u64) -> &[u8] {
        &self.buffer[(from - self.start) as usize..(to - self.start) as usize]
    }

    /// Hands out all that is at hand, without a copy, and goes on in the empty buffer `next` with what
    /// lies from the position `keep` on.
    pub(crate) fn take(&mut self, keep: u64, mut next: Vec<u8>) -> Stretch {
        let kept = (keep.max(self.start) - self.start) as usize;
        next.extend_from_slice(&self.buffer[kept..]);
        let stretch = Stretch {
            bytes: std::mem::replace(&mut self.buffer, next),
            start: self.start,
        };
        self.start += kept as u64;
        stretch
    }

    /// Forgets what comes before a position.
    pub(crate) fn discard(&mut self, before: u64) {
        let n = before
            .saturating_sub(self.start)
            .min(self.buffer.len() as u64);
        self.buffer.drain(..n as usize);
        self.start += n;
    }

    /// Whether the source has no more.
    pub(crate) fn ended(&mut self) -> Result<bool> {
        loop {
            match self.source.read(&mut [0]) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => return Ok(other? == 0),
            }
        }
    }

    pub(crate) fn into_inner(self) -> P {
        self.source
    }
}
