//! Strings: words of the source, or parts of it and what lies between them.

use crate::bytes::{common_prefix, word};
use crate::channel::{Readers, Sinks};
use crate::error::DecodeError;

use super::coder::{Coder, get, get_bytes, get_length, get_signed, put, put_signed, sink};
use super::stream::Stream;
use super::tokens::Source;

/// What a string is for. Strings for one purpose come from the source in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Constant,
    Name,
    Local,
    /// Names of code objects and of files, and parts of them.
    Title,
}

const ROLES: usize = 4;

/// What both sides know of the strings so far.
pub(crate) struct Texts<'a> {
    source: &'a Source<'a>,
    /// The word that follows the last one, for each role.
    next_words: [usize; ROLES],
    /// Where the last part of the source ended.
    cursor: usize,
    /// Finds parts of the source; only the encoder needs it.
    matcher: Option<Matcher>,
}

impl<'a> Texts<'a> {
    pub(crate) fn new(source: &'a Source<'a>) -> Self {
        Self {
            source,
            next_words: [0; ROLES],
            cursor: 0,
            matcher: None,
        }
    }

    /// The coder for strings of a role.
    pub(crate) fn coder(&mut self, role: Role) -> TextCoder<'_, 'a> {
        TextCoder { texts: self, role }
    }
}

/// Stores a string.
pub(crate) struct TextCoder<'t, 'a> {
    texts: &'t mut Texts<'a>,
    role: Role,
}

impl Coder for TextCoder<'_, '_> {
    fn put(&mut self, bytes: &[u8], sinks: &mut Sinks) -> Result<(), DecodeError> {
        let next = &mut self.texts.next_words[self.role as usize];
        if let Some(number) = self.texts.source.number(bytes) {
            let distance = number as i64 - *next as i64;
            put(sinks, Stream::Sources, 1 + crate::varint::zigzag(distance));
            *next = number + 1;
            return Ok(());
        }
        put(sinks, Stream::Sources, 0);
        put(sinks, Stream::Lengths, bytes.len() as u64);
        self.texts.put_parts(bytes, sinks);
        Ok(())
    }

    fn get(&mut self, remaining: usize, readers: &mut Readers<'_>) -> Result<Vec<u8>, DecodeError> {
        let next = &mut self.texts.next_words[self.role as usize];
        match get(readers, Stream::Sources)? {
            0 => {
                let len = get_length(readers, Stream::Lengths, remaining)?;
                self.texts.get_parts(len, readers)
            }
            stored => {
                let distance = crate::varint::unzigzag(stored - 1);
                let number = (*next as i64).checked_add(distance);
                let number = number.and_then(|number| usize::try_from(number).ok());
                let word =
                    number.and_then(|number| Some((number, self.texts.source.word(number)?)));
                let Some((number, word)) = word.filter(|(_, word)| word.len() <= remaining) else {
                    return Err(Stream::Sources.invalid("no such word"));
                };
                *next = number + 1;
                Ok(word.to_vec())
            }
        }
    }
}

/// The shortest part of the source that is copied.
const MIN_PART: usize = 8;

impl Texts<'_> {
    fn put_parts(&mut self, bytes: &[u8], sinks: &mut Sinks) {
        let literals = |sinks: &mut Sinks, bytes: &[u8]| {
            let text = sink(sinks, Stream::Text);
            text.extend_from_slice(bytes);
        };
        if bytes.len() < MIN_PART {
            return literals(sinks, bytes);
        }
        let source = self.source.bytes();
        let matcher = self.matcher.get_or_insert_with(|| Matcher::new(source));
        let (mut done, mut at) = (0, 0);
        while at + MIN_PART <= bytes.len() {
            let Some((from, len)) = matcher.longest(source, &bytes[at..], self.cursor) else {
                at += 1;
                continue;
            };
            put(sinks, Stream::Lengths, (at - done) as u64);
            literals(sinks, &bytes[done..at]);
            put(sinks, Stream::Lengths, (len - MIN_PART) as u64);
            put_signed(sinks, Stream::Sources, from as i64 - self.cursor as i64);
            self.cursor = from + len;
            at += len;
            done = at;
        }
        if done < bytes.len() {
            put(sinks, Stream::Lengths, (bytes.len() - done) as u64);
            literals(sinks, &bytes[done..]);
        }
    }

    fn get_parts(&mut self, len: usize, readers: &mut Readers<'_>) -> Result<Vec<u8>, DecodeError> {
        if len < MIN_PART {
            return get_bytes(readers, Stream::Text, len);
        }
        let mut bytes = Vec::with_capacity(len);
        while bytes.len() < len {
            let count = get_length(readers, Stream::Lengths, len - bytes.len())?;
            bytes.extend(get_bytes(readers, Stream::Text, count)?);
            if bytes.len() == len {
                break;
            }
            let remaining = len - bytes.len();
            let part = get_length(readers, Stream::Lengths, remaining)?.saturating_add(MIN_PART);
            let distance = get_signed(readers, Stream::Sources)?;
            let from = (self.cursor as i64).checked_add(distance);
            let from = from.and_then(|from| usize::try_from(from).ok());
            let range = from.and_then(|from| Some(from..from.checked_add(part)?));
            let part = range.filter(|_| part <= remaining).and_then(|range| {
                self.cursor = range.end;
                self.source.bytes().get(range)
            });
            bytes.extend_from_slice(part.ok_or_else(|| Stream::Sources.invalid("no such part"))?);
        }
        Ok(bytes)
    }
}

