//! The parts of a pack put together: streams, index and head.

use std::collections::BTreeMap;
use std::io;

use sha2::{Digest as _, Sha256};

use crate::compress::{RawStream, StoredStream};
use crate::error::{Error, Result};
use crate::format::{BlobEntry, Body, Head, Index, Object, Piece, Related, StreamKind, Wrapping};
use crate::leaning::Numbered;
use crate::map::StoredMap;
use crate::open::{Content, Inside, Opened, OpenedLayer};
use crate::plan::PackPlan;
use crate::relating::{Difference, Lean};
use crate::spool::{Chain, Spool};
use crate::storage::Region;
use crate::survey::Surveyed;

/// Everything that a pack is made of. Its objects are the base objects, then the contents, then structures that are
/// differences.
pub(crate) struct Parts<'a> {
    pub(crate) opened: &'a Opened,
    /// The numbers of contents in the order in which they are stored, and the contents in that order.
    pub(crate) order: &'a [usize],
    pub(crate) contents: &'a [&'a Content],
    pub(crate) differences: &'a [Option<Difference>],
    /// For each blob, its structure as differences from that of a base; `None` if it is stored as it is.
    pub(crate) structures: &'a [Option<Difference>],
    pub(crate) numbered: &'a Numbered,
}

impl Parts<'_> {
    /// What each stream of the pack consists of; streams without bytes are omitted.
    pub(crate) fn raw_streams(&self) -> Vec<RawStream> {
        let mut streams: BTreeMap<StreamKind, Vec<Region>> = BTreeMap::new();
        let layers = self.opened.layers.iter().zip(self.structures);
        let own = layers.filter(|(_, difference)| difference.is_none());
        let structure = own.flat_map(|(layer, _)| layer.structure.iter().cloned());
        streams.insert(StreamKind::Structure, structure.collect());
        for (content, difference) in self.contents.iter().zip(self.differences) {
            match difference {
                None => {
                    let kind = StreamKind::Plain(content.class.stream());
                    streams.entry(kind).or_default().push(content.bytes.clone());
                }
                Some(difference) => put_difference(difference, &mut streams),
            }
        }
        for difference in self.structures.iter().flatten() {
            put_difference(difference, &mut streams);
        }
        let streams = streams.into_iter().map(|(kind, regions)| RawStream {
            kind,
            bytes: Chain::new(regions),
        });
        streams.filter(|stream| stream.bytes.len() > 0).collect()
    }

    /// Puts head, index and streams in a row; an index of more than `limit` bytes is an error.
    pub(crate) fn assemble(
        &self,
        plan: &PackPlan,
        streams: &[StoredStream],
        spool: &Spool,
        limit: u64,
    ) -> Result<Chain> {
        let index = self.index(plan, streams);
        let raw = index.to_bytes();
        if raw.len() as u64 > limit {
            return Err(Error::LongIndex {
                needed: raw.len() as u64,
                limit,
            });
        }
        assemble(&raw, index.version(), streams, spool).map_err(Error::Scratch)
    }

    fn index(&self, plan: &PackPlan, streams: &[StoredStream]) -> Index {
        let own = self.contents.iter().zip(self.differences);
        let own =
            own.map(|(content, difference)| self.object(content, difference.as_ref(), streams));
        let structures = self.opened.layers.iter().zip(self.structures);
        let structures = structures.filter_map(|(layer, difference)| {
            let len = layer.structure.iter().map(Region::len).sum();
            Some(self.related(len, None, difference.as_ref()?, streams))
        });
        let objects = self.numbered.objects.iter().cloned();
        Index {
            base_blobs: self.numbered.blobs.clone(),
            objects: objects.chain(own).chain(structures).collect(),
            blobs: self.blobs(plan),
        }
    }

    fn object(
        &self,
        content: &Content,
        difference: Option<&Difference>,
        streams: &[StoredStream],
    ) -> Object {
        let len = content.bytes.len();
        match difference {
            Some(difference) => self.related(len, content.map.clone(), difference, streams),
            None => Object {
                len,
                map: content.map.clone(),
                body: Body::Plain {
                    stream: position(streams, StreamKind::Plain(content.class.stream())),
                },
            },
        }
    }

    fn related(
        &self,
        len: u64,
        map: Option<StoredMap>,
        difference: &Difference,
        streams: &[StoredStream],
    ) -> Object {
        let base = |lean: &Lean| match lean {
            Lean::Own(number) => self.numbered.objects.len() + number,
            Lean::Base(name) => self.numbered.number(*name),
        };
        let part = |(number, bytes): &(u16, Region)| {
            let stream = position(streams, StreamKind::Related(*number));
            [stream as u64, bytes.len()]
        };
        Object {
            len,
            map,
            body: Body::Related(Box::new(Related {
                codec: (difference.codec.id, difference.codec.version),
                bases: difference.bases.iter().map(base).collect(),
                numbers: difference.streams.iter().flat_map(part).collect(),
            })),
        }
    }

    fn blobs(&self, plan: &PackPlan) -> Vec<BlobEntry> {
        let own = self.numbered.objects.len();
        let mut places = vec![0; self.order.len()];
        for (place, &number) in self.order.iter().enumerate() {
            places[number] = own + place;
        }
        let mut next = own + places.len();
        let mut blobs = Vec::with_capacity(plan.blobs().len());
        let layers = self.opened.layers.iter().zip(self.structures);
        for (surveyed, (layer, structure)) in plan.blobs().iter().zip(layers) {
            let structure = structure.as_ref().map(|_| {
                next += 1;
                next - 1
            });
            blobs.push(self.blob(surveyed, layer, structure, &places));
        }
        blobs
    }

    fn blob(
        &self,
        surveyed: &Surveyed,
        layer: &OpenedLayer,
        structure: Option<usize>,
        places: &[usize],
    ) -> BlobEntry {
        let blob = surveyed.blob();
        let piece = |&(structure, inside): &(u64, Inside)| Piece {
            structure,
            object: match inside {
                Inside::Own(number) => Some(places[number]),
                Inside::Copied(number) => Some(self.numbered.number(number)),
                Inside::End => None,
            },
        };
        BlobEntry {
            digest: blob.digest,
            size: blob.size,
            wrapping: match &surveyed.recipe {
                None => Wrapping::None,
                Some(recipe) => Wrapping::Gzip(recipe.clone()),
            },
            structure,
            pieces: layer.pieces.iter().map(piece).collect(),
        }
    }
}

