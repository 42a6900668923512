//! What tags stand for, directly before and directly after they move: another load may move them too.
//!
//! Registries have no "set this tag if it still stands for that". What remains is to look on both sides of the
//! move, and to report every difference.

use sealift_oci::{Descriptor, Digest};
use sealift_pipeline::Event;

use crate::error::LoadError;
use crate::execute::Run;
use crate::execute::tags::Step;
use crate::plan::{PlannedReferrers, PlannedTag, TagAction, stands_for};
use crate::tag::{Moved, TagConflict};

impl Run<'_> {
    /// Checks that all tags still stand for what the plan found, before the first of them moves. If they may be
    /// moved from anything, or the rest is moved though one cannot be, they are only looked at in their turn.
    ///
    /// # Errors
    /// If some were set meanwhile and may not be moved; all of them are listed.
    pub(super) fn expect_unchanged(&self, tags: &[&PlannedTag]) -> Result<(), LoadError> {
        if self.plan.overwrite || self.plan.keep_going {
            return Ok(());
        }
        let found = self.registry.parallel(tags, |tag| match self.before(tag) {
            Ok(_) => Ok(Vec::new()),
            Err(LoadError::Overtaken(conflicts)) => Ok(conflicts),
            Err(error) => Err(error),
        })?;
        let conflicts: Vec<TagConflict> = found.into_iter().flatten().collect();
        if conflicts.is_empty() {
            Ok(())
        } else {
            Err(LoadError::Overtaken(conflicts))
        }
    }

    /// What a tag stands for before it moves.
    ///
    /// # Errors
    /// If that is something that it may not be moved from.
    pub(super) fn before(&self, tag: &PlannedTag) -> Result<Option<Digest>, LoadError> {
        let Some(there) = self.registry.tag(&tag.repository, &tag.tag)? else {
            return Ok(None);
        };
        let planned = match tag.action {
            TagAction::Move { from } => Some(from),
            _ => None,
        };
        if planned == Some(there.digest) || self.is_wanted(tag, &there)? {
            return Ok(Some(there.digest));
        }
        if !self.plan.overwrite {
            return Err(LoadError::Overtaken(vec![TagConflict {
                repository: tag.repository.to_string(),
                tag: tag.tag.clone(),
                there: there.digest,
                wanted: tag.digest,
            }]));
        }
        let text = format!(
            "{}:{} was set to {} by another client during this load; it is moved from there",
            tag.repository, tag.tag, there.digest
        );
        self.observer.event(&Event::Warning { text: &text });
        Ok(Some(there.digest))
    }

    fn is_wanted(&self, tag: &PlannedTag, there: &Descriptor) -> Result<bool, LoadError> {
        let manifest = &self.plan.manifests[tag.site];
        stands_for(self.bundle, &self.plan.graph, manifest, there)
    }

    /// Checks what a tag stands for after it was moved.
    ///
    /// # Errors
    /// If that is something else.
    pub(super) fn after(&self, step: &Step<'_>, moved: &Moved) -> Result<(), LoadError> {
        match step {
            Step::Merge(group) => self.still_lists(group, moved),
            Step::Set(tag) => match self.registry.tag(&moved.repository, &moved.tag)? {
                Some(there) if self.is_wanted(tag, &there)? => Ok(()),
                there => Err(self.other(moved, there.map(|there| there.digest))),
            },
        }
    }

    /// Another load may add referrers to the same tag: what it stands for may differ, what this load added has
    /// to be listed. Two that add at once can drop each other's, so that it is added once more.
    fn still_lists(&self, group: &PlannedReferrers, moved: &Moved) -> Result<(), LoadError> {
        let repository = self.registry.repository(&moved.repository)?;
        for _ in 0..2 {
            let there = repository
                .manifest(&moved.tag)
                .map_err(LoadError::registry)?;
            if self.lists_all(group, &there) {
                return Ok(());
            }
            self.merge(group)?;
        }
        Err(LoadError::ReadBack {
            repository: format!("{repository:?}"),
            what: format!(
                "tag {} does not list what was added to it (another client changes it)",
                moved.tag
            ),
        })
    }

    fn other(&self, moved: &Moved, there: Option<Digest>) -> LoadError {
        let Moved { tag, new, .. } = moved;
        LoadError::ReadBack {
            repository: format!("{}/{}", self.registry.name, moved.repository),
            what: match there {
                Some(there) => format!(
                    "tag {tag} was set to {new} and stands for {there} (another client moved it)"
                ),
                None => format!("tag {tag} was set and is missing"),
            },
        }
    }
}
