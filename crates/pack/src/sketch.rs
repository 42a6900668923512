//! Sketches: which contents are alike, from a sample of what they contain.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::io::Read;
use std::num::NonZeroU32;

/// Shorter contents are not sketched: they are compressed next to their likes, not related.
pub(crate) const MIN_SKETCHED: u64 = 16 << 10;

/// So many samples at most describe one content.
const SAMPLES: usize = 256;
/// A sample is taken on average at one of so many positions, before the smallest are chosen.
const RATE_BITS: u32 = 9;

/// The smallest hashes of some 16-byte windows of a content. Windows are chosen by their content, so
/// that equal bytes give equal samples wherever they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sketch {
    /// Sorted, without repetitions.
    samples: Vec<u64>,
}

/// Takes content and keeps the smallest hashes.
#[derive(Default)]
pub(crate) struct Sketcher {
    gear: u64,
    samples: BTreeSet<u64>,
}

impl Sketcher {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        let mut gear = self.gear;
        for &byte in bytes {
            // Four bits a byte: after 16 bytes a byte has left the hash.
            gear = (gear << 4).wrapping_add(GEAR[usize::from(byte)]);
            if gear >> (64 - RATE_BITS) == 0 {
                self.take(mix(gear));
            }
        }
        self.gear = gear;
    }

    fn take(&mut self, sample: u64) {
        if self.samples.len() < SAMPLES {
            self.samples.insert(sample);
        } else if self.samples.last().is_some_and(|&last| sample < last)
            && self.samples.insert(sample)
        {
            self.samples.pop_last();
        }
    }

    pub(crate) fn finish(self) -> Sketch {
        Sketch {
            samples: self.samples.into_iter().collect(),
        }
    }
}

impl Sketch {
    pub(crate) fn of(mut content: impl Read) -> std::io::Result<Self> {
        let mut sketcher = Sketcher::default();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match content.read(&mut buffer)? {
                0 => return Ok(sketcher.finish()),
                read => sketcher.update(&buffer[..read]),
            }
        }
    }

    /// A sketch with these samples; `None` if no content has them.
    pub(crate) fn from_samples(samples: Vec<u64>) -> Option<Self> {
        let sorted = samples.windows(2).all(|pair| pair[0] < pair[1]);
        (sorted && samples.len() <= SAMPLES).then_some(Self { samples })
    }

    /// Whether both have a sample.
    pub(crate) fn shares(&self, other: &Self) -> bool {
        let known = |sample| other.samples.binary_search(sample).is_ok();
        self.samples.iter().any(known)
    }

    pub(crate) fn samples(&self) -> &[u64] {
        &self.samples
    }

    /// The smallest samples, at most so many: as good as a sketch that was made with that limit.
    pub(crate) fn first(&self, most: usize) -> &[u64] {
        &self.samples[..most.min(self.samples.len())]
    }
}

/// How many samples of each sketch can be used so that all of them together are at most `most`: all if that is enough,
/// at least one.
pub(crate) fn limit_each<'a>(sketches: impl Iterator<Item = &'a Sketch>, most: usize) -> usize {
    // So many sketches have at least that many samples.
    let mut longer = [0; SAMPLES + 1];
    for sketch in sketches {
        longer[1..=sketch.samples.len()]
            .iter_mut()
            .for_each(|count| *count += 1);
    }
    let mut total = 0;
    let fits = |&len: &usize| {
        total += longer[len];
        total <= most
    };
    (1..=SAMPLES).take_while(fits).last().unwrap_or(1)
}

/// Finds contents by what they share with another.
#[derive(Default)]
pub(crate) struct Likeness {
    /// The latest owner of each sample, by its position among the owners.
    by_sample: HashMap<u64, u32>,
    owners: Vec<Owner>,
}

/// A content that has a sample.
struct Owner {
    number: u32,
    /// The owner that had the sample before, by its position.
    earlier: Option<NonZeroU32>,
}

/// A sample that more contents have says little; only the latest are remembered.
const MAX_OWNERS: usize = 16;

/// The latest contents that have a sample.
struct Owners {
    numbers: [u32; MAX_OWNERS],
    len: usize,
}

impl Owners {
    fn as_slice(&self) -> &[u32] {
        &self.numbers[..self.len]
    }
}

