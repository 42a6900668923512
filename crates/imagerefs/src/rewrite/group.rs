//! Images that share a scalar are rewritten together or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use sealift_oci::Reference;

use super::assign::{Change, kept};
use super::write::write;
use crate::error::Reason;
use crate::occurrence::Occurrence;
use crate::scalar::Scalar;

/// One occurrence and what it needs of its scalars.
struct Need {
    occurrence: Occurrence,
    /// Nothing where it stays what it is.
    new: Option<Reference>,
    changes: Vec<Change>,
}

/// What all occurrences need.
#[derive(Default)]
pub(crate) struct Needs {
    needs: Vec<Need>,
}

/// Occurrences that cannot be rewritten, and why.
type Refused = (Vec<Occurrence>, Reason);

impl Needs {
    /// An occurrence that must stay what it is.
    pub(crate) fn keep(&mut self, occurrence: &Occurrence) {
        let changes = kept(occurrence);
        self.needs.push(Need {
            occurrence: occurrence.clone(),
            new: None,
            changes,
        });
    }

    /// An occurrence that gets another reference.
    pub(crate) fn change(&mut self, occurrence: Occurrence, new: Reference, changes: Vec<Change>) {
        self.needs.push(Need {
            occurrence,
            new: Some(new),
            changes,
        });
    }

    /// The occurrences by the scalars that they share, each group with an agreed text for each scalar or
    /// with the reason why there is none. Groups in which nothing changes are left out.
    pub(crate) fn groups(self) -> Vec<Result<Group, Refused>> {
        let mut sets = Sets::new(self.needs.len());
        let mut first: BTreeMap<usize, usize> = BTreeMap::new();
        for (index, need) in self.needs.iter().enumerate() {
            for change in &need.changes {
                let other = *first.entry(change.scalar.raw.start).or_insert(index);
                sets.join(index, other);
            }
        }
        let mut groups: BTreeMap<usize, Vec<Need>> = BTreeMap::new();
        for (index, need) in self.needs.into_iter().enumerate() {
            groups.entry(sets.find(index)).or_default().push(need);
        }
        let changing = groups
            .into_values()
            .filter(|group| group.iter().any(|need| need.new.is_some()));
        changing.map(Group::agree).collect()
    }
}

/// Stretches of a value and what each has to be, by where they begin.
type Stretches = BTreeMap<usize, (Range<usize>, String)>;

/// Scalars by where they begin in the original bytes.
type Scalars = BTreeMap<usize, (Scalar, Stretches)>;

/// Occurrences that share scalars and agree on them.
pub(crate) struct Group {
    needs: Vec<Need>,
    /// By scalar: its stretches and what each has to be.
    scalars: Scalars,
}

/// What writing a group comes to.
pub(crate) struct Written {
    /// Span, new text, and why.
    pub(crate) edits: Vec<(Range<usize>, String, String)>,
    /// What each touched scalar says then, by where it begins.
    pub(crate) expected: Vec<(usize, String)>,
    pub(crate) replaced: Vec<(Occurrence, Reference)>,
}

impl Group {
    fn agree(needs: Vec<Need>) -> Result<Self, Refused> {
        let mut scalars = Scalars::new();
        let mut uses: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        let mut agreed = true;
        for (index, need) in needs.iter().enumerate() {
            for change in &need.changes {
                let key = change.scalar.raw.start;
                uses.entry(key).or_default().insert(index);
                let new = || (change.scalar.clone(), Stretches::new());
                let (_, stretches) = scalars.entry(key).or_insert_with(new);
                let wanted = (change.within.clone(), change.new.clone());
                let had = stretches
                    .entry(change.within.start)
                    .or_insert_with(|| wanted.clone());
                agreed &= *had == wanted;
            }
        }
        // An anchored scalar that is also used for something else must not change there.
        let elsewhere = scalars.iter().any(|(key, (scalar, stretches))| {
            let changes = stretches
                .values()
                .any(|(within, new)| scalar.value.get(within.clone()) != Some(new.as_str()));
            changes && scalar.uses > 1 && uses[key].len() < scalar.uses
        });
        if agreed && !elsewhere {
            return Ok(Self { needs, scalars });
        }
        Err((changing(needs), Reason::SharedValue))
    }

    /// The edits of the group.
    ///
    /// # Errors
    /// All of its occurrences that would change, where one scalar cannot be written.
    pub(crate) fn write(self, bytes: &[u8]) -> Result<Written, Refused> {
        let mut edits = Vec::new();
        let mut expected = Vec::new();
        let reasons = self.reasons();
        for (start, (scalar, stretches)) in &self.scalars {
            let changes: Vec<_> = stretches
                .values()
                .filter(|(within, new)| scalar.value.get(within.clone()) != Some(new.as_str()))
                .cloned()
                .collect();
            if changes.is_empty() {
                continue;
            }
            match write(scalar, &changes, bytes) {
                Ok((value, raw)) => {
                    // One edit for each stretch, or one for all of them.
                    for ((span, new), (within, _)) in raw.into_iter().zip(&changes) {
                        let why = reasons.get(&(*start, within.start)).cloned();
                        edits.push((span, new, why.unwrap_or_default()));
                    }
                    expected.push((*start, value));
                }
                Err(reason) => return Err((changing(self.needs), reason)),
            }
        }
        let replaced = self.needs.into_iter();
        let replaced = replaced.filter_map(|need| Some((need.occurrence, need.new?)));
        Ok(Written {
            edits,
            expected,
            replaced: replaced.collect(),
        })
    }

    /// Why each stretch changes, by its scalar and itself: the first image that needs it.
    fn reasons(&self) -> BTreeMap<(usize, usize), String> {
        let mut reasons = BTreeMap::new();
        for need in &self.needs {
            let Some(new) = &need.new else {
                continue;
            };
            for change in need.changes.iter().filter(|change| !change.is_none()) {
                let key = (change.scalar.raw.start, change.within.start);
                reasons
                    .entry(key)
                    .or_insert_with(|| why(&need.occurrence, new));
            }
        }
        reasons
    }
}

fn why(occurrence: &Occurrence, new: &Reference) -> String {
    let mut location = occurrence.object.clone().unwrap_or_default();
    if !occurrence.path.is_empty() {
        let space = if location.is_empty() { "" } else { " " };
        location = format!("{location}{space}{}: ", occurrence.path);
    }
    format!("{location}{} becomes {new}", occurrence.reference)
}

fn changing(needs: Vec<Need>) -> Vec<Occurrence> {
    let changing = needs.into_iter().filter(|need| need.new.is_some());
    changing.map(|need| need.occurrence).collect()
}

/// Disjoint sets of indices.
struct Sets {
    parents: Vec<usize>,
}

impl Sets {
    fn new(count: usize) -> Self {
        Self {
            parents: (0..count).collect(),
        }
    }

    fn find(&mut self, mut index: usize) -> usize {
        while self.parents[index] != index {
            self.parents[index] = self.parents[self.parents[index]];
            index = self.parents[index];
        }
        index
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.find(a), self.find(b));
        // The smaller index stays the root, so that groups keep the order of the text.
        self.parents[a.max(b)] = a.min(b);
    }
}
