//! What was opened where.
//! [`crate::format`] describes a map's bytes.

use std::sync::Arc;

use crate::encoder::Encoder;
use crate::error::{Error, Result};
use crate::recipe::{Member, Recipe, Tail, get_members, put_members};
use crate::varint::{self, Fields};

use super::frame::{self, Flags};
use super::png::Chunks;

const MAGIC: [u8; 2] = *b"RM";
/// Deeper maps are not read.
pub(super) const MAX_DEPTH: usize = 16;

/// What [`super::open`] did to content, and what [`super::close`] needs to undo it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Map {
    /// Length and CRC-32 of the content.
    pub(super) len: u64,
    pub(super) crc: u32,
    pub(super) entries: Vec<Entry>,
}

/// One stream that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Bytes before it, after the entry before, that are the same in content and expansion.
    pub(super) gap: u64,
    pub(super) recipe: Arc<Recipe>,
    /// The stream is cut in chunks.
    pub(super) chunks: Option<Chunks>,
    /// What was opened inside the stream's plain content.
    pub(super) inner: Option<Arc<Map>>,
}

/// A position between the streams of a content: in a gap, or at the start of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// The next entry.
    pub(super) index: usize,
    /// Bytes of the content and of the expansion before it.
    pub(super) content: u64,
    pub(super) expanded: u64,
    /// Bytes from there to the next stream, or the end.
    pub(super) gap: u64,
}

/// A stream that was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stream {
    /// How many streams it lies in.
    pub depth: usize,
    /// Where it starts in the content that it lies in, and its length there.
    pub offset: u64,
    /// Compressed bytes, with header and trailer.
    pub len: u64,
    /// Where its plain content (with what is opened inside) starts in the whole expansion.
    pub expanded_offset: u64,
    /// Bytes in the expansion.
    pub expanded_len: u64,
    /// Plain bytes.
    pub plain_len: u64,
    /// The encoder that wrote it.
    pub encoder: Option<Encoder>,
}

impl Entry {
    /// Bytes in the content.
    pub(super) fn len(&self) -> u64 {
        let framing = self.chunks.as_ref().map_or(0, Chunks::overhead);
        self.recipe.stream_len.saturating_add(framing)
    }

    /// Bytes in the expansion.
    pub(super) fn expanded_len(&self) -> u64 {
        match &self.inner {
            Some(inner) => inner.expanded_len(),
            None => self.recipe.plain_len(),
        }
    }
}

impl Map {
    /// The content's length.
    pub fn content_len(&self) -> u64 {
        self.len
    }

    /// The expansion's length.
    pub fn expanded_len(&self) -> u64 {
        let opened = |n: u64, e: &Entry| n.saturating_sub(e.len()).saturating_add(e.expanded_len());
        self.entries.iter().fold(self.len, opened)
    }

    /// Whether nothing was opened: the expansion is the content.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All streams that were opened, each before those inside it.
    pub fn streams(&self) -> Vec<Stream> {
        let mut list = Vec::new();
        self.list(0, 0, &mut list);
        list
    }

    /// The last position at or before an offset, which is not beyond the end: the offset itself if it lies in a
    /// gap, else the start of the stream that it lies in.
    pub(super) fn position(&self, offset: u64) -> Position {
        let (mut content, mut expanded) = (0, 0u64);
        for (index, entry) in self.entries.iter().enumerate() {
            let stream = content + entry.gap;
            if offset < stream + entry.len() {
                let at = offset.min(stream);
                return Position {
                    index,
                    content: at,
                    expanded: expanded.saturating_add(at - content),
                    gap: stream - at,
                };
            }
            content = stream + entry.len();
            expanded = expanded
                .saturating_add(entry.gap)
                .saturating_add(entry.expanded_len());
        }
        Position {
            index: self.entries.len(),
            content: offset,
            expanded: expanded.saturating_add(offset.saturating_sub(content)),
            gap: self.len.saturating_sub(offset),
        }
    }

