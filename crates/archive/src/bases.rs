//! Bundles that deltas are read with. A base may be a delta itself: chains are resolved here, once for all.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sealift_oci::Digest;

use crate::bundle::{Bundle, OpenError};
use crate::chain::{ChainError, MAX_CHAIN};
use crate::contents::{Base, Identity, Record};
use crate::delta::Delta;
use crate::fault::Fault;
use crate::resources::Resources;
use crate::store::{NamedStore, RecordParts, Store};

/// Bundles that deltas are read with, in the order in which they were given.
#[derive(Clone, Default)]
pub struct Bases {
    given: Arc<[Given]>,
}

/// One of them.
#[derive(Clone)]
pub(crate) struct Given {
    bundle: Arc<Bundle>,
    /// How many deltas lead from it to complete bundles; 0 if it is complete.
    chain: u32,
    /// Whether another of them builds on it.
    below: bool,
}

/// Why bases cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BasesError {
    /// One cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// They are deltas that do not lead to complete bundles, or not soon enough.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A record where blobs are needed.
    #[error("{name} is the record of a bundle, without its blobs (expected the bundle)")]
    NoBlobs {
        /// The record's file.
        name: String,
    },
}

impl Bases {
    /// Opens the bundles at `paths`. Deltas among them are read with the others.
    ///
    /// # Errors
    /// If one cannot be opened or has no blobs, or they build on each other in a circle.
    pub fn open(paths: &[PathBuf], resources: &Resources) -> Result<Self, BasesError> {
        let files = BaseFiles::open_to_read(paths, resources)?;
        match files.list.iter().find(|file| file.blobs().is_none()) {
            Some(record) => Err(BasesError::NoBlobs {
                name: record.name().to_owned(),
            }),
            None => Ok(files.bundles),
        }
    }

    /// The same for bundles that are open.
    ///
    /// # Errors
    /// If they build on each other in a circle, or too many in a row.
    pub fn of_bundles(bundles: Vec<Bundle>) -> Result<Self, ChainError> {
        let mut resolver = Resolver {
            by_identity: by_identity(&bundles),
            resolved: BTreeMap::new(),
            below: vec![false; bundles.len()],
            bundles,
        };
        for number in 0..resolver.bundles.len() {
            resolver.resolve(number, &mut Vec::new())?;
        }
        let Resolver {
            resolved, below, ..
        } = resolver;
        let given = resolved.into_iter().map(|(number, (bundle, chain))| Given {
            bundle,
            chain,
            below: below[number],
        });
        Ok(Self {
            given: given.collect(),
        })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.given.is_empty()
    }

    /// All bundles.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Bundle>> {
        self.given.iter().map(|given| &given.bundle)
    }

    /// The bundles that no chain of bases leads to from `bundle`. Their blobs are used nevertheless where they are
    /// the right ones.
    pub fn strangers(&self, bundle: &Bundle) -> Vec<&str> {
        let mut reached: BTreeSet<Identity> = BTreeSet::new();
        let bases = |bundle: &Bundle| -> Vec<Identity> {
            let bases = bundle.delta().into_iter().flat_map(Delta::bases);
            bases.map(Base::identity).collect()
        };
        let mut open = bases(bundle);
        while let Some(identity) = open.pop() {
            if reached.insert(identity) {
                let same = self.iter().filter(|given| given.identity() == identity);
                open.extend(same.flat_map(|given| bases(given)));
            }
        }
        let strangers = self
            .iter()
            .filter(|given| !reached.contains(&given.identity()));
        strangers.map(|given| given.name()).collect()
    }

    /// The stores that `bundle`, a delta, is read with, and the length of the longest chain among its bases: the bundles
    /// that are its bases, then every other that is complete, since blobs are what their digests say wherever
    /// they come from.
    ///
    /// # Errors
    /// If its bases lead back to it, or to a complete bundle only after too many deltas.
    pub(crate) fn of(
        &self,
        bundle: &Bundle,
        delta: &Delta,
    ) -> Result<(Vec<NamedStore>, u32), ChainError> {
        let name = || bundle.name().to_owned();
        if self.leads_to(bundle.identity(), delta) {
            return Err(ChainError::Circle { name: name() });
        }
        let is_base = |given: &&Given| delta.base(given.bundle.identity()).is_some();
        let (bases, others): (Vec<&Given>, Vec<&Given>) = self.given.iter().partition(is_base);
        let chain = bases.iter().map(|given| given.chain).max().unwrap_or(0);
        if chain >= MAX_CHAIN {
            return Err(ChainError::TooLong { name: name() });
        }
        let others = others.into_iter().filter(|given| given.chain == 0);
        let stores = bases.into_iter().chain(others);
        let stores = stores.map(|given| named(&given.bundle)).collect();
        Ok((stores, chain))
    }

    /// Whether the bases of `delta` lead to `identity` without a complete bundle in between.
    fn leads_to(&self, identity: Identity, delta: &Delta) -> bool {
        let identities =
            |delta: &Delta| -> Vec<Identity> { delta.bases().iter().map(Base::identity).collect() };
        let mut reached: BTreeSet<Identity> = BTreeSet::new();
        let mut open = identities(delta);
        while let Some(next) = open.pop() {
            let mut same = self.iter().filter(|given| given.identity() == next);
            let is_complete = |given: &Given| given.chain == 0 && given.bundle.identity() == next;
            if !reached.insert(next) || self.given.iter().any(is_complete) {
                continue;
            }
            if next == identity {
                return true;
            }
            open.extend(
                same.find_map(|given| given.delta())
                    .into_iter()
                    .flat_map(identities),
            );
        }
        false
    }
}

