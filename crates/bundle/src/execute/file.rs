//! Into a file: every blob at its own offset, by as many threads as there are connections.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use sealift_archive::{
    BlobState, BlobWriter, Bundle, FileTarget, OutputFile, PlainWriter, Profile, WriteError, verify,
};
use sealift_oci::Digest;
use sealift_pipeline::order::largest_first;
use sealift_pipeline::{Cancelled, Event, JobError, Outcome, run_parallel};

use crate::context::Context;
use crate::error::{BundleError, FetchError};
use crate::execute::transfer::{Fetcher, Progress, Sink, Stop};
use crate::execute::{Report, failure, stream};
use crate::plan::{Item, Plan};

pub(super) fn write(
    plan: &Plan,
    output: &OutputFile,
    context: &Context<'_>,
) -> Result<Report, BundleError> {
    if !output.replace && output.path.symlink_metadata().is_ok() {
        let report = match there(plan, output, Profile::Plain, context)? {
            Some(bundle) => finished(&bundle, output, context)?,
            None => None,
        };
        return report.ok_or_else(|| {
            let path = output.path.clone();
            WriteError::Exists { path }.into()
        });
    }
    let in_order = output
        .file_system()
        .is_ok_and(|file_system| file_system.in_order);
    write_as(plan, output, context, in_order)
}

/// `in_order` says that jumps ahead are filled with zeros where the file is.
fn write_as(
    plan: &Plan,
    output: &OutputFile,
    context: &Context<'_>,
    in_order: bool,
) -> Result<Report, BundleError> {
    let target = FileTarget::begin(output, plan.parts().request, &plan.to_text())?;
    let layout = plan.layout()?;
    if in_order {
        target.check_space(layout.total_bytes())?;
        let written = stream::write_file(plan, Box::new(target), layout, context);
        return written.map_err(|error| on_disk(error, output));
    }
    let writer = PlainWriter::open(Box::new(target), layout, context.budget, context.cancel)?;
    context.cancel.check()?;
    let fetcher = Fetcher::new(plan, *context);
    let missing: Vec<(Digest, &Item)> = plan
        .fetched()
        .filter(|(digest, _)| writer.state(digest) != BlobState::Complete)
        .map(|(digest, item)| (*digest, item))
        .collect();
    let present = plan.fetched().count() - missing.len();
    let small = put_small(&fetcher, &writer, &missing)?;
    let mut blobs: Vec<(Digest, &Item)> = missing
        .into_iter()
        .filter(|(digest, _)| !small.contains(digest))
        .collect();
    largest_first(&mut blobs, |(digest, item)| (item.size, *digest));
    announce(&writer, &blobs, context);
    let fetched = fetch_all(&fetcher, &writer, output, &blobs)?;
    let published = writer.publish()?;
    Ok(Report {
        identity: plan.contents().identity(),
        path: Some(published.path),
        total_bytes: published.bytes,
        fetched_blobs: fetched,
        fetched_bytes: fetcher.moved(),
        present_blobs: present as u64,
        compact: None,
    })
}

/// The bundle that has the output's name, if it has the plan's contents.
///
/// # Errors
/// If it is of another profile.
pub(super) fn there(
    plan: &Plan,
    output: &OutputFile,
    wanted: Profile,
    context: &Context<'_>,
) -> Result<Option<Bundle>, BundleError> {
    let Ok(bundle) = Bundle::open(&output.path, &context.reading()) else {
        return Ok(None);
    };
    if bundle.identity() != plan.contents().identity() {
        return Ok(None);
    }
    let (path, found) = (output.path.display().to_string(), bundle.profile());
    if found == wanted {
        Ok(Some(bundle))
    } else {
        Err(BundleError::OtherProfile {
            path,
            found,
            wanted,
        })
    }
}

/// The report of an earlier run that finished, if reading all of the bundle that has the output's name shows no
/// problem.
pub(super) fn finished(
    bundle: &Bundle,
    output: &OutputFile,
    context: &Context<'_>,
) -> Result<Option<Report>, BundleError> {
    let report = verify(
        bundle,
        false,
        context.budget,
        context.cancel,
        &**context.observer,
    )?;
    if !report.problems.is_empty() {
        return Ok(None);
    }
    output.remove_journal();
    Ok(Some(Report {
        identity: bundle.identity(),
        path: Some(output.path.clone()),
        total_bytes: bundle.total_bytes(),
        fetched_blobs: 0,
        fetched_bytes: 0,
        present_blobs: report.blobs,
        compact: None,
    }))
}

