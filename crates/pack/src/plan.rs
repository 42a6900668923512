//! Which blobs go into which pack.

use std::collections::BTreeMap;

use sealift_oci::Digest;

use crate::bases::{Base, choose};
use crate::options::{Account, Options};
use crate::report::Reason;
use crate::sketch::Likeness;
use crate::survey::{Survey, Surveyed};

/// The packs to build, and what stays outside.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// One list of blobs a pack, sorted by digest.
    pub packs: Vec<PackPlan>,
    /// Blobs that stay as they are, and why; sorted by digest.
    pub kept: Vec<(Digest, Reason)>,
}

/// The blobs of one pack.
#[derive(Clone, Debug, Default)]
pub struct PackPlan {
    pub(crate) blobs: Vec<Surveyed>,
    pub(crate) bases: Vec<Base>,
}

impl PackPlan {
    /// The blobs, sorted by digest.
    pub fn blobs(&self) -> &[Surveyed] {
        &self.blobs
    }

    /// Blobs from outside that the blobs may lean on, sorted by digest. Those that turn out to be of no use are not
    /// needed by the pack.
    pub fn bases(&self) -> &[Base] {
        &self.bases
    }

    /// Bytes with the gzip streams opened.
    pub fn opened(&self) -> u64 {
        self.blobs.iter().map(Surveyed::opened).sum()
    }

    /// What the build of this pack needs. Streams inside of files are opened too, which is known only
    /// afterwards: the scratch space is a bound from experience, twice the opened bytes and a half. Of bases with
    /// bytes, what is used is kept twice: for the build and for the proof.
    pub fn account(&self, options: &Options) -> Account {
        let bases = self.bases.iter().filter(|base| base.has_bytes());
        let bases = bases.map(|base| base.summary().opened().saturating_mul(5) / 2);
        let opened = self.opened().saturating_mul(5) / 2;
        Account {
            memory: options.memory,
            scratch: bases.fold(opened, u64::saturating_add),
        }
    }
}

/// Shared samples that make two blobs alike enough to be worth a common pack.
const LEAST: usize = 4;

/// Clusters blobs into packs of limited opened size: blobs that share content go together as far as
/// they fit. Each pack gets the bases that have most in common with its blobs, up to the same limit of opened bytes.
/// The plan depends on the blobs, the bases and the limit, not on their order.
pub fn plan(survey: Survey, bases: &[Base], options: &Options) -> Plan {
    let limit = options.pack_limit;
    let (mut blobs, large): (Vec<_>, Vec<_>) = survey
        .packable
        .into_iter()
        .partition(|blob| blob.opened() <= limit);
    blobs.sort_by_key(|surveyed| surveyed.blob.digest);
    blobs.dedup_by_key(|surveyed| surveyed.blob.digest);
    let mut kept = survey.kept;
    kept.extend(large.iter().map(|surveyed| {
        let opened = surveyed.opened();
        (surveyed.blob.digest, Reason::TooLarge { opened })
    }));
    kept.sort_by_key(|&(digest, _)| digest);
    kept.dedup_by_key(|&mut (digest, _)| digest);
    let clusters = Clusters::of(&blobs, limit);
    let packs = fill(clusters.groups(), limit, |number| blobs[number].opened());
    let pack = |numbers: Vec<usize>| {
        let members = numbers.into_iter().map(|number| blobs[number].clone());
        let members: Vec<Surveyed> = members.collect();
        PackPlan {
            bases: choose(&members, bases, limit),
            blobs: members,
        }
    };
    Plan {
        packs: packs.into_iter().map(pack).collect(),
        kept,
    }
}

/// Groups of blobs that are joined step by step, the most alike first.
struct Clusters {
    parent: Vec<usize>,
    opened: Vec<u64>,
}

impl Clusters {
    fn of(blobs: &[Surveyed], limit: u64) -> Self {
        let mut clusters = Self {
            parent: (0..blobs.len()).collect(),
            opened: blobs.iter().map(Surveyed::opened).collect(),
        };
        for (_, a, b) in edges(blobs) {
            clusters.join(a, b, limit);
        }
        clusters
    }

    fn root(&self, mut number: usize) -> usize {
        while self.parent[number] != number {
            number = self.parent[number];
        }
        number
    }

    fn join(&mut self, a: usize, b: usize, limit: u64) {
        let (a, b) = (self.root(a), self.root(b));
        let together = self.opened[a].saturating_add(self.opened[b]);
        if a != b && together <= limit {
            // The smaller under the larger: the way to the root stays short.
            let (under, root) = if self.opened[a] < self.opened[b] {
                (a, b)
            } else {
                (b, a)
            };
            self.parent[under] = root;
            self.opened[root] = together;
        }
    }

    /// The members of each group, and groups in the order of their first member.
    fn groups(&self) -> Vec<Vec<usize>> {
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for number in 0..self.parent.len() {
            groups.entry(self.root(number)).or_default().push(number);
        }
        let mut groups: Vec<_> = groups.into_values().collect();
        groups.sort();
        groups
    }
}

/// Pairs of blobs that are alike, the most bytes in common first.
fn edges(blobs: &[Surveyed]) -> Vec<(u64, usize, usize)> {
    let mut likeness = Likeness::default();
    let mut edges = Vec::new();
    for (number, surveyed) in blobs.iter().enumerate() {
        for (shared, other) in likeness.shared(&surveyed.summary.sketch) {
            let other = other as usize;
            if shared >= LEAST {
                let smaller = surveyed.opened().min(blobs[other].opened());
                edges.push((smaller.saturating_mul(shared as u64), other, number));
            }
        }
        likeness.add(
            u32::try_from(number).unwrap_or(u32::MAX),
            &surveyed.summary.sketch,
        );
    }
    edges.sort_unstable_by(|a, b| b.cmp(a));
    edges
}

/// Puts groups into as few packs as the first fit finds, the largest group first.
fn fill(mut groups: Vec<Vec<usize>>, limit: u64, size: impl Fn(usize) -> u64) -> Vec<Vec<usize>> {
    let total = |group: &[usize]| group.iter().map(|&number| size(number)).sum::<u64>();
    groups.sort_by_key(|group| std::cmp::Reverse(total(group)));
    let mut packs: Vec<(u64, Vec<usize>)> = Vec::new();
    for group in groups {
        let len = total(&group);
        match packs
            .iter_mut()
            .find(|(filled, _)| filled.saturating_add(len) <= limit)
        {
            Some((filled, pack)) => {
                *filled += len;
                pack.extend(group);
            }
            None => packs.push((len, group)),
        }
    }
    let mut packs: Vec<_> = packs.into_iter().map(|(_, pack)| pack).collect();
    for pack in &mut packs {
        pack.sort_unstable();
    }
    packs
}
