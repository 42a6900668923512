//! Into a file: every blob at its own offset, by as many threads as there are connections.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use sealift_archive::{
    BlobSink, BlobState, Bundle, Journal, OutputPlace, WriteError, Writer, verify,
};
use sealift_oci::Digest;
use sealift_pipeline::{Cancelled, Event, JobError, Outcome, cores, run_parallel};

use crate::context::Context;
use crate::error::{BundleError, FetchError};
use crate::execute::transfer::{Fetcher, Progress, Sink, Stop};
use crate::execute::{Report, failure, stream};
use crate::output::OutputFile;
use crate::plan::{Item, Plan};
use crate::status::{Earlier, earlier};

pub(crate) fn write(
    plan: &Plan,
    output: &OutputFile,
    context: &Context<'_>,
) -> Result<Report, BundleError> {
    if !output.force && output.path.exists() {
        return finished(plan, output, context)?.ok_or_else(|| {
            let path = output.path.clone();
            WriteError::Exists { path }.into()
        });
    }
    let in_order = OutputPlace::of(output.folder()).is_ok_and(|place| place.in_order);
    write_as(plan, output, context, in_order)
}

/// `in_order` says that jumps ahead are filled with zeros where the file is.
fn write_as(
    plan: &Plan,
    output: &OutputFile,
    context: &Context<'_>,
    in_order: bool,
) -> Result<Report, BundleError> {
    let journal = begin(plan, output)?;
    if in_order {
        let written = stream::write_file(plan, output, journal, context);
        return written.map_err(|error| on_disk(error, output));
    }
    let writer = prepare(plan, output, journal, context)?;
    context.cancel.check()?;
    let fetcher = Fetcher::new(plan, *context);
    let missing: Vec<(Digest, &Item)> = plan
        .whole()
        .items
        .iter()
        .filter(|(digest, _)| writer.state(digest) != BlobState::Whole)
        .map(|(digest, item)| (*digest, item))
        .collect();
    let present = plan.whole().items.len() - missing.len();
    let small = put_small(&fetcher, &writer, &missing)?;
    let mut blobs: Vec<(Digest, &Item)> = missing
        .into_iter()
        .filter(|(digest, _)| !small.contains(digest))
        .collect();
    // Largest first: the last connection to end then ends with a small one.
    blobs.sort_by_key(|(digest, item)| (Reverse(item.size), *digest));
    announce(&writer, &blobs, context);
    let fetched = fetch_all(&fetcher, &writer, output, &blobs)?;
    let finished = writer.finish()?;
    Ok(Report {
        identity: finished.identity,
        path: Some(finished.path),
        total_bytes: finished.bytes,
        fetched_blobs: fetched,
        fetched_bytes: fetcher.moved(),
        present_blobs: present as u64,
    })
}

/// The very bundle, if it is what has the output's name: an earlier run finished it, which reading all of
/// it shows.
fn finished(
    plan: &Plan,
    output: &OutputFile,
    context: &Context<'_>,
) -> Result<Option<Report>, BundleError> {
    let Ok(bundle) = Bundle::open(&output.path) else {
        return Ok(None);
    };
    if bundle.identity() != plan.layout().identity() {
        return Ok(None);
    }
    let report = verify(&bundle, cores(), context.cancel, context.observer)?;
    if !report.problems.is_empty() {
        return Ok(None);
    }
    // A run that ended between the file's name and its journal's end left the journal, which nobody needs.
    let _ = fs::remove_file(output.journal());
    Ok(Some(Report {
        identity: bundle.identity(),
        path: Some(output.path.clone()),
        total_bytes: bundle.total_bytes(),
        fetched_blobs: 0,
        fetched_bytes: 0,
        present_blobs: report.blobs,
    }))
}

/// The journal, taken up where it is of this very plan, else begun anew.
fn begin(plan: &Plan, output: &OutputFile) -> Result<Journal, BundleError> {
    if let Some(folder) = &output.state_dir {
        fs::create_dir_all(folder).map_err(|source| WriteError::Io {
            doing: "create",
            path: folder.clone(),
            source,
        })?;
    }
    let mut journal = Journal::open(&output.journal())?;
    if earlier(plan, output, journal.saved()) != Earlier::SamePlan {
        // What another plan left has its content at other places.
        match fs::remove_file(output.partial()) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(WriteError::Io {
                    doing: "replace",
                    path: output.partial(),
                    source,
                }
                .into());
            }
            _ => journal.begin(plan.parts().request, &plan.to_text())?,
        }
    }
    Ok(journal)
}