fn put_difference(difference: &Difference, streams: &mut BTreeMap<StreamKind, Vec<Region>>) {
    for (number, bytes) in &difference.streams {
        let kind = StreamKind::Related(*number);
        streams.entry(kind).or_default().push(bytes.clone());
    }
}

fn position(streams: &[StoredStream], kind: StreamKind) -> usize {
    let found = streams.binary_search_by_key(&kind, |stream| stream.entry.kind);
    found.expect("every kind that has bytes has a stream")
}

/// The level of the index: it is short.
const INDEX_LEVEL: i32 = 19;

fn assemble(
    raw: &[u8],
    version: u32,
    streams: &[StoredStream],
    spool: &Spool,
) -> io::Result<Chain> {
    let stored = zstd::bulk::compress(raw, INDEX_LEVEL)?;
    let head = Head {
        version,
        index_stored: stored.len() as u64,
        index_raw: raw.len() as u64,
        index_digest: Sha256::digest(&stored).into(),
        streams: streams.iter().map(|stream| stream.entry.clone()).collect(),
    };
    let mut regions = vec![spool.store(&head.to_bytes())?, spool.store(&stored)?];
    for stream in streams {
        regions.extend_from_slice(stream.bytes.regions());
    }
    Ok(Chain::new(regions))
}
