//! The blobs of a check: whether each is there, and with `deep` whether its content is right.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use sealift_archive::Node;
use sealift_oci::{Descriptor, Digest, Hasher};
use sealift_pipeline::{BUFFER_BYTES, Event, Mismatch, Outcome};
use sealift_registry::Repository;

use super::expected::ExpectedManifest;
use super::report::Difference;
use crate::context::Context;
use crate::error::LoadError;
use crate::plan::Registry;
use crate::repository::RepositoryName;

/// The media type in a descriptor with which a blob is requested; no registry looks at it.
const ANY: &str = "application/octet-stream";

/// A blob in a repository.
#[derive(Clone, Copy, Debug)]
pub(super) struct CheckedBlob<'a> {
    pub(super) repository: &'a RepositoryName,
    pub(super) digest: Digest,
    pub(super) size: u64,
    /// Whether the registry need not store it.
    pub(super) foreign: bool,
}

impl CheckedBlob<'_> {
    fn descriptor(&self) -> Descriptor {
        Descriptor::new(ANY.to_owned(), self.digest, self.size)
    }
}

/// The blobs that manifests need, each once for each repository.
pub(super) struct Blobs<'a>(Vec<CheckedBlob<'a>>);

impl<'a> Blobs<'a> {
    pub(super) fn of(manifests: &'a [ExpectedManifest], nodes: &BTreeMap<Digest, Node>) -> Self {
        let mut blobs: BTreeMap<(&RepositoryName, Digest), CheckedBlob<'a>> = BTreeMap::new();
        for manifest in manifests {
            let node = nodes.get(&manifest.digest);
            for blob in node.into_iter().flat_map(|node| &node.blobs) {
                let key = (&manifest.repository, blob.digest);
                blobs.entry(key).or_insert(CheckedBlob {
                    repository: &manifest.repository,
                    digest: blob.digest,
                    size: blob.size,
                    foreign: blob.foreign_type.is_some() || blob.has_urls,
                });
            }
        }
        Self(blobs.into_values().collect())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &CheckedBlob<'a>> {
        self.0.iter()
    }

    pub(super) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// The bytes of all, where each counts once for each repository.
    pub(super) fn bytes(&self) -> u64 {
        self.0
            .iter()
            .fold(0, |sum, blob| sum.saturating_add(blob.size))
    }

    /// Asks the registry about each.
    pub(super) fn head(
        &self,
        registry: &Registry<'_>,
    ) -> Result<Vec<Option<Difference>>, LoadError> {
        registry.parallel(&self.0, |blob| {
            let repository = registry.repository(blob.repository)?;
            let there = repository
                .head_blob(&blob.digest)
                .map_err(LoadError::registry)?;
            match there {
                Some(found) if found == blob.size || found == 0 => Ok(None),
                Some(found) => Ok(Some(Difference::Size {
                    found,
                    expected: blob.size,
                })),
                None => confirm_missing(&repository, blob),
            }
        })
    }

    /// Reads every different blob once, from the first repository that has it, and hashes it.
    pub(super) fn read(
        &self,
        found: &[Option<Difference>],
        registry: &Registry<'_>,
        context: &Context<'_>,
    ) -> Result<Vec<(CheckedBlob<'a>, Option<Difference>)>, LoadError> {
        let mut seen = BTreeSet::new();
        let there = self.0.iter().zip(found);
        let there = there.filter(|(_, difference)| difference.is_none());
        let mut once: Vec<CheckedBlob<'a>> = there
            .map(|(blob, _)| *blob)
            .filter(|blob| seen.insert(blob.digest))
            .collect();
        // The largest first, so that none of them is left for the end.
        once.sort_by_key(|blob| std::cmp::Reverse(blob.size));
        context.observer.event(&Event::Total {
            blobs: once.len() as u64,
            bytes: once.iter().map(|blob| blob.size).sum(),
        });
        let read = registry.parallel(&once, |blob| {
            let repository = registry.repository(blob.repository)?;
            Reading::new(blob, &repository, context).run()
        })?;
        Ok(once.into_iter().zip(read).collect())
    }
}

/// A registry that refuses HEAD has said nothing about the blob: GET does.
fn confirm_missing(
    repository: &Repository,
    blob: &CheckedBlob<'_>,
) -> Result<Option<Difference>, LoadError> {
    match repository.blob(&blob.descriptor(), 0) {
        Ok(_) => Ok(None),
        Err(error) if error.is_not_found() => Ok(Some(Difference::Missing)),
        Err(error) => Err(LoadError::registry(error)),
    }
}

