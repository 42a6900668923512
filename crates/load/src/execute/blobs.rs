//! Sends and mounts the blobs of a plan.

use std::sync::{Mutex, PoisonError};

use sealift_oci::Digest;
use sealift_pipeline::{Event, Outcome, run_on_threads};
use sealift_registry::Pushed;

use crate::error::LoadError;
use crate::execute::Run;
use crate::execute::queue::{End, Job, Queue};
use crate::execute::source::BundleBlob;
use crate::receipt::PlacedBlob;
use crate::repository::RepositoryName;

impl Run<'_> {
    /// Brings every blob where the plan wants it.
    pub(super) fn push_blobs(&self) -> Result<(), LoadError> {
        let totals = &self.plan.totals;
        self.phase("sending blobs");
        self.observer.event(&Event::Total {
            blobs: totals.blobs_to_send + totals.blobs_to_mount,
            bytes: totals.bytes_to_send,
        });
        let jobs = totals.blobs_to_send + totals.blobs_to_mount;
        let threads = self
            .registry
            .connections
            .min(usize::try_from(jobs).unwrap_or(usize::MAX));
        let queue = Queue::new(&self.plan.blobs);
        let first: Mutex<Option<LoadError>> = Mutex::new(None);
        let worker = || {
            while let Some(job) = queue.next() {
                if let Err(error) = self.work_off(&queue, &job) {
                    let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
                    // What the first failure stopped says nothing new.
                    if first
                        .as_ref()
                        .is_none_or(|first| matches!(first, LoadError::Cancelled(_)))
                    {
                        *first = Some(error);
                    }
                    self.stop.cancel();
                    queue.close();
                }
            }
        };
        run_on_threads(threads, &worker);
        if let Some(error) = first.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        self.failures.spread(self.plan);
        Ok(())
    }

    /// Does one job. A failure that the load survives is noted, any other is returned.
    fn work_off(&self, queue: &Queue, job: &Job) -> Result<(), LoadError> {
        let blob = &self.plan.blobs[job.blob];
        let repository = &blob.places[job.place].repository;
        match self.push_blob(blob.digest, blob.size, repository, job.from.as_ref()) {
            Ok(()) => {
                queue.finish(job, repository, End::Done);
                Ok(())
            }
            Err(error) if self.is_fatal(&error) => {
                queue.finish(job, repository, End::Hopeless);
                Err(error)
            }
            Err(error) => {
                let reason = error.to_string();
                let end = match error {
                    LoadError::Damaged { .. } => End::Hopeless,
                    _ => End::Refused,
                };
                self.failures.blob(repository, blob.digest, reason.clone());
                for place in queue.finish(job, repository, end) {
                    let repository = &blob.places[place].repository;
                    self.failures.blob(repository, blob.digest, reason.clone());
                }
                Ok(())
            }
        }
    }

    fn push_blob(
        &self,
        digest: Digest,
        size: u64,
        repository: &RepositoryName,
        from: Option<&RepositoryName>,
    ) -> Result<(), LoadError> {
        self.check()?;
        let source = self.source(digest, size);
        self.observer.event(&Event::Started {
            digest: &digest,
            size,
            what: repository,
        });
        let from: Vec<String> = from.iter().map(ToString::to_string).collect();
        let pushed = self
            .registry
            .repository(repository)?
            .upload_blob(&source, &from);
        self.pushed(digest, size, repository, &source, pushed)
    }

    /// Notes how a blob got into a repository.
    pub(super) fn pushed(
        &self,
        digest: Digest,
        size: u64,
        repository: &RepositoryName,
        source: &BundleBlob<'_>,
        pushed: Result<Pushed, sealift_registry::RegistryError>,
    ) -> Result<(), LoadError> {
        let (result, outcome, from) = match pushed {
            Ok(Pushed::Sent) => (Ok(()), Outcome::Sent, None),
            Ok(Pushed::Present) => (Ok(()), Outcome::Present, None),
            Ok(Pushed::Mounted { from }) => {
                (Ok(()), Outcome::Mounted, Some(RepositoryName::new(&from)))
            }
            Err(error) => {
                let outcome = Outcome::not_done(&[self.cancel, &self.stop]);
                (Err(self.judge(error, source)), outcome, None)
            }
        };
        self.observer.event(&Event::Finished {
            digest: &digest,
            outcome,
        });
        if result.is_ok() {
            let placed = PlacedBlob {
                repository: repository.clone(),
                digest,
                size,
                from,
            };
            self.placed
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((placed, outcome));
        }
        result
    }

    pub(super) fn source(&self, digest: Digest, size: u64) -> BundleBlob<'_> {
        BundleBlob::new(
            self.bundle,
            digest,
            size,
            self.observer,
            [self.cancel, &self.stop],
        )
    }
}
