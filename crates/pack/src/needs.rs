//! Which base blobs each blob needs, found once for all blobs: many may lead to the same long chain of objects.

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::format::{Body, Index};

/// No more bytes are spent on sets of base blobs. Packs that are built stay far below: an object is related to a few
/// others.
const MAX_SETS: u64 = 64 << 20;

/// A set of base blobs, by their positions, sorted.
type Set = Arc<[u32]>;

/// The base blobs that each blob of a pack needs.
pub(crate) struct Needs {
    /// By the position of the blob; empty if no blob needs any.
    blobs: Vec<Set>,
}

impl Needs {
    /// Visits each object once: what it is related to comes before it.
    ///
    /// # Errors
    ///
    /// [`Error::Limit`] if the sets are too large together.
    pub(crate) fn of(index: &Index) -> Result<Self> {
        if index.base_blobs.is_empty() {
            return Ok(Self { blobs: Vec::new() });
        }
        let mut sets = Sets::new();
        let mut objects: Vec<usize> = Vec::with_capacity(index.objects.len());
        for object in &index.objects {
            objects.push(match &object.body {
                Body::Plain { .. } => Sets::EMPTY,
                Body::Related(related) => {
                    sets.union(related.bases.iter().map(|&base| objects[base]))?
                }
                Body::Base(base) => sets.one(base.blob)?,
            });
        }
        let blobs = index.blobs.iter().map(|blob| {
            let set = sets.union(blob.objects().map(|object| objects[object]))?;
            Ok(Arc::clone(&sets.list[set]))
        });
        Ok(Self {
            blobs: blobs.collect::<Result<_>>()?,
        })
    }

    /// The base blobs of a blob, by their positions, in order.
    pub(crate) fn of_blob(&self, blob: usize) -> impl Iterator<Item = usize> + '_ {
        let set = self.blobs.get(blob);
        set.into_iter()
            .flat_map(|set| set.iter())
            .map(|&base| base as usize)
    }
}

/// Different sets, each kept once.
struct Sets {
    list: Vec<Set>,
    numbers: HashMap<Set, usize>,
    /// What the union of several sets is.
    unions: HashMap<Box<[usize]>, usize>,
    /// Bytes that were spent.
    spent: u64,
}

impl Sets {
    const EMPTY: usize = 0;

    fn new() -> Self {
        let empty = Set::default();
        Self {
            list: vec![Arc::clone(&empty)],
            numbers: HashMap::from([(empty, Self::EMPTY)]),
            unions: HashMap::new(),
            spent: 0,
        }
    }

    /// The set of one base blob.
    fn one(&mut self, base: usize) -> Result<usize> {
        self.add(vec![u32::try_from(base).unwrap_or(u32::MAX)])
    }

    /// The number of the union of some sets.
    fn union(&mut self, of: impl Iterator<Item = usize>) -> Result<usize> {
        let mut key: Vec<usize> = of.filter(|&set| set != Self::EMPTY).collect();
        key.sort_unstable();
        key.dedup();
        match *key {
            [] => return Ok(Self::EMPTY),
            [only] => return Ok(only),
            _ => {}
        }
        if let Some(known) = self.unions.get(&*key) {
            return Ok(*known);
        }
        let members = key.iter().map(|&set| self.list[set].len());
        let entries = members.sum::<usize>() + 2 * key.len();
        self.spend(entries)?;
        let members = key.iter().flat_map(|&set| self.list[set].iter().copied());
        let mut union: Vec<u32> = members.collect();
        union.sort_unstable();
        union.dedup();
        let number = self.add(union)?;
        self.unions.insert(key.into_boxed_slice(), number);
        Ok(number)
    }

    fn add(&mut self, set: Vec<u32>) -> Result<usize> {
        if let Some(known) = self.numbers.get(&*set) {
            return Ok(*known);
        }
        self.spend(set.len() + SET_ENTRIES)?;
        let set: Set = set.into();
        self.list.push(Arc::clone(&set));
        self.numbers.insert(set, self.list.len() - 1);
        Ok(self.list.len() - 1)
    }

