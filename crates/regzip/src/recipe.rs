//! The recipe: what is needed besides the plain content to write a stream again.
//!
//! Layout, version 1. Numbers are varints unless a width is given.
//!
//! ```text
//! "RZ" version:u8 stream_len stream_crc32:u32le members { member } tail
//! member = flags:u8 [wrapper:u8 header] [method] plain_len plain_crc32:u32le [trailer] [events]
//!          [count { checkpoint }]
//! method = 0 bytes | number:u8 encoder's settings | 255 measure:u8 corrections
//! events = count { kind:u8 distance repeat }
//! tail   = 0 | 1 zeros | 2 bytes
//! ```
//!
//! Byte strings carry their length in front. The flags say which bracketed parts follow; a missing
//! wrapper, header or method is that of the member before.

mod events;

use std::sync::Arc;

use crate::checkpoint::Checkpoint;
use crate::corrections::Corrections;
use crate::encoder::Encoder;
use crate::error::{Error, Result};
use crate::varint::{self, Fields};
use crate::wrapper::Wrapper;
pub(crate) use events::{Event, EventCursor, EventKind, push_event};

const MAGIC: [u8; 2] = *b"RZ";
const VERSION: u8 = 1;

const NEW_HEADER: u8 = 1;
const NEW_METHOD: u8 = 2;
const ODD_TRAILER: u8 = 4;
const EVENTS: u8 = 8;
const CHECKPOINTS: u8 = 16;

/// Stands where the others have their encoder's number.
const CORRECTED: u8 = 255;

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
    /// No known encoder writes it; the recipe says in what it differs from one.
    Corrected(Corrections),
}

impl Default for Method {
    fn default() -> Self {
        Self::Literal(Arc::default())
    }
}

/// Bytes after the last member.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) enum Tail {
    #[default]
    None,
    Zeros(u64),
    Bytes(Vec<u8>),
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

    /// The encoder of each member; `None` where the recipe carries the member's bytes, or corrections.
    pub fn encoders(&self) -> impl Iterator<Item = Option<Encoder>> + '_ {
        self.members.iter().map(|m| match m.method {
            Method::Replay(encoder) => Some(encoder),
            Method::Literal(_) | Method::Corrected(_) => None,
        })
    }

    /// Bytes of corrections: 0 where known encoders wrote all members that are not carried whole.
    pub fn corrections(&self) -> usize {
        let of_member = |member: &Member| match &member.method {
            Method::Corrected(corrections) => corrections.bytes.len(),
            Method::Replay(_) | Method::Literal(_) => 0,
        };
        self.members.iter().map(of_member).sum()
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
                Method::Corrected(corrections) => {
                    out.push(CORRECTED);
                    corrections.put(out);
                }
            }
        }
        varint::put(out, self.plain_len);
        out.extend_from_slice(&self.plain_crc.to_le_bytes());
        if let Some(trailer) = &self.trailer {
            put_bytes(out, trailer);
        }
        if !self.events.is_empty() {
            events::put(out, &self.events);
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
                CORRECTED => Method::Corrected(Corrections::get(fields)?),
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
            events::get(fields, plain_len)?
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
