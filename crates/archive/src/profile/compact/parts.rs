//! The parts of a file that is an artifact, written in order and each once.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};

use sealift_oci::{Algorithm, Digest};
use sealift_pack::Reason;
use sealift_pipeline::{BUFFER_BYTES, CopyError, VerifyingReader, copy};

use crate::bases::BaseFile;
use crate::bundle::Bundle;
use crate::contents::{
    Artifact, ArtifactKind, EMPTY_CONFIG, Metadata, OCI_LAYOUT, Part, Record, artifact_index,
};
use crate::profile::compact::fault;
use crate::profile::error::ConvertError;
use crate::profile::export::{Work, unreadable};
use crate::profile::tar_writer::TarWriter;
use crate::store::Store;

/// A file whose parts are written one after the other.
pub(in crate::profile) struct PartsWriter<W> {
    tar: TarWriter<W>,
    written: BTreeSet<Digest>,
}

impl<W: Write> PartsWriter<W> {
    /// Continues `output`, which has `position` bytes and no part.
    pub(in crate::profile) fn new(output: W, position: u64) -> Self {
        Self::resumed(output, position, BTreeSet::new())
    }

    /// Continues `output`, which has `position` bytes and the parts `written`.
    pub(in crate::profile) fn resumed(output: W, position: u64, written: BTreeSet<Digest>) -> Self {
        Self {
            tar: TarWriter::new(output, position),
            written,
        }
    }

    /// The output, and the parts that are in it.
    pub(in crate::profile) fn into_inner(self) -> (W, BTreeSet<Digest>) {
        (self.tar.into_inner(), self.written)
    }

    /// Writes what every file begins with, and the record and the manifests of `bundle`.
    pub(in crate::profile) fn begin(&mut self, bundle: &Bundle) -> Result<Metadata, ConvertError> {
        let record = bundle.record();
        let mut blobs = record.blobs.iter();
        let wide = blobs.any(|blob| blob.digest.algorithm() == Algorithm::Sha512);
        let folders = ["blobs/", "blobs/sha256/", "blobs/sha512/"];
        let folders = &folders[..if wide { 3 } else { 2 }];
        self.tar.file("oci-layout", OCI_LAYOUT).map_err(fault())?;
        for folder in folders {
            self.tar.directory(folder).map_err(fault())?;
        }
        self.metadata(bundle.name(), record, bundle.store())
    }

    /// Writes what is known of a base.
    pub(in crate::profile) fn base(&mut self, base: &BaseFile) -> Result<Metadata, ConvertError> {
        self.metadata(base.name(), base.record(), base.manifests())
    }

    fn metadata(
        &mut self,
        name: &str,
        record: &Record,
        store: &dyn Store,
    ) -> Result<Metadata, ConvertError> {
        let bytes = record.to_bytes();
        let mut manifests = Vec::new();
        for manifest in &record.manifests {
            let read = store.open(&manifest.digest, 0).and_then(|reader| {
                let mut reader = VerifyingReader::new(reader, manifest.digest, manifest.size);
                reader.read_to_end(&mut manifests)
            });
            read.map_err(|source| ConvertError::Read {
                bundle: name.to_owned(),
                location: store.locate(&manifest.digest),
                source,
            })?;
        }
        Ok(Metadata {
            record: self.bytes(&bytes)?,
            manifests: self.bytes(&manifests)?,
        })
    }

    /// Writes a part whose bytes are in memory.
    pub(in crate::profile) fn bytes(&mut self, bytes: &[u8]) -> Result<Part, ConvertError> {
        let part = Part {
            digest: Digest::sha256(bytes),
            size: bytes.len() as u64,
        };
        self.part(part, |tar| Ok(tar.write_all(bytes).map_err(fault())?))?;
        Ok(part)
    }

    /// Writes a part with what `content` writes, unless the file has it.
    pub(in crate::profile) fn part(
        &mut self,
        part: Part,
        content: impl FnOnce(&mut TarWriter<W>) -> Result<(), ConvertError>,
    ) -> Result<(), ConvertError> {
        if !self.written.insert(part.digest) {
            return Ok(());
        }
        let begun = self.tar.begin_blob(&part.digest, part.size);
        begun.map_err(fault())?;
        content(&mut self.tar)?;
        Ok(self.tar.end_entry(part.size).map_err(fault())?)
    }

