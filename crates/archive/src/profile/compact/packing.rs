//! The packs of a compact bundle: which blobs go into which, those that an interrupted run finished, and those
//! that are built.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use sealift_oci::Digest;
use sealift_pack::{Built, Pack, PackPlan, Plan, Reason, Scratch, Step, Survey, Watcher, Workers};
use sealift_pipeline::{Event, Observer};

use crate::bundle::Bundle;
use crate::contents::{BlobEntry, Part};
use crate::files::programs;
use crate::profile::compact::known::KnownBases;
use crate::profile::compact::parts::PartsWriter;
use crate::profile::compact::source::StoreSource;
use crate::profile::compact::{CompactOptions, CompactReport, KeptBlob};
use crate::profile::error::ConvertError;
use crate::profile::export::{Work, unreadable};
use crate::profile::tar_writer::blob_at;
use crate::resources::ScratchFolder;
use crate::scratch::check_scratch;
use crate::store::region;
use crate::target::{Target, WriteError};

/// Reports a build's steps as phases.
struct Phases {
    observer: Arc<dyn Observer>,
    identity: Digest,
}

impl Watcher for Phases {
    fn begin(&self, step: Step, bytes: u64) {
        let name = match step {
            Step::Analyse => "analysing",
            Step::Open => "opening",
            Step::Relate => "relating",
            Step::Compress => "compressing",
            Step::Prove => "proving",
            Step::Summarize => "looking into the bases",
            Step::ReadBases => "reading the bases",
            _ => "packing",
        };
        self.observer.event(&Event::Phase { name });
        self.observer.event(&Event::Total { blobs: 0, bytes });
    }

    fn advance(&self, _: Step, bytes: u64) {
        let digest = &self.identity;
        self.observer.event(&Event::Advanced { digest, bytes });
    }
}

/// What became of the blobs that were planned for one pack.
#[derive(Clone, Debug, Default)]
pub(super) struct Packed {
    /// The pack's part of the file, if it has blobs.
    pub(super) part: Option<Part>,
    /// The blobs that were left out of it, and why.
    pub(super) left_out: Vec<(Digest, Reason)>,
    /// The blobs of bases that it needs.
    pub(super) base_blobs: Vec<Digest>,
}

/// How packs are built.
pub(in crate::profile) fn pack_options(
    identity: Digest,
    options: &CompactOptions,
    work: &Work<'_>,
) -> sealift_pack::Options {
    let mut packing = sealift_pack::Options::default();
    packing.effort = options.effort;
    packing.pack_limit = options.pack_bytes;
    packing.memory = work.budget.memory();
    packing.threads = work.budget.threads();
    packing.workers = work
        .budget
        .pool()
        .cloned()
        .map(Workers::from)
        .unwrap_or_default();
    packing.cancel = work.cancel.clone();
    packing.watcher = Arc::new(Phases {
        observer: Arc::clone(work.observer),
        identity,
    });
    packing
}

/// What packs of some blobs take, which were built and not kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Measured {
    /// The bytes of each pack.
    pub(super) packs: Vec<u64>,
    /// Blobs that are kept as they are.
    pub(super) kept: Vec<(Digest, Reason)>,
    /// Opened bytes of the largest pack.
    pub(super) opened: u64,
    /// Bytes of scratch space that the largest pack needs at most.
    pub(super) scratch: u64,
}

impl Measured {
    /// Bytes of the packs, and of the blobs of `bundle` that are kept as they are.
    pub(super) fn stored(&self, bundle: &Bundle) -> u64 {
        let kept = self.kept.iter();
        let kept = kept.filter_map(|(digest, _)| bundle.size(digest));
        self.packs.iter().chain(&kept.collect::<Vec<_>>()).sum()
    }
}

/// Plans and builds the packs of a bundle.
pub(super) struct Packer<'a> {
    bundle: &'a Bundle,
    bases: &'a KnownBases,
    /// What is packed.
    blobs: BTreeSet<Digest>,
    options: sealift_pack::Options,
    scratch: PathBuf,
    work: &'a Work<'a>,
}

