//! Moves tags when everything that they stand for is there.

use sealift_oci::{Descriptor, Manifest};
use sealift_pipeline::{Cancel, JobError, run_parallel};

use crate::error::{LoadError, PartlyMoved};
use crate::execute::Run;
use crate::plan::{PlannedReferrers, PlannedTag, TagAction};
use crate::receipt::Receipt;
use crate::tag::Moved;

/// One change of a name.
#[derive(Clone, Copy)]
pub(super) enum Step<'a> {
    /// The tag that stands in for the referrers API gets more entries.
    Merge(&'a PlannedReferrers),
    /// A tag gets its manifest.
    Set(&'a PlannedTag),
}

impl Step<'_> {
    fn name(&self) -> String {
        match self {
            Self::Merge(referrers) => format!(
                "{}:{}",
                referrers.repository,
                referrers.subject.referrers_tag()
            ),
            Self::Set(tag) => format!("{}:{}", tag.repository, tag.tag),
        }
    }
}

/// What became of the steps so far.
#[derive(Default)]
struct Progress<'a> {
    moved: Vec<(Step<'a>, Moved)>,
    not_moved: Vec<String>,
    cause: Option<LoadError>,
}

impl Progress<'_> {
    fn fail(&mut self, name: String, error: JobError<LoadError>) {
        self.not_moved.push(name);
        if let JobError::Failed(error) = error {
            self.cause.get_or_insert(error);
        }
    }
}

