//! Replaces references, and changes nothing else.
//!
//! A [`Rewrite`] is a plan: what would change and why, and what would not. [`Rewrite::apply`] makes the
//! new bytes from the old ones and checks that the two read alike but for what was to change.

mod assign;
mod group;
mod verify;
mod write;

pub(crate) use write::is_string;

use std::collections::BTreeMap;

use sealift_oci::{Digest, Reference};

use crate::edit::{Edit, RewriteError, splice};
use crate::encoding::decode;
use crate::error::{FindError, Reason};
use crate::find::{find_in, is_yaml};
use crate::occurrence::{Findings, InputKind, NotUnderstood, Occurrence};
use crate::text::Text;

/// What a reference is replaced by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replacement {
    /// The reference is already correct.
    Keep,
    /// This one replaces it.
    With(Reference),
    /// The reference is skipped, for this reason.
    Unknown(String),
}

/// Knows what is to become of each reference. A function from a reference to an [`Replacement`] is one.
///
/// For a second run to change nothing, it must return [`Replacement::Keep`] for what it returned before.
pub trait Mapping {
    /// What is to become of a reference.
    fn image(&self, reference: &Reference) -> Replacement;

    /// What is to become of a name whose tag something else fills in; the tag of `reference` is a
    /// stand-in, and only the name of the replacement is used.
    fn name(&self, reference: &Reference) -> Replacement {
        self.image(reference)
    }
}

impl<F: Fn(&Reference) -> Replacement> Mapping for F {
    fn image(&self, reference: &Reference) -> Replacement {
        self(reference)
    }
}

/// What a rewrite of one text would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrite {
    /// What the text was taken for.
    pub input: InputKind,
    /// The changes, in the order of the text; none touches another.
    pub edits: Vec<Edit>,
    /// References that get another, each with it.
    pub replaced: Vec<(Occurrence, Reference)>,
    /// References that are what they should be.
    pub settled: Vec<Occurrence>,
    /// References that the mapping does not know, each with its reason.
    pub unknown: Vec<(Occurrence, String)>,
    /// Names whose tag the text does not give, rewritten or not; no digest can be put after them.
    pub incomplete: Vec<Occurrence>,
    /// What looks like an image and is skipped.
    pub not_understood: Vec<NotUnderstood>,
    /// The digest of the text that the plan is for.
    source: Digest,
    /// Whether the text is YAML rather than a plain list.
    yaml: bool,
    /// What each touched scalar will say, by where it begins in the original bytes.
    expected: BTreeMap<usize, String>,
}

/// Plans the rewrite of `bytes` by `mapping`; `name` is for messages.
///
/// # Errors
/// The same as [`find`](crate::find)'s: what cannot be read is not edited.
pub fn plan_rewrite(name: &str, bytes: &[u8], mapping: &dyn Mapping) -> Result<Rewrite, FindError> {
    let (decoded, _) = decode(bytes, name)?;
    let text = Text::new(&decoded, name)?;
    let found = find_in(&text)?;
    let mut plan = Rewrite::new(&found, Digest::sha256(bytes), is_yaml(&text));
    let mut needs = group::Needs::default();
    for (complete, occurrence) in both(found) {
        let replacement = if complete {
            mapping.image(&occurrence.reference)
        } else {
            mapping.name(&occurrence.reference)
        };
        plan.consider(&mut needs, occurrence, complete, replacement);
    }
    plan.settle(needs, &text, &decoded);
    Ok(plan)
}

/// All occurrences in the order of the text, with whether each has its tag.
fn both(found: Findings) -> Vec<(bool, Occurrence)> {
    let complete = found
        .occurrences
        .into_iter()
        .map(|occurrence| (true, occurrence));
    let incomplete = found
        .incomplete
        .into_iter()
        .map(|occurrence| (false, occurrence));
    let mut all: Vec<_> = complete.chain(incomplete).collect();
    all.sort_by_key(|(_, occurrence)| occurrence.span.start);
    all
}

impl Rewrite {
    fn new(found: &Findings, source: Digest, yaml: bool) -> Self {
        Self {
            source,
            yaml,
            input: found.input,
            edits: Vec::new(),
            replaced: Vec::new(),
            settled: Vec::new(),
            unknown: Vec::new(),
            incomplete: found.incomplete.clone(),
            not_understood: found.not_understood.clone(),
            expected: BTreeMap::new(),
        }
    }

    /// Notes what one occurrence needs.
    fn consider(
        &mut self,
        needs: &mut group::Needs,
        occurrence: Occurrence,
        complete: bool,
        replacement: Replacement,
    ) {
        match replacement {
            Replacement::Keep => {
                needs.keep(&occurrence);
                self.settled.push(occurrence);
            }
            Replacement::Unknown(why) => {
                needs.keep(&occurrence);
                self.unknown.push((occurrence, why));
            }
            Replacement::With(new) => match assign::changes(&occurrence, &new, complete) {
                Ok(changes) if changes.iter().all(assign::Change::is_none) => {
                    needs.keep(&occurrence);
                    self.settled.push(occurrence);
                }
                Ok(changes) => needs.change(occurrence, new, changes),
                Err(reason) => {
                    needs.keep(&occurrence);
                    self.leave(&occurrence, reason);
                }
            },
        }
    }

    /// Turns what is needed into edits, where it can be had.
    fn settle(&mut self, needs: group::Needs, text: &Text<'_>, bytes: &[u8]) {
        for group in needs.groups() {
            let written = group.and_then(|group| group.write(bytes));
            match written {
                Ok(written) => {
                    for (start, value) in written.expected {
                        self.expected.insert(start, value);
                    }
                    for (span, new, why) in written.edits {
                        let (line, column) = text.position(span.start - text.base);
                        let old =
                            text.body[span.start - text.base..span.end - text.base].to_owned();
                        self.edits.push(Edit {
                            span,
                            old,
                            new,
                            line,
                            column,
                            why,
                        });
                    }
                    self.replaced.extend(written.replaced);
                }
                Err((occurrences, reason)) => {
                    for occurrence in occurrences {
                        self.leave(&occurrence, reason.clone());
                    }
                }
            }
        }
        self.edits.sort_by_key(|edit| edit.span.start);
        self.replaced
            .sort_by_key(|(occurrence, _)| occurrence.span.start);
        self.not_understood
            .sort_by_key(|skipped| (skipped.line, skipped.column));
    }

    fn leave(&mut self, occurrence: &Occurrence, reason: Reason) {
        self.not_understood.push(NotUnderstood {
            line: occurrence.line,
            column: occurrence.column,
            document: occurrence.document,
            object: occurrence.object.clone(),
            path: occurrence.path.clone(),
            text: reason.excerpt(&occurrence.text),
            reason,
        });
    }

    /// The text with the edits made. The same bytes come back where there are none.
    ///
    /// # Errors
    /// If `bytes` are not those that were planned for, or where the result would not read as intended.
    pub fn apply(&self, bytes: &[u8]) -> Result<Vec<u8>, RewriteError> {
        splice(bytes, &self.source, &self.edits, |before, after| {
            if self.yaml {
                verify::same_but_for(before, after, &self.expected)?;
            }
            Ok(())
        })
    }
}