impl<'a> Packer<'a> {
    pub(super) fn new(
        bundle: &'a Bundle,
        bases: &'a KnownBases,
        blobs: BTreeSet<Digest>,
        options: &CompactOptions,
        work: &'a Work<'a>,
    ) -> Self {
        Self {
            bundle,
            bases,
            blobs,
            options: pack_options(bundle.identity().0, options, work),
            scratch: options.scratch.clone(),
            work,
        }
    }

    /// The bundle whose blobs are packed.
    pub(super) fn bundle(&self) -> &Bundle {
        self.bundle
    }

    fn blobs(&self) -> impl Iterator<Item = &BlobEntry> {
        let blobs = self.bundle.record().blobs.iter();
        blobs.filter(|blob| self.blobs.contains(&blob.digest))
    }

    /// A reader of every group of blobs. While they are open, a store that has to decode a group before it can
    /// be read keeps what it decoded: a build reads its blobs many times and in its own order.
    pub(super) fn open_groups(&self) -> Result<Vec<Box<dyn Read + Send>>, ConvertError> {
        let store = self.bundle.store();
        let groups = store.groups(self.blobs().map(|blob| blob.digest).collect());
        let first = groups.iter().filter_map(|group| group.first());
        let open = |digest| {
            self.work.cancel.check()?;
            let reader = store.open(digest, 0);
            reader.map_err(|error| unreadable(self.bundle, digest, error))
        };
        first.map(open).collect()
    }