impl Run<'_> {
    /// Moves all tags; the receipt. Signatures come before the images that they are for, so that an image is never
    /// found under its new tag without them.
    pub(super) fn move_tags(&self) -> Result<Receipt, LoadError> {
        self.phase("moving tags");
        let merges = self.merges()?;
        let tags = self.tags_to_move();
        let (early, late): (Vec<&PlannedTag>, Vec<&PlannedTag>) =
            tags.iter().partition(|tag| tag.early);
        // All of them before the first moves: a difference leaves all names as they are.
        let all: Vec<&PlannedTag> = early.iter().chain(&late).copied().collect();
        self.expect_unchanged(&all)?;
        let first: Vec<Step<'_>> = merges
            .into_iter()
            .map(Step::Merge)
            .chain(early.into_iter().map(Step::Set))
            .collect();
        let last: Vec<Step<'_>> = late.into_iter().map(Step::Set).collect();
        let mut progress = Progress::default();
        for steps in [first, last] {
            self.take(&steps, &mut progress);
        }
        let touched = !progress.moved.is_empty();
        self.confirm(&mut progress);
        let moved = progress.moved.into_iter().map(|(_, moved)| moved);
        let moved: Vec<Moved> = moved.collect();
        match progress.cause {
            None => Ok(self.receipt(moved)),
            Some(cause) if !touched => Err(cause),
            Some(cause) => Err(LoadError::TagsPartlyMoved(Box::new(PartlyMoved {
                receipt: self.receipt(moved.clone()).without(
                    self.plan.destination.registry(),
                    &progress.not_moved,
                    &cause.to_string(),
                ),
                moved,
                not_moved: progress.not_moved,
                cause,
            }))),
        }
    }

    /// The tags that move. Those of a publisher's index that was refused get the index that stands in for it.
    fn tags_to_move(&self) -> Vec<PlannedTag> {
        let planned = self.plan.tags.iter();
        let planned = planned
            .filter(|tag| tag.action != TagAction::Unchanged && !self.failures.has(tag.site));
        let tags = planned.filter_map(|tag| {
            if !self.refusals.has(tag.site) {
                return Some(tag.clone());
            }
            let site = self.plan.stand_in(tag.site)?;
            Some(PlannedTag {
                digest: self.plan.manifests[site].digest,
                site,
                ..tag.clone()
            })
        });
        tags.collect()
    }

    /// Takes steps in parallel; none, once one failed, unless it was asked to keep going.
    fn take<'b>(&self, steps: &[Step<'b>], progress: &mut Progress<'b>) {
        let stop = Cancel::new();
        if progress.cause.is_some() && !self.plan.keep_going {
            stop.cancel();
        }
        let results = run_parallel(self.registry.connections, steps, &stop, |step| {
            let result = self.check().and_then(|()| match step {
                Step::Merge(referrers) => self.merge(referrers),
                Step::Set(tag) => self.set(tag).map(Some),
            });
            if result.as_ref().is_err_and(|error| self.is_fatal(error)) {
                stop.cancel();
            }
            result
        });
        for (step, result) in steps.iter().zip(results) {
            match result {
                Ok(moved) => progress.moved.extend(moved.map(|moved| (*step, moved))),
                Err(error) => progress.fail(step.name(), error),
            }
        }
    }

    fn set(&self, tag: &PlannedTag) -> Result<Moved, LoadError> {
        let old = self.before(tag)?;
        self.put(&self.plan.manifests[tag.site], &tag.tag)?;
        Ok(Moved {
            repository: tag.repository.clone(),
            tag: tag.tag.clone(),
            old: old.filter(|old| *old != tag.digest),
            new: tag.digest,
        })
    }

    /// Asks what each tag that was set stands for now. All are set before: a registry on a plain file
    /// system (distribution 2.8) answers 500 about a manifest while another tag of it is being written.
    fn confirm(&self, progress: &mut Progress<'_>) {
        let answers = run_parallel(
            self.registry.connections,
            &progress.moved,
            &Cancel::new(),
            |(step, moved)| self.after(step, moved),
        );
        for ((step, moved), answer) in std::mem::take(&mut progress.moved).into_iter().zip(answers)
        {
            match answer {
                Ok(()) => progress.moved.push((step, moved)),
                Err(error) => progress.fail(step.name(), error),
            }
        }
    }

    /// The referrers that the registry does not list by itself. One that has the API is asked whether it
    /// took note of what is new.
    fn merges(&self) -> Result<Vec<&PlannedReferrers>, LoadError> {
        let there = |group: &&PlannedReferrers| group.sites.iter().any(|n| !self.skips(*n));
        let groups: Vec<&PlannedReferrers> = self.plan.referrers.iter().filter(there).collect();
        let Some(first) = groups.first() else {
            return Ok(groups);
        };
        let api = self
            .registry
            .repository(&first.repository)?
            .has_referrers_api(&first.subject)
            .map_err(LoadError::registry)?;
        if !api {
            return Ok(groups);
        }
        let is_new = |group: &&PlannedReferrers| {
            let mut sites = group.sites.iter();
            sites.any(|n| !self.plan.manifests[*n].present && !self.skips(*n))
        };
        let new: Vec<&PlannedReferrers> = groups.into_iter().filter(is_new).collect();
        self.registry.parallel(&new, |group| self.listed(group))?;
        Ok(Vec::new())
    }

    /// Says aloud which referrers the registry's API does not list; clients that ask it do not see them.
    fn listed(&self, group: &PlannedReferrers) -> Result<(), LoadError> {
        let repository = self.registry.repository(&group.repository)?;
        let listed = repository
            .referrers(&group.subject)
            .map_err(LoadError::registry)?;
        for (n, digest) in group.sites.iter().zip(&group.manifests) {
            let found = listed.iter().any(|listed| listed.digest == *digest);
            if !found && !self.skips(*n) {
                let text = format!(
                    "{repository:?} has {digest}, but does not list it among the referrers of {}",
                    group.subject
                );
                self.observer
                    .event(&sealift_pipeline::Event::Warning { text: &text });
            }
        }
        Ok(())
    }

    /// Adds a group to the tag that stands in for the API; nothing where all of it is there.
    pub(super) fn merge(&self, group: &PlannedReferrers) -> Result<Option<Moved>, LoadError> {
        let mut referrers = Vec::new();
        for n in group.sites.iter().filter(|n| !self.skips(**n)) {
            let node = self.plan.manifests[*n].node;
            let manifest = self.read(&self.plan.graph.nodes[node].descriptor)?;
            referrers.push(Descriptor {
                artifact_type: manifest.artifact_type().map(str::to_owned),
                annotations: manifest.annotations().clone(),
                ..manifest.descriptor()
            });
        }
        let repository = self.registry.repository(&group.repository)?;
        let changed = repository
            .merge_fallback_referrers(&group.subject, &referrers)
            .map_err(LoadError::registry)?;
        if !changed {
            return Ok(None);
        }
        let tag = group.subject.referrers_tag();
        let there = repository.manifest(&tag).map_err(LoadError::registry)?;
        if !self.lists_all(group, &there) {
            return Err(LoadError::ReadBack {
                repository: format!("{repository:?}"),
                what: format!("tag {tag} does not list what was added to it"),
            });
        }
        Ok(Some(Moved {
            repository: group.repository.clone(),
            tag,
            old: None,
            new: *there.digest(),
        }))
    }

    /// Whether an index lists all of a group that is loaded.
    pub(super) fn lists_all(&self, group: &PlannedReferrers, index: &Manifest) -> bool {
        let loaded = group.sites.iter().zip(&group.manifests);
        let mut loaded = loaded.filter(|(n, _)| !self.skips(**n));
        loaded.all(|(_, digest)| {
            let mut children = index.children().iter();
            children.any(|child| child.digest == *digest)
        })
    }
}
