//! The index: which objects there are, and how blobs are made of them.

use std::sync::Arc;

use regzip::Recipe;
use regzip::nested::Map;
use sealift_oci::{Algorithm, Digest};

use crate::error::{Error, Part, Result, damaged};

use super::fields::{Fields, put, put_bytes, wrong};
use super::head::{StreamEntry, StreamKind};

const RELATED: u8 = 1;
const NESTED: u8 = 2;

/// What is in a pack.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Index {
    pub(crate) objects: Vec<Object>,
    /// Sorted by digest.
    pub(crate) blobs: Vec<BlobEntry>,
}

/// A run of bytes that is stored once: a file of a layer, or a blob that is not a tar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Object {
    /// Bytes as they are stored, compressed streams inside opened.
    pub(crate) len: u64,
    /// How to close the streams that were opened inside.
    pub(crate) map: Option<Arc<Map>>,
    pub(crate) body: Body,
}

/// Where an object's bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// In a stream of plain objects, after those of the objects before.
    Plain {
        /// The stream's position in the table.
        stream: usize,
    },
    /// In streams of a codec, which needs earlier objects.
    Related(Related),
}

/// What a codec needs to decode an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Related {
    /// The codec's number and version.
    pub(crate) codec: (u8, u8),
    /// Numbers of earlier objects.
    pub(crate) bases: Vec<usize>,
    /// Streams by their position in the table, and how many of their bytes are this object's.
    pub(crate) parts: Vec<(usize, u64)>,
}

/// A blob of the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BlobEntry {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) wrapping: Wrapping,
    pub(crate) pieces: Vec<Piece>,
}

/// What is around a blob's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wrapping {
    /// Nothing: the content is the blob.
    None,
    /// A gzip stream that the recipe makes again.
    Gzip(Arc<Recipe>),
}

/// Bytes between files, and the file after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// So many bytes of the structure stream.
    pub(crate) structure: u64,
    /// Then this object, with its streams closed; `None` only at the end of a blob.
    pub(crate) object: Option<usize>,
}

impl Object {
    /// Bytes in the blob's content.
    pub(crate) fn content_len(&self) -> u64 {
        self.map.as_ref().map_or(self.len, |map| map.content_len())
    }
}

impl BlobEntry {
    /// Bytes of the content inside the wrapping.
    pub(crate) fn content_len(&self) -> u64 {
        match &self.wrapping {
            Wrapping::None => self.size,
            Wrapping::Gzip(recipe) => recipe.plain_len(),
        }
    }

    /// Bytes of the structure stream.
    pub(crate) fn structure_len(&self) -> Option<u64> {
        let add = |sum: u64, piece: &Piece| sum.checked_add(piece.structure);
        self.pieces.iter().try_fold(0, add)
    }
}

impl Index {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, self.objects.len() as u64);
        for (number, object) in self.objects.iter().enumerate() {
            object.put(number, &mut out);
        }
        put(&mut out, self.blobs.len() as u64);
        for blob in &self.blobs {
            blob.put(&mut out);
        }
        out
    }

    /// Reads an index and checks it against the streams; what it accepts contradicts nothing.
    pub(crate) fn from_bytes(bytes: &[u8], streams: &[StreamEntry]) -> Result<Self> {
        let mut fields = Fields::new(bytes);
        let count = fields.count(3)?;
        let mut objects = Vec::with_capacity(count);
        for number in 0..count {
            objects.push(Object::get(number, &mut fields)?);
        }
        let count = fields.count(36)?;
        let mut blobs: Vec<BlobEntry> = Vec::with_capacity(count);
        for _ in 0..count {
            let blob = BlobEntry::get(&mut fields)?;
            if blobs.last().is_some_and(|last| last.digest >= blob.digest) {
                return Err(wrong("blobs are not sorted by digest"));
            }
            blobs.push(blob);
        }
        if fields.remaining() != 0 {
            return Err(wrong("bytes follow its end"));
        }
        let index = Self { objects, blobs };
        index.check(streams)?;
        Ok(index)
    }

    fn check(&self, streams: &[StreamEntry]) -> Result<()> {
        let mut used = Usage::new(streams);
        for (number, object) in self.objects.iter().enumerate() {
            match &object.body {
                Body::Plain { stream } => used.plain(*stream, object.len)?,
                Body::Related(related) => related.check(number, object.len, &mut used)?,
            }
        }
        for blob in &self.blobs {
            blob.check(&self.objects)?;
            used.structure(blob.structure_len().ok_or(wrong("impossible lengths"))?)?;
        }
        used.finish()
    }
}