    fn source(&self) -> StoreSource<'_> {
        StoreSource(self.bundle.store())
    }

    /// What an error of a survey or a build means: a blob that is packed cannot be read, or something of the bases.
    fn explain(&self, error: sealift_pack::Error) -> ConvertError {
        match error {
            sealift_pack::Error::Source { digest, error } if self.blobs.contains(&digest) => {
                unreadable(self.bundle, &digest, error)
            }
            error => self.bases.explain(error),
        }
    }

    /// Looks at every blob.
    pub(super) fn survey(&self) -> Result<Survey, ConvertError> {
        // Whoever needs a program cannot rebuild it yet.
        let programs: BTreeSet<Digest> = programs(self.bundle)
            .into_iter()
            .map(|program| program.digest)
            .filter(|digest| self.blobs.contains(digest))
            .collect();
        let blobs = self.blobs();
        let blobs: Vec<sealift_pack::Blob> = blobs
            .filter(|blob| !programs.contains(&blob.digest))
            .map(|blob| sealift_pack::Blob {
                digest: blob.digest,
                size: blob.size,
            })
            .collect();
        let mut survey = self
            .work
            .budget
            .install(|| sealift_pack::survey(&self.source(), &blobs, &self.options))
            .map_err(|error| self.explain(error))?;
        let excluded = programs.into_iter();
        survey
            .kept
            .extend(excluded.map(|digest| (digest, Reason::Excluded)));
        Ok(survey)
    }

    /// Which of the blobs go into which pack.
    pub(super) fn plan(&self, survey: Survey) -> Plan {
        sealift_pack::plan(survey, self.bases.list(), &self.options)
    }

    /// Builds the packs of these blobs and keeps none of them.
    pub(super) fn measure(&self, survey: Survey) -> Result<Measured, ConvertError> {
        let plan = self.plan(survey);
        self.check_scratch(&plan.packs)?;
        let mut measured = Measured {
            kept: plan.kept,
            ..Measured::default()
        };
        for pack in &plan.packs {
            self.work.cancel.check()?;
            measured.opened = measured.opened.max(pack.opened());
            let scratch = pack.account(&self.options).scratch;
            measured.scratch = measured.scratch.max(scratch);
            let built = self.build(pack)?;
            let left_out = &built.report().left_out;
            if left_out.len() < pack.blobs().len() {
                measured.packs.push(built.size());
            }
            measured.kept.extend(left_out.iter().cloned());
        }
        Ok(measured)
    }

    /// Compares the scratch space that packs need, one after the other, with what is free. The opened bytes of a pack
    /// are needed in any case; what streams inside of files take is known when they are opened, so that more than
    /// is free is a warning.
    ///
    /// # Errors
    /// If what is needed in any case is not free.
    pub(super) fn check_scratch(&self, plans: &[PackPlan]) -> Result<(), ConvertError> {
        let least = plans.iter().map(PackPlan::opened).max();
        check_scratch(&self.scratch, least.unwrap_or(0))?;
        let most = plans.iter().map(|plan| plan.account(&self.options).scratch);
        if let Err(short) = check_scratch(&self.scratch, most.max().unwrap_or(0)) {
            let text = format!("packing may run out of scratch space: {short}");
            self.work.observer.event(&Event::Warning { text: &text });
        }
        Ok(())
    }

    /// The packs that an interrupted run finished, and where the file continues; 0 if nothing is there.
    pub(super) fn reuse(
        &self,
        target: &dyn Target,
        head: &[u8],
        plans: &[PackPlan],
    ) -> Result<(Vec<Packed>, u64), ConvertError> {
        let fault = || WriteError::io("read", target.path());
        let size = target.size().map_err(fault())?;
        // The target holds the first block back.
        let start = 512.min(head.len());
        let mut there = vec![0; head.len() - start];
        if size < head.len() as u64 {
            return Ok((Vec::new(), 0));
        }
        target
            .read_exact_at(&mut there, start as u64)
            .map_err(fault())?;
        if there != head[start..] {
            return Ok((Vec::new(), 0));
        }
        let file = target.reader().map_err(fault())?;
        let mut position = head.len() as u64;
        let mut reused = Vec::new();
        for plan in plans {
            self.work.cancel.check()?;
            let Some((entry, end)) = blob_at(&*file, position) else {
                break;
            };
            let region = region(Arc::clone(&file), entry.1);
            let Ok(pack) = Pack::open(region, &sealift_pack::Limits::default()) else {
                break;
            };
            let packed: BTreeSet<Digest> = pack.blobs().map(|blob| blob.digest).collect();
            let planned: BTreeSet<Digest> =
                plan.blobs().iter().map(|blob| blob.blob().digest).collect();
            if !packed.is_subset(&planned) || packed.is_empty() {
                break;
            }
            reused.push(Packed {
                part: Some(Part {
                    digest: entry.0,
                    size: entry.1.size,
                }),
                left_out: planned
                    .difference(&packed)
                    .map(|digest| (*digest, Reason::LeftOut))
                    .collect(),
                base_blobs: pack.base_blobs().map(|base| base.blob.digest).collect(),
            });
            position = end;
        }
        Ok((reused, position))
    }

    fn build(&self, plan: &PackPlan) -> Result<Built, ConvertError> {
        let scratch: Arc<dyn Scratch> = Arc::new(ScratchFolder(self.scratch.clone()));
        let built = self.work.budget.install(|| {
            let bases = self.bases.source();
            sealift_pack::build(&self.source(), bases, plan, &scratch, &self.options)
        });
        built.map_err(|error| self.explain(error))
    }

    pub(super) fn write_pack<W: Write>(
        &self,
        plan: &PackPlan,
        parts: &mut PartsWriter<W>,
    ) -> Result<Packed, ConvertError> {
        let built = self.build(plan)?;
        let left_out = built.report().left_out.clone();
        if left_out.len() == plan.blobs().len() {
            return Ok(Packed {
                left_out,
                ..Packed::default()
            });
        }
        let digest = built.write_to(&mut io::sink())?;
        let size = built.size();
        let part = Part { digest, size };
        parts.part(part, |out| Ok(built.write_to(out).map(drop)?))?;
        Ok(Packed {
            part: Some(part),
            left_out,
            base_blobs: built.report().base_blobs.clone(),
        })
    }

    pub(super) fn report(&self, packs: &[Part], kept: &[(Digest, Reason)]) -> CompactReport {
        let kept: Vec<KeptBlob> = kept
            .iter()
            .map(|(digest, reason)| KeptBlob {
                digest: *digest,
                size: self.bundle.size(digest).unwrap_or(0),
                reason: reason.to_string(),
            })
            .collect();
        let packed: u64 = packs.iter().map(|part| part.size).sum();
        let kept_bytes: u64 = kept.iter().map(|blob| blob.size).sum();
        CompactReport {
            blob_bytes: self
                .bundle
                .record()
                .blobs
                .iter()
                .map(|blob| blob.size)
                .sum(),
            stored_bytes: packed + kept_bytes,
            packs: packs.len() as u64,
            kept,
            delta: None,
        }
    }
}