    fn list(&self, depth: usize, expanded: u64, list: &mut Vec<Stream>) {
        let (mut offset, mut expanded) = (0, expanded);
        for entry in &self.entries {
            offset += entry.gap;
            expanded += entry.gap;
            list.push(Stream {
                depth,
                offset,
                len: entry.len(),
                expanded_offset: expanded,
                expanded_len: entry.expanded_len(),
                plain_len: entry.recipe.plain_len(),
                encoder: entry.recipe.encoders().next().flatten(),
            });
            if let Some(inner) = &entry.inner {
                inner.list(depth + 1, expanded, list);
            }
            offset += entry.len();
            expanded += entry.expanded_len();
        }
    }

    /// The map as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        frame::to_bytes(MAGIC, |out| self.put(out))
    }

    fn put(&self, out: &mut Vec<u8>) {
        varint::put(out, self.len);
        out.extend_from_slice(&self.crc.to_le_bytes());
        varint::put(out, self.entries.len() as u64);
        let mut before: Option<&Member> = None;
        for entry in &self.entries {
            let recipe = &entry.recipe;
            varint::put(out, entry.gap);
            let flags = Flags {
                is_chunked: entry.chunks.is_some(),
                has_inner: entry.inner.is_some(),
            };
            flags.put(out);
            varint::put(out, recipe.stream_len);
            out.extend_from_slice(&recipe.stream_crc.to_le_bytes());
            put_members(out, &recipe.members, before);
            before = recipe.members.last();
            if let Some(chunks) = &entry.chunks {
                chunks.put(out);
            }
            if let Some(inner) = &entry.inner {
                inner.put(out);
            }
        }
    }

    /// Reads a map.
    ///
    /// # Errors
    ///
    /// [`Error::BadRecipe`] for anything that [`Map::to_bytes`] would not write.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        frame::from_bytes(bytes, MAGIC, "not a map", |fields| {
            Self::get(fields, MAX_DEPTH)
        })
    }

    fn get(fields: &mut Fields<'_>, depth: usize) -> Result<Self> {
        if depth == 0 {
            return Err(Error::BadRecipe("too deep"));
        }
        let len = fields.number()?;
        let crc = fields.u32()?;
        let count = fields.number()?;
        // An entry takes at least fourteen bytes.
        if count > fields.remaining() as u64 / 14 {
            return Err(Error::BadRecipe("more streams than bytes"));
        }
        let mut entries: Vec<Entry> = Vec::with_capacity(count as usize);
        let mut left = len;
        let mut before: Option<Member> = None;
        for _ in 0..count {
            let entry = Entry::get(fields, depth, &mut before)?;
            left = left
                .checked_sub(entry.gap)
                .and_then(|left| left.checked_sub(entry.len()))
                .ok_or(Error::BadRecipe("a stream after the end"))?;
            entries.push(entry);
        }
        let map = Self { len, crc, entries };
        // What is not enough for a sum is no length of anything.
        if map.expanded_len() == u64::MAX {
            return Err(Error::BadRecipe("impossible length"));
        }
        Ok(map)
    }
}

impl Entry {
    fn get(fields: &mut Fields<'_>, depth: usize, before: &mut Option<Member>) -> Result<Self> {
        let gap = fields.number()?;
        let flags = Flags::get(fields)?;
        let stream_len = fields.number()?;
        let stream_crc = fields.u32()?;
        let members = get_members(fields, before.as_ref())?;
        *before = members.last().cloned();
        let chunks = flags.chunks(fields, stream_len)?;
        let inner = if flags.has_inner {
            Some(Arc::new(Map::get(fields, depth - 1)?))
        } else {
            None
        };
        let recipe = Recipe {
            stream_len,
            stream_crc,
            members,
            tail: Tail::None,
        };
        if inner
            .as_ref()
            .is_some_and(|map| map.len != recipe.plain_len() || map.is_empty())
        {
            return Err(Error::BadRecipe("a map of other content"));
        }
        Ok(Self {
            gap,
            recipe: Arc::new(recipe),
            chunks,
            inner,
        })
    }
}
