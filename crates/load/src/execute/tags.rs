use sealift_oci::{Descriptor, Digest};
use sealift_pipeline::{Cancel, JobError, run_parallel};

use crate::error::{LoadError, PartlyMoved};
use crate::execute::Run;
use crate::plan::{PlannedReferrers, PlannedTag, TagAction};
use crate::receipt::Moved;

/// One change of a name.
#[derive(Clone, Copy)]
enum Step<'a> {
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
struct Progress {
    moved: Vec<Moved>,
    not_moved: Vec<String>,
    cause: Option<LoadError>,
}

impl Run<'_> {
    /// Moves all tags. Signatures come before the images that they are for, so that an image is never
    /// found under its new tag without them.
    pub(super) fn move_tags(&self) -> Result<Vec<Moved>, LoadError> {
        self.phase("moving tags");
        let merges = self.merges()?;
        let (early, late): (Vec<&PlannedTag>, Vec<&PlannedTag>) = self
            .plan
            .tags
            .iter()
            .filter(|tag| tag.action != TagAction::Unchanged && !self.failures.has(tag.site))
            .partition(|tag| tag.early);
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
        self.confirm(&mut progress);
        match progress.cause {
            None => Ok(progress.moved),
            Some(cause) if progress.moved.is_empty() => Err(cause),
            Some(cause) => Err(LoadError::TagsPartlyMoved(Box::new(PartlyMoved {
                moved: progress.moved,
                not_moved: progress.not_moved,
                cause,
            }))),
        }
    }

    /// Takes steps in parallel; none, once one failed, unless it was asked to keep going.
    fn take(&self, steps: &[Step<'_>], progress: &mut Progress) {
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
                Ok(moved) => progress.moved.extend(moved),
                Err(error) => {
                    progress.not_moved.push(step.name());
                    if let JobError::Failed(error) = error {
                        progress.cause.get_or_insert(error);
                    }
                }
            }
        }
    }

    fn set(&self, tag: &PlannedTag) -> Result<Moved, LoadError> {
        self.put(&self.plan.manifests[tag.site], &tag.tag)?;
        Ok(Moved {
            repository: tag.repository.clone(),
            tag: tag.tag.clone(),
            old: match tag.action {
                TagAction::Move { from } => Some(from),
                _ => None,
            },
            new: tag.digest,
        })
    }

    /// Asks what each tag that was set stands for now. All are set before: a registry on a plain file
    /// system (distribution 2.8) answers 500 about a manifest while another tag of it is being written.
    fn confirm(&self, progress: &mut Progress) {
        let answers = run_parallel(
            self.registry.connections,
            &progress.moved,
            &Cancel::new(),
            |moved| self.stands(moved),
        );
        let mut moved = Vec::new();
        for (tag, answer) in std::mem::take(&mut progress.moved).into_iter().zip(answers) {
            match answer {
                Ok(()) => moved.push(tag),
                Err(error) => {
                    progress
                        .not_moved
                        .push(format!("{}:{}", tag.repository, tag.tag));
                    if let JobError::Failed(error) = error {
                        progress.cause.get_or_insert(error);
                    }
                }
            }
        }
        progress.moved = moved;
    }

    fn stands(&self, moved: &Moved) -> Result<(), LoadError> {
        let repository = self.registry.repository(&moved.repository)?;
        let there = repository
            .head_manifest(&moved.tag)
            .map_err(LoadError::registry)?;
        let what = match there {
            Some(there) if there.digest == moved.new => return Ok(()),
            Some(there) if there.digest.algorithm() != moved.new.algorithm() => {
                let stored = repository.manifest(&moved.tag);
                let stored = stored.map_err(LoadError::registry)?;
                if Digest::of(moved.new.algorithm(), stored.bytes()) == moved.new {
                    return Ok(());
                }
                format!(
                    "tag {} was set to {} and stands for {}",
                    moved.tag, moved.new, there.digest
                )
            }
            Some(there) => format!(
                "tag {} was set to {} and stands for {}",
                moved.tag, moved.new, there.digest
            ),
            None => format!("tag {} was set and is not there", moved.tag),
        };
        Err(LoadError::ReadBack {
            repository: format!("{repository:?}"),
            what,
        })
    }

    /// The referrers that the registry does not list by itself. One that has the API is asked whether it
    /// took note of what is new.
    fn merges(&self) -> Result<Vec<&PlannedReferrers>, LoadError> {
        let there = |group: &&PlannedReferrers| group.sites.iter().any(|n| !self.failures.has(*n));
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
            sites.any(|n| !self.plan.manifests[*n].present && !self.failures.has(*n))
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
            if !found && !self.failures.has(*n) {
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
    fn merge(&self, group: &PlannedReferrers) -> Result<Option<Moved>, LoadError> {
        let mut referrers = Vec::new();
        for n in group.sites.iter().filter(|n| !self.failures.has(**n)) {
            let node = self.plan.manifests[*n].node;
            let manifest = self.read(&self.plan.graph.nodes[node].descriptor)?;
            referrers.push(Descriptor {
                artifact_type: manifest.artifact_type().map(str::to_owned),
                annotations: manifest.annotations().clone(),
                ..manifest.descriptor()
            });
        }
        let repository = self.registry.repository(&group.repository)?;
        let tag = group.subject.referrers_tag();
        let changed = repository
            .merge_fallback_referrers(&group.subject, &referrers)
            .map_err(LoadError::registry)?;
        if !changed {
            return Ok(None);
        }
        let there = repository.manifest(&tag).map_err(LoadError::registry)?;
        let lists = |referrer: &Descriptor| {
            let mut children = there.children().iter();
            children.any(|child| child.digest == referrer.digest)
        };
        if !referrers.iter().all(lists) {
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
}
