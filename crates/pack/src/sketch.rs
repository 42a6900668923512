//! Sketches: which contents are alike, from a sample of what they contain.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::io::Read;

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
}

/// Finds contents by what they share with another.
#[derive(Default)]
pub(crate) struct Likeness {
    by_sample: HashMap<u64, Vec<u32>>,
}

/// A sample that more contents have says little; only the latest are remembered.
const MAX_OWNERS: usize = 16;

impl Likeness {
    pub(crate) fn add(&mut self, number: u32, sketch: &Sketch) {
        for &sample in sketch.samples() {
            let owners = self.by_sample.entry(sample).or_default();
            if owners.len() == MAX_OWNERS {
                owners.remove(0);
            }
            owners.push(number);
        }
    }

    /// At most `most` numbers, chosen so that together they share as many samples as possible; each
    /// shares at least `least` that those before it, and those that are known, do not.
    pub(crate) fn nearest(
        &self,
        sketch: &Sketch,
        known: &[u32],
        most: usize,
        least: usize,
    ) -> Vec<u32> {
        let mut left: Vec<&[u32]> = sketch
            .samples()
            .iter()
            .filter_map(|sample| self.by_sample.get(sample).map(Vec::as_slice))
            .collect();
        left.retain(|owners| !owners.iter().any(|owner| known.contains(owner)));
        let mut chosen = Vec::new();
        while chosen.len() < most {
            let mut counts: HashMap<u32, usize> = HashMap::new();
            for owners in &left {
                for &owner in *owners {
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
            left.retain(|owners| !owners.contains(&number));
        }
        chosen
    }

    /// How many samples each number shares, the most first.
    pub(crate) fn shared(&self, sketch: &Sketch) -> Vec<(usize, u32)> {
        let mut counts: HashMap<u32, usize> = HashMap::new();
        for sample in sketch.samples() {
            for &owner in self.by_sample.get(sample).map_or(&[][..], Vec::as_slice) {
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
