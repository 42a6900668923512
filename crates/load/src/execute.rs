//! Does what a plan says: blobs, manifests by digest, a look at what the registry stored, tags.

mod blobs;
mod failures;
mod manifests;
mod queue;
mod refusals;
mod source;
mod standing;
mod tags;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use sealift_archive::{Bundle, CorruptBlob, NamedStore, cause_of, is_environment_fault};
use sealift_pipeline::{Cancel, Cancelled, Event, Observer, Outcome};
use sealift_registry::{ErrorKind, RegistryError};

use crate::base::{BaseError, Found, RegistryBlobs};
use crate::context::Context;
use crate::error::LoadError;
use crate::execute::failures::Failures;
use crate::execute::refusals::Refusals;
use crate::execute::source::BundleBlob;
use crate::name::PlannedName;
use crate::plan::{BlobAction, Plan, Registry, TagAction};
use crate::receipt::{
    Failed, ManifestReceipt, PlacedBlob, Receipt, ReceiptTotals, TagReceipt, Verified,
};
use crate::tag::Moved;

/// Does what `plan` says. Blobs go first, each read once and committed only when it is what its digest
/// says; manifests follow by digest, children before indexes and subjects before referrers; each is
/// read back and compared; then all tags move together. What fails before that leaves everything that
/// has a name as it was.
///
/// # Errors
/// The first failure, or with `keep_going` one that leaves nothing to go on with. Where it is
/// [`LoadError::TagsPartlyMoved`], tags were moved; in all other cases none.
pub fn execute(bundle: &Bundle, plan: &Plan, context: &Context<'_>) -> Result<Receipt, LoadError> {
    let conflicts = plan.conflicts();
    if !conflicts.is_empty() {
        return Err(LoadError::Conflicts(conflicts));
    }
    let leaning = with_destination(bundle, plan, context);
    let bundle = leaning.as_ref().unwrap_or(bundle);
    let run = Run {
        bundle,
        plan,
        registry: Registry {
            client: context.client,
            name: plan.destination.registry(),
            connections: context.budget.connections(),
            cancel: context.cancel,
        },
        observer: context.observer,
        cancel: context.cancel,
        stop: Cancel::new(),
        failures: Failures::default(),
        refusals: Refusals::default(),
        placed: Mutex::default(),
    };
    run.push_blobs()?;
    run.store_manifests()?;
    run.read_back()?;
    run.move_tags()
}

/// The bundle with the blobs of its bases that are at the destination; `None` if it needs none.
fn with_destination(bundle: &Bundle, plan: &Plan, context: &Context<'_>) -> Option<Bundle> {
    if plan.bases.is_empty() {
        return None;
    }
    let found = plan.bases.iter().map(|blob| {
        let (size, repository) = (blob.size, blob.repository.clone());
        (blob.digest, Found { size, repository })
    });
    let registry = plan.destination.registry();
    let store = RegistryBlobs::new(
        context.client.clone(),
        registry,
        found.collect(),
        context.scratch.to_owned(),
        context.cancel.clone(),
    );
    Some(bundle.with_base(NamedStore {
        name: registry.to_owned(),
        store: Arc::new(store),
    }))
}

/// One execution: what all its threads share.
struct Run<'a> {
    bundle: &'a Bundle,
    plan: &'a Plan,
    registry: Registry<'a>,
    observer: &'a dyn Observer,
    /// Raised by the caller.
    cancel: &'a Cancel,
    /// Raised by a failure that leaves nothing to go on with.
    stop: Cancel,
    failures: Failures,
    refusals: Refusals,
    placed: Mutex<Vec<(PlacedBlob, Outcome)>>,
}