/// Writes what needs no blob request, manifests above all: from then on the partial file has them, and a
/// later run asks nobody for them.
fn put_small(
    fetcher: &Fetcher<'_>,
    writer: &PlainWriter,
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

fn announce(writer: &PlainWriter, blobs: &[(Digest, &Item)], context: &Context<'_>) {
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
    writer: &PlainWriter,
    output: &OutputFile,
    blobs: &[(Digest, &Item)],
) -> Result<u64, BundleError> {
    let done = AtomicU64::new(0);
    let fatal: Mutex<Option<BundleError>> = Mutex::default();
    let context = fetcher.context;
    let pool: Mutex<Vec<Progress>> = Mutex::default();
    let results = run_parallel(
        context.budget.connections(),
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
                Err(_) => fetcher.not_done(),
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

/// Fetches one blob into its place. If it turns out not to be what its digest says, it is begun again: without
/// the part that an earlier run left, in one piece if it was put together from parts, and otherwise without the
/// source that it came from.
fn fetch_one(
    fetcher: &Fetcher<'_>,
    writer: &PlainWriter,
    digest: &Digest,
    item: &Item,
    progress: &mut Progress,
) -> Result<(), Stop> {
    let mut except = BTreeSet::new();
    let mut resume = true;
    let mut begun_again = false;
    let mut first: Option<FetchError> = None;
    loop {
        let mut blob = writer.blob(digest, resume)?;
        let there = blob.position();
        if resume {
            progress.begin(there);
        } else {
            progress.begin_again(there);
        }
        resume = false;
        let wrong = match fetcher.fill(digest, item, &except, &mut blob, progress) {
            Ok(last) => match blob.finish() {
                Ok(()) => return Ok(()),
                Err(WriteError::Mismatch(mismatch)) => (last, mismatch),
                Err(error) => return Err(error.into()),
            },
            // A part that does not fit shows in the length as well as in the digest.
            Err(Stop::Blob(FetchError::Mismatch { .. }))
                if progress.is_joined() && !begun_again =>
            {
                begun_again = true;
                continue;
            }
            Err(Stop::Blob(error)) => return Err(Stop::Blob(first.unwrap_or(error))),
            Err(stop) => return Err(stop),
        };
        if there > 0 {
            continue;
        }
        if progress.is_joined() && !begun_again {
            begun_again = true;
            continue;
        }
        let (last, mismatch) = wrong;
        let Some(last) = last.or_else(|| item.sources.first().copied()) else {
            return Err(Stop::Blob(FetchError::NoOrigin));
        };
        let wrong = fetcher.sources.mismatch(last, mismatch);
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

impl Sink for BlobWriter<'_> {
    fn position(&self) -> u64 {
        BlobWriter::position(self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;

    use sealift_pipeline::{Budget, Cancel, NoObserver, Observer};
    use sealift_registry::{Client, ClientOptions};
    use sealift_testkit::{ImageMaker, Layer, Registry, Route};

    use super::*;
    use crate::{Earlier, Request, resolve, resume, status};

    /// Stops when so many blobs are written.
    struct Stopper(AtomicU64, Cancel);

    impl Observer for Stopper {
        fn event(&self, event: &Event<'_>) {
            if let Event::Finished { .. } = event
                && self.0.fetch_sub(1, Ordering::Relaxed) == 1
            {
                self.1.cancel();
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
        let observer: Arc<dyn Observer> = match stop_after {
            Some(blobs) => Arc::new(Stopper(AtomicU64::new(blobs), cancel.clone())),
            None => Arc::new(NoObserver),
        };
        work(&Context {
            client: &client,
            budget: &Budget::new(3, 2),
            scratch: folder,
            observer: &observer,
            bases: &sealift_archive::Bases::default(),
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
            replace: false,
        };
        let (jumping, ordered) = (output("jumping.tar"), output("ordered.tar"));
        let plan = with(folder.path(), None, |context| {
            let plan = resolve(&request, context).unwrap();
            write_as(&plan, &jumping, context, false).unwrap();
            plan
        });
        let stopped = with(folder.path(), Some(2), |context| {
            write_as(&plan, &ordered, context, true)
        });
        assert!(
            matches!(stopped, Err(BundleError::Cancelled(_))),
            "{stopped:?}"
        );
        let plan = resume(&request, &ordered).unwrap();
        let there = status(&plan, &ordered);
        assert_eq!(there.earlier, Earlier::SamePlan);
        assert!(there.complete_blobs > 0 && there.missing_bytes > 0);
        registry.clear_traffic();
        let report = with(folder.path(), None, |context| {
            write_as(&plan, &ordered, context, true).unwrap()
        });
        assert!(report.present_blobs >= there.complete_blobs);
        let asked = registry.traffic().count("GET", Route::Blob) as u64;
        assert_eq!(asked, report.fetched_blobs);
        // Whether the manifests were written before the stop depends on which thread was faster. What is
        // there is not asked for again.
        let manifests = registry.traffic().count("GET", Route::Manifest) as u64;
        let all = plan.planned().items.len() as u64;
        assert!(there.complete_blobs + asked + manifests <= all);
        assert!(fs::read(&jumping.path).unwrap() == fs::read(&ordered.path).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
