//! The referrers of a record, by what they belong to.

use std::collections::{BTreeMap, BTreeSet};

use sealift_oci::Digest;

use crate::contents::record::Record;

/// The positions of a record's referrers, by repository (registry and repository) and subject.
pub struct Referring<'a> {
    record: &'a Record,
    by_subject: BTreeMap<(&'a str, Digest), Vec<usize>>,
}

impl<'a> Referring<'a> {
    /// Those of `record`.
    pub fn of(record: &'a Record) -> Self {
        let mut by_subject: BTreeMap<(&str, Digest), Vec<usize>> = BTreeMap::new();
        for (n, referrer) in record.referrers.iter().enumerate() {
            let subject = (referrer.repository.as_str(), referrer.subject);
            by_subject.entry(subject).or_default().push(n);
        }
        Self { record, by_subject }
    }

    /// The referrers of `subjects` in `repository`, then those that refer to these, and so on; each once.
    pub fn reached(&self, repository: &str, subjects: BTreeSet<Digest>) -> Vec<usize> {
        let mut followed = subjects;
        let mut round: Vec<Digest> = followed.iter().copied().collect();
        let mut found = Vec::new();
        while !round.is_empty() {
            let mut next: Vec<usize> = round
                .iter()
                .filter_map(|subject| self.by_subject.get(&(repository, *subject)))
                .flatten()
                .copied()
                .collect();
            next.sort_unstable();
            let digests = next
                .iter()
                .map(|n| self.record.referrers[*n].descriptor.digest);
            round = digests.filter(|digest| followed.insert(*digest)).collect();
            found.append(&mut next);
        }
        found
    }
}