    /// Writes blobs that are kept as they are.
    pub(in crate::profile) fn kept(
        &mut self,
        bundle: &Bundle,
        kept: &[(Digest, Reason)],
        work: &Work<'_>,
    ) -> Result<Vec<Part>, ConvertError> {
        let empty = Digest::sha256(EMPTY_CONFIG);
        let mut parts = Vec::with_capacity(kept.len());
        for (digest, _) in kept {
            let size = bundle.size(digest).unwrap_or(0);
            let part = Part {
                digest: *digest,
                size,
            };
            parts.push(part);
            if *digest == empty {
                // The artifact has these bytes as its config; those of the bundle are only checked.
                copy_blob(bundle, part, &mut io::sink(), work)?;
            } else {
                self.part(part, |tar| copy_blob(bundle, part, tar, work))?;
            }
        }
        Ok(parts)
    }

    /// Writes what comes last: the artifact, the index, the end of the tar.
    pub(in crate::profile) fn finish(mut self, artifact: &Artifact) -> Result<W, ConvertError> {
        let Some(manifest) = artifact.manifest() else {
            return Err(ConvertError::TooManyParts {
                parts: artifact.parts().count(),
            });
        };
        self.bytes(EMPTY_CONFIG)?;
        let own = self.bytes(&manifest)?;
        let index = artifact_index(&own, artifact);
        self.tar.file("index.json", &index).map_err(fault())?;
        Ok(self.tar.finish().map_err(fault())?)
    }
}

/// What the file is: a delta if there are bases.
pub(super) fn artifact_kind(
    bases: Vec<Metadata>,
    packs: Vec<Part>,
    kept: Vec<Part>,
) -> ArtifactKind {
    if bases.is_empty() {
        ArtifactKind::Compact { packs, kept }
    } else {
        ArtifactKind::Delta { bases, packs, kept }
    }
}

/// The size of the file of `bundle` on `bases`, with packs of these sizes and these blobs kept as they are.
pub(super) fn file_bytes(
    bundle: &Bundle,
    bases: &[BaseFile],
    packs: &[u64],
    kept: &[(Digest, Reason)],
) -> Result<u64, ConvertError> {
    let mut parts = PartsWriter::new(Counter::default(), 0);
    let metadata = parts.begin(bundle)?;
    let bases = bases.iter().map(|base| parts.base(base));
    let bases: Vec<Metadata> = bases.collect::<Result<_, _>>()?;
    // Only their lengths count: each gets a digest of its own.
    let packs = packs.iter().zip(0_u64..).map(|(&size, number)| Part {
        digest: Digest::sha256(&number.to_le_bytes()),
        size,
    });
    let packs: Vec<Part> = packs.collect();
    let kept = kept.iter().map(|(digest, _)| Part {
        digest: *digest,
        size: bundle.size(digest).unwrap_or(0),
    });
    let kept: Vec<Part> = kept.collect();
    let empty = Digest::sha256(EMPTY_CONFIG);
    for part in packs
        .iter()
        .chain(&kept)
        .filter(|part| part.digest != empty)
    {
        parts.part(*part, |tar| {
            let mut zeros = io::repeat(0).take(part.size);
            io::copy(&mut zeros, tar).map_err(fault())?;
            Ok(())
        })?;
    }
    let kind = artifact_kind(bases, packs, kept);
    Ok(parts.finish(&Artifact { metadata, kind })?.bytes)
}

/// Counts what is written.
#[derive(Default)]
struct Counter {
    bytes: u64,
}

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn copy_blob(
    bundle: &Bundle,
    part: Part,
    out: &mut impl Write,
    work: &Work<'_>,
) -> Result<(), ConvertError> {
    let unreadable = |error| unreadable(bundle, &part.digest, error);
    let content = bundle.store().open(&part.digest, 0).map_err(unreadable)?;
    let mut content = VerifyingReader::new(content, part.digest, part.size);
    let mut buffer = vec![0; BUFFER_BYTES];
    match copy(&mut content, out, &mut buffer, work.cancel, |_| {}) {
        Ok(_) => Ok(()),
        Err(CopyError::Read(error)) => Err(unreadable(error)),
        Err(CopyError::Write(error)) => Err(fault()(error).into()),
        Err(CopyError::Cancelled(cancelled)) => Err(cancelled.into()),
    }
}
