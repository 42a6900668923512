//! How much two contents have in common, estimated from samples.

use std::io;

use crate::content::Content;

/// One position in so many is sampled, chosen by its bytes.
const SAMPLE_BITS: u32 = 10;
/// Bytes of a sample.
const LEN: usize = 16;
/// How much is read at a time.
const BLOCK: u64 = 1 << 20;
/// How many samples are kept; of more, those with the smallest hashes, so that two sketches can be compared.
const MAX_SAMPLES: usize = 1 << 20;

/// Hashes of samples, in ascending order.
pub(super) struct Sketch(Vec<u64>);

impl Sketch {
    pub(super) fn of(content: &dyn Content) -> io::Result<Self> {
        let mut hashes = Vec::new();
        let mut at = 0;
        let mut block = Vec::new();
        while at + LEN as u64 <= content.len() {
            block.resize((content.len() - at).min(BLOCK) as usize, 0);
            content.read_at(&mut block, at)?;
            hashes.extend(block.windows(LEN).filter_map(sample));
            at += (block.len() - LEN + 1) as u64;
            if hashes.len() > 2 * MAX_SAMPLES {
                smallest(&mut hashes);
            }
        }
        smallest(&mut hashes);
        Ok(Self(hashes))
    }

    /// How many samples are in both.
    pub(super) fn common(&self, other: &Self) -> usize {
        let is_common = |hash: &&u64| other.0.binary_search(hash).is_ok();
        self.0.iter().filter(is_common).count()
    }
}

/// Puts hashes in order, each once, and keeps the first [`MAX_SAMPLES`].
fn smallest(hashes: &mut Vec<u64>) {
    hashes.sort_unstable();
    hashes.dedup();
    hashes.truncate(MAX_SAMPLES);
}

/// The hash of a sample, if its first bytes choose it.
fn sample(bytes: &[u8]) -> Option<u64> {
    let word = |at: usize| {
        let bytes = bytes.get(at..at + 8)?.try_into().ok()?;
        Some(u64::from_le_bytes(bytes))
    };
    let first = word(0)?.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let chosen = first >> (64 - SAMPLE_BITS) == 0;
    chosen.then(|| word(8).map(|second| first ^ second.rotate_left(31)))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_that_repeats_counts_once() {
        let zeros = vec![0; 10 << 20];
        assert_eq!(Sketch::of(&zeros).unwrap().0.len(), 1);
    }

    #[test]
    fn related_contents_have_samples_in_common() {
        let noise = |seed: u32| -> Vec<u8> {
            let words =
                (0..100_000u32).map(|n| (n ^ seed).wrapping_mul(2_654_435_761).rotate_left(7));
            words.flat_map(u32::to_le_bytes).collect()
        };
        let old = noise(0);
        let mut new = b"shifted".to_vec();
        new.extend(&old);
        let [old, new, other] =
            [old, new, noise(0x5555_0000)].map(|bytes| Sketch::of(&bytes).unwrap());
        assert!(old.0.len() > 100);
        assert!(old.common(&new) > old.0.len() * 9 / 10);
        assert!(other.common(&new) < old.common(&new) / 2);
    }
}
