//! One blob, from wherever it can be had, as often as it takes.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sealift_archive::{PlainDescriptor, WriteError};
use sealift_oci::Digest;
use sealift_pipeline::{Cancel, Event, Mismatch, Outcome, mismatch_of};
use sealift_registry::{ErrorKind, Refusal};

use crate::context::Context;
use crate::error::{BundleError, FetchError, ResolveError};
use crate::plan::{Item, Plan};
use crate::sources::{Content, SourceId, Sources};

/// A connection that brought fewer bytes before it broke has brought nothing.
const PROGRESS: u64 = 64 << 10;
/// How often in a row a blob is requested again after a response that is not one of a blob, or did not come in
/// time. Few times: each may have cost minutes, and the client has repeated the request before.
const RETRIES_OF_A_BAD_RESPONSE: u32 = 2;

/// Takes content in order.
pub(crate) trait Sink: Write {
    /// How many bytes it has taken: where the content has to go on.
    fn position(&self) -> u64;
}

/// Why a transfer ended early.
pub(crate) enum Stop {
    /// The blob cannot be had; others can.
    Blob(FetchError),
    /// Nothing more can be written, or it was asked to stop.
    All(BundleError),
}

impl From<FetchError> for Stop {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Cancelled(cancelled) => Self::All(cancelled.into()),
            error if error.is_cancelled() => Self::All(sealift_pipeline::Cancelled.into()),
            error => Self::Blob(error),
        }
    }
}

impl From<WriteError> for Stop {
    fn from(error: WriteError) -> Self {
        Self::All(error.into())
    }
}

/// Fetches the blobs of one plan, from many threads.
pub(crate) struct Fetcher<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) context: Context<'a>,
    pub(crate) sources: Sources,
    /// Raised when one thread found that nothing more can be written.
    pub(crate) stop: Cancel,
    failed_hosts: Mutex<BTreeSet<String>>,
    moved: AtomicU64,
}

impl<'a> Fetcher<'a> {
    pub(crate) fn new(plan: &'a Plan, context: Context<'a>) -> Self {
        Self {
            plan,
            context,
            sources: Sources::new(&context, plan.parts().sources.clone(), &plan.parts().locals),
            stop: Cancel::new(),
            failed_hosts: Mutex::default(),
            moved: AtomicU64::new(0),
        }
    }

    /// How many bytes were moved, repetitions not counted.
    pub(crate) fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    /// Content that needs no blob request: what was read while resolving or made here, and manifests,
    /// which are asked for by digest if a run broke off before it wrote them.
    pub(crate) fn at_hand(&self, digest: &Digest, item: &Item) -> Result<Option<Arc<[u8]>>, Stop> {
        let (parts, planned) = (self.plan.parts(), self.plan.planned());
        if let Some(made) = planned.made.get(digest) {
            return Ok(Some(Arc::from(made.as_bytes())));
        }
        let kept = parts.spool.get(digest);
        if let Some(bytes) = kept.map_err(|error| Stop::All(BundleError::Scratch(error)))? {
            return Ok(Some(bytes));
        }
        if !item.manifest {
            return Ok(None);
        }
        let record = planned.contents.record();
        let described = record
            .manifests
            .binary_search_by_key(digest, |manifest| manifest.digest)
            .ok()
            .and_then(|index| record.manifests.get(index));
        match described {
            Some(descriptor) => self.manifest(descriptor, item).map(Some),
            None => Ok(None),
        }
    }

    fn manifest(&self, descriptor: &PlainDescriptor, item: &Item) -> Result<Arc<[u8]>, Stop> {
        let mut first = None;
        for source in &item.sources {
            match self.sources.manifest(*source, descriptor) {
                Ok(manifest) => return Ok(Arc::clone(manifest.bytes())),
                Err(ResolveError::Registry(error)) => {
                    first.get_or_insert(FetchError::Registry(error));
                }
                Err(ResolveError::Local(error)) => {
                    first.get_or_insert(FetchError::Local(error));
                }
                Err(ResolveError::Carry(error)) => {
                    first.get_or_insert(FetchError::Carry(error));
                }
                Err(ResolveError::Changed { path }) => {
                    first.get_or_insert(FetchError::Changed { path });
                }
                Err(_) => {}
            }
        }
        Err(first.unwrap_or(FetchError::NoOrigin).into())
    }

    /// Tells whoever watches that work on a blob begins.
    pub(crate) fn started(&self, digest: &Digest, item: &Item) {
        let source = item.sources.first();
        let what = source.map(|source| self.sources.source(*source).name());
        self.context.observer.event(&Event::Started {
            digest,
            size: item.size,
            what: what.as_deref().unwrap_or_default(),
        });
    }

