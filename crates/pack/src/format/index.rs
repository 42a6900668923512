//! The index: which objects there are, and how blobs are made of them.

mod bases;

use std::sync::Arc;

use regzip::Recipe;
use regzip::nested::Map;
use sealift_oci::{Algorithm, Digest};

use crate::error::{Error, Part, Result, damaged};
use crate::map::StoredMap;

use super::fields::{Fields, put, put_bytes, unzigzag, wrong, zigzag};
use super::head::{StreamEntry, StreamKind};
use super::numbers::Numbers;
pub(crate) use bases::{BaseBlob, BaseObject, Range};
use bases::{get_bases, put_bases};

/// The most bytes of bases, counted once for each related object, for each byte of these objects; [`FREE_BASES`] more are
/// allowed.
pub(crate) const MAX_BASES_SHARE: u64 = 1024;
const FREE_BASES: u64 = 1 << 30;

/// The longest source of a compiled Python module of so many bytes: it is divided into tokens for each module.
pub(crate) fn max_source(module: u64) -> u64 {
    module.saturating_mul(64).saturating_add(16 << 10)
}

const RELATED: u8 = 1;
const NESTED: u8 = 2;

/// What is in a pack.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Index {
    /// Blobs from outside that the pack needs, sorted by digest.
    pub(crate) base_blobs: Vec<BaseBlob>,
    /// Objects whose bytes are in base blobs, in the order of these, then the pack's own.
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
    pub(crate) map: Option<StoredMap>,
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
    Related(Box<Related>),
    /// In a base blob.
    Base(Box<BaseObject>),
}

/// What a codec needs to decode an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Related {
    /// The codec's number and version.
    pub(crate) codec: (u8, u8),
    /// Numbers of earlier objects.
    pub(crate) bases: Vec<usize>,
    /// In turn a stream by its position in the table, and how many of its bytes are this object's.
    pub(crate) numbers: Numbers,
}

impl Related {
    /// Streams by their positions in the table, and how many of their bytes are this object's.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        let mut numbers = self.numbers.iter();
        std::iter::from_fn(move || {
            let stream = usize::try_from(numbers.next()?).unwrap_or(usize::MAX);
            Some((stream, numbers.next()?))
        })
    }
}

/// A blob of the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BlobEntry {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) wrapping: Wrapping,
    /// The object that contains the bytes between files; `None` if they are in the structure stream.
    pub(crate) structure: Option<usize>,
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
    /// So many bytes of the structure.
    pub(crate) structure: u64,
    /// Then this object, with its streams closed; `None` only at the end of a blob.
    pub(crate) object: Option<usize>,
}

impl Object {
    /// Bytes in the blob's content.
    pub(crate) fn content_len(&self) -> u64 {
        match &self.body {
            Body::Base(base) => base.content_len(),
            _ => self.map.as_ref().map_or(self.len, StoredMap::content_len),
        }
    }

    /// An object of a base blob.
    pub(crate) fn of_base(base: BaseObject) -> Self {
        Self {
            len: base.expanded_len(),
            map: None,
            body: Body::Base(Box::new(base)),
        }
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

    /// The objects that it is made of.
    pub(crate) fn objects(&self) -> impl Iterator<Item = usize> + '_ {
        let pieces = self.pieces.iter().filter_map(|piece| piece.object);
        self.structure.into_iter().chain(pieces)
    }

    /// Bytes of the structure.
    pub(crate) fn structure_len(&self) -> Option<u64> {
        let add = |sum: u64, piece: &Piece| sum.checked_add(piece.structure);
        self.pieces.iter().try_fold(0, add)
    }
}

impl Index {
    /// The version of the format that this index needs.
    pub(crate) fn version(&self) -> u32 {
        if self.base_blobs.is_empty() { 1 } else { 2 }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut bases = 0;
        if self.version() == 2 {
            bases = put_bases(&self.base_blobs, &self.objects, &mut out);
        }
        put(&mut out, (self.objects.len() - bases) as u64);
        for (number, object) in self.objects.iter().enumerate().skip(bases) {
            object.put(number, &mut out);
        }
        put(&mut out, self.blobs.len() as u64);
        for blob in &self.blobs {
            blob.put(self.version(), &mut out);
        }
        out
    }