/// How many bytes of each stream are used: in the end, all.
struct Usage<'a> {
    streams: &'a [StreamEntry],
    left: Vec<u64>,
}

impl<'a> Usage<'a> {
    fn new(streams: &'a [StreamEntry]) -> Self {
        Self {
            streams,
            left: streams.iter().map(|stream| stream.raw).collect(),
        }
    }

    fn take(&mut self, stream: usize, len: u64) -> Result<()> {
        let left = self.left.get_mut(stream).ok_or(wrong("no such stream"))?;
        *left = left
            .checked_sub(len)
            .ok_or(wrong("more bytes are used of a stream than it has"))?;
        Ok(())
    }

    fn plain(&mut self, stream: usize, len: u64) -> Result<()> {
        match self.streams.get(stream).map(|entry| entry.kind) {
            Some(StreamKind::Plain(_)) => self.take(stream, len),
            _ => Err(wrong("an object in a stream of another kind")),
        }
    }

    fn related(&mut self, stream: usize, len: u64) -> Result<()> {
        match self.streams.get(stream).map(|entry| entry.kind) {
            Some(StreamKind::Related(_)) => self.take(stream, len),
            _ => Err(wrong("a codec's stream of another kind")),
        }
    }

    fn structure(&mut self, len: u64) -> Result<()> {
        let found = self
            .streams
            .iter()
            .position(|s| s.kind == StreamKind::Structure);
        match found {
            Some(stream) => self.take(stream, len),
            None if len == 0 => Ok(()),
            None => Err(wrong("no stream of structure")),
        }
    }

    fn finish(&self) -> Result<()> {
        if self.left.iter().any(|&left| left > 0) {
            return Err(wrong("bytes of a stream are not used"));
        }
        let mut kinds: Vec<_> = self.streams.iter().map(|stream| stream.kind).collect();
        let count = kinds.len();
        kinds.sort_unstable();
        kinds.dedup();
        if kinds.len() != count {
            return Err(wrong("two streams of one kind"));
        }
        Ok(())
    }
}

impl Object {
    fn put(&self, number: usize, out: &mut Vec<u8>) {
        let related = matches!(self.body, Body::Related(_));
        let flags = (u8::from(related) * RELATED) | (u8::from(self.map.is_some()) * NESTED);
        out.push(flags);
        put(out, self.len);
        if let Some(map) = &self.map {
            put_bytes(out, &map.to_bytes());
        }
        match &self.body {
            Body::Plain { stream } => put(out, *stream as u64),
            Body::Related(related) => related.put(number, out),
        }
    }

    fn get(number: usize, fields: &mut Fields<'_>) -> Result<Self> {
        let flags = fields.byte()?;
        if flags & !(RELATED | NESTED) != 0 {
            return Err(Error::Unsupported {
                part: Part::Object(number),
                what: "flags",
                number: u64::from(flags),
            });
        }
        let len = fields.number()?;
        let map = match flags & NESTED {
            0 => None,
            _ => Some(Arc::new(nested(number, len, fields.bytes()?)?)),
        };
        let body = match flags & RELATED {
            0 => Body::Plain {
                stream: position(fields)?,
            },
            _ => Body::Related(Related::get(number, fields)?),
        };
        Ok(Self { len, map, body })
    }
}

fn nested(number: usize, len: u64, bytes: &[u8]) -> Result<Map> {
    let part = Part::Object(number);
    let map = Map::from_bytes(bytes).map_err(|_| damaged(part, "its map is not valid"))?;
    if map.expanded_len() != len || map.is_empty() {
        return Err(damaged(part, "its map is of another object"));
    }
    Ok(map)
}

fn position(fields: &mut Fields<'_>) -> Result<usize> {
    usize::try_from(fields.number()?).map_err(|_| wrong("no such stream"))
}

impl Related {
    fn put(&self, number: usize, out: &mut Vec<u8>) {
        out.extend([self.codec.0, self.codec.1]);
        put(out, self.bases.len() as u64);
        for base in &self.bases {
            put(out, (number - base) as u64);
        }
        put(out, self.parts.len() as u64);
        for &(stream, len) in &self.parts {
            put(out, stream as u64);
            put(out, len);
        }
    }

