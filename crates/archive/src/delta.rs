//! What a delta leaves to its bases: which blobs, which base has them, and whether they are there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use sealift_oci::Digest;

use crate::contents::{Base, Identity};
use crate::scratch::NoScratch;
use crate::store::{BaseBlob, DeltaStore, NamedStore, Store};

/// What a delta needs from its bases.
#[derive(Clone)]
pub struct Delta {
    bases: Arc<[Base]>,
    store: DeltaStore,
    chain: u32,
}

impl Delta {
    pub(crate) fn new(bases: Vec<Base>, store: DeltaStore) -> Self {
        Self {
            bases: bases.into(),
            store,
            chain: 1,
        }
    }

    /// The same with more stores of blobs of the bases; the longest chain of deltas among them has `chain` deltas.
    pub(crate) fn with_bases(&self, stores: Vec<NamedStore>, chain: u32) -> Self {
        Self {
            bases: Arc::clone(&self.bases),
            store: self.store.with(stores),
            chain: self.chain.max(chain + 1),
        }
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        self.store.blobs()
    }

    /// What is known of each base, in the order in which the delta lists them.
    pub fn bases(&self) -> &[Base] {
        &self.bases
    }

    /// The base with this identity.
    pub fn base(&self, identity: Identity) -> Option<&Base> {
        self.bases.iter().find(|base| base.identity() == identity)
    }

    /// How many deltas lead from this one to bundles that are complete, itself included, as far as its bases are
    /// open: 1 if they are complete.
    pub fn chain(&self) -> u32 {
        self.chain
    }

    /// Blobs that are not in the file, since a base has them as they are; with their sizes in bytes.
    pub fn left_out(&self) -> &BTreeMap<Digest, u64> {
        self.store.left_out()
    }

    /// Every blob of a base that something needs: blobs that are left out, and those that packs refer to.
    pub fn needed(&self) -> &BTreeMap<Digest, BaseBlob> {
        self.store.bases().needed()
    }

    /// The blobs of bases that rebuilding `digest` needs.
    pub fn needs(&self, digest: &Digest) -> BTreeSet<Digest> {
        self.store.needs(digest)
    }

    /// Whether a store has been given that has `digest`, a blob of a base.
    pub fn has(&self, digest: &Digest) -> bool {
        self.store.bases().has(digest)
    }

    /// What of `blobs`, which are blobs of bases, is absent, for each base.
    pub fn absent(&self, blobs: impl IntoIterator<Item = Digest>) -> Vec<AbsentBase> {
        let mut absent: BTreeMap<Identity, Vec<Digest>> = BTreeMap::new();
        let once: BTreeSet<Digest> = blobs.into_iter().collect();
        for digest in once {
            if let Some(blob) = self.needed().get(&digest)
                && !self.has(&digest)
            {
                absent.entry(blob.base).or_default().push(digest);
            }
        }
        let bases = self.bases.iter();
        bases
            .filter_map(|base| Some(AbsentBase::new(base, absent.remove(&base.identity())?)))
            .collect()
    }

    pub(crate) fn check_readable(
        &self,
        bundle: &str,
        digests: impl IntoIterator<Item = Digest>,
    ) -> Result<(), AbsentBases> {
        let needed = digests.into_iter().flat_map(|digest| self.needs(&digest));
        let absent = self.absent(needed);
        if absent.is_empty() {
            return Ok(());
        }
        Err(AbsentBases {
            bundle: bundle.to_owned(),
            absent,
        })
    }
}

/// Blobs of a base that are needed and absent.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AbsentBase {
    /// The base.
    pub base: Identity,
    /// How many images it carries.
    pub images: u64,
    /// The blobs.
    pub blobs: Vec<Digest>,
    /// Their bytes.
    pub bytes: u64,
    /// What they belong to in the base.
    pub needed_by: Vec<String>,
}

impl AbsentBase {
    /// So many `blobs` of `base` are absent.
    pub fn new(base: &Base, blobs: Vec<Digest>) -> Self {
        let wanted: BTreeSet<Digest> = blobs.iter().copied().collect();
        Self {
            base: base.identity(),
            images: base.record().images.len() as u64,
            bytes: blobs.iter().filter_map(|digest| base.size(digest)).sum(),
            blobs,
            needed_by: base.needing(&wanted),
        }
    }
}

impl fmt::Display for AbsentBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.blobs.first().map(ToString::to_string);
        write!(
            f,
            "{} {} ({} bytes) of the base {}, including {}",
            self.blobs.len(),
            if self.blobs.len() == 1 {
                "blob"
            } else {
                "blobs"
            },
            self.bytes,
            self.base,
            first.unwrap_or_default()
        )?;
        match self.needed_by.first() {
            Some(name) if self.needed_by.len() == 2 => write!(f, " of {name} and 1 other"),
            Some(name) if self.needed_by.len() > 2 => {
                write!(f, " of {name} and {} others", self.needed_by.len() - 1)
            }
            Some(name) => write!(f, " of {name}"),
            None => Ok(()),
        }
    }
}

/// A delta cannot be read, since blobs of its bases are absent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{bundle} is a delta bundle and needs {}", list(.absent))]
pub struct AbsentBases {
    /// The delta's file.
    pub bundle: String,
    /// What is absent, for each base.
    pub absent: Vec<AbsentBase>,
}

/// Why blobs of a bundle cannot be read, which is known before the first one is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Blobs of a delta's bases are absent.
    #[error(transparent)]
    Absent(#[from] AbsentBases),
    /// There is not enough scratch space.
    #[error(transparent)]
    Scratch(#[from] NoScratch),
}

fn list(absent: &[AbsentBase]) -> String {
    let words: Vec<String> = absent.iter().map(ToString::to_string).collect();
    words.join("; ")
}