fn named(bundle: &Bundle) -> NamedStore {
    NamedStore {
        name: bundle.name().to_owned(),
        store: bundle.shared_store(),
    }
}

/// The bundle of each identity; one that is complete before a delta.
fn by_identity(bundles: &[Bundle]) -> BTreeMap<Identity, usize> {
    let mut found: BTreeMap<Identity, usize> = BTreeMap::new();
    for (number, bundle) in bundles.iter().enumerate() {
        let known = found.entry(bundle.identity()).or_insert(number);
        if bundles[*known].delta().is_some() && bundle.delta().is_none() {
            *known = number;
        }
    }
    found
}

struct Resolver {
    bundles: Vec<Bundle>,
    by_identity: BTreeMap<Identity, usize>,
    resolved: BTreeMap<usize, (Arc<Bundle>, u32)>,
    below: Vec<bool>,
}

impl Resolver {
    /// The bundle with the stores of its bases, and how many deltas it is from a complete one. `path` has the
    /// deltas that lead to it.
    fn resolve(
        &mut self,
        number: usize,
        path: &mut Vec<usize>,
    ) -> Result<(Arc<Bundle>, u32), ChainError> {
        if let Some(resolved) = self.resolved.get(&number) {
            return Ok(resolved.clone());
        }
        let bundle = &self.bundles[number];
        let name = || bundle.name().to_owned();
        if path.contains(&number) {
            return Err(ChainError::Circle { name: name() });
        }
        let too_long = path.len() >= usize::try_from(MAX_CHAIN).unwrap_or(usize::MAX);
        if too_long && bundle.delta().is_some() {
            let first = path.first().map_or(number, |first| *first);
            let name = self.bundles[first].name().to_owned();
            return Err(ChainError::TooLong { name });
        }
        let bases: Vec<usize> = bundle
            .delta()
            .into_iter()
            .flat_map(Delta::bases)
            .filter_map(|base| self.by_identity.get(&base.identity()).copied())
            .collect();
        path.push(number);
        let mut below = 0;
        let mut stores = Vec::new();
        for base in bases {
            let (resolved, chain) = self.resolve(base, path)?;
            self.below[base] = true;
            below = below.max(chain);
            stores.push(named(&resolved));
        }
        path.pop();
        let others = self.bundles.iter().filter(|other| other.delta().is_none());
        let bundle = &self.bundles[number];
        let (bundle, chain) = if bundle.delta().is_some() {
            if below >= MAX_CHAIN {
                let name = bundle.name().to_owned();
                return Err(ChainError::TooLong { name });
            }
            stores.extend(others.map(named));
            (bundle.share().with_bases(stores, below), below + 1)
        } else {
            (bundle.share(), 0)
        };
        let resolved = (Arc::new(bundle), chain);
        self.resolved.insert(number, resolved.clone());
        Ok(resolved)
    }
}

/// Files that a delta is built on, and the bundles among them.
#[derive(Clone, Default)]
pub struct BaseFiles {
    list: Vec<BaseFile>,
    bundles: Bases,
}

/// A file that a delta can be built on.
#[derive(Clone)]
pub enum BaseFile {
    /// A bundle, with its blobs.
    Bundle(Arc<Bundle>),
    /// A record, without the blobs.
    Record(Arc<RecordFile>),
}

impl BaseFiles {
    /// Opens what is at `paths`: bundles of any profile, and records. A delta among them is read with the others;
    /// a bundle that another one builds on serves only to read that one.
    ///
    /// # Errors
    /// As [`Bases::open`], and if a delta on one of them would be the end of a chain that is too long.
    pub fn open(paths: &[PathBuf], resources: &Resources) -> Result<Self, BasesError> {
        let files = Self::open_to_read(paths, resources)?;
        let given = files.bundles.given.iter();
        match given
            .filter(|given| !given.below)
            .find(|given| given.chain >= MAX_CHAIN)
        {
            Some(last) => Err(ChainError::Full {
                name: last.bundle.name().to_owned(),
            }
            .into()),
            None => Ok(files),
        }
    }

