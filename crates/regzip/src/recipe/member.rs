//! One member of a stream, as a recipe describes it.

use std::sync::Arc;

use super::events::{self, Event};
use crate::checkpoint::Checkpoint;
use crate::corrections::Corrections;
use crate::encoder::Encoder;
use crate::error::{Error, Result};
use crate::varint::{self, Fields};
use crate::wrapper::Wrapper;

/// Flags of a member: which fields follow.
const NEW_HEADER: u8 = 1;
const NEW_METHOD: u8 = 2;
const TRAILER: u8 = 4;
const EVENTS: u8 = 8;
const CHECKPOINTS: u8 = 16;
const START: u8 = 32;

/// The method's byte for a stream that is kept as it is.
const LITERAL: u8 = 0;
/// The method's byte for corrections; all others are numbers of encoders.
const CORRECTED: u8 = 255;

/// The fewest bytes that a member takes: flags, length, checksum.
const SHORTEST: u64 = 6;
/// The fewest bytes that a checkpoint takes.
const SHORTEST_CHECKPOINT: u64 = 8;

/// One header, deflate stream and trailer.
///
/// Headers and literals are shared: thousands of members may repeat them.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Member {
    pub(crate) wrapper: Wrapper,
    pub(crate) header: Arc<[u8]>,
    pub(crate) method: Method,
    pub(crate) plain_len: u64,
    /// The content's checksum, the one that the wrapper carries.
    pub(crate) plain_sum: u32,
    /// The trailer's bytes if they are not those that follow from the content.
    pub(crate) trailer: Option<Vec<u8>>,
    pub(crate) events: Vec<Event>,
    pub(crate) checkpoints: Vec<Checkpoint>,
    /// Where it starts, if that is recorded. The first member starts where the stream does.
    pub(crate) start: Option<Start>,
}

/// Where a member starts in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Start {
    /// Bytes of the stream before it.
    pub(crate) offset: u64,
    /// CRC-32 of the stream from there to its end.
    pub(crate) rest_crc: u32,
}

/// How a member's deflate stream is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// An encoder writes it.
    Replay(Encoder),
    /// It is kept as it is; only for short ones.
    Literal(Arc<[u8]>),
    /// No known encoder writes it; the recipe says how it differs from one.
    Corrected(Corrections),
}

impl Default for Method {
    fn default() -> Self {
        Self::Literal(Arc::default())
    }
}

/// Appends the number of members and the members; `before` is the last one of the stream before, if any.
pub(crate) fn put_members<'a>(
    out: &mut Vec<u8>,
    members: &'a [Member],
    mut before: Option<&'a Member>,
) {
    varint::put(out, members.len() as u64);
    let mut base = 0;
    for member in members {
        member.put(out, before, &mut base);
        before = Some(member);
    }
}

/// Reads what [`put_members`] wrote.
pub(crate) fn get_members(fields: &mut Fields<'_>, before: Option<&Member>) -> Result<Vec<Member>> {
    let count = fields.number()?;
    if count == 0 || count > fields.remaining() as u64 / SHORTEST {
        return Err(Error::BadRecipe("impossible number of members"));
    }
    let mut members: Vec<Member> = Vec::with_capacity(count as usize);
    let mut base = 0;
    for index in 0..count {
        let before = members.last().or(before);
        let member = Member::get(fields, before, &mut base)?;
        let first = index == 0;
        if (first && member.start.is_some())
            || (!first && member.start.is_none() && !member.checkpoints.is_empty())
        {
            return Err(Error::BadRecipe("misplaced start of a member"));
        }
        members.push(member);
    }
    let total = |n: u64, m: &Member| n.checked_add(m.plain_len);
    match members.iter().try_fold(0, total) {
        Some(_) => Ok(members),
        None => Err(Error::BadRecipe("impossible length")),
    }
}

impl Member {
    /// The bytes after the deflate stream.
    pub(crate) fn trailer(&self) -> Vec<u8> {
        let usual = || self.wrapper.trailer(self.plain_sum, self.plain_len);
        self.trailer.clone().unwrap_or_else(usual)
    }

    fn has_header_of(&self, other: &Self) -> bool {
        self.wrapper == other.wrapper && self.header == other.header
    }

    /// Appends the member, without what is the same as in the one before. `base` is the last recorded offset.
    fn put(&self, out: &mut Vec<u8>, before: Option<&Self>, base: &mut u64) {
        let new_header = !before.is_some_and(|b| b.has_header_of(self));
        let new_method = before.is_none_or(|b| b.method != self.method);
        let fields = [
            (NEW_HEADER, new_header),
            (NEW_METHOD, new_method),
            (TRAILER, self.trailer.is_some()),
            (EVENTS, !self.events.is_empty()),
            (CHECKPOINTS, !self.checkpoints.is_empty()),
            (START, self.start.is_some()),
        ];
        let set = fields.iter().filter(|(_, set)| *set);
        out.push(set.map(|(flag, _)| flag).sum());
        if new_header {
            out.push(self.wrapper as u8);
            varint::put_bytes(out, &self.header);
        }
        if new_method {
            self.method.put(out);
        }
        varint::put(out, self.plain_len);
        out.extend_from_slice(&self.plain_sum.to_le_bytes());
        if let Some(trailer) = &self.trailer {
            out.extend_from_slice(trailer);
        }
        if !self.events.is_empty() {
            events::put(out, &self.events);
        }
        if !self.checkpoints.is_empty() {
            put_checkpoints(out, &self.checkpoints);
        }
        if let Some(start) = self.start {
            varint::put(out, start.offset - *base);
            out.extend_from_slice(&start.rest_crc.to_le_bytes());
            *base = start.offset;
        }
    }

