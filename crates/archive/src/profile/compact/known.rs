//! What is known of the blobs of bases while a delta is built on them: of bundles by looking into them, of records by
//! the summaries that they carry.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Mutex;

use sealift_oci::Digest;
use sealift_pack::{Base, Blob, Options, Source, Summary};

use crate::bases::{BaseFile, RecordFile};
use crate::bundle::Bundle;
use crate::profile::compact::source::VerifiedSource;
use crate::profile::error::ConvertError;
use crate::profile::export::{Work, unreadable};
use crate::store::{BaseBlob, BaseStores};

/// The blobs of bases that packs may need.
pub(super) struct KnownBases {
    list: Vec<Base>,
    source: BaseStores,
    /// Keeps what stores decode to be read while they are in use.
    opened: Mutex<Opened>,
    /// Bytes of the blobs that were looked into.
    read: u64,
}

impl KnownBases {
    /// Looks into every blob of `files` that `is_wanted` accepts, each once.
    pub(super) fn new(
        files: &[BaseFile],
        is_wanted: &dyn Fn(&Digest) -> bool,
        options: &Options,
        work: &Work<'_>,
    ) -> Result<Self, ConvertError> {
        let mut known = Self {
            list: Vec::new(),
            source: BaseStores::default(),
            opened: Mutex::default(),
            read: 0,
        };
        let mut blobs: BTreeMap<Digest, BaseBlob> = BTreeMap::new();
        let mut opened_groups = Vec::new();
        for file in files {
            let new = file.record().blobs.iter();
            let new =
                new.filter(|blob| !blobs.contains_key(&blob.digest) && is_wanted(&blob.digest));
            let new: Vec<Blob> = new
                .map(|blob| Blob {
                    digest: blob.digest,
                    size: blob.size,
                })
                .collect();
            blobs.extend(new.iter().map(|blob| {
                let (size, base) = (blob.size, file.identity());
                (blob.digest, BaseBlob { size, base })
            }));
            match file {
                BaseFile::Bundle(bundle) => {
                    known.read += new.iter().map(|blob| blob.size).sum::<u64>();
                    let (list, opened) = summarize(bundle, &new, options, work)?;
                    known.list.extend(list);
                    opened_groups.extend(opened);
                }
                BaseFile::Record(record) => known.list.extend(recorded(record, &new)?),
            }
        }
        let stores = files.iter().filter_map(BaseFile::named_store);
        known.source = BaseStores::new(blobs).with(stores);
        known.opened = Mutex::new(opened_groups);
        Ok(known)
    }

    /// What is known of each blob.
    pub(super) fn list(&self) -> &[Base] {
        &self.list
    }

    /// How many bytes were read to look into them.
    pub(super) fn read_bytes(&self) -> u64 {
        self.read
    }

    /// Their bytes, as far as they are there.
    pub(super) fn source(&self) -> &dyn Source {
        &self.source
    }

    /// Whether the bytes of a blob are there.
    pub(super) fn has(&self, digest: &Digest) -> bool {
        self.source.has(digest)
    }

    /// What an error of a build means: a base that cannot be read or is not what its record says, or anything else.
    pub(super) fn explain(&self, error: sealift_pack::Error) -> ConvertError {
        match &error {
            sealift_pack::Error::BaseChanged { digest, .. }
            | sealift_pack::Error::BaseSize { digest, .. }
            | sealift_pack::Error::Source { digest, .. } => ConvertError::Base {
                location: self.source.locate(digest),
                error,
            },
            _ => error.into(),
        }
    }
}

/// Readers that are kept open, so that stores keep what they decoded for them.
type Opened = Vec<Box<dyn Read + Send>>;

/// Looks into blobs of a bundle, and compares each with its digest. Whoever reads the bundle again meanwhile keeps the readers.
pub(in crate::profile) fn summarize(
    bundle: &Bundle,
    blobs: &[Blob],
    options: &Options,
    work: &Work<'_>,
) -> Result<(Vec<Base>, Opened), ConvertError> {
    bundle.check_readable(blobs.iter().map(|blob| blob.digest))?;
    let store = bundle.store();
    let groups = store.groups(blobs.iter().map(|blob| blob.digest).collect());
    let mut opened = Opened::new();
    for digest in groups.iter().filter_map(|group| group.first()) {
        work.cancel.check()?;
        let reader = store.open(digest, 0);
        opened.push(reader.map_err(|error| unreadable(bundle, digest, error))?);
    }
    let source = VerifiedSource(store);
    let bases = work
        .budget
        .install(|| sealift_pack::summarize(&source, blobs, options));
    let bases = bases.map_err(|error| match error {
        sealift_pack::Error::Source { digest, error } => unreadable(bundle, &digest, error),
        error => error.into(),
    })?;
    Ok((bases, opened))
}

/// The blobs of a record, as its summaries describe them.
fn recorded(record: &RecordFile, blobs: &[Blob]) -> Result<Vec<Base>, ConvertError> {
    let summaries = record.summaries()?;
    let described = blobs.iter().filter_map(|blob| {
        let bytes = summaries.get(&blob.digest)?;
        let summary = Summary::from_bytes(bytes);
        Some(summary.map(|summary| Base::recorded(*blob, summary)))
    });
    let described: Result<Vec<Base>, _> = described.collect();
    Ok(described.map_err(|error| record.fault(error.to_string()))?)
}
