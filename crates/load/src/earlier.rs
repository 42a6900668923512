//! The receipt of an earlier run of the same load, which the receipt of this run replaces.

use std::collections::{BTreeMap, BTreeSet};

use sealift_archive::Identity;
use sealift_oci::{Destination, Digest};
use serde::Deserialize;

use crate::loaded::{ReceiptError, destination, parse};
use crate::plan::Plan;
use crate::receipt::Receipt;
use crate::tag::is_list;

/// What an earlier receipt says: which bundle was loaded where, and which tags the load set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarlierReceipt {
    bundle: Identity,
    destination: Destination,
    /// By repository and tag.
    tags: BTreeMap<(String, String), EarlierTag>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct EarlierTag {
    old: Option<Digest>,
    new: Digest,
    set: bool,
}

/// How an earlier receipt differs from a load, so that the receipt of the load must not replace it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OtherReceipt {
    /// It is the receipt of another bundle.
    #[error("is the receipt of bundle {found}, not of bundle {wanted}")]
    Bundle {
        /// The bundle in the receipt.
        found: Identity,
        /// The bundle to load.
        wanted: Identity,
    },
    /// It is the receipt of a load to another destination.
    #[error("is the receipt of a load to {found}, not to {wanted}")]
    Destination {
        /// The destination in the receipt.
        found: Destination,
        /// The destination of the load.
        wanted: Destination,
    },
    /// It lists tags that are not part of the load.
    #[error("is the receipt of a load of other images: it lists {tag}")]
    Tags {
        /// One of the tags, with its repository.
        tag: String,
    },
}

#[derive(Deserialize)]
struct RawReceipt {
    bundle: Identity,
    destination: String,
    tags: Vec<RawTag>,
}

#[derive(Deserialize)]
struct RawTag {
    repository: String,
    tag: String,
    #[serde(default)]
    old: Option<Digest>,
    new: Digest,
    set: bool,
}

impl EarlierReceipt {
    /// Reads a receipt; `name` is its file's name, for messages.
    ///
    /// # Errors
    /// If it is not a receipt.
    pub fn read(name: &str, bytes: &[u8]) -> Result<Self, ReceiptError> {
        let raw: RawReceipt = parse(name, bytes)?;
        let tags = raw.tags.into_iter().map(|tag| {
            let (old, new, set) = (tag.old, tag.new, tag.set);
            ((tag.repository, tag.tag), EarlierTag { old, new, set })
        });
        Ok(Self {
            bundle: raw.bundle,
            destination: destination(name, &raw.destination)?,
            tags: tags.collect(),
        })
    }

    /// Checks that the receipt of a load by `plan` loses nothing that this one says.
    ///
    /// # Errors
    /// If this is the receipt of another bundle, of another destination or of other images.
    pub fn check(&self, plan: &Plan) -> Result<(), OtherReceipt> {
        if self.bundle != plan.bundle {
            let (found, wanted) = (self.bundle, plan.bundle);
            return Err(OtherReceipt::Bundle { found, wanted });
        }
        if self.destination != plan.destination {
            return Err(OtherReceipt::Destination {
                found: self.destination.clone(),
                wanted: plan.destination.clone(),
            });
        }
        let planned = plan.tags.iter();
        let planned: BTreeSet<(&str, &str)> = planned
            .map(|planned| (&*planned.repository, planned.tag.as_str()))
            .collect();
        // The tags that stand in for a referrers API belong to all who push referrers.
        let mut tags = self.tags.keys().filter(|(_, tag)| !is_list(tag));
        match tags.find(|(repository, tag)| !planned.contains(&(repository, tag))) {
            None => Ok(()),
            Some((repository, tag)) => Err(OtherReceipt::Tags {
                tag: format!("{repository}:{tag}"),
            }),
        }
    }
}

impl Receipt {
    /// The same after an earlier run of the same load: the tags that the earlier run set, and that still point to the
    /// same digest, were set by the load. The sums are still of this run.
    #[must_use]
    pub fn after(mut self, earlier: &EarlierReceipt) -> Self {
        for tag in self.tags.iter_mut().filter(|tag| !tag.set) {
            let name = (tag.repository.to_string(), tag.tag.clone());
            let set = earlier.tags.get(&name);
            if let Some(set) = set.filter(|set| set.set && set.new == tag.new) {
                tag.set = true;
                tag.old = set.old;
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::receipt::TagReceipt;
    use crate::repository::RepositoryName;

    fn receipt(tags: Vec<TagReceipt>) -> Receipt {
        Receipt {
            tags,
            ..Receipt::empty(Identity(Digest::sha256(b"bundle")), "r.corp/a".to_owned())
        }
    }

    fn tag(name: &str, old: Option<&[u8]>, new: &[u8], set: bool) -> TagReceipt {
        TagReceipt {
            repository: RepositoryName::new("a/app"),
            tag: name.to_owned(),
            old: old.map(Digest::sha256),
            new: Digest::sha256(new),
            set,
        }
    }

    #[test]
    fn what_an_earlier_run_set_stays_set_if_it_did_not_change() {
        let first = receipt(vec![
            tag("1", Some(b"old"), b"m", true),
            tag("2", None, b"m", true),
            tag("3", Some(b"m"), b"m", false),
        ]);
        let text = serde_json::to_vec(&first).unwrap();
        let earlier = EarlierReceipt::read("r.json", &text).unwrap();
        let second = receipt(vec![
            tag("1", Some(b"m"), b"m", false),
            tag("2", Some(b"n"), b"n", false),
            tag("3", Some(b"m"), b"m", false),
            tag("4", Some(b"m"), b"m", false),
        ]);
        let set: Vec<bool> = second.after(&earlier).tags.iter().map(|t| t.set).collect();
        assert_eq!(set, [true, false, false, false]);
    }
}