    /// Reads what [`Member::put`] wrote.
    fn get(fields: &mut Fields<'_>, before: Option<&Self>, base: &mut u64) -> Result<Self> {
        let flags = fields.byte()?;
        if flags & !(NEW_HEADER | NEW_METHOD | TRAILER | EVENTS | CHECKPOINTS | START) != 0 {
            return Err(Error::BadRecipe("unknown flags"));
        }
        let (wrapper, header) = get_header(fields, flags, before)?;
        let method = get_method(fields, flags, before)?;
        let plain_len = fields.number()?;
        let plain_sum = fields.u32()?;
        let has = |flag: u8| flags & flag != 0;
        let mut member = Self {
            wrapper,
            header,
            method,
            plain_len,
            plain_sum,
            ..Self::default()
        };
        if has(TRAILER) {
            member.trailer = Some(get_trailer(fields, wrapper, plain_sum, plain_len)?);
        }
        if has(EVENTS) {
            member.events = events::get(fields, plain_len)?;
        }
        if has(CHECKPOINTS) {
            member.checkpoints = get_checkpoints(fields, &member.method, plain_len)?;
        }
        if has(START) {
            member.start = Some(get_start(fields, base)?);
        }
        Ok(member)
    }
}

impl Method {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Literal(bytes) => {
                out.push(LITERAL);
                varint::put_bytes(out, bytes);
            }
            Self::Replay(encoder) => encoder.put(out),
            Self::Corrected(corrections) => {
                out.push(CORRECTED);
                corrections.put(out);
            }
        }
    }

    fn get(fields: &mut Fields<'_>) -> Result<Self> {
        Ok(match fields.byte()? {
            LITERAL => Self::Literal(fields.bytes()?.into()),
            CORRECTED => Self::Corrected(Corrections::get(fields)?),
            number => Self::Replay(Encoder::get(number, fields)?),
        })
    }
}

fn get_header(
    fields: &mut Fields<'_>,
    flags: u8,
    before: Option<&Member>,
) -> Result<(Wrapper, Arc<[u8]>)> {
    if flags & NEW_HEADER == 0 {
        let before = before.ok_or(Error::BadRecipe("no header"))?;
        return Ok((before.wrapper, before.header.clone()));
    }
    let wrapper = match fields.byte()? {
        0 => Wrapper::Gzip,
        1 => Wrapper::Zlib,
        2 => Wrapper::Raw,
        _ => return Err(Error::BadRecipe("unknown wrapper")),
    };
    let header: Arc<[u8]> = fields.bytes()?.into();
    if before.is_some_and(|b| b.wrapper == wrapper && b.header == header) {
        return Err(Error::BadRecipe("the same header twice"));
    }
    Ok((wrapper, header))
}

fn get_method(fields: &mut Fields<'_>, flags: u8, before: Option<&Member>) -> Result<Method> {
    let before = before.map(|before| &before.method);
    if flags & NEW_METHOD == 0 {
        return before.cloned().ok_or(Error::BadRecipe("no method"));
    }
    let method = Method::get(fields)?;
    if before == Some(&method) {
        return Err(Error::BadRecipe("the same method twice"));
    }
    Ok(method)
}

fn get_trailer(fields: &mut Fields<'_>, wrapper: Wrapper, sum: u32, len: u64) -> Result<Vec<u8>> {
    let trailer = fields.take(wrapper.trailer_len())?.to_vec();
    if trailer == wrapper.trailer(sum, len) {
        return Err(Error::BadRecipe("a redundant trailer"));
    }
    Ok(trailer)
}

fn get_start(fields: &mut Fields<'_>, base: &mut u64) -> Result<Start> {
    let bad = Error::BadRecipe("misplaced start of a member");
    let offset = fields.number()?;
    let offset = base.checked_add(offset).filter(|_| offset > 0).ok_or(bad)?;
    *base = offset;
    Ok(Start {
        offset,
        rest_crc: fields.u32()?,
    })
}

fn put_checkpoints(out: &mut Vec<u8>, checkpoints: &[Checkpoint]) {
    varint::put(out, checkpoints.len() as u64);
    let mut before = None;
    for checkpoint in checkpoints {
        checkpoint.put(out, before);
        before = Some(checkpoint);
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
    let no_limits = Error::BadRecipe("checkpoints of an encoder without such");
    let limits = encoder.limits().ok_or(no_limits)?;
    let count = fields.number()?;
    if count == 0 || count > fields.remaining() as u64 / SHORTEST_CHECKPOINT {
        return Err(Error::BadRecipe("impossible number of checkpoints"));
    }
    let mut list: Vec<Checkpoint> = Vec::with_capacity(count as usize);
    for _ in 0..count {
        list.push(Checkpoint::get(fields, &limits, list.last())?);
    }
    if list.last().is_some_and(|last| last.plain > plain_len) {
        return Err(Error::BadRecipe("checkpoint after the end"));
    }
    Ok(list)
}
