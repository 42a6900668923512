//! A compact bundle or a delta from any other bundle: the blobs opened, related to each other and compressed, in
//! packs. A delta leaves out what its bases have.
//!
//! The file is written in order. What is known first comes first: the record and all manifests; then the
//! packs, each of which describes itself; last what is known late, the artifact that lists all parts. Every
//! pack is proved when it is built: what cannot be rebuilt from it is kept as it is.

mod clock;
mod estimate;
mod known;
mod packing;
mod parts;
mod sample;
mod sampled;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use sealift_oci::Digest;
use sealift_pack::Reason;

use crate::bases::BaseFile;
use crate::bundle::Bundle;
use crate::contents::{Artifact, Identity, Record};
use crate::delta::Unreadable;
use crate::profile::error::ConvertError;
use crate::profile::export::Work;
use crate::store::{BaseBlob, MAX_BASES};
use crate::target::{OrderedFile, Published, Target, WriteError};

use known::KnownBases;
pub(super) use known::summarize;
use packing::Packer;
pub(super) use packing::pack_options;
pub(super) use parts::PartsWriter;
use parts::artifact_kind;

pub use estimate::{ByteRange, DeltaEstimate};
pub use sample::Sample;
pub use sampled::{SampleEstimate, SecondRange, estimate_packing};
pub use sealift_pack::Effort;

/// The version of what is written for the same contents and options; the partial file of another one is
/// not resumed.
const VERSION: u32 = 1;

/// How a compact bundle is built. The bytes depend on the contents and these options, not on the budget.
#[derive(Clone, Debug)]
pub struct CompactOptions {
    /// Processor time against size.
    pub effort: Effort,
    /// How many opened bytes one pack has at most. Reading a blob needs scratch space for one pack.
    pub pack_bytes: u64,
    /// The folder for scratch space.
    pub scratch: std::path::PathBuf,
}

/// What was built.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CompactReport {
    /// Bytes of all blobs as registries serve them.
    pub blob_bytes: u64,
    /// Bytes of the packs that stand for them, and of blobs that are kept as they are.
    pub stored_bytes: u64,
    /// How many packs.
    pub packs: u64,
    /// Blobs that are kept as they are, by digest.
    pub kept: Vec<KeptBlob>,
    /// What is left to bases; `None` for a bundle that is complete in itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta: Option<DeltaReport>,
}

/// What a delta leaves to its bases.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeltaReport {
    /// The bases.
    pub bases: Vec<Identity>,
    /// How many blobs are left out, since a base has them.
    pub left_out_blobs: u64,
    /// Their bytes as registries serve them.
    pub left_out_bytes: u64,
    /// How many blobs of the bases the packs need besides.
    pub base_blobs: u64,
    /// The base blobs that were not available, because their base is only a record. Their summaries were not compared
    /// with the blobs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assumed: Vec<Digest>,
}

/// A blob that is kept as it is.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptBlob {
    /// The blob.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Why.
    pub reason: String,
}

/// What identifies a build for the journal: the same text is the same bytes. `bases` is empty for a compact bundle.
pub fn compact_plan(bundle: &Bundle, bases: &[BaseFile], options: &CompactOptions) -> String {
    let mut plan = format!(
        "compact {VERSION} {} {:?} {}",
        bundle.identity(),
        options.effort,
        options.pack_bytes
    );
    for base in bases {
        let blobs = if base.blobs().is_some() {
            "base"
        } else {
            "record"
        };
        plan = format!("{plan} {blobs} {}", base.identity());
    }
    plan
}

/// Blobs of a bundle that its bases carry too: a delta leaves them out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SharedBlobs {
    blobs: BTreeMap<Digest, BaseBlob>,
}

impl SharedBlobs {
    /// The blobs of `record` that one of `bases` carries too.
    pub fn of(record: &Record, bases: &[BaseFile]) -> Self {
        let mut listed: BTreeMap<(Digest, u64), Identity> = BTreeMap::new();
        for base in bases {
            for blob in &base.record().blobs {
                let first = listed.entry((blob.digest, blob.size));
                first.or_insert(base.identity());
            }
        }
        let blobs = record.blobs.iter().filter_map(|blob| {
            let base = *listed.get(&(blob.digest, blob.size))?;
            let size = blob.size;
            Some((blob.digest, BaseBlob { size, base }))
        });
        Self {
            blobs: blobs.collect(),
        }
    }

    /// Their digests.
    pub fn digests(&self) -> impl Iterator<Item = Digest> {
        self.blobs.keys().copied()
    }

    /// Each with the first base that has it.
    pub(crate) fn needed(&self) -> BTreeMap<Digest, BaseBlob> {
        self.blobs.clone()
    }

    /// Each with its size in bytes.
    pub(crate) fn into_sizes(self) -> BTreeMap<Digest, u64> {
        let blobs = self.blobs.into_iter();
        blobs.map(|(digest, blob)| (digest, blob.size)).collect()
    }