impl Run<'_> {
    fn phase(&self, name: &str) {
        self.observer.event(&Event::Phase { name });
    }

    fn check(&self) -> Result<(), LoadError> {
        self.cancel.check()?;
        self.stop.check()?;
        Ok(())
    }

    /// Whether a manifest is not stored: it failed, or the registry does not accept what it is for.
    fn skips(&self, site: usize) -> bool {
        self.failures.has(site) || self.refusals.has(site)
    }

    /// Whether a failure ends the whole load: always, unless it was asked to keep going and the failure
    /// is of one blob or manifest. Without an answer from the registry nothing else would succeed.
    fn is_fatal(&self, error: &LoadError) -> bool {
        let dead = |error: &RegistryError| error.is_unreachable() || error.is_cancelled();
        !self.plan.keep_going
            || match error {
                LoadError::Cancelled(_)
                | LoadError::Bundle { .. }
                | LoadError::Environment { .. } => true,
                LoadError::Registry(error) => dead(error),
                LoadError::Manifest { source, .. } => dead(source),
                _ => false,
            }
    }

    /// What an upload's failure means: the content's own fault, or the registry's.
    fn judge(&self, error: RegistryError, source: &BundleBlob<'_>) -> LoadError {
        if source.was_stopped() {
            return Cancelled.into();
        }
        if let ErrorKind::Source(fault) = &error.kind
            && let Some(base) = cause_of::<BaseError>(fault)
        {
            return LoadError::Base {
                digest: source.digest(),
                source: Box::new(base.clone()),
            };
        }
        match &error.kind {
            ErrorKind::Source(fault) if is_environment_fault(fault) => LoadError::Environment {
                bundle: self.bundle.name().to_owned(),
                digest: source.digest(),
                source: io::Error::new(fault.kind(), fault.to_string()),
            },
            ErrorKind::Source(fault) => {
                let corrupt = CorruptBlob::new(self.bundle, &source.digest(), fault);
                LoadError::Damaged {
                    bundle: self.bundle.name().to_owned(),
                    damaged: vec![corrupt],
                }
            }
            _ => LoadError::registry(error),
        }
    }

    fn receipt(&self, moved: Vec<Moved>) -> Receipt {
        let plan = self.plan;
        let failed_sites = self.failures.sites();
        let mut receipt = Receipt {
            present: present(plan),
            ..Receipt::empty(plan.bundle, plan.destination.to_string())
        };
        for name in &plan.names {
            match failed_sites.get(&name.site) {
                None if self.refusals.has(name.site) => match plan.stand_in(name.site) {
                    Some(new) => receipt.names.push(PlannedName {
                        digest: plan.manifests[new].digest,
                        original: Some(name.digest),
                        site: new,
                        ..name.clone()
                    }),
                    None => receipt.omitted.push(name.source.clone()),
                },
                None => receipt.names.push(name.clone()),
                Some(reason) => receipt.failed.push(Failed {
                    name: name.source.clone(),
                    reason: reason.clone(),
                }),
            }
        }
        let placed = self.placed.lock();
        let mut placed = placed.unwrap_or_else(PoisonError::into_inner).clone();
        placed.sort_by(|a, b| a.0.cmp(&b.0));
        for (blob, outcome) in placed {
            match outcome {
                Outcome::Sent => receipt.sent.push(blob),
                Outcome::Mounted => receipt.mounted.push(blob),
                _ => receipt.present.push(blob),
            }
        }
        let sites = plan.manifests.iter().enumerate();
        for (_, site) in
            sites.filter(|(n, _)| !failed_sites.contains_key(n) && !self.refusals.has(*n))
        {
            receipt.manifests.push(ManifestReceipt {
                repository: site.repository.clone(),
                digest: site.digest,
                size: site.size,
                stored: !site.present,
                verified: if site.present {
                    Verified::Named
                } else {
                    Verified::ReadBack
                },
            });
        }
        receipt.tags = tags(plan, moved);
        receipt.totals = totals(&receipt);
        let vouched = plan.vouched();
        receipt.totals.blobs_vouched = vouched.len() as u64;
        receipt.totals.bytes_vouched = vouched.into_iter().map(|(_, size)| size).sum();
        receipt
    }
}

fn present(plan: &Plan) -> Vec<PlacedBlob> {
    let places = plan.blobs.iter().flat_map(|blob| {
        let present = |place: &&crate::plan::BlobPlace| place.action == BlobAction::Present;
        let places = blob.places.iter().filter(present);
        places.map(|place| PlacedBlob {
            repository: place.repository.clone(),
            digest: blob.digest,
            size: blob.size,
            from: None,
        })
    });
    places.collect()
}

fn tags(plan: &Plan, moved: Vec<Moved>) -> Vec<TagReceipt> {
    let unchanged = plan
        .tags
        .iter()
        .filter(|tag| tag.action == TagAction::Unchanged);
    let unchanged = unchanged.map(|tag| TagReceipt {
        repository: tag.repository.clone(),
        tag: tag.tag.clone(),
        old: Some(tag.digest),
        new: tag.digest,
        set: false,
    });
    let moved = moved.into_iter().map(|moved| TagReceipt {
        repository: moved.repository,
        tag: moved.tag,
        old: moved.old,
        new: moved.new,
        set: true,
    });
    unchanged.chain(moved).collect()
}

fn totals(receipt: &Receipt) -> ReceiptTotals {
    let count = |blobs: &[PlacedBlob]| {
        (
            blobs.len() as u64,
            blobs.iter().map(|blob| blob.size).sum::<u64>(),
        )
    };
    let (blobs_sent, bytes_sent) = count(&receipt.sent);
    let (blobs_mounted, bytes_mounted) = count(&receipt.mounted);
    let (blobs_present, bytes_present) = count(&receipt.present);
    let stored = receipt.manifests.iter().filter(|m| m.stored).count();
    let set = receipt.tags.iter().filter(|tag| tag.set).count();
    ReceiptTotals {
        blobs_sent,
        bytes_sent,
        blobs_mounted,
        bytes_mounted,
        blobs_present,
        bytes_present,
        manifests_stored: stored as u64,
        manifests_present: (receipt.manifests.len() - stored) as u64,
        blobs_vouched: 0,
        bytes_vouched: 0,
        tags_set: set as u64,
        tags_unchanged: (receipt.tags.len() - set) as u64,
    }
}