    fn open_to_read(paths: &[PathBuf], resources: &Resources) -> Result<Self, BasesError> {
        let mut order: Vec<Option<Arc<RecordFile>>> = Vec::new();
        let mut bundles = Vec::new();
        for path in paths {
            let record = RecordFile::open(path)?;
            if record.is_none() {
                bundles.push(Bundle::open_without_bases(path, resources)?);
            }
            order.push(record.map(Arc::new));
        }
        let bundles = Bases::of_bundles(bundles)?;
        let mut given = bundles.given.iter();
        let list = order.into_iter().filter_map(|record| {
            if let Some(record) = record {
                return Some(BaseFile::Record(record));
            }
            let given = given.next()?;
            (!given.below).then(|| BaseFile::Bundle(Arc::clone(&given.bundle)))
        });
        Ok(Self {
            list: list.collect(),
            bundles: bundles.clone(),
        })
    }

    /// What a delta is built on, in the order in which it was given.
    pub fn list(&self) -> &[BaseFile] {
        &self.list
    }

    /// The bundles, for reading deltas.
    pub fn bundles(&self) -> &Bases {
        &self.bundles
    }
}

impl BaseFile {
    /// The file's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Bundle(bundle) => bundle.name(),
            Self::Record(record) => &record.name,
        }
    }

    /// What the bundle carries.
    pub fn record(&self) -> &Record {
        match self {
            Self::Bundle(bundle) => bundle.record(),
            Self::Record(record) => record.base().record(),
        }
    }

    /// The identity of the bundle.
    pub fn identity(&self) -> Identity {
        match self {
            Self::Bundle(bundle) => bundle.identity(),
            Self::Record(record) => record.base().identity(),
        }
    }

    /// The manifests.
    pub(crate) fn manifests(&self) -> &dyn Store {
        match self {
            Self::Bundle(bundle) => bundle.store(),
            Self::Record(record) => record.manifests(),
        }
    }

    /// The blobs; `None` if only the record is there.
    pub fn blobs(&self) -> Option<Arc<dyn Store>> {
        self.named_store().map(|named| named.store)
    }

    /// The blobs, by the file's name; `None` if only the record is there.
    pub(crate) fn named_store(&self) -> Option<NamedStore> {
        match self {
            Self::Bundle(bundle) => Some(named(bundle)),
            Self::Record(_) => None,
        }
    }
}

/// The record of a bundle in a file of its own.
pub struct RecordFile {
    name: String,
    parts: RecordParts,
}

impl RecordFile {
    /// Opens the record at `path`; `None` if what is there is a bundle.
    ///
    /// # Errors
    /// If the file cannot be read or is corrupt.
    pub fn open(path: &Path) -> Result<Option<Self>, OpenError> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|source| OpenError::Io {
            name: name.clone(),
            source,
        })?;
        match RecordParts::read(Arc::new(file)) {
            Ok(parts) => Ok(parts.map(|parts| Self { name, parts })),
            Err(fault) => Err(OpenError::Fault { name, fault }),
        }
    }

    /// Its name, as it was opened.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is known of the bundle.
    pub fn base(&self) -> &Base {
        &self.parts.base
    }

    /// The manifests.
    pub(crate) fn manifests(&self) -> &dyn Store {
        &*self.parts.manifests
    }

    /// The summary of each blob, as far as the record has one: 8 bytes for its length, least significant first,
    /// and the summary, for each blob in the record's order.
    pub(crate) fn summaries(&self) -> Result<BTreeMap<Digest, &[u8]>, OpenError> {
        let mut rest = self.parts.summary.as_slice();
        let mut summaries = BTreeMap::new();
        for blob in &self.base().record().blobs {
            let (length, after) = rest
                .split_first_chunk::<8>()
                .ok_or_else(|| self.fault("it ends early"))?;
            let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
            let (summary, after) = after
                .split_at_checked(length)
                .ok_or_else(|| self.fault("it ends early"))?;
            if length > 0 {
                summaries.insert(blob.digest, summary);
            }
            rest = after;
        }
        if rest.is_empty() {
            Ok(summaries)
        } else {
            Err(self.fault("bytes follow its last blob"))
        }
    }

    /// A fault of the summaries.
    pub(crate) fn fault(&self, what: impl Into<String>) -> OpenError {
        OpenError::Fault {
            name: self.name.clone(),
            fault: Fault::new("the summary of the blobs", 0, what),
        }
    }
}