    /// Tells whoever watches how work on a blob ended.
    pub(crate) fn finished(&self, digest: &Digest, outcome: Outcome) {
        self.context
            .observer
            .event(&Event::Finished { digest, outcome });
    }

    /// How work on a blob ended that was not done.
    pub(crate) fn not_done(&self) -> Outcome {
        Outcome::not_done(&[self.context.cancel, &self.stop])
    }

    /// Writes what is missing of a blob into `sink`, from the first place that has it. Size is checked
    /// here, the digest by whoever owns the sink. Returns the place that the last byte came from.
    pub(crate) fn fill(
        &self,
        digest: &Digest,
        item: &Item,
        except: &BTreeSet<SourceId>,
        sink: &mut dyn Sink,
        progress: &mut Progress,
    ) -> Result<Option<SourceId>, Stop> {
        if sink.position() == item.size {
            return Ok(None);
        }
        let mut first: Option<FetchError> = None;
        for source in item.sources.difference(except) {
            match self.fill_from(*source, digest, item, sink, progress) {
                Ok(()) => return Ok(Some(*source)),
                Err(Stop::All(error)) => return Err(Stop::All(error)),
                Err(Stop::Blob(error)) => {
                    self.note_host(*source, &error);
                    first.get_or_insert(error);
                }
            }
        }
        Err(first.unwrap_or(FetchError::NoOrigin).into())
    }

    fn fill_from(
        &self,
        source: SourceId,
        digest: &Digest,
        item: &Item,
        sink: &mut dyn Sink,
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        let (mut failures, mut bad) = (0, 0);
        let retries = self.context.client.retry().retries;
        loop {
            self.check(source)?;
            let before = sink.position();
            // After a bad response to a range, the blob is requested from its beginning.
            let from = if bad == 0 { before } else { 0 };
            let content = match self.sources.blob(source, digest, item.size, from) {
                Ok(content) => content,
                Err(error)
                    if is_bad_response(&error)
                        && bad < RETRIES_OF_A_BAD_RESPONSE
                        && failures < retries =>
                {
                    bad += 1;
                    failures += 1;
                    self.wait(source, digest, failures, &error)?;
                    continue;
                }
                Err(error) => {
                    let blob = (digest, item);
                    return Err(missing(error, &self.sources, source, blob, before));
                }
            };
            bad = 0;
            progress.joined |= before > progress.begun;
            let fault = match self.pour(content, digest, item, sink, progress) {
                Ok(()) => return Ok(()),
                Err(Broken::Stop(stop)) => return Err(stop),
                Err(Broken::Source(error)) => error,
            };
            let at = sink.position();
            failures = match at - before {
                PROGRESS.. => 1,
                _ => failures + 1,
            };
            // A blob that ends at the same place twice is shorter than its descriptor says.
            let short = mismatch_of(&fault).is_some() && failures > 1 && at == before;
            if short
                || matches!(mismatch_of(&fault), Some(Mismatch::Long { .. }))
                || failures > retries
            {
                return Err(self.sources.broken(source, at, failures, fault).into());
            }
            self.wait(source, digest, failures, &fault)?;
        }
    }

