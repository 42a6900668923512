//! Plain content on its way to the encoders.

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
    /// The member whose content is read next, and how much of that is left.
    member: usize,
    left: u64,
    /// Of the member's content; `None` if its beginning was not read.
    sums: Option<Sums>,
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
    /// A feed whose source is at the start of the content.
    pub(crate) fn new(recipe: Arc<Recipe>, source: P) -> Self {
        let mut feed = Self {
            source,
            recipe,
            buffer: Vec::new(),
            start: 0,
            member: 0,
            left: 0,
            sums: None,
        };
        feed.begin_member();
        feed
    }

    /// A feed whose source is at a plain position over all members, `inside` bytes of content into a
    /// member.
    pub(crate) fn resume(
        recipe: Arc<Recipe>,
        source: P,
        position: u64,
        within: (usize, u64),
    ) -> Self {
        let (member, inside) = within;
        let mut feed = Self::new(recipe, source);
        feed.start = position;
        feed.member = member;
        feed.begin_member();
        if inside > 0 {
            feed.left -= inside;
            feed.sums = None;
        }
        feed
    }

    fn begin_member(&mut self) {
        let member = self.recipe.members.get(self.member);
        self.left = member.map_or(0, |m| m.plain_len);
        self.sums = member.map(|m| Sums::new(m.wrapper));
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

    /// Reserves space for so much more, a little generously: buffers are used again, for stretches of about
    /// the same length.
    fn reserve(&mut self, more: usize) {
        let wanted = (self.buffer.len() + more).next_multiple_of(PIECE as usize);
        self.buffer.reserve_exact(wanted - self.buffer.len());
    }

    /// Adds what was read from `from` on to the checksums of the members it belongs to.
    fn sum(&mut self, mut from: usize) -> Result<()> {
        while from < self.buffer.len() {
            self.end_members()?;
            let rest = &self.buffer[from..];
            let n = usize::try_from(self.left)
                .unwrap_or(usize::MAX)
                .min(rest.len());
            if n == 0 {
                break;
            }
            if let Some(sums) = &mut self.sums {
                sums.update(&rest[..n]);
            }
            self.left -= n as u64;
            from += n;
        }
        self.end_members()
    }

    /// Compares the checksums of members whose content was read.
    fn end_members(&mut self) -> Result<()> {
        while self.left == 0
            && let Some(member) = self.recipe.members.get(self.member)
        {
            let sums = self.sums.as_ref();
            if sums.is_some_and(|sums| sums.sum() != member.plain_sum) {
                return Err(Error::WrongContent("its checksum differs"));
            }
            self.member += 1;
            self.begin_member();
        }
        Ok(())
    }

    /// Plain bytes that are available.
    pub(crate) fn range(&self, from: u64, to: u64) -> &[u8] {
        &self.buffer[(from - self.start) as usize..(to - self.start) as usize]
    }

    /// Hands out all available bytes, without a copy, and continues in the empty buffer `next` with those
    /// from the position `keep` on.
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

    /// Whether the source has no more, after the content of all members.
    pub(crate) fn ended(&mut self) -> Result<bool> {
        self.end_members()?;
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