    /// Counts entries of sets that are read or kept.
    fn spend(&mut self, entries: usize) -> Result<()> {
        self.spent += (entries * size_of::<u32>()) as u64;
        if self.spent > MAX_SETS {
            return Err(Error::Limit {
                resource: "memory for lists of base blobs",
                needed: self.spent,
                limit: MAX_SETS,
            });
        }
        Ok(())
    }
}

/// What a set takes besides its own entries, in entries.
const SET_ENTRIES: usize = 16;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use sealift_oci::Digest;

    use super::*;
    use crate::format::{
        BaseBlob, BaseObject, BlobEntry, Numbers, Object, Piece, Related, Wrapping,
    };

    fn base(blob: usize) -> Object {
        Object::of_base(BaseObject {
            blob,
            ranges: Vec::new(),
            outline: None,
        })
    }

    fn related(bases: Vec<usize>) -> Object {
        Object {
            len: 1,
            map: None,
            body: Body::Related(Box::new(Related {
                codec: (1, 1),
                bases,
                numbers: Numbers::default(),
            })),
        }
    }

    fn blob(name: usize, objects: &[usize]) -> BlobEntry {
        let pieces = objects.iter().map(|&object| Piece {
            structure: 0,
            object: Some(object),
        });
        BlobEntry {
            digest: Digest::sha256(&name.to_le_bytes()),
            size: 1,
            wrapping: Wrapping::None,
            structure: None,
            pieces: pieces.collect(),
        }
    }

    /// An index with a base object of each of `bases` base blobs, then `objects`.
    fn index(bases: usize, objects: Vec<Object>, blobs: Vec<BlobEntry>) -> Index {
        let base_blobs = (0..bases).map(|number| BaseBlob {
            digest: Digest::sha256(format!("base {number}").as_bytes()),
            size: 1,
            gzip: false,
            len: 1,
        });
        Index {
            base_blobs: base_blobs.collect(),
            objects: (0..bases).map(base).chain(objects).collect(),
            blobs,
        }
    }

    fn needs(index: &Index) -> Vec<Vec<usize>> {
        let needs = Needs::of(index).unwrap();
        let blobs = 0..index.blobs.len();
        blobs.map(|blob| needs.of_blob(blob).collect()).collect()
    }

    #[test]
    fn a_blob_needs_what_the_objects_need_that_its_objects_are_related_to() {
        let objects = vec![related(vec![0]), related(vec![3, 2]), related(vec![1, 0])];
        let blobs = vec![blob(0, &[4]), blob(1, &[3, 5]), blob(2, &[3]), blob(3, &[])];
        let expected = [vec![0, 2], vec![0, 1], vec![0], vec![]];
        assert_eq!(needs(&index(3, objects, blobs)), expected);
    }

    #[test]
    fn many_blobs_at_the_end_of_a_long_chain_take_no_longer_than_the_chain_and_the_blobs() {
        let chain = (0..100_000).map(|number| related(vec![number]));
        let blobs = (0..10_000).map(|number| blob(number, &[100_000]));
        let index = index(1, chain.collect(), blobs.collect());
        let needs = Needs::of(&index).unwrap();
        assert!((0..10_000).all(|blob| needs.of_blob(blob).eq([0])));
    }

    #[test]
    fn sets_that_are_too_large_together_are_refused() {
        // Each object needs one base blob more than the one before it.
        const BASES: usize = 8_000;
        let chain = (1..BASES).map(|number| match number {
            1 => related(vec![0, 1]),
            _ => related(vec![number, BASES + number - 2]),
        });
        let index = index(BASES, chain.collect(), Vec::new());
        let error = Needs::of(&index).err().unwrap();
        assert!(matches!(error, Error::Limit { .. }), "{error}");
    }
}
