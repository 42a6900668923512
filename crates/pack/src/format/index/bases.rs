//! Bases in the index: blobs from outside that a pack needs, and which parts of them.

use std::sync::Arc;

use regzip::nested::Outline;
use sealift_oci::Digest;

use crate::error::{Error, Part, Result, damaged};

use super::{Body, Object, get_digest, put_digest};
use crate::format::fields::{Fields, put, put_bytes, unzigzag, wrong, zigzag};

/// A blob from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BaseBlob {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    /// The content is what the blob's gzip stream inflates to; otherwise the blob itself.
    pub(crate) gzip: bool,
    /// Bytes of the content.
    pub(crate) len: u64,
}

/// An object whose bytes are in a base blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BaseObject {
    /// The base blob, by its position in the index.
    pub(crate) blob: usize,
    /// Parts of its content in order, none empty.
    pub(crate) ranges: Vec<Range>,
    /// The compressed streams inside that are opened for the object's expansion.
    pub(crate) outline: Option<Arc<Outline>>,
}

/// Bytes of a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Range {
    pub(crate) offset: u64,
    pub(crate) len: u64,
}

impl Range {
    pub(crate) fn end(self) -> u64 {
        self.offset.saturating_add(self.len)
    }
}

impl BaseObject {
    pub(crate) fn content_len(&self) -> u64 {
        let add = |sum: u64, range: &Range| sum.saturating_add(range.len);
        self.ranges.iter().fold(0, add)
    }

    pub(crate) fn expanded_len(&self) -> u64 {
        let outline = self.outline.as_ref();
        outline.map_or_else(|| self.content_len(), |outline| outline.expanded_len())
    }
}

/// Writes all bases; how many objects these were, the first ones.
pub(super) fn put_bases(blobs: &[BaseBlob], objects: &[Object], out: &mut Vec<u8>) -> usize {
    let bases: Vec<&BaseObject> = objects
        .iter()
        .map_while(|object| match &object.body {
            Body::Base(base) => Some(&**base),
            _ => None,
        })
        .collect();
    put(out, blobs.len() as u64);
    for (number, blob) in blobs.iter().enumerate() {
        blob.put(out);
        let own = bases.iter().filter(|base| base.blob == number);
        put(out, own.clone().count() as u64);
        let mut end = 0;
        for base in own {
            end = base.put(end, out);
        }
    }
    bases.len()
}

/// Reads what [`put_bases`] wrote.
pub(super) fn get_bases(fields: &mut Fields<'_>) -> Result<(Vec<BaseBlob>, Vec<Object>)> {
    let count = fields.count(40)?;
    if count == 0 {
        return Err(wrong("a pack without bases has another version"));
    }
    let mut blobs: Vec<BaseBlob> = Vec::with_capacity(count);
    let mut objects = Vec::new();
    for number in 0..count {
        let blob = BaseBlob::get(fields)?;
        if blobs.last().is_some_and(|last| last.digest >= blob.digest) {
            return Err(wrong("base blobs are not sorted by digest"));
        }
        let count = fields.count(4)?;
        if count == 0 {
            return Err(damaged(Part::BaseBlob(blob.digest), "no object is in it"));
        }
        let mut end = 0;
        for _ in 0..count {
            let base = BaseObject::get(number, &blob, &mut end, fields)?;
            objects.push(Object::of_base(base));
        }
        blobs.push(blob);
    }
    Ok((blobs, objects))
}

impl BaseBlob {
    fn put(&self, out: &mut Vec<u8>) {
        put_digest(&self.digest, out);
        put(out, self.size);
        out.push(u8::from(self.gzip));
        put(out, self.len);
    }

    fn get(fields: &mut Fields<'_>) -> Result<Self> {
        let digest = get_digest(fields)?;
        let size = fields.number()?;
        let gzip = match fields.byte()? {
            0 => false,
            1 => true,
            other => {
                return Err(Error::Unsupported {
                    part: Part::BaseBlob(digest),
                    what: "wrapping",
                    number: u64::from(other),
                });
            }
        };
        let len = fields.number()?;
        if len >= 1 << 63 || (!gzip && len != size) {
            return Err(damaged(Part::BaseBlob(digest), "impossible lengths"));
        }
        Ok(Self {
            digest,
            size,
            gzip,
            len,
        })
    }
}

impl BaseObject {
    /// Writes an object, given where the last range before it ends; where its own last range ends.
    fn put(&self, mut end: u64, out: &mut Vec<u8>) -> u64 {
        put(out, self.ranges.len() as u64);
        for range in &self.ranges {
            put(out, zigzag(range.offset, end));
            put(out, range.len);
            end = range.end();
        }
        match &self.outline {
            None => put(out, 0),
            Some(outline) => put_bytes(out, &outline.to_bytes()),
        }
        end
    }

    fn get(number: usize, blob: &BaseBlob, end: &mut u64, fields: &mut Fields<'_>) -> Result<Self> {
        let part = Part::BaseBlob(blob.digest);
        let count = fields.count(2)?;
        let mut ranges = Vec::with_capacity(count);
        for _ in 0..count {
            let offset = unzigzag(fields.number()?, *end);
            let len = fields.number()?;
            let range = offset.map(|offset| Range { offset, len });
            let range = range.filter(|range| range.len > 0 && range.end() <= blob.len);
            let range = range.ok_or(damaged(part, "an object reaches outside of its content"))?;
            *end = range.end();
            ranges.push(range);
        }
        let outline = match fields.bytes()? {
            [] => None,
            bytes => {
                let outline = Outline::from_bytes(bytes)
                    .map_err(|_| damaged(part, "an outline of it is not valid"))?;
                Some(Arc::new(outline))
            }
        };
        let base = Self {
            blob: number,
            ranges,
            outline,
        };
        let other = |outline: &Arc<Outline>| {
            outline.content_len() != base.content_len() || outline.is_empty()
        };
        if base.ranges.is_empty() || base.outline.as_ref().is_some_and(other) {
            return Err(damaged(part, "an object of it contradicts itself"));
        }
        Ok(base)
    }
}