/// The partial file, with what the journal says of it.
fn prepare(
    plan: &Plan,
    output: &OutputFile,
    journal: Journal,
    context: &Context<'_>,
) -> Result<Writer, BundleError> {
    let threads = cores();
    let layout = plan.layout().clone();
    let writer = if output.force {
        Writer::replace(&output.path, layout, journal, threads, context.cancel)
    } else {
        Writer::create(&output.path, layout, journal, threads, context.cancel)
    };
    Ok(writer?)
}

/// Writes what needs no blob request, manifests above all: from then on the partial file has them, and a
/// later run asks nobody for them.
fn put_small(
    fetcher: &Fetcher<'_>,
    writer: &Writer,
    missing: &[(Digest, &Item)],
) -> Result<BTreeSet<Digest>, BundleError> {
    let mut put = BTreeSet::new();
    let mut failures = Vec::new();
    for (digest, item) in missing {
        fetcher.context.cancel.check()?;
        match fetcher.at_hand(digest, item) {
            Ok(None) => continue,
            Ok(Some(bytes)) => writer.put(digest, &bytes)?,
            Err(Stop::All(error)) => return Err(error),
            Err(Stop::Blob(error)) => failures.push(failure(fetcher.plan, digest, item, error)),
        }
        put.insert(*digest);
    }
    if failures.is_empty() {
        Ok(put)
    } else {
        Err(BundleError::Unfetched(failures))
    }
}

fn announce(writer: &Writer, blobs: &[(Digest, &Item)], context: &Context<'_>) {
    let bytes = blobs
        .iter()
        .map(|(digest, item)| match writer.state(digest) {
            BlobState::Partial(there) => item.size - there,
            _ => item.size,
        });
    context.observer.event(&Event::Total {
        blobs: blobs.len() as u64,
        bytes: bytes.sum(),
    });
}

/// Fetches all; gives how many, or all that failed.
fn fetch_all(
    fetcher: &Fetcher<'_>,
    writer: &Writer,
    output: &OutputFile,
    blobs: &[(Digest, &Item)],
) -> Result<u64, BundleError> {
    let done = AtomicU64::new(0);
    let fatal: Mutex<Option<BundleError>> = Mutex::default();
    let context = fetcher.context;
    let pool: Mutex<Vec<Progress>> = Mutex::default();
    let results = run_parallel(
        context.connections,
        blobs,
        context.cancel,
        |(digest, item)| {
            fetcher.stop.check().map_err(FetchError::from)?;
            fetcher.started(digest, item);
            let kept = pool.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut progress = kept.unwrap_or_else(Progress::new);
            let result = fetch_one(fetcher, writer, digest, item, &mut progress);
            pool.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(progress);
            let outcome = match result {
                Ok(()) => Outcome::Fetched,
                Err(_) => Outcome::Failed,
            };
            fetcher.finished(digest, outcome);
            match result {
                Ok(()) => {
                    done.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                }
                Err(Stop::Blob(error)) => Err(error),
                Err(Stop::All(error)) => {
                    // In this order: who is stopped by it must not be taken for the cause.
                    fatal
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .get_or_insert(error);
                    fetcher.stop.cancel();
                    Err(Cancelled.into())
                }
            }
        },
    );
    if let Some(error) = fatal.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(on_disk(error, output));
    }
    context.cancel.check()?;
    let failures = blobs.iter().zip(results);
    let failures: Vec<_> = failures
        .filter_map(|((digest, item), result)| match result {
            Err(JobError::Failed(error)) => Some(failure(fetcher.plan, digest, item, error)),
            _ => None,
        })
        .collect();
    if failures.is_empty() {
        Ok(done.into_inner())
    } else {
        Err(BundleError::Unfetched(failures))
    }
}

