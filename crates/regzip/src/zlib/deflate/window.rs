//! The window: when it slides, what is in reach, and the search in it.

use std::ops::Range;

use super::search::{Search, THREES, Threes};
use super::settings::{Family, LOOKAHEAD, MIN_MATCH};
use super::{Deflate, KEPT, Rest};
use crate::coding::token::MAX_MATCH;
use crate::search::ahead::{Ahead, at};
use crate::search::links::{Limits, Strings};
use crate::search::matching::{common_prefix, load32};

impl Deflate {
    /// Drops what lies before the window once the buffer is full.
    pub(super) fn drop_front(&mut self) {
        // GNU gzip may look at what was one window before, at the end.
        let kept = match (self.settings.enters_all(), self.settings.is_gzip()) {
            (true, false) => 0,
            (true, true) => self.window,
            (false, _) => KEPT * self.window,
        };
        let drop = self.base.saturating_sub(kept);
        self.buffer.drain(..drop);
        self.pos -= drop;
        self.base -= drop;
        self.dropped += drop as u64;
        self.start = self.start.and_then(|s| s.checked_sub(drop));
        self.origin = self.origin.wrapping_add(drop as u32);
        match &mut self.search {
            Search::Chain(_, chain) => chain.sweep(self.origin),
            Search::Links(ahead) => ahead.drop_front(drop),
        }
    }

    #[inline]
    pub(super) fn max_distance(&self) -> usize {
        self.window - LOOKAHEAD
    }

    /// Slides the window when zlib would: it is low on input and far into the window.
    pub(super) fn slide(&mut self) {
        loop {
            let window_end = self.base + 2 * self.window;
            let lookahead = self.end().min(window_end) - self.pos;
            // gzip tries to read once more and then knows that there is no more input.
            let no_more =
                self.settings.is_gzip() && self.rest != Rest::More && self.end() <= window_end;
            if lookahead >= self.settings.least_lookahead() || (no_more && self.rest == Rest::Seen)
            {
                return;
            }
            if self.pos - self.base >= self.window + self.max_distance() {
                self.base += self.window;
                self.start = self.start.filter(|&s| s >= self.base);
            } else if !no_more {
                return;
            }
            if no_more {
                self.rest = Rest::Seen;
                self.see_beyond();
            }
        }
    }

    /// Where the input ends in the buffer.
    #[inline]
    pub(super) fn end(&self) -> usize {
        self.buffer.len() - self.beyond
    }

    /// Appends to the input what GNU gzip's window holds there: it does not stop comparing at the
    /// end, so that of matches with the same length the one wins that continues longer.
    ///
    /// After two zeros, which `BusyBox` does not put there, come the bytes that were read into the same
    /// part of the buffer one window before; zeros if there are none.
    #[cold]
    fn see_beyond(&mut self) {
        let end = self.end();
        let zeros = match self.settings.family {
            Family::Gnu => MIN_MATCH - 1,
            _ => 0,
        };
        let slides = (self.dropped + self.base as u64) / self.window as u64;
        for at in end..end + LOOKAHEAD {
            // The lower half of the window is what the upper half was before it slid.
            let needed = if at >= self.base + self.window { 1 } else { 2 };
            let before = at
                .checked_sub(self.window)
                .and_then(|at| self.buffer.get(at));
            let byte = match before {
                Some(&byte) if slides >= needed && at >= end + zeros => byte,
                _ => 0,
            };
            self.buffer.push(byte);
        }
        self.beyond = LOOKAHEAD;
    }

    /// Enters the string at `pos` in its chain; the distance to the one before, 0 if too far.
    #[inline]
    pub(super) fn insert(&mut self, pos: usize) -> usize {
        let Some(&[a, b, c]) = self.buffer.get(pos..pos + 3).and_then(|s| s.first_chunk()) else {
            return 0;
        };
        let distance = match &mut self.search {
            Search::Chain(strings, chain) => {
                let hash = strings.hash(u32::from_le_bytes([a, b, c, 0]));
                chain.insert(hash, self.origin.wrapping_add(pos as u32))
            }
            Search::Links(ahead) => {
                if pos >= ahead.entered() {
                    ahead.enter_short_to(&self.buffer, pos, self.origin);
                }
                usize::from(ahead.links.before(at(self.origin, pos))) + 1
            }
        };
        if distance <= self.window { distance } else { 0 }
    }

    /// Enters all strings that begin in the range.
    #[inline]
    pub(super) fn insert_all(&mut self, range: Range<usize>) {
        if let Search::Links(ahead) = &self.search
            && range.end <= ahead.entered()
        {
            return;
        }
        for pos in range {
            self.insert(pos);
        }
    }