impl Likeness {
    /// Remembers that the content with this number has these samples.
    pub(crate) fn add(&mut self, number: u32, samples: &[u64]) {
        if self.owners.is_empty() {
            // Position 0 stands for none.
            self.owners.push(Owner {
                number,
                earlier: None,
            });
        }
        for &sample in samples {
            let position = u32::try_from(self.owners.len()).unwrap_or(u32::MAX);
            let earlier = self.by_sample.insert(sample, position);
            let earlier = earlier.and_then(NonZeroU32::new);
            self.owners.push(Owner { number, earlier });
        }
    }

    fn owners(&self, sample: u64) -> Option<Owners> {
        let mut next = self
            .by_sample
            .get(&sample)
            .copied()
            .and_then(NonZeroU32::new);
        let mut owners = Owners {
            numbers: [0; MAX_OWNERS],
            len: 0,
        };
        while let Some(position) = next
            && owners.len < MAX_OWNERS
        {
            let owner = self.owners.get(position.get() as usize)?;
            owners.numbers[owners.len] = owner.number;
            owners.len += 1;
            next = owner.earlier;
        }
        (owners.len > 0).then_some(owners)
    }

    /// At most `most` numbers, chosen so that together they share as many samples as possible; each
    /// shares at least `least` that those before it, and those that are known, do not.
    pub(crate) fn nearest(
        &self,
        samples: &[u64],
        known: &[u32],
        most: usize,
        least: usize,
    ) -> Vec<u32> {
        let left = samples.iter().filter_map(|&sample| self.owners(sample));
        let is_known =
            |owners: &Owners| owners.as_slice().iter().any(|owner| known.contains(owner));
        let mut left: Vec<Owners> = left.filter(|owners| !is_known(owners)).collect();
        let mut chosen = Vec::new();
        while chosen.len() < most {
            let mut counts: HashMap<u32, usize> = HashMap::new();
            for owners in &left {
                for &owner in owners.as_slice() {
                    *counts.entry(owner).or_default() += 1;
                }
            }
            // Of equals, the latest: the order must not depend on the map's.
            let best = counts
                .into_iter()
                .map(|(number, count)| (count, number))
                .max();
            let Some((count, number)) = best else { break };
            if count < least {
                break;
            }
            chosen.push(number);
            left.retain(|owners| !owners.as_slice().contains(&number));
        }
        chosen
    }

    /// How many samples each number shares, the most first.
    pub(crate) fn shared(&self, samples: &[u64]) -> Vec<(usize, u32)> {
        let mut counts: HashMap<u32, usize> = HashMap::new();
        for owners in samples.iter().filter_map(|&sample| self.owners(sample)) {
            for &owner in owners.as_slice() {
                *counts.entry(owner).or_default() += 1;
            }
        }
        let mut list: Vec<_> = counts.into_iter().map(|(n, count)| (count, n)).collect();
        list.sort_unstable_by_key(|&(count, number)| (Reverse(count), number));
        list
    }
}

/// Spreads the bits of a hash (the finalizer of `splitmix64`).
const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A random number for each byte.
static GEAR: [u64; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = mix(0x9e37_79b9_7f4a_7c15u64.wrapping_mul(byte as u64 + 1));
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    fn sketch(samples: impl Iterator<Item = u64>) -> Sketch {
        Sketch {
            samples: samples.collect(),
        }
    }

    #[test]
    fn the_latest_contents_with_a_sample_are_found() {
        let mut likeness = Likeness::default();
        for number in 0..40 {
            likeness.add(number, &[1, 2, 100 + u64::from(number)]);
        }
        let found = likeness.nearest(&[1, 2, 130], &[], 3, 1);
        assert_eq!(found, [30], "it shares all; the others share no more");
        assert_eq!(likeness.nearest(&[1, 2, 110], &[], 3, 1), [39, 10]);
        let shared = likeness.shared(&[1]);
        let numbers: Vec<u32> = shared.iter().map(|&(_, number)| number).collect();
        assert_eq!(numbers, (24..40).collect::<Vec<_>>());
    }

    #[test]
    fn sketches_are_cut_so_that_all_together_have_a_limited_length() {
        let sketches = [sketch(0..10), sketch(0..3), sketch(0..256)];
        for (most, limit) in [
            (1000, 256),
            (269, 256),
            (268, 255),
            (23, 10),
            (6, 2),
            (1, 1),
        ] {
            assert_eq!(limit_each(sketches.iter(), most), limit, "{most}");
        }
        let lengths = sketches.iter().map(|sketch| sketch.first(10).len());
        assert_eq!(lengths.sum::<usize>(), 23);
    }
}