/// Fetches one blob into its place. Where the digest is wrong in the end, the blob is begun anew: without
/// the part that an earlier run left, or without the place that it came from.
fn fetch_one(
    fetcher: &Fetcher<'_>,
    writer: &Writer,
    digest: &Digest,
    item: &Item,
    progress: &mut Progress,
) -> Result<(), Stop> {
    let mut except = BTreeSet::new();
    let mut resume = true;
    let mut first: Option<FetchError> = None;
    loop {
        let mut sink = writer.blob(digest, resume)?;
        let there = sink.position();
        if resume {
            progress.begin(there);
        }
        let last = match fetcher.fill(digest, item, &except, &mut sink, progress) {
            Ok(last) => last,
            Err(Stop::Blob(error)) => return Err(Stop::Blob(first.unwrap_or(error))),
            Err(stop) => return Err(stop),
        };
        let mismatch = match sink.finish() {
            Ok(()) => return Ok(()),
            Err(WriteError::Mismatch(mismatch)) => mismatch,
            Err(error) => return Err(error.into()),
        };
        resume = false;
        if there > 0 {
            continue;
        }
        let Some(last) = last.or_else(|| item.sources.first().copied()) else {
            return Err(Stop::Blob(FetchError::NoOrigin));
        };
        let wrong = FetchError::Mismatch {
            host: fetcher.sources.source(last).host().to_owned(),
            mismatch,
        };
        if item.size == 0 {
            return Err(Stop::Blob(wrong));
        }
        except.insert(last);
        first.get_or_insert(wrong);
    }
}

/// Says which file a failed write was to.
fn on_disk(error: BundleError, output: &OutputFile) -> BundleError {
    match error {
        BundleError::Stream(source) => BundleError::Write(WriteError::Io {
            doing: "write",
            path: output.partial(),
            source,
        }),
        error => error,
    }
}

impl Sink for BlobSink<'_> {
    fn position(&self) -> u64 {
        BlobSink::position(self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::AtomicU64;

    use sealift_pipeline::{Cancel, NoObserver, Observer};
    use sealift_registry::{Client, ClientOptions};
    use sealift_testkit::{ImageMaker, Layer, Registry, Route};

    use super::*;
    use crate::{Earlier, Request, resolve, resume, status};

    /// Stops after so many bytes.
    struct Stopper(AtomicU64, Cancel);

    impl Observer for Stopper {
        fn event(&self, event: &Event<'_>) {
            if let Event::Advanced { bytes, .. } = event {
                let before = self.0.load(Ordering::Relaxed);
                self.0
                    .store(before.saturating_sub(*bytes), Ordering::Relaxed);
                if before < *bytes {
                    self.1.cancel();
                }
            }
        }
    }

    fn with<T>(
        folder: &std::path::Path,
        stop_after: Option<u64>,
        work: impl FnOnce(&Context<'_>) -> T,
    ) -> T {
        let cancel = Cancel::new();
        let client = Client::new(ClientOptions {
            cancel: cancel.clone(),
            ..ClientOptions::default()
        });
        let stopper = stop_after.map(|bytes| Stopper(AtomicU64::new(bytes), cancel.clone()));
        work(&Context {
            client: &client,
            connections: 3,
            scratch: folder,
            observer: stopper.as_ref().map_or(&NoObserver, |stopper| stopper as _),
            cancel: &cancel,
        })
    }

    #[test]
    fn a_file_written_in_order_is_the_same_and_can_be_taken_up() {
        let registry = Registry::start();
        let mut images = Vec::new();
        for seed in ["a", "b", "c", "d"] {
            let maker = ImageMaker::new(seed).layer(Layer::gzip(seed, 900_000));
            maker.make().put_into(&registry, seed, Some("v1"));
            images.push(registry.reference(seed, "v1").parse().unwrap());
        }
        let request = Request {
            images,
            ..Request::default()
        };
        let folder = tempfile::tempdir().unwrap();
        let output = |name: &str| OutputFile {
            path: folder.path().join(name),
            state_dir: None,
            force: false,
        };
        let (jumping, ordered) = (output("jumping.tar"), output("ordered.tar"));
        let plan = with(folder.path(), None, |context| {
            let plan = resolve(&request, context).unwrap();
            write_as(&plan, &jumping, context, false).unwrap();
            plan
        });
        let stopped = with(folder.path(), Some(2_500_000), |context| {
            write_as(&plan, &ordered, context, true)
        });
        assert!(
            matches!(stopped, Err(BundleError::Cancelled(_))),
            "{stopped:?}"
        );
        let plan = resume(&request, &ordered).unwrap();
        let there = status(&plan, &ordered);
        assert_eq!(there.earlier, Earlier::SamePlan);
        assert!(there.whole_blobs > 0 && there.missing_bytes > 0);
        registry.clear_traffic();
        let report = with(folder.path(), None, |context| {
            write_as(&plan, &ordered, context, true).unwrap()
        });
        assert!(report.present_blobs >= there.whole_blobs);
        let asked = registry.traffic().count("GET", Route::Blob) as u64;
        assert_eq!(asked, report.fetched_blobs);
        assert_eq!(registry.traffic().count("GET", Route::Manifest), 0);
        assert!(fs::read(&jumping.path).unwrap() == fs::read(&ordered.path).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