    /// Reads an index and checks it against the streams; what it accepts contradicts nothing.
    pub(crate) fn from_bytes(bytes: &[u8], streams: &[StreamEntry], version: u32) -> Result<Self> {
        let mut fields = Fields::new(bytes);
        let (base_blobs, mut objects) = match version {
            1 => (Vec::new(), Vec::new()),
            _ => get_bases(&mut fields)?,
        };
        let bases = objects.len();
        let count = fields.count(3)?;
        objects.reserve(count);
        for number in bases..bases + count {
            objects.push(Object::get(number, &mut fields)?);
        }
        let count = fields.count(36)?;
        let mut blobs: Vec<BlobEntry> = Vec::with_capacity(count);
        for _ in 0..count {
            let blob = BlobEntry::get(version, &mut fields)?;
            if blobs.last().is_some_and(|last| last.digest >= blob.digest) {
                return Err(wrong("blobs are not sorted by digest"));
            }
            blobs.push(blob);
        }
        if fields.remaining() != 0 {
            return Err(wrong("bytes follow its end"));
        }
        let index = Self {
            base_blobs,
            objects,
            blobs,
        };
        index.check(streams)?;
        Ok(index)
    }

    fn check(&self, streams: &[StreamEntry]) -> Result<()> {
        let mut used = Usage::new(streams);
        for (number, object) in self.objects.iter().enumerate() {
            match &object.body {
                Body::Plain { stream } => used.plain(*stream, object.len)?,
                Body::Related(related) => related.check(number, object.len, &mut used)?,
                Body::Base(_) => {}
            }
        }
        for blob in &self.blobs {
            blob.check(&self.objects)?;
            let structure = blob.structure_len().ok_or(wrong("impossible lengths"))?;
            if blob.structure.is_none() {
                used.structure(structure)?;
            }
        }
        self.check_bases_are_used()?;
        self.check_proportion()?;
        used.finish()
    }

    /// Decoding an object takes time for its bases too, however short it is.
    fn check_proportion(&self) -> Result<()> {
        let (mut bases, mut len) = (0u64, 0u64);
        for object in &self.objects {
            if let Body::Related(related) = &object.body {
                let lens = related.bases.iter().map(|&base| self.objects[base].len);
                let own = lens.fold(0, u64::saturating_add);
                if related.codec.0 == relate::Codec::PYTHON.id && own > max_source(object.len) {
                    return Err(wrong("a source that is too long for its compiled module"));
                }
                bases = bases.saturating_add(own);
                len = len.saturating_add(object.len);
            }
        }
        if bases
            > len
                .saturating_mul(MAX_BASES_SHARE)
                .saturating_add(FREE_BASES)
        {
            return Err(wrong(
                "bases more than 1024 times as long as the objects related to them",
            ));
        }
        Ok(())
    }

    fn check_bases_are_used(&self) -> Result<()> {
        let is_base = |object: &Object| matches!(object.body, Body::Base(_));
        let count = self.objects.iter().take_while(|o| is_base(o)).count();
        let mut used = vec![false; count];
        let mut mark = |number: usize| {
            if let Some(used) = used.get_mut(number) {
                *used = true;
            }
        };
        for object in &self.objects {
            if let Body::Related(related) = &object.body {
                related.bases.iter().copied().for_each(&mut mark);
            }
        }
        for blob in &self.blobs {
            blob.objects().for_each(&mut mark);
        }
        match used.iter().position(|used| !used) {
            Some(number) => Err(damaged(Part::Object(number), "nothing uses it")),
            None => Ok(()),
        }
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
            put_bytes(out, map.bytes());
        }
        match &self.body {
            Body::Plain { stream } => put(out, *stream as u64),
            Body::Related(related) => related.put(number, out),
            // It is written with its base blob.
            Body::Base(_) => {}
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
            _ => Some(nested(number, len, fields.bytes()?)?),
        };
        let body = match flags & RELATED {
            0 => Body::Plain {
                stream: position(fields)?,
            },
            _ => Body::Related(Box::new(Related::get(number, fields)?)),
        };
        Ok(Self { len, map, body })
    }
}

fn nested(number: usize, len: u64, bytes: &[u8]) -> Result<StoredMap> {
    let part = Part::Object(number);
    let map = Map::from_bytes(bytes).map_err(|_| damaged(part, "its map is not valid"))?;
    if map.expanded_len() != len || map.is_empty() {
        return Err(damaged(part, "its map is of another object"));
    }
    let stored = StoredMap::new(&map);
    if stored.bytes() != bytes {
        return Err(damaged(part, "its map is not as a writer writes it"));
    }
    Ok(stored)
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
        put(out, self.parts().count() as u64);
        for (stream, len) in self.parts() {
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
        let mut numbers = Vec::with_capacity(2 * count);
        for _ in 0..count {
            numbers.extend([position(fields)? as u64, fields.number()?]);
        }
        Ok(Self {
            codec,
            bases,
            numbers: numbers.into_iter().collect(),
        })
    }

    fn check(&self, number: usize, len: u64, used: &mut Usage<'_>) -> Result<()> {
        let part = Part::Object(number);
        let sorted = self
            .parts()
            .map(|(stream, _)| stream)
            .is_sorted_by(|a, b| a < b);
        if !sorted || self.parts().any(|(_, len)| len == 0) {
            return Err(damaged(part, "its streams are not in order"));
        }
        if len == 0 {
            return Err(damaged(part, "it is empty and related"));
        }
        for (stream, len) in self.parts() {
            used.related(stream, len)?;
        }
        Ok(())
    }
}

