//! Where strings were before: in chains that are filled on the way, or in links that are ahead.

use super::settings::Settings;
use crate::chain::{Chain, ORIGIN};
use crate::links::{Links, START, STRETCH, STRING, Strings};
use crate::token::{MAX_MATCH, WINDOW};

/// Strings of three bytes, with zlib's hash.
#[derive(Clone)]
pub(super) struct Threes {
    shift: u32,
    mask: usize,
}

impl Threes {
    pub(super) fn new(hash_bits: u32) -> Self {
        Self {
            shift: hash_bits.div_ceil(3),
            mask: (1 << hash_bits) - 1,
        }
    }
}

impl Strings for Threes {
    const MIN: u16 = 3;
    const SECOND: u16 = 4;
    /// zlib refuses a short match from far away only after the search.
    const NEAR: u16 = u16::MAX;

    #[inline]
    fn hash(&self, bytes: u32) -> usize {
        let [a, b, c, _] = bytes.to_le_bytes().map(usize::from);
        ((a << (2 * self.shift)) ^ (b << self.shift) ^ c) & self.mask
    }

    #[inline]
    fn part(bytes: u32) -> u32 {
        bytes & 0xff_ffff
    }
}

/// Places for zlib's largest hash.
const THREES: usize = 1 << 16;

/// The tables; the levels that enter every string have links.
#[derive(Clone)]
pub(super) enum Search {
    Chain(Threes, Chain),
    Links(Ahead),
}

impl Search {
    pub(super) fn new(settings: Settings) -> Self {
        let strings = Threes::new(settings.hash_bits());
        if settings.is_lazy() {
            return Self::Links(Ahead {
                links: Links::new(strings),
                known: 0,
                entered: 0,
                short: 0,
            });
        }
        Self::Chain(strings, Chain::new(settings.hash_bits()))
    }

    /// The first position: zeros in the tables are out of its reach.
    pub(super) fn origin(&self) -> u32 {
        match self {
            Self::Chain(..) => ORIGIN,
            Self::Links(_) => START.into(),
        }
    }
}

/// Links, and how far they are ahead. All places are indexes into the buffer.
#[derive(Clone)]
pub(super) struct Ahead {
    pub(super) links: Links<Threes, THREES>,
    /// Up to here text is known to the links, and strings are entered.
    known: usize,
    entered: usize,
    /// Before this the longer chains lack some strings.
    short: usize,
}

/// A position of the links.
#[inline]
fn at(origin: u32, index: usize) -> u16 {
    origin.wrapping_add(index as u32) as u16
}

impl Ahead {
    /// Starts with the string at `index`; nothing is entered yet.
    pub(super) fn start_at(&mut self, index: usize) {
        self.known = index;
        self.entered = index;
    }

    /// The buffer, of `len` bytes, is emptied. What was entered stays where it is, which is before the start
    /// of the window.
    pub(super) fn start_over(&mut self, len: usize, origin: u32) {
        for index in self.entered..len {
            self.links.skip(at(origin, index));
        }
        self.start_at(0);
        self.short = 0;
    }

    /// The buffer loses bytes at its front.
    pub(super) fn drop_front(&mut self, count: usize) {
        for index in [&mut self.known, &mut self.entered, &mut self.short] {
            *index = index.saturating_sub(count);
        }
    }

    /// Tells the links of more text if the search at `pos` needs it soon, and enters strings.
    #[inline]
    pub(super) fn enter(&mut self, text: &[u8], pos: usize, origin: u32) {
        let enough = self.known > pos + MAX_MATCH + 2 * STRING;
        if !enough && self.known < text.len() {
            self.go_on(text, pos, origin);
        }
    }

    fn go_on(&mut self, text: &[u8], pos: usize, origin: u32) {
        let known = text.len().min(pos + STRETCH);
        self.links
            .put(&text[self.known..known], at(origin, self.known));
        self.known = known;
        let whole = (known + 1).saturating_sub(STRING);
        if whole > self.entered {
            let count = whole - self.entered;
            self.links.enter(at(origin, self.entered), count);
            self.entered = whole;
        }
    }

    /// Sees to it that the string at `pos`, which has its bytes, is entered; the distance to the one before.
    #[inline]
    pub(super) fn insert(&mut self, buffer: &[u8], pos: usize, origin: u32) -> usize {
        if pos >= self.entered {
            self.enter_short(buffer, pos, origin);
        }
        usize::from(self.links.before(at(origin, pos))) + 1
    }

    /// Enters strings whose further bytes are not known yet.
    #[cold]
    fn enter_short(&mut self, buffer: &[u8], pos: usize, origin: u32) {
        for index in self.entered..=pos {
            let Some(&[a, b, c]) = buffer.get(index..index + 3).and_then(|s| s.first_chunk())
            else {
                return;
            };
            let bytes = u32::from_le_bytes([a, b, c, 0]);
            self.links.enter_short(bytes, at(origin, index));
            self.entered = index + 1;
        }
        // A search looks for strings that end where its longest match would.
        self.short = pos + WINDOW + MAX_MATCH;
    }

    /// Whether all strings that begin before `pos` are entered.
    #[inline]
    pub(super) fn is_past(&self, pos: usize) -> bool {
        pos <= self.entered
    }

    /// Whether all strings are entered that a search at `pos` looks along.
    #[inline]
    pub(super) fn serves(&self, pos: usize) -> bool {
        pos >= self.short && self.entered >= pos + MAX_MATCH
    }
}