    /// Reads `content` to its end; the bytes that are there already are passed over.
    fn pour(
        &self,
        mut content: Content,
        digest: &Digest,
        item: &Item,
        sink: &mut dyn Sink,
        progress: &mut Progress,
    ) -> Result<(), Broken> {
        let mut offset = content.offset;
        loop {
            self.context
                .cancel
                .check()
                .map_err(|_| Broken::cancelled())?;
            self.stop.check().map_err(|_| Broken::cancelled())?;
            let read = match content.reader.read(&mut progress.buffer) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // All is there; how the connection ends does not matter.
                Err(_) if sink.position() == item.size => return Ok(()),
                Err(error) => return Err(Broken::Source(error)),
            };
            if read == 0 {
                return ended(digest, item, sink.position());
            }
            let known = usize::try_from(sink.position() - offset).unwrap_or(usize::MAX);
            offset += read as u64;
            let new = &progress.buffer[known.min(read)..read];
            if new.is_empty() {
                continue;
            }
            if sink.position() + new.len() as u64 > item.size {
                return Err(Broken::Source(
                    Mismatch::Long {
                        digest: *digest,
                        expected: item.size,
                    }
                    .into(),
                ));
            }
            sink.write_all(new).map_err(Broken::write)?;
            let counted = sink.position().saturating_sub(progress.high);
            if counted > 0 {
                progress.high += counted;
                self.moved.fetch_add(counted, Ordering::Relaxed);
                self.context.observer.event(&Event::Advanced {
                    digest,
                    bytes: counted,
                });
            }
        }
    }

    fn check(&self, source: SourceId) -> Result<(), Stop> {
        let cancelled = |error: sealift_pipeline::Cancelled| Stop::All(error.into());
        self.context.cancel.check().map_err(cancelled)?;
        self.stop.check().map_err(cancelled)?;
        let host = self.sources.source(source).host();
        let failed = self.failed_hosts.lock();
        if failed
            .unwrap_or_else(PoisonError::into_inner)
            .contains(host)
        {
            return Err(Stop::Blob(FetchError::HostFailed {
                host: host.to_owned(),
            }));
        }
        Ok(())
    }

    /// A host that does not answer at all, retries included, is not asked for the rest: each of its blobs
    /// would take as long to fail.
    fn note_host(&self, source: SourceId, error: &FetchError) {
        let whole = match error {
            FetchError::Registry(error) => {
                error.is_unreachable() || matches!(error.kind, ErrorKind::Status(_))
            }
            FetchError::Broken { .. } => true,
            _ => false,
        };
        if whole {
            let host = self.sources.source(source).host().to_owned();
            let failed = self.failed_hosts.lock();
            failed.unwrap_or_else(PoisonError::into_inner).insert(host);
        }
    }

    /// The first time the rest is asked for at once: connections break.
    fn wait(
        &self,
        source: SourceId,
        digest: &Digest,
        failures: u32,
        fault: &dyn fmt::Display,
    ) -> Result<(), Stop> {
        let client = self.context.client;
        let wait = match failures {
            1 => std::time::Duration::ZERO,
            more => client.retry().wait(more - 1, None),
        };
        self.context.observer.event(&Event::Retry {
            host: self.sources.source(source).host(),
            what: &format!("blob {digest}"),
            error: &fault.to_string(),
            wait,
        });
        client
            .pause(wait)
            .map_err(|cancelled| Stop::All(cancelled.into()))
    }
}

/// What one thread needs again and again, and how far the blob is that it works on.
pub(crate) struct Progress {
    buffer: Vec<u8>,
    /// The most bytes of the blob that were there at any time.
    high: u64,
    /// How many bytes of it were there at the beginning.
    begun: u64,
    /// Whether more than one response was joined since.
    joined: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self {
            buffer: vec![0; sealift_pipeline::BUFFER_BYTES],
            high: 0,
            begun: 0,
            joined: false,
        }
    }

    /// Begins another blob, of which `there` bytes are there.
    pub(crate) fn begin(&mut self, there: u64) {
        self.high = there;
        self.begin_again(there);
    }

    /// Begins the same blob again, from `there`.
    pub(crate) fn begin_again(&mut self, there: u64) {
        (self.begun, self.joined) = (there, false);
    }

    /// Whether the blob was put together from parts, of which one may have been of something else.
    pub(crate) fn is_joined(&self) -> bool {
        self.joined || self.begun > 0
    }
}

/// Why pouring ended early.
enum Broken {
    /// The source failed; it may be asked again.
    Source(io::Error),
    Stop(Stop),
}

impl Broken {
    fn cancelled() -> Self {
        Self::Stop(Stop::All(sealift_pipeline::Cancelled.into()))
    }

    fn write(error: io::Error) -> Self {
        Self::Stop(Stop::All(BundleError::Stream(error)))
    }
}

fn ended(digest: &Digest, item: &Item, position: u64) -> Result<(), Broken> {
    if position == item.size {
        return Ok(());
    }
    Err(Broken::Source(
        Mismatch::Short {
            digest: *digest,
            expected: item.size,
            actual: position,
        }
        .into(),
    ))
}

/// Whether a request for a blob had a response that is not one, or none in time: another request may have more
/// luck.
fn is_bad_response(error: &FetchError) -> bool {
    matches!(
        error,
        FetchError::Registry(error)
            if matches!(error.kind, ErrorKind::Stalled(_) | ErrorKind::Protocol(_))
    )
}

/// What it means that the request itself was refused.
fn missing(
    error: FetchError,
    sources: &Sources,
    source: SourceId,
    (digest, item): (&Digest, &Item),
    position: u64,
) -> Stop {
    let host = || sources.source(source).host().to_owned();
    match &error {
        FetchError::Registry(registry) if registry.is_not_found() && item.has_urls => {
            Stop::Blob(FetchError::Elsewhere { host: host() })
        }
        // Nothing begins where the next byte should.
        FetchError::Registry(registry)
            if matches!(
                registry.kind,
                ErrorKind::Status(Refusal { status: 416, .. })
            ) =>
        {
            Stop::Blob(FetchError::Mismatch {
                host: host(),
                mismatch: Mismatch::Short {
                    digest: *digest,
                    expected: item.size,
                    actual: position,
                },
            })
        }
        _ => error.into(),
    }
}