    /// The longest match above `best` bytes; the caller checked the first distance.
    #[inline]
    pub(super) fn find(
        &self,
        distance: usize,
        best: usize,
        lookahead: usize,
    ) -> Option<(usize, usize)> {
        // The window's first byte is never matched: its index stands for "none".
        let reach = (self.max_distance() - 1).min((self.pos - self.base).saturating_sub(1));
        match &self.search {
            // The first candidate may be a byte further away than the others.
            Search::Links(ahead) if distance <= reach && serves(ahead, self.pos) => {
                self.find_ahead(ahead, best, reach)
            }
            Search::Links(ahead) => {
                let at = at(self.origin, self.pos);
                let step = |distance: usize| ahead.links.step(at, distance as u16);
                self.find_along(distance, best, lookahead, reach, step)
            }
            Search::Chain(_, chain) => {
                let at = self.origin.wrapping_add(self.pos as u32);
                let step = |distance| chain.step(at, distance);
                self.find_along(distance, best, lookahead, reach, step)
            }
        }
    }

    /// How many candidates are looked at for more than `best` bytes.
    #[inline]
    fn tries(&self, best: usize) -> u32 {
        self.effort.chain >> if best >= self.effort.good { 2 } else { 0 }
    }

    /// As `find`, with the help of the links.
    #[inline]
    fn find_ahead(&self, ahead: &Links3, best: usize, reach: usize) -> Option<(usize, usize)> {
        if best >= MAX_MATCH {
            return None;
        }
        let limits = Limits {
            reach: reach as u16,
            longest: MAX_MATCH as u16,
            nice: self.effort.nice as u16,
            chain: self.tries(best) as u16,
            base_only: false,
        };
        let at = at(self.origin, self.pos);
        let (length, distance) = ahead.links.find(at, best as u16, &limits)?;
        Some((length.into(), distance.into()))
    }

    /// As `find`, along a chain with the given steps.
    #[inline]
    fn find_along(
        &self,
        mut distance: usize,
        mut best: usize,
        lookahead: usize,
        reach: usize,
        step: impl Fn(usize) -> usize,
    ) -> Option<(usize, usize)> {
        let (pos, buffer) = (self.pos, self.buffer.as_slice());
        let longest = if self.settings.is_gzip() {
            MAX_MATCH.min(buffer.len() - pos)
        } else {
            MAX_MATCH.min(lookahead)
        };
        if best >= longest {
            return None;
        }
        let nice = self.effort.nice.min(longest);
        let mut tries = self.tries(best);
        let mut found = None;
        let mut probe = Probe::new(buffer, pos, best);
        loop {
            let candidate = pos - distance;
            if probe.hits(buffer, candidate) {
                let n = common_prefix(buffer, candidate, pos, longest);
                if n > best {
                    best = n;
                    found = Some((n.min(lookahead), distance));
                    if n >= nice {
                        break;
                    }
                    probe = Probe::new(buffer, pos, best);
                }
            }
            let step = step(distance);
            distance += step;
            tries -= 1;
            if step == 0 || distance > reach || tries == 0 {
                break;
            }
        }
        found
    }
}

/// Links for strings of three bytes.
type Links3 = Ahead<Threes, THREES>;

/// Whether all strings are entered that a search at `pos` looks along.
#[inline]
fn serves(ahead: &Links3, pos: usize) -> bool {
    !ahead.lacks(pos) && ahead.entered() >= pos + MAX_MATCH
}

/// The last bytes that a candidate has to share to be better than what was found.
struct Probe {
    /// Where they are, from the candidate on.
    offset: usize,
    mask: u32,
    word: u32,
}

impl Probe {
    /// For more than `best` bytes, two at least, at `pos`; so many are in the buffer.
    #[inline]
    fn new(buffer: &[u8], pos: usize, best: usize) -> Self {
        if let Some(offset) = best.checked_sub(3) {
            let word = load32(buffer, pos + offset);
            return Self {
                offset,
                mask: u32::MAX,
                word,
            };
        }
        let word = match buffer.get(pos..pos + 3) {
            Some(&[a, b, c]) => u32::from_le_bytes([a, b, c, 0]),
            _ => 0,
        };
        Self {
            offset: 0,
            mask: 0xff_ffff,
            word,
        }
    }

    #[inline]
    fn hits(&self, buffer: &[u8], candidate: usize) -> bool {
        load32(buffer, candidate + self.offset) & self.mask == self.word
    }
}
