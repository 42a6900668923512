//! Into a stream: the same bytes as the file has, in order. What comes next is fetched ahead, as far as a
//! fixed amount of memory reaches.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use sealift_archive::{Layout, PlainStream, Target};
use sealift_oci::Digest;
use sealift_pipeline::{Event, Outcome, mismatch_of};

use crate::context::Context;
use crate::error::{BlobFailure, BundleError, FetchError};
use crate::execute::ordered::Ordered;
use crate::execute::transfer::{Fetcher, Progress, Stop};
use crate::execute::{Report, failure};
use crate::plan::{Item, Plan};
use crate::sources::SourceId;

/// The blobs that have to be fetched, in the file's order.
type Blobs<'a> = Vec<(Digest, &'a Item)>;

pub(crate) fn write(
    plan: &Plan,
    output: &mut dyn Write,
    context: &Context<'_>,
) -> Result<Report, BundleError> {
    let fetcher = Fetcher::new(plan, *context);
    let layout = plan.layout()?;
    let blobs = in_order(plan, &layout, &BTreeSet::new());
    let writer = PlainStream::new(output, layout);
    fill(&fetcher, writer, &blobs)?.finish()?;
    Ok(report(&fetcher, &blobs, None, 0))
}

/// Into a target whose file system fills jumps ahead with zeros: from its start to its end, each byte once.
/// What an interrupted run left is kept as far as it is right.
pub(crate) fn write_file(
    plan: &Plan,
    target: Box<dyn Target>,
    layout: Layout,
    context: &Context<'_>,
) -> Result<Report, BundleError> {
    let writer = PlainStream::resume(target, layout, context.cancel)?;
    context.cancel.check()?;
    let there: BTreeSet<Digest> = writer.written().collect();
    let fetcher = Fetcher::new(plan, *context);
    let blobs = in_order(plan, writer.layout(), &there);
    let published = fill(&fetcher, writer, &blobs)?.publish()?;
    let path = Some(published.path);
    Ok(report(&fetcher, &blobs, path, there.len() as u64))
}

fn report(
    fetcher: &Fetcher<'_>,
    blobs: &Blobs<'_>,
    path: Option<PathBuf>,
    present_blobs: u64,
) -> Report {
    Report {
        identity: fetcher.plan.contents().identity(),
        path,
        total_bytes: fetcher.plan.total_bytes(),
        fetched_blobs: blobs.len() as u64,
        fetched_bytes: fetcher.moved(),
        present_blobs,
        compact: None,
    }
}

/// Writes all that `writer` has not; all but the end.
fn fill<W: Write>(
    fetcher: &Fetcher<'_>,
    writer: PlainStream<W>,
    blobs: &Blobs<'_>,
) -> Result<PlainStream<W>, BundleError> {
    let context = fetcher.context;
    context.observer.event(&Event::Total {
        blobs: blobs.len() as u64,
        bytes: blobs.iter().map(|(_, item)| item.size).sum(),
    });
    let run = Run {
        fetcher,
        blobs,
        ordered: Ordered::default(),
        next: AtomicUsize::new(0),
        failed: Mutex::default(),
        came_from: Mutex::default(),
    };
    let threads = context.budget.connections().clamp(1, blobs.len().max(1));
    std::thread::scope(|scope| {
        for started in 0..threads {
            let thread = std::thread::Builder::new().spawn_scoped(scope, || run.fetch());
            match thread {
                Ok(_) => {}
                // Fewer threads only fetch less at once.
                Err(_) if started > 0 => break,
                Err(error) => return Err(BundleError::Threads(error)),
            }
        }
        let written = run.write(writer);
        fetcher.stop.cancel();
        run.ordered.stop();
        written
    })
}

/// The blobs to fetch, without those that are there.
fn in_order<'a>(plan: &'a Plan, layout: &Layout, there: &BTreeSet<Digest>) -> Blobs<'a> {
    let (parts, planned) = (plan.parts(), plan.planned());
    let blobs = layout.blobs().filter_map(|digest| {
        let item = planned.items.get(&digest)?;
        let at_hand =
            item.manifest || planned.made.contains_key(&digest) || parts.spool.has(&digest);
        (!at_hand && !there.contains(&digest)).then_some((digest, item))
    });
    blobs.collect()
}

