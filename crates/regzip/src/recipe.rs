//! The recipe: what is needed besides the plain content to write a stream again.
//!
//! Layout, version 1. Numbers are varints unless a width is given.
//!
//! ```text
//! "RZ" version:u8 stream_len stream_crc32:u32le members { member } tail
//! member = flags:u8 [wrapper:u8 header] [encoder] plain_len plain_crc32:u32le [trailer] [events]
//!          [count { checkpoint }]
//! events = count { kind:u8 distance repeat }
//! tail   = 0 | 1 zeros | 2 bytes
//! ```
//!
//! Byte strings carry their length in front. The flags say which bracketed parts follow; a missing
//! wrapper, header or encoder is that of the member before.

use std::sync::Arc;

use crate::checkpoint::Checkpoint;
use crate::encoder::Encoder;
use crate::error::{Error, Result};
use crate::varint::{self, Fields};
use crate::wrapper::Wrapper;

const MAGIC: [u8; 2] = *b"RZ";
const VERSION: u8 = 1;

const NEW_HEADER: u8 = 1;
const NEW_METHOD: u8 = 2;
const ODD_TRAILER: u8 = 4;
const EVENTS: u8 = 8;
const CHECKPOINTS: u8 = 16;

/// How to write a stream again, given its plain content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    pub(crate) stream_len: u64,
    pub(crate) stream_crc: u32,
    pub(crate) members: Vec<Member>,
    pub(crate) tail: Tail,
}

/// One header, deflate stream and trailer.
///
/// Headers and literals are shared: thousands of members may repeat them.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Member {
    pub(crate) wrapper: Wrapper,
    pub(crate) header: Arc<[u8]>,
    pub(crate) method: Method,
    pub(crate) plain_len: u64,
    pub(crate) plain_crc: u32,
    /// The trailer's bytes where they are not what the content asks for.
    pub(crate) trailer: Option<Vec<u8>>,
    pub(crate) events: Vec<Event>,
    pub(crate) checkpoints: Vec<Checkpoint>,
}

/// Where a member's deflate stream comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// An encoder writes it.
    Replay(Encoder),
    /// It is kept as it is; only for short ones.
    Literal(Arc<[u8]>),
}

impl Default for Method {
    fn default() -> Self {
        Self::Literal(Arc::default())
    }
}

/// Something that the original writer did besides writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) kind: EventKind,
    /// Plain bytes since the event before.
    pub(crate) distance: u64,
    /// How often in a row; 1 if the distance is 0.
    pub(crate) repeat: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventKind {
    /// A sync flush.
    Flush,
    /// A write ended here.
    Boundary,
    /// A flush after which nothing before is referred to.
    FullFlush,
}

/// Bytes after the last member.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) enum Tail {
    #[default]
    None,
    Zeros(u64),
    Bytes(Vec<u8>),
}

/// A place in a list of events, which are expanded one at a time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EventCursor {
    index: usize,
    done: u64,
    at: u64,
}

impl EventCursor {
    /// The first event after a plain position.
    pub(crate) fn after(events: &[Event], position: u64) -> Self {
        let mut cursor = Self::default();
        while let Some(event) = events.get(cursor.index) {
            let left = position - cursor.at;
            let whole = left
                .checked_div(event.distance)
                .unwrap_or(1)
                .min(event.repeat);
            cursor.at += whole * event.distance;
            if whole < event.repeat {
                cursor.done = whole;
                break;
            }
            cursor.index += 1;
        }
        cursor
    }

    /// Position and kind of the next event.
    pub(crate) fn peek(self, events: &[Event]) -> Option<(u64, EventKind)> {
        let event = events.get(self.index)?;
        Some((self.at.saturating_add(event.distance), event.kind))
    }

    /// Steps over the next event.
    pub(crate) fn advance(&mut self, events: &[Event]) {
        let Some(event) = events.get(self.index) else {
            return;
        };
        self.at = self.at.saturating_add(event.distance);
        self.done += 1;
        if self.done >= event.repeat {
            self.index += 1;
            self.done = 0;
        }
    }
}

/// Appends an event at `distance` from the one before, joining equal ones.
pub(crate) fn push_event(events: &mut Vec<Event>, kind: EventKind, distance: u64) {
    match events.last_mut() {
        Some(last) if last.kind == kind && last.distance == distance && distance > 0 => {
            last.repeat += 1;
        }
        _ => events.push(Event {
            kind,
            distance,
            repeat: 1,
        }),
    }
}

impl Recipe {
    /// The length of the stream that this recipe makes.
    pub fn stream_len(&self) -> u64 {
        self.stream_len
    }

    /// The length of the plain content that it needs.
    pub fn plain_len(&self) -> u64 {
        self.members
            .iter()
            .fold(0, |sum, m| sum.saturating_add(m.plain_len))
    }

