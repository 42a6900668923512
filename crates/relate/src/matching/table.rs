//! Where seeds were seen: a hash table of bounded size.

const MAX_BITS: u32 = 24;
/// How many positions share a bucket.
const WAYS: usize = 2;

/// Positions of seeds, the two latest of each bucket.
pub(super) struct Table {
    /// A position plus one; zero if empty.
    entries: Vec<u32>,
    shift: u32,
    seed: usize,
    /// Seeds are sampled by their hash: one in this many is entered, a power of two.
    sample: u64,
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

    /// Enters the seed at `position`.
    pub(super) fn enter(&mut self, data: &[u8], position: usize) {
        if let Some(bucket) = self.bucket(&data[position..]) {
            self.entries[bucket + 1] = self.entries[bucket];
            self.entries[bucket] = position as u32 + 1;
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