impl BlobEntry {
    fn put(&self, version: u32, out: &mut Vec<u8>) {
        put_digest(&self.digest, out);
        put(out, self.size);
        match &self.wrapping {
            Wrapping::None => out.push(0),
            Wrapping::Gzip(recipe) => {
                out.push(1);
                put_bytes(out, &recipe.to_bytes());
            }
        }
        if version > 1 {
            put(out, self.structure.map_or(0, |object| object as u64 + 1));
        }
        put(out, self.pieces.len() as u64);
        let mut names = Names::new(version);
        for piece in &self.pieces {
            put(out, piece.structure);
            put(out, names.put(piece.object));
        }
    }

    fn get(version: u32, fields: &mut Fields<'_>) -> Result<Self> {
        let digest = get_digest(fields)?;
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
        let structure = match version {
            1 => None,
            _ => number_or_none(fields.number()?),
        };
        let count = fields.count(2)?;
        let mut pieces = Vec::with_capacity(count);
        let mut names = Names::new(version);
        for _ in 0..count {
            pieces.push(Piece {
                structure: fields.number()?,
                object: names.get(fields.number()?),
            });
        }
        Ok(Self {
            digest,
            size,
            wrapping,
            structure,
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
        if let Some(number) = self.structure {
            let object = objects.get(number).ok_or(damaged(part, "no such object"))?;
            let len = self.structure_len();
            if object.map.is_some() || len == Some(0) || len != Some(object.content_len()) {
                return Err(damaged(part, "its structure has another length"));
            }
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

fn number_or_none(number: u64) -> Option<usize> {
    let object = number.checked_sub(1)?;
    Some(usize::try_from(object).unwrap_or(usize::MAX))
}

/// How pieces name objects: 0 is none. Version 1 counts from the first object, version 2 from the object that
/// follows the one of the piece before, so that what is in a row takes equal bytes.
struct Names {
    relative: bool,
    expected: usize,
}

impl Names {
    fn new(version: u32) -> Self {
        Self {
            relative: version > 1,
            expected: 0,
        }
    }

    fn put(&mut self, object: Option<usize>) -> u64 {
        let Some(object) = object else { return 0 };
        let expected = std::mem::replace(&mut self.expected, object + 1);
        if self.relative {
            zigzag(object as u64, expected as u64) + 1
        } else {
            object as u64 + 1
        }
    }

    /// A number that no object has becomes one that is too large.
    fn get(&mut self, number: u64) -> Option<usize> {
        let number = number.checked_sub(1)?;
        let object = if self.relative {
            unzigzag(number, self.expected as u64)
        } else {
            Some(number)
        };
        let object = object.and_then(|object| usize::try_from(object).ok());
        let object = object.unwrap_or(usize::MAX);
        self.expected = object.saturating_add(1);
        Some(object)
    }
}

pub(super) fn put_digest(digest: &Digest, out: &mut Vec<u8>) {
    out.push(match digest.algorithm() {
        Algorithm::Sha256 => 1,
        Algorithm::Sha512 => 2,
    });
    out.extend(digest.as_bytes());
}

pub(super) fn get_digest(fields: &mut Fields<'_>) -> Result<Digest> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn with_related(count: usize) -> Index {
        let base = Object {
            len: FREE_BASES,
            map: None,
            body: Body::Plain { stream: 0 },
        };
        let related = Object {
            len: 16,
            map: None,
            body: Body::Related(Box::new(Related {
                codec: (1, 1),
                bases: vec![0],
                numbers: Numbers::default(),
            })),
        };
        Index {
            objects: [vec![base], vec![related; count]].concat(),
            ..Index::default()
        }
    }

    #[test]
    fn many_short_objects_with_a_long_base_are_refused() {
        with_related(1).check_proportion().unwrap();
        let error = with_related(2).check_proportion().unwrap_err();
        assert!(error.to_string().contains("1024 times"), "{error}");
    }

    #[test]
    fn a_source_out_of_proportion_is_refused() {
        let mut index = with_related(1);
        let Body::Related(related) = &mut index.objects[1].body else {
            unreachable!();
        };
        related.codec = (3, 1);
        assert!(index.check_proportion().is_err());
        index.objects[0].len = max_source(16);
        index.check_proportion().unwrap();
    }
}