    /// How many members the stream has.
    pub fn members(&self) -> usize {
        self.members.len()
    }

    /// How many places it has at which a rebuild can start, besides the starts of members.
    pub fn checkpoints(&self) -> usize {
        self.members.iter().map(|m| m.checkpoints.len()).sum()
    }

    /// The same recipe without the places to start at: smaller, and good for one thread a member.
    pub fn without_checkpoints(&self) -> Self {
        let mut recipe = self.clone();
        for member in &mut recipe.members {
            member.checkpoints.clear();
        }
        recipe
    }

    /// The encoder of each member; `None` where the recipe carries the member's bytes.
    pub fn encoders(&self) -> impl Iterator<Item = Option<Encoder>> + '_ {
        self.members.iter().map(|m| match m.method {
            Method::Replay(encoder) => Some(encoder),
            Method::Literal(_) => None,
        })
    }

    /// The recipe as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.push(VERSION);
        varint::put(&mut out, self.stream_len);
        out.extend_from_slice(&self.stream_crc.to_le_bytes());
        varint::put(&mut out, self.members.len() as u64);
        let mut before: Option<&Member> = None;
        for member in &self.members {
            member.put(&mut out, before);
            before = Some(member);
        }
        match &self.tail {
            Tail::None => out.push(0),
            Tail::Zeros(n) => {
                out.push(1);
                varint::put(&mut out, *n);
            }
            Tail::Bytes(bytes) => {
                out.push(2);
                put_bytes(&mut out, bytes);
            }
        }
        out
    }

    /// Reads a recipe; fails on anything that [`Recipe::to_bytes`] would not write.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut fields = Fields::new(bytes);
        if [fields.byte()?, fields.byte()?] != MAGIC {
            return Err(Error::BadRecipe("it does not start like one"));
        }
        if fields.byte()? != VERSION {
            return Err(Error::BadRecipe("unknown version"));
        }
        let stream_len = fields.number()?;
        let stream_crc = fields.u32()?;
        let count = fields.number()?;
        // A member takes at least six bytes, so that the count cannot ask for more than is there.
        if count > fields.remaining() as u64 / 6 {
            return Err(Error::BadRecipe("more members than bytes"));
        }
        let mut members: Vec<Member> = Vec::with_capacity(count as usize);
        for _ in 0..count {
            members.push(Member::get(&mut fields, members.last())?);
        }
        let tail = match fields.byte()? {
            0 => Tail::None,
            1 => Tail::Zeros(fields.number()?),
            2 => Tail::Bytes(fields.bytes()?.to_vec()),
            _ => return Err(Error::BadRecipe("unknown tail")),
        };
        if fields.remaining() != 0 {
            return Err(Error::BadRecipe("bytes after its end"));
        }
        let recipe = Self {
            stream_len,
            stream_crc,
            members,
            tail,
        };
        recipe.check_lengths()?;
        Ok(recipe)
    }

    /// Whether the lengths can be summed.
    pub(crate) fn check_lengths(&self) -> Result<()> {
        let total = |n: u64, m: &Member| n.checked_add(m.plain_len);
        let total = self.members.iter().try_fold(0, total);
        total
            .map(|_| ())
            .ok_or(Error::BadRecipe("impossible length"))
    }
}

impl Member {
    /// Appends the member; what is the same as before is left out.
    pub(crate) fn put(&self, out: &mut Vec<u8>, before: Option<&Self>) {
        let same_header =
            before.is_some_and(|b| b.wrapper == self.wrapper && b.header == self.header);
        let same_method = before.is_some_and(|b| b.method == self.method);
        let mut flags = 0;
        for (flag, set) in [
            (NEW_HEADER, !same_header),
            (NEW_METHOD, !same_method),
            (ODD_TRAILER, self.trailer.is_some()),
            (EVENTS, !self.events.is_empty()),
            (CHECKPOINTS, !self.checkpoints.is_empty()),
        ] {
            flags |= if set { flag } else { 0 };
        }
        out.push(flags);
        if !same_header {
            out.push(self.wrapper as u8);
            put_bytes(out, &self.header);
        }
        if !same_method {
            match &self.method {
                Method::Literal(bytes) => {
                    out.push(0);
                    put_bytes(out, bytes);
                }
                Method::Replay(encoder) => encoder.put(out),
            }
        }
        varint::put(out, self.plain_len);
        out.extend_from_slice(&self.plain_crc.to_le_bytes());
        if let Some(trailer) = &self.trailer {
            put_bytes(out, trailer);
        }
        if !self.events.is_empty() {
            varint::put(out, self.events.len() as u64);
            for event in &self.events {
                out.push(event.kind as u8);
                varint::put(out, event.distance);
                varint::put(out, event.repeat);
            }
        }
        if !self.checkpoints.is_empty() {
            varint::put(out, self.checkpoints.len() as u64);
            let mut before = None;
            for checkpoint in &self.checkpoints {
                checkpoint.put(out, before);
                before = Some(checkpoint);
            }
        }
    }