/// Where sequences of eight bytes of the source are.
struct Matcher {
    /// The first position of each hash, and the next one for each position; one more than the position, 0 for none.
    heads: Vec<u32>,
    next: Vec<u32>,
}

/// The most positions that are compared.
const MAX_TRIES: usize = 32;

impl Matcher {
    fn new(source: &[u8]) -> Self {
        let size = source.len().next_power_of_two().max(16);
        let mut matcher = Self {
            heads: vec![0; size],
            next: vec![0; source.len()],
        };
        for at in (0..source.len().saturating_sub(MIN_PART - 1)).rev() {
            let slot = matcher.slot(&source[at..]);
            matcher.next[at] = matcher.heads[slot];
            matcher.heads[slot] = at as u32 + 1;
        }
        matcher
    }

    fn slot(&self, bytes: &[u8]) -> usize {
        let hash = word(&bytes[..MIN_PART]).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (hash >> (64 - self.heads.len().trailing_zeros())) as usize
    }

    /// The longest match in the source for the start of `bytes`: position and length. Of equally long ones, the first at or
    /// after the cursor.
    fn longest(&self, source: &[u8], bytes: &[u8], cursor: usize) -> Option<(usize, usize)> {
        let mut best = None;
        let mut at = self.heads[self.slot(bytes)];
        for _ in 0..MAX_TRIES {
            let Some(from) = at.checked_sub(1).map(|from| from as usize) else {
                break;
            };
            let len = common_prefix(&source[from..], bytes);
            let rank = (len, from >= cursor);
            if len >= MIN_PART && best.is_none_or(|(best, _)| rank > best) {
                best = Some((rank, from));
            }
            at = self.next[from];
        }
        best.map(|((len, _), from)| (from, len))
    }
}

/// Stores the qualified name of a code object: mostly the start of the previous one, then its own name.
pub(crate) struct Qualified<'t, 'a> {
    pub(crate) texts: &'t mut Texts<'a>,
    /// That of the code object before.
    pub(crate) last: &'t [u8],
    /// The own name of the code object.
    pub(crate) name: &'t [u8],
}

impl Qualified<'_, '_> {
    /// Where names in the one before begin, from the last.
    fn beginnings(&self) -> impl Iterator<Item = usize> {
        let dots = self.last.iter().enumerate().rev();
        let behind = dots.filter(|(_, byte)| **byte == b'.');
        behind.map(|(at, _)| at + 1).chain([0])
    }
}

impl Coder for Qualified<'_, '_> {
    fn put(&mut self, bytes: &[u8], sinks: &mut Sinks) -> Result<(), DecodeError> {
        let around = bytes.strip_suffix(self.name);
        let shared = around.and_then(|around| {
            let common = common_prefix(around, self.last);
            let mut beginnings = self.beginnings().enumerate();
            let (number, len) = beginnings.find(|&(_, len)| len <= common)?;
            Some((number as u64, &around[len..]))
        });
        let parts = match shared {
            Some((number, [])) => (1 + 2 * number, None),
            Some((number, [between @ .., b'.'])) => (2 + 2 * number, Some(between)),
            _ => (0, Some(bytes)),
        };
        put(sinks, Stream::Qualified, parts.0);
        if let Some(text) = parts.1 {
            self.texts.coder(Role::Title).put(text, sinks)?;
        }
        Ok(())
    }

    fn get(&mut self, remaining: usize, readers: &mut Readers<'_>) -> Result<Vec<u8>, DecodeError> {
        let stored = get(readers, Stream::Qualified)?;
        let bytes = match stored.checked_sub(1) {
            None => self.texts.coder(Role::Title).get(remaining, readers)?,
            Some(stored) => {
                let number = usize::try_from(stored / 2).unwrap_or(usize::MAX);
                let len = self.beginnings().nth(number);
                let len = len.ok_or_else(|| Stream::Qualified.invalid("no such name"))?;
                let mut bytes = self.last[..len].to_vec();
                if stored % 2 == 1 {
                    let between = self.texts.coder(Role::Title).get(remaining, readers)?;
                    bytes.extend(between);
                    bytes.push(b'.');
                }
                bytes.extend_from_slice(self.name);
                bytes
            }
        };
        Ok(bytes)
    }
}
