//! A compact bundle from any other: the blobs opened, related to each other and compressed, in packs.
//!
//! The file is written in order. What is known first comes first: the record and all manifests; then the
//! packs, each of which describes itself; last what is known late, the artifact that lists all parts. Every
//! pack is proved when it is built: what cannot be rebuilt from it is kept as it is.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::sync::Arc;

use sealift_oci::{Algorithm, Digest};
use sealift_pack::{Pack, PackPlan, Reason, Scratch, Source, Step, Watcher};
use sealift_pipeline::{BUFFER_BYTES, CopyError, Event, Observer, VerifyingReader, copy};

use crate::bundle::Bundle;
use crate::contents::{Artifact, EMPTY_CONFIG, OCI_LAYOUT, Part, artifact_index};
use crate::files::programs;
use crate::profile::error::ConvertError;
use crate::profile::export::{Work, unreadable};
use crate::profile::tar_writer::TarWriter;
use crate::reading::ScratchFolder;
use crate::store::Store;
use crate::target::{OrderedFile, Published, Target, WriteError};

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

/// What identifies a build for the journal: the same text is the same bytes.
pub fn compact_plan(bundle: &Bundle, options: &CompactOptions) -> String {
    format!(
        "compact {VERSION} {} {:?} {}",
        bundle.identity(),
        options.effort,
        options.pack_bytes
    )
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
    let builder = Builder::new(bundle, options, work);
    let _opened = builder.open_groups()?;
    let plan = builder.plan()?;
    let mut head = Vec::new();
    let metadata = builder.write_head(&mut TarWriter::new(&mut head, 0))?;
    let (reused, position) = builder.reuse(&*target, &head, &plan.packs)?;
    let mut output = OrderedFile::new(target, position)?;
    if position == 0 {
        output.write_all(&head).map_err(fault())?;
    } else {
        output.hold_first(&head)?;
    }
    let position = position.max(head.len() as u64);
    let mut tar = TarWriter::new(output, position);
    let mut kept: Vec<(Digest, Reason)> = plan.kept;
    let mut packs = Vec::with_capacity(plan.packs.len());
    for (number, pack) in plan.packs.iter().enumerate() {
        work.cancel.check()?;
        let (part, left_out) = match reused.get(number) {
            Some(reused) => reused.clone(),
            None => builder.write_pack(pack, &mut tar)?,
        };
        packs.extend(part);
        kept.extend(
            left_out
                .into_iter()
                .map(|digest| (digest, Reason::NotProved)),
        );
    }
    kept.sort_by_key(|(digest, _)| *digest);
    let report = builder.report(&packs, &kept);
    let artifact = Artifact {
        kept: builder.write_kept(&kept, &mut tar)?,
        packs,
        ..metadata
    };
    write_artifact(&artifact, &mut tar)?;
    let output = tar.finish().map_err(fault())?;
    Ok((output.publish()?, report))
}

/// Blobs of a store, as packs are built from them.
struct StoreSource<'a>(&'a dyn Store);

impl Source for StoreSource<'_> {
    fn open(&self, digest: &Digest, from: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        self.0.open(digest, from).map(|reader| reader as _)
    }
}

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

fn fault() -> impl FnOnce(io::Error) -> WriteError {
    WriteError::io("write", std::path::Path::new("the compact bundle"))
}

/// A pack's part of the file, if it has blobs, and the blobs that it does not give back.
type Packed = (Option<Part>, Vec<Digest>);

struct Builder<'a> {
    bundle: &'a Bundle,
    options: sealift_pack::Options,
    scratch: Arc<dyn Scratch>,
    work: &'a Work<'a>,
}

impl<'a> Builder<'a> {
    fn new(bundle: &'a Bundle, options: &CompactOptions, work: &'a Work<'a>) -> Self {
        let mut packing = sealift_pack::Options::default();
        packing.effort = options.effort;
        packing.pack_limit = options.pack_bytes;
        packing.memory = work.budget.memory();
        packing.threads = work.budget.threads();
        packing.cancel = work.cancel.clone();
        packing.watcher = Arc::new(Phases {
            observer: Arc::clone(work.observer),
            identity: bundle.identity().0,
        });
        Self {
            bundle,
            options: packing,
            scratch: Arc::new(ScratchFolder(options.scratch.clone())),
            work,
        }
    }

