//! The blobs of the bundle, as uploads read them.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sealift_archive::Bundle;
use sealift_oci::{Descriptor, Digest, Hasher};
use sealift_pipeline::{BUFFER_BYTES, Cancel, Event, Observer, VerifyingReader};
use sealift_registry::BlobSource;

/// A blob of the bundle on its way to the registry: hashed as it is read, so that it ends in an error
/// where it is not what its digest says.
pub(crate) struct BundleBlob<'a> {
    bundle: &'a Bundle,
    descriptor: Descriptor,
    observer: &'a dyn Observer,
    /// Any of these ends the upload.
    stops: [&'a Cancel; 2],
    /// The most bytes that were handed over: what a retry repeats is not told again.
    told: AtomicU64,
    stopped: AtomicBool,
}

impl<'a> BundleBlob<'a> {
    pub(crate) fn new(
        bundle: &'a Bundle,
        digest: Digest,
        size: u64,
        observer: &'a dyn Observer,
        stops: [&'a Cancel; 2],
    ) -> Self {
        Self {
            bundle,
            // The type of a blob is its manifest's business; uploads do not name it.
            descriptor: Descriptor::new("application/octet-stream", digest, size),
            observer,
            stops,
            told: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        }
    }

    pub(crate) fn digest(&self) -> Digest {
        self.descriptor.digest
    }

    /// Whether reading ended because it was asked to.
    pub(crate) fn was_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

impl BlobSource for BundleBlob<'_> {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// What comes before `offset` is hashed again: the digest covers all of it.
    fn open(&self, offset: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        let Descriptor { digest, size, .. } = self.descriptor;
        let mut reader = self.bundle.store().open(&digest, 0)?;
        let mut hasher = Hasher::new(digest.algorithm());
        let mut buffer = vec![0; if offset == 0 { 0 } else { BUFFER_BYTES }];
        let mut hashed = 0;
        while hashed < offset {
            let wanted = usize::try_from(offset - hashed)
                .unwrap_or(usize::MAX)
                .min(buffer.len());
            match reader.read(&mut buffer[..wanted])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => {
                    hasher.update(&buffer[..read]);
                    hashed += read as u64;
                }
            }
        }
        Ok(Box::new(Stoppable {
            inner: VerifyingReader::resumed(reader, hasher, offset, digest, size),
            blob: self,
        }))
    }

    fn sent(&self, bytes: u64) {
        let before = self.told.fetch_max(bytes, Ordering::Relaxed);
        if bytes > before {
            self.observer.event(&Event::Advanced {
                digest: &self.descriptor.digest,
                bytes: bytes - before,
            });
        }
    }
}

struct Stoppable<'a, R> {
    inner: R,
    blob: &'a BundleBlob<'a>,
}

impl<R: Read> Read for Stoppable<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.blob.stops.iter().any(|stop| stop.is_cancelled()) {
            self.blob.stopped.store(true, Ordering::Relaxed);
            return Err(io::Error::other("interrupted"));
        }
        self.inner.read(buffer)
    }
}