    fn get(number: usize, fields: &mut Fields<'_>) -> Result<Self> {
        let codec = (fields.byte()?, fields.byte()?);
        let count = fields.count(1)?;
        let mut bases = Vec::with_capacity(count);
        for _ in 0..count {
            let distance = fields.number()?;
            let base = usize::try_from(distance).ok().filter(|&d| d > 0);
            let base = base.and_then(|distance| number.checked_sub(distance));
            bases.push(base.ok_or(damaged(Part::Object(number), "a base is not before it"))?);
        }
        let count = fields.count(2)?;
        let mut parts = Vec::with_capacity(count);
        for _ in 0..count {
            parts.push((position(fields)?, fields.number()?));
        }
        Ok(Self {
            codec,
            bases,
            parts,
        })
    }

    fn check(&self, number: usize, len: u64, used: &mut Usage<'_>) -> Result<()> {
        let part = Part::Object(number);
        let sorted = self.parts.windows(2).all(|pair| pair[0].0 < pair[1].0);
        if !sorted || self.parts.iter().any(|&(_, len)| len == 0) {
            return Err(damaged(part, "its streams are not in order"));
        }
        if len == 0 {
            return Err(damaged(part, "it is empty and related"));
        }
        for &(stream, len) in &self.parts {
            used.related(stream, len)?;
        }
        Ok(())
    }
}

impl BlobEntry {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(match self.digest.algorithm() {
            Algorithm::Sha256 => 1,
            Algorithm::Sha512 => 2,
        });
        out.extend(self.digest.as_bytes());
        put(out, self.size);
        match &self.wrapping {
            Wrapping::None => out.push(0),
            Wrapping::Gzip(recipe) => {
                out.push(1);
                put_bytes(out, &recipe.to_bytes());
            }
        }
        put(out, self.pieces.len() as u64);
        for piece in &self.pieces {
            put(out, piece.structure);
            put(out, piece.object.map_or(0, |object| object as u64 + 1));
        }
    }

    fn get(fields: &mut Fields<'_>) -> Result<Self> {
        let digest = digest(fields)?;
        let size = fields.number()?;
        let wrapping = match fields.byte()? {
            0 => Wrapping::None,
            1 => Wrapping::Gzip(Arc::new(
                Recipe::from_bytes(fields.bytes()?)
                    .map_err(|_| damaged(Part::Blob(digest), "its recipe is not valid"))?,
            )),
            other => {
                return Err(Error::Unsupported {
                    part: Part::Blob(digest),
                    what: "wrapping",
                    number: u64::from(other),
                });
            }
        };
        let count = fields.count(2)?;
        let mut pieces = Vec::with_capacity(count);
        for _ in 0..count {
            pieces.push(Piece {
                structure: fields.number()?,
                object: match fields.number()? {
                    0 => None,
                    number => Some(usize::try_from(number - 1).unwrap_or(usize::MAX)),
                },
            });
        }
        Ok(Self {
            digest,
            size,
            wrapping,
            pieces,
        })
    }

    fn check(&self, objects: &[Object]) -> Result<()> {
        let part = Part::Blob(self.digest);
        if let Wrapping::Gzip(recipe) = &self.wrapping
            && recipe.stream_len() != self.size
        {
            return Err(damaged(part, "its recipe makes another length"));
        }
        let mut len = 0u64;
        for (position, piece) in self.pieces.iter().enumerate() {
            let object = match piece.object {
                Some(number) => objects
                    .get(number)
                    .ok_or(damaged(part, "no such object"))?
                    .content_len(),
                None if position + 1 == self.pieces.len() && piece.structure > 0 => 0,
                None => return Err(damaged(part, "a piece without an object")),
            };
            len = len.saturating_add(piece.structure).saturating_add(object);
        }
        if len != self.content_len() {
            return Err(damaged(part, "its pieces make another length"));
        }
        Ok(())
    }
}

fn digest(fields: &mut Fields<'_>) -> Result<Digest> {
    let size = |_| wrong("a digest ends early");
    match fields.byte()? {
        1 => Ok(Digest::Sha256(fields.take(32)?.try_into().map_err(size)?)),
        2 => Ok(Digest::Sha512(fields.take(64)?.try_into().map_err(size)?)),
        other => Err(Error::Unsupported {
            part: Part::Index,
            what: "digest algorithm",
            number: u64::from(other),
        }),
    }
}
