//! Where seeds were seen: a hash table of bounded size.

use std::ops::Range;

const MAX_BITS: u32 = 24;
/// How many positions share a bucket.
const WAYS: usize = 2;
/// Entries of a table are made region by region of so many, as a power of two: one that fits the processor's cache.
const REGION_BITS: u32 = 18;
/// How many positions are hashed before their entries are made.
const BATCH: usize = 1 << 20;

/// Positions of seeds, the two latest of each bucket.
pub(super) struct Table {
    /// A position plus one; zero if empty.
    entries: Vec<u32>,
    shift: u32,
    seed: usize,
    /// Seeds are sampled by their hash: one in this many is entered, a power of two.
    sample: u64,
    /// Buckets and positions that are about to be entered; empty in between.
    pending: Vec<(u32, u32)>,
}

impl Table {
    /// A table for `len` positions and seeds of `seed` bytes, a multiple of 8, of which it takes one in `sample`.
    pub(super) fn new(len: usize, seed: usize, sample: u64) -> Self {
        let wanted = (len as u64 / sample * 2).max(1 << 10).next_power_of_two();
        let bits = wanted.trailing_zeros().min(MAX_BITS);
        Self {
            entries: vec![0; 1 << bits],
            shift: 64 - bits,
            seed,
            sample,
            pending: Vec::new(),
        }
    }

    /// The bucket of the seed at the front of `bytes`, if it is sampled, which its first eight bytes decide.
    fn bucket(&self, bytes: &[u8]) -> Option<usize> {
        const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;
        let word = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_le_bytes);
        let first = (word(bytes.get(..8)?) ^ 0x5851_F42D).wrapping_mul(MULTIPLIER);
        if first >> 32 & (self.sample - 1) != 0 {
            return None;
        }
        let mut hash = first;
        for chunk in bytes.get(8..self.seed)?.chunks_exact(8) {
            hash = (hash.rotate_left(29) ^ word(chunk)).wrapping_mul(MULTIPLIER);
        }
        hash ^= hash >> 32;
        hash = hash.wrapping_mul(0xD6E8_FEB8_6659_FD93);
        Some((hash >> self.shift) as usize & !(WAYS - 1))
    }

    /// Enters the seeds at positions, one after the other.
    pub(super) fn enter(&mut self, data: &[u8], positions: Range<usize>) {
        // Entries are rarely in the processor's cache, so that many are asked for at once.
        let mut pending = std::mem::take(&mut self.pending);
        for position in positions {
            if let Some(bucket) = self.bucket(&data[position..]) {
                pending.push((bucket as u32, position as u32));
            }
        }
        self.put(&mut pending);
        self.pending = pending;
    }

    /// The same for all positions before `end`, of which there are many.
    pub(super) fn enter_all(&mut self, data: &[u8], end: usize) {
        let regions = (self.entries.len() >> REGION_BITS).max(1);
        let mut by_region: Vec<Vec<(u32, u32)>> = vec![Vec::new(); regions];
        for start in (0..end).step_by(BATCH) {
            for position in start..end.min(start + BATCH) {
                if let Some(bucket) = self.bucket(&data[position..]) {
                    by_region[bucket >> REGION_BITS].push((bucket as u32, position as u32));
                }
            }
            for region in &mut by_region {
                self.put(region);
            }
        }
    }

    /// Makes entries of buckets and positions.
    fn put(&mut self, pending: &mut Vec<(u32, u32)>) {
        for (bucket, position) in pending.drain(..) {
            let bucket = bucket as usize;
            self.entries[bucket + 1] = self.entries[bucket];
            self.entries[bucket] = position + 1;
        }
    }

    /// Positions where the seed at `position` was seen, or one with the same hash.
    pub(super) fn candidates(&self, data: &[u8], position: usize) -> [Option<usize>; WAYS] {
        let Some(bucket) = self.bucket(&data[position..]) else {
            return [None; WAYS];
        };
        let entry = |way: usize| (self.entries[bucket + way] as usize).checked_sub(1);
        [entry(0), entry(1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entering_all_positions_at_once_gives_the_same_table() {
        let words =
            (0u64..40_000).map(|number| (number % 9_000).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let data: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
        let end = data.len() - 64;
        let table = || Table::new(data.len(), 16, 1);
        let (mut one, mut all) = (table(), table());
        for position in 0..end {
            one.enter(&data, position..position + 1);
        }
        all.enter_all(&data, end);
        assert!(one.entries.len() >> REGION_BITS > 1);
        assert!(one.entries == all.entries);
    }
}