    /// Reads what [`Member::put`] wrote.
    pub(crate) fn get(fields: &mut Fields<'_>, before: Option<&Self>) -> Result<Self> {
        let flags = fields.byte()?;
        if flags & !(NEW_HEADER | NEW_METHOD | ODD_TRAILER | EVENTS | CHECKPOINTS) != 0 {
            return Err(Error::BadRecipe("unknown flags"));
        }
        let (wrapper, header) = if flags & NEW_HEADER != 0 {
            (wrapper_from(fields.byte()?)?, fields.bytes()?.into())
        } else {
            let before = before.ok_or(Error::BadRecipe("no header"))?;
            (before.wrapper, before.header.clone())
        };
        let repeated = before.is_some_and(|b| b.wrapper == wrapper && b.header == header);
        if repeated && flags & NEW_HEADER != 0 {
            return Err(Error::BadRecipe("the header before once more"));
        }
        let method = if flags & NEW_METHOD != 0 {
            match fields.byte()? {
                0 => Method::Literal(fields.bytes()?.into()),
                kind => Method::Replay(Encoder::get(kind, fields)?),
            }
        } else {
            before.ok_or(Error::BadRecipe("no encoder"))?.method.clone()
        };
        if flags & NEW_METHOD != 0 && before.is_some_and(|b| b.method == method) {
            return Err(Error::BadRecipe("the encoder before once more"));
        }
        let plain_len = fields.number()?;
        let plain_crc = fields.u32()?;
        let trailer = if flags & ODD_TRAILER != 0 {
            Some(fields.bytes()?.to_vec())
        } else {
            None
        };
        let events = if flags & EVENTS != 0 {
            get_events(fields, plain_len)?
        } else {
            Vec::new()
        };
        let checkpoints = if flags & CHECKPOINTS != 0 {
            get_checkpoints(fields, &method, plain_len)?
        } else {
            Vec::new()
        };
        Ok(Self {
            wrapper,
            header,
            method,
            plain_len,
            plain_crc,
            trailer,
            events,
            checkpoints,
        })
    }
}

fn get_checkpoints(
    fields: &mut Fields<'_>,
    method: &Method,
    plain_len: u64,
) -> Result<Vec<Checkpoint>> {
    let Method::Replay(encoder) = *method else {
        return Err(Error::BadRecipe("checkpoints without an encoder"));
    };
    if !encoder.gives_checkpoints() {
        return Err(Error::BadRecipe("checkpoints of an encoder without such"));
    }
    let count = fields.number()?;
    // The shortest checkpoint takes five bytes.
    if count == 0 || count > fields.remaining() as u64 / 5 {
        return Err(Error::BadRecipe("more checkpoints than bytes"));
    }
    let mut list: Vec<Checkpoint> = Vec::with_capacity(count as usize);
    for _ in 0..count {
        list.push(Checkpoint::get(fields, encoder, list.last())?);
    }
    if list.last().is_some_and(|last| last.plain > plain_len) {
        return Err(Error::BadRecipe("checkpoint after the end"));
    }
    Ok(list)
}

fn get_events(fields: &mut Fields<'_>, plain_len: u64) -> Result<Vec<Event>> {
    let count = fields.number()?;
    if count == 0 || count > fields.remaining() as u64 / 3 {
        return Err(Error::BadRecipe("more events than bytes"));
    }
    let mut events = Vec::with_capacity(count as usize);
    let mut left = plain_len;
    for _ in 0..count {
        let kind = match fields.byte()? {
            0 => EventKind::Flush,
            1 => EventKind::Boundary,
            2 => EventKind::FullFlush,
            _ => return Err(Error::BadRecipe("unknown event")),
        };
        let (distance, repeat) = (fields.number()?, fields.number()?);
        if repeat == 0 || (distance == 0 && repeat != 1) {
            return Err(Error::BadRecipe("impossible event"));
        }
        left = distance
            .checked_mul(repeat)
            .and_then(|span| left.checked_sub(span))
            .ok_or(Error::BadRecipe("event after the end"))?;
        events.push(Event {
            kind,
            distance,
            repeat,
        });
    }
    Ok(events)
}

fn wrapper_from(byte: u8) -> Result<Wrapper> {
    match byte {
        0 => Ok(Wrapper::Gzip),
        1 => Ok(Wrapper::Zlib),
        2 => Ok(Wrapper::Raw),
        _ => Err(Error::BadRecipe("unknown wrapper")),
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    varint::put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}