/// One blob that is read and hashed.
struct Reading<'a> {
    blob: &'a CheckedBlob<'a>,
    repository: &'a Repository,
    context: &'a Context<'a>,
    hasher: Hasher,
    position: u64,
}

impl<'a> Reading<'a> {
    fn new(
        blob: &'a CheckedBlob<'a>,
        repository: &'a Repository,
        context: &'a Context<'a>,
    ) -> Self {
        Self {
            blob,
            repository,
            context,
            hasher: Hasher::new(blob.digest.algorithm()),
            position: 0,
        }
    }

    /// Reads all of it; a broken connection is resumed as often as requests are repeated.
    fn run(mut self) -> Result<Option<Difference>, LoadError> {
        let digest = &self.blob.digest;
        self.context.observer.event(&Event::Started {
            digest,
            size: self.blob.size,
            what: self.blob.repository,
        });
        let mut failures = 0;
        loop {
            let before = self.position;
            let fault = match self.pour() {
                Ok(()) => break,
                Err(Stop::Error(error)) => return Err(error),
                Err(Stop::Long) => return Ok(Some(self.ended(None))),
                Err(Stop::Broken(fault)) => fault,
            };
            failures = if self.position > before {
                1
            } else {
                failures + 1
            };
            let retry = self.context.client.retry();
            if failures > retry.retries {
                return Ok(Some(self.ended(Some(&fault))));
            }
            let wait = retry.wait(failures, None);
            self.context.observer.event(&Event::Retry {
                host: self.repository.registry(),
                what: &format!("blob {digest}"),
                error: &fault.to_string(),
                wait,
            });
            self.context.client.pause(wait)?;
        }
        let outcome = |outcome| Event::Finished { digest, outcome };
        let actual = self.hasher.finish();
        if actual == *digest {
            self.context.observer.event(&outcome(Outcome::Verified));
            return Ok(None);
        }
        self.context.observer.event(&outcome(Outcome::Failed));
        let mismatch = Mismatch::Digest {
            expected: *digest,
            actual,
        };
        Ok(Some(Difference::Content {
            what: mismatch.to_string(),
        }))
    }

    fn pour(&mut self) -> Result<(), Stop> {
        let descriptor = self.blob.descriptor();
        let body = self.repository.blob(&descriptor, self.position);
        let mut body = body.map_err(|error| Stop::Error(LoadError::registry(error)))?;
        let mut offset = body.offset;
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            self.context
                .cancel
                .check()
                .map_err(|cancelled| Stop::Error(cancelled.into()))?;
            let read = match body.reader.read(&mut buffer) {
                Ok(0) if self.position == self.blob.size => return Ok(()),
                Ok(0) => return Err(Stop::Broken(io::ErrorKind::UnexpectedEof.into())),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Stop::Broken(error)),
            };
            // A server without ranges begins again.
            let known = usize::try_from(self.position - offset).unwrap_or(usize::MAX);
            offset += read as u64;
            let new = &buffer[known.min(read)..read];
            if self.position + new.len() as u64 > self.blob.size {
                return Err(Stop::Long);
            }
            self.hasher.update(new);
            self.position += new.len() as u64;
            self.context.observer.event(&Event::Advanced {
                digest: &self.blob.digest,
                bytes: new.len() as u64,
            });
        }
    }

    /// What it means that the content does not end where it should.
    fn ended(&self, fault: Option<&io::Error>) -> Difference {
        let digest = self.blob.digest;
        self.context.observer.event(&Event::Finished {
            digest: &digest,
            outcome: Outcome::Failed,
        });
        let what = match fault {
            Some(fault) => format!(
                "it ends after {} of {} bytes: {fault}",
                self.position, self.blob.size
            ),
            None => Mismatch::Long {
                digest,
                expected: self.blob.size,
            }
            .to_string(),
        };
        Difference::Content { what }
    }
}

/// Why reading ended early.
enum Stop {
    /// The registry refuses, or the work was stopped.
    Error(LoadError),
    /// The connection broke; the rest may be requested.
    Broken(io::Error),
    /// There are more bytes than there should be.
    Long,
}