    /// Whether the blob is one of them.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.blobs.contains_key(digest)
    }

    /// The blobs of `record`, of which these are the shared ones, that a delta stores: how many, and their bytes.
    pub fn rest(&self, record: &Record) -> (u64, u64) {
        let rest = record.blobs.iter();
        let rest = rest.filter(|blob| !self.contains(&blob.digest));
        rest.fold((0, 0), |(blobs, bytes), blob| {
            (blobs + 1, bytes + blob.size)
        })
    }

    /// How many blobs.
    pub fn blobs(&self) -> u64 {
        self.blobs.len() as u64
    }

    /// Their bytes as registries serve them.
    pub fn bytes(&self) -> u64 {
        self.blobs.values().map(|blob| blob.size).sum()
    }
}

/// Checks that the blobs of `bundle` that a delta on `bases` stores can be read; without bases, all of them. What the bases
/// have is returned.
///
/// # Errors
/// What is absent, or how much scratch space is missing.
pub fn check_packing(bundle: &Bundle, bases: &[BaseFile]) -> Result<SharedBlobs, Unreadable> {
    let shared = SharedBlobs::of(bundle.record(), bases);
    let stored = bundle.sizes().map(|(digest, _)| digest);
    bundle.check_readable(stored.filter(|digest| !shared.contains(digest)))?;
    Ok(shared)
}

/// Writes the contents of `bundle` as a compact bundle into `target`. Packs that an interrupted run of the same
/// [`compact_plan`] finished there are kept.
///
/// # Errors
/// If `bundle` cannot be read or is corrupt, scratch space is full, or the target cannot be written. What was
/// written stays for the next run.
pub fn write_compact(
    bundle: &Bundle,
    target: Box<dyn Target>,
    options: &CompactOptions,
    work: &Work<'_>,
) -> Result<(Published, CompactReport), ConvertError> {
    write(bundle, &[], target, options, work)
}

/// Writes the contents of `bundle` as a delta on `bases` into `target`: blobs that a base carries are left out.
/// Resumes as [`write_compact`] does.
///
/// # Errors
/// As [`write_compact`], and if there are no bases or more than a delta can have.
pub fn write_delta(
    bundle: &Bundle,
    bases: &[BaseFile],
    target: Box<dyn Target>,
    options: &CompactOptions,
    work: &Work<'_>,
) -> Result<(Published, CompactReport), ConvertError> {
    if bases.is_empty() || bases.len() > MAX_BASES {
        return Err(ConvertError::Bases {
            given: bases.len(),
            most: MAX_BASES,
        });
    }
    write(bundle, bases, target, options, work)
}

fn write(
    bundle: &Bundle,
    bases: &[BaseFile],
    target: Box<dyn Target>,
    options: &CompactOptions,
    work: &Work<'_>,
) -> Result<(Published, CompactReport), ConvertError> {
    let shared = check_packing(bundle, bases)?;
    let packing = pack_options(bundle.identity().0, options, work);
    let known = KnownBases::new(bases, &|_| true, &packing, work)?;
    let blobs = bundle.record().blobs.iter().map(|blob| blob.digest);
    let blobs = blobs.filter(|digest| !shared.contains(digest)).collect();
    let packer = Packer::new(bundle, &known, blobs, options, work);
    let _opened = packer.open_groups()?;
    let plan = packer.plan(packer.survey()?);
    let mut head = PartsWriter::new(Vec::new(), 0);
    let metadata = head.begin(bundle)?;
    let listed_bases = bases.iter().map(|base| head.base(base));
    let listed_bases: Vec<_> = listed_bases.collect::<Result<_, _>>()?;
    let (head, written) = head.into_inner();
    let (reused, position) = packer.reuse(&*target, &head, &plan.packs)?;
    packer.check_scratch(&plan.packs[reused.len()..])?;
    let mut output = OrderedFile::new(target, position)?;
    if position == 0 {
        output.write_all(&head).map_err(fault())?;
    } else {
        output.hold_first(&head)?;
    }
    let position = position.max(head.len() as u64);
    let mut parts = PartsWriter::resumed(output, position, written);
    let mut kept: Vec<(Digest, Reason)> = plan.kept;
    let mut packs = Vec::with_capacity(plan.packs.len());
    let mut base_blobs = BTreeSet::new();
    for (number, pack) in plan.packs.iter().enumerate() {
        work.cancel.check()?;
        let packed = match reused.get(number) {
            Some(reused) => reused.clone(),
            None => packer.write_pack(pack, &mut parts)?,
        };
        packs.extend(packed.part);
        base_blobs.extend(packed.base_blobs);
        kept.extend(packed.left_out);
    }
    kept.sort_by_key(|(digest, _)| *digest);
    let mut report = packer.report(&packs, &kept);
    let kept = parts.kept(bundle, &kept, work)?;
    if !bases.is_empty() {
        report.delta = Some(DeltaReport {
            bases: bases.iter().map(BaseFile::identity).collect(),
            left_out_blobs: shared.blobs(),
            left_out_bytes: shared.bytes(),
            base_blobs: base_blobs.len() as u64,
            assumed: base_blobs
                .into_iter()
                .filter(|blob| !known.has(blob))
                .collect(),
        });
    }
    let kind = artifact_kind(listed_bases, packs, kept);
    let output = parts.finish(&Artifact { metadata, kind })?;
    Ok((output.publish()?, report))
}

fn fault() -> impl FnOnce(io::Error) -> WriteError {
    WriteError::io("write", std::path::Path::new("the compact bundle"))
}