struct Run<'a> {
    fetcher: &'a Fetcher<'a>,
    blobs: &'a Blobs<'a>,
    ordered: Ordered,
    next: AtomicUsize,
    /// Why the writer finds no more content.
    failed: Mutex<Option<BundleError>>,
    came_from: Mutex<BTreeMap<Digest, SourceId>>,
}

impl Run<'_> {
    /// Fetches one blob after the other, as far ahead as there is room.
    fn fetch(&self) {
        let mut progress = Progress::new();
        while let Some((number, (digest, item))) = {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            self.blobs.get(number).map(|blob| (number, blob))
        } {
            self.fetcher.started(digest, item);
            progress.begin(0);
            let mut feed = self.ordered.feed(number);
            let filled =
                self.fetcher
                    .fill(digest, item, &BTreeSet::new(), &mut feed, &mut progress);
            match filled {
                Ok(source) => {
                    if let Some(source) = source {
                        self.came_from
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .insert(*digest, source);
                    }
                    self.ordered.end(number);
                }
                Err(stop) => {
                    self.fetcher.finished(digest, self.fetcher.not_done());
                    self.fail(match stop {
                        Stop::All(error) => error,
                        Stop::Blob(error) => BundleError::Unfetched(vec![failure(
                            self.fetcher.plan,
                            digest,
                            item,
                            error,
                        )]),
                    });
                    return;
                }
            }
        }
    }

    fn fail(&self, error: BundleError) {
        self.failed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(error);
        self.fetcher.stop.cancel();
        self.ordered.stop();
    }

    /// Writes one blob after the other.
    fn write<W: Write>(&self, mut writer: PlainStream<W>) -> Result<PlainStream<W>, BundleError> {
        let plan = self.fetcher.plan;
        let mut number = 0;
        while let Some(digest) = writer.next_blob().map_err(BundleError::Stream)? {
            self.fetcher.context.cancel.check()?;
            let Some(item) = plan.planned().items.get(&digest) else {
                break;
            };
            let fetched = self.blobs.get(number).is_some_and(|blob| blob.0 == digest);
            let written = if fetched {
                let mut content = self.ordered.take(number);
                number += 1;
                writer.write_blob(&mut content, |_| {})
            } else {
                let bytes = self.small(&digest, item)?;
                writer.write_blob(&mut &bytes[..], |_| {})
            };
            let outcome = if written.is_ok() {
                Outcome::Fetched
            } else {
                self.fetcher.not_done()
            };
            if fetched {
                self.fetcher.finished(&digest, outcome);
            }
            written.map_err(|error| self.cause(&digest, item, error))?;
        }
        Ok(writer)
    }

    fn small(&self, digest: &Digest, item: &Item) -> Result<std::sync::Arc<[u8]>, BundleError> {
        let plan = self.fetcher.plan;
        let unfetched = |error| BundleError::Unfetched(vec![failure(plan, digest, item, error)]);
        match self.fetcher.at_hand(digest, item) {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(unfetched(FetchError::NoOrigin)),
            Err(Stop::Blob(error)) => Err(unfetched(error)),
            Err(Stop::All(error)) => Err(error),
        }
    }

    /// Why a blob could not be written: no content came, the content is wrong, or the output failed.
    fn cause(&self, digest: &Digest, item: &Item, error: io::Error) -> BundleError {
        let failed = self.failed.lock();
        if let Some(failed) = failed.unwrap_or_else(PoisonError::into_inner).take() {
            return failed;
        }
        let Some(mismatch) = mismatch_of(&error) else {
            return BundleError::Stream(error);
        };
        let came_from = self.came_from.lock();
        let came_from = came_from.unwrap_or_else(PoisonError::into_inner);
        let source = came_from.get(digest).or(item.sources.first());
        let error = match source {
            Some(source) => self.fetcher.sources.mismatch(*source, mismatch.clone()),
            None => FetchError::NoOrigin,
        };
        let failure: BlobFailure = failure(self.fetcher.plan, digest, item, error);
        BundleError::Unfetched(vec![failure])
    }
}
