//! Which blobs go into which pack.

use std::collections::{BTreeMap, BTreeSet};

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

impl PackPlan {
    /// Leaves out blobs, those that take most of an index first, since an index of these blobs has `needed` bytes and
    /// `limit` are allowed: at least one, and as many as are expected to be enough.
    pub(crate) fn shorten(&mut self, needed: u64, limit: u64) -> Vec<(Digest, Reason)> {
        let mut largest: Vec<(u64, Digest)> = self
            .blobs
            .iter()
            .map(|blob| (blob.index_bytes(), blob.blob.digest))
            .collect();
        largest.sort_unstable_by(|a, b| b.cmp(a));
        let total: u64 = largest.iter().map(|(bytes, _)| bytes).sum();
        let scaled = u128::from(total) * u128::from(limit) / u128::from(needed.max(1));
        let enough = u64::try_from(scaled).unwrap_or(u64::MAX);
        let mut rest = total;
        let mut gone = BTreeSet::new();
        for (bytes, digest) in largest {
            if rest <= enough && !gone.is_empty() {
                break;
            }
            rest -= bytes;
            gone.insert(digest);
        }
        let (gone, stay): (Vec<_>, Vec<_>) = std::mem::take(&mut self.blobs)
            .into_iter()
            .partition(|blob| gone.contains(&blob.blob.digest));
        self.blobs = stay;
        gone.iter().map(too_many_files).collect()
    }
}

fn too_many_files(surveyed: &Surveyed) -> (Digest, Reason) {
    let files = surveyed.files();
    (surveyed.blob.digest, Reason::TooManyFiles { files })
}

/// What blobs take of a pack, and what a pack may have.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    /// Opened bytes.
    opened: u64,
    /// Bytes of the index.
    index: u64,
}

impl Share {
    fn of(surveyed: &Surveyed) -> Self {
        Self {
            opened: surveyed.opened(),
            index: surveyed.index_bytes(),
        }
    }

    fn limit(options: &Options) -> Self {
        Self {
            opened: options.pack_limit,
            // An eighth is left for what is known later.
            index: options.index_limit / 8 * 7,
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            opened: self.opened.saturating_add(other.opened),
            index: self.index.saturating_add(other.index),
        }
    }

    fn fits(self, limit: Self) -> bool {
        self.opened <= limit.opened && self.index <= limit.index
    }
}

/// Shared samples that make two blobs alike enough to be worth a common pack.
const LEAST: usize = 4;

/// Clusters blobs into packs of limited opened size and with a limited list of files: blobs that share content go
/// together as far as they fit. Each pack gets the bases that have most in common with its blobs, up to the same limit
/// of opened bytes. The plan depends on the blobs, the bases and the limits, not on their order.
pub fn plan(survey: Survey, bases: &[Base], options: &Options) -> Plan {
    let limit = Share::limit(options);
    let mut kept = survey.kept;
    let mut packable: Vec<(Surveyed, Share)> = Vec::with_capacity(survey.packable.len());
    for surveyed in survey.packable {
        let share = Share::of(&surveyed);
        let opened = share.opened;
        if opened > limit.opened {
            kept.push((surveyed.blob.digest, Reason::TooLarge { opened }));
        } else if share.index > limit.index {
            kept.push(too_many_files(&surveyed));
        } else {
            packable.push((surveyed, share));
        }
    }
    packable.sort_by_key(|(surveyed, _)| surveyed.blob.digest);
    packable.dedup_by_key(|(surveyed, _)| surveyed.blob.digest);
    let (blobs, shares): (Vec<Surveyed>, Vec<Share>) = packable.into_iter().unzip();
    kept.sort_by_key(|&(digest, _)| digest);
    kept.dedup_by_key(|&mut (digest, _)| digest);
    let clusters = Clusters::of(&blobs, shares.clone(), limit);
    let packs = fill(clusters.groups(), limit, |number| shares[number]);
    let pack = |numbers: Vec<usize>| {
        let members = numbers.into_iter().map(|number| blobs[number].clone());
        let members: Vec<Surveyed> = members.collect();
        PackPlan {
            bases: choose(&members, bases, limit.opened),
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
    shares: Vec<Share>,
}

impl Clusters {
    fn of(blobs: &[Surveyed], shares: Vec<Share>, limit: Share) -> Self {
        let mut clusters = Self {
            parent: (0..blobs.len()).collect(),
            shares,
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

    fn join(&mut self, a: usize, b: usize, limit: Share) {
        let (a, b) = (self.root(a), self.root(b));
        let together = self.shares[a].plus(self.shares[b]);
        if a != b && together.fits(limit) {
            // The smaller under the larger: the way to the root stays short.
            let (under, root) = if self.shares[a].opened < self.shares[b].opened {
                (a, b)
            } else {
                (b, a)
            };
            self.parent[under] = root;
            self.shares[root] = together;
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
        for (shared, other) in likeness.shared(surveyed.summary.sketch.samples()) {
            let other = other as usize;
            if shared >= LEAST {
                let smaller = surveyed.opened().min(blobs[other].opened());
                edges.push((smaller.saturating_mul(shared as u64), other, number));
            }
        }
        likeness.add(
            u32::try_from(number).unwrap_or(u32::MAX),
            surveyed.summary.sketch.samples(),
        );
    }
    edges.sort_unstable_by(|a, b| b.cmp(a));
    edges
}

/// Puts groups into as few packs as the first fit finds, the largest group first.
fn fill(
    mut groups: Vec<Vec<usize>>,
    limit: Share,
    share: impl Fn(usize) -> Share,
) -> Vec<Vec<usize>> {
    let total = |group: &[usize]| {
        let shares = group.iter().map(|&number| share(number));
        shares.fold(Share::default(), Share::plus)
    };
    groups.sort_by_key(|group| std::cmp::Reverse(total(group).opened));
    let mut packs: Vec<(Share, Vec<usize>)> = Vec::new();
    for group in groups {
        let more = total(&group);
        match packs
            .iter_mut()
            .find(|(filled, _)| filled.plus(more).fits(limit))
        {
            Some((filled, pack)) => {
                *filled = filled.plus(more);
                pack.extend(group);
            }
            None => packs.push((more, group)),
        }
    }
    let mut packs: Vec<_> = packs.into_iter().map(|(_, pack)| pack).collect();
    for pack in &mut packs {
        pack.sort_unstable();
    }
    packs
}