    /// A reader of every group of blobs. While they are open, a store that has to decode a group before it can
    /// be read keeps what it decoded: a build reads its blobs many times and in its own order.
    fn open_groups(&self) -> Result<Vec<Box<dyn Read + Send>>, ConvertError> {
        let store = self.bundle.store();
        let blobs = &self.bundle.record().blobs;
        let groups = store.groups(blobs.iter().map(|blob| blob.digest).collect());
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

    fn plan(&self) -> Result<sealift_pack::Plan, ConvertError> {
        // Whoever needs the program cannot rebuild it yet.
        let programs: BTreeSet<Digest> = programs(self.bundle)
            .into_iter()
            .map(|program| program.digest)
            .collect();
        let blobs = self.bundle.record().blobs.iter();
        let blobs: Vec<sealift_pack::Blob> = blobs
            .filter(|blob| !programs.contains(&blob.digest))
            .map(|blob| sealift_pack::Blob {
                digest: blob.digest,
                size: blob.size,
            })
            .collect();
        let surveyed = self
            .work
            .budget
            .install(|| sealift_pack::survey(&self.source(), &blobs, &self.options))?;
        let mut plan = sealift_pack::plan(surveyed, &[], &self.options);
        let excluded = programs.into_iter();
        plan.kept
            .extend(excluded.map(|digest| (digest, Reason::Excluded)));
        Ok(plan)
    }

    /// Writes everything before the packs: the record and the manifests.
    fn write_head<W: Write>(&self, tar: &mut TarWriter<W>) -> Result<Artifact, ConvertError> {
        let record = self.bundle.record();
        let wide = record
            .blobs
            .iter()
            .any(|blob| blob.digest.algorithm() == Algorithm::Sha512);
        let bytes = record.to_bytes();
        let mut manifests = Vec::new();
        for manifest in &record.manifests {
            let digest = &manifest.digest;
            self.bundle
                .blob(digest)
                .and_then(|mut reader| reader.read_to_end(&mut manifests))
                .map_err(|error| unreadable(self.bundle, digest, error))?;
        }
        let written = tar
            .file("oci-layout", OCI_LAYOUT)
            .and_then(|()| tar.directory("blobs/"))
            .and_then(|()| tar.directory("blobs/sha256/"))
            .and_then(|()| {
                if wide {
                    tar.directory("blobs/sha512/")
                } else {
                    Ok(())
                }
            })
            .and_then(|()| tar.blob(&bytes))
            .and_then(|record| Ok((record, tar.blob(&manifests)?)));
        let (record, manifests) = written.map_err(fault())?;
        Ok(Artifact {
            record,
            manifests,
            packs: Vec::new(),
            kept: Vec::new(),
        })
    }

    /// The packs that an interrupted run finished, and where the file continues; 0 if nothing is there.
    fn reuse(
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
            let Some((entry, end)) = crate::profile::tar_writer::blob_at(&*file, position) else {
                break;
            };
            let region = crate::store::region(Arc::clone(&file), entry.1);
            let Ok(pack) = Pack::open(region, &sealift_pack::Limits::default()) else {
                break;
            };
            let packed: BTreeSet<Digest> = pack.blobs().map(|blob| blob.digest).collect();
            let planned: BTreeSet<Digest> =
                plan.blobs().iter().map(|blob| blob.blob().digest).collect();
            if !packed.is_subset(&planned) || packed.is_empty() {
                break;
            }
            let left_out = planned.difference(&packed).copied().collect();
            let part = Part {
                digest: entry.0,
                size: entry.1.size,
            };
            reused.push((Some(part), left_out));
            position = end;
        }
        Ok((reused, position))
    }

    fn write_pack<W: Write>(
        &self,
        plan: &PackPlan,
        tar: &mut TarWriter<W>,
    ) -> Result<Packed, ConvertError> {
        let built = self.work.budget.install(|| {
            sealift_pack::build(
                &self.source(),
                &sealift_pack::NoBases,
                plan,
                &self.scratch,
                &self.options,
            )
        })?;
        let left_out: Vec<Digest> = built
            .report()
            .left_out
            .iter()
            .map(|(digest, _)| *digest)
            .collect();
        if left_out.len() == plan.blobs().len() {
            return Ok((None, left_out));
        }
        let digest = built.write_to(&mut io::sink())?;
        let size = built.size();
        tar.begin_blob(&digest, size).map_err(fault())?;
        built.write_to(tar)?;
        tar.end_entry(size).map_err(fault())?;
        Ok((Some(Part { digest, size }), left_out))
    }

    /// Writes blobs that are kept as they are.
    fn write_kept<W: Write>(
        &self,
        kept: &[(Digest, Reason)],
        tar: &mut TarWriter<W>,
    ) -> Result<Vec<Part>, ConvertError> {
        let empty = Digest::sha256(EMPTY_CONFIG);
        let mut parts = Vec::with_capacity(kept.len());
        let mut buffer = vec![0; BUFFER_BYTES];
        for (digest, _) in kept {
            let size = self.bundle.size(digest).unwrap_or(0);
            parts.push(Part {
                digest: *digest,
                size,
            });
            // The artifact has the same bytes as its config.
            if *digest == empty {
                continue;
            }
            let content = self
                .bundle
                .store()
                .open(digest, 0)
                .map_err(|error| unreadable(self.bundle, digest, error))?;
            let mut content = VerifyingReader::new(content, *digest, size);
            tar.begin_blob(digest, size).map_err(fault())?;
            match copy(&mut content, tar, &mut buffer, self.work.cancel, |_| {}) {
                Ok(_) => tar.end_entry(size).map_err(fault())?,
                Err(CopyError::Read(error)) => return Err(unreadable(self.bundle, digest, error)),
                Err(CopyError::Write(error)) => return Err(fault()(error).into()),
                Err(CopyError::Cancelled(cancelled)) => return Err(cancelled.into()),
            }
        }
        Ok(parts)
    }

    fn report(&self, packs: &[Part], kept: &[(Digest, Reason)]) -> CompactReport {
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
        }
    }
}

fn write_artifact<W: Write>(
    artifact: &Artifact,
    tar: &mut TarWriter<W>,
) -> Result<(), ConvertError> {
    let Some(manifest) = artifact.manifest() else {
        return Err(ConvertError::TooManyKept {
            kept: artifact.kept.len(),
        });
    };
    tar.blob(EMPTY_CONFIG)
        .and_then(|_| tar.blob(&manifest))
        .and_then(|own| tar.file("index.json", &artifact_index(&own, artifact.identity())))
        .map_err(fault())?;
    Ok(())
}
