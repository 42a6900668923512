//! Hash chains over a sliding window, as all encoders with a window keep them.

use crate::coding::token::WINDOW;

/// Head entries are compared modulo 2^32, so that old ones are swept before they can alias.
const SWEEP: u32 = 1 << 30;
/// Positions start here: far enough from the zeros of a fresh table for those to be out of reach.
pub(crate) const ORIGIN: u32 = 1 << 17;

/// For every hash the newest position, for every position the one before it with the same hash.
#[derive(Clone)]
pub(crate) struct Chain {
    head: Box<[u32]>,
    /// Distance from a position to the one before it in its chain; 0 ends the chain.
    prev: Box<[u16; WINDOW]>,
    swept: u32,
}

impl Chain {
    #[allow(clippy::large_stack_arrays, reason = "it goes to the heap at once")]
    pub(crate) fn new(hash_bits: u32) -> Self {
        Self {
            head: vec![0; 1 << hash_bits].into_boxed_slice(),
            prev: Box::new([0; WINDOW]),
            swept: ORIGIN,
        }
    }

    /// Starts with positions other than [`ORIGIN`], as nothing is entered yet.
    pub(crate) fn starting_at(mut self, origin: u32) -> Self {
        self.head.fill(origin.wrapping_sub(ORIGIN));
        self.swept = origin;
        self
    }

    /// Enters a position; the distance to the one before it in its chain, 0 if that is too far.
    #[inline]
    pub(crate) fn insert(&mut self, hash: usize, at: u32) -> usize {
        let slot = &mut self.head[hash];
        let distance = at.wrapping_sub(*slot);
        *slot = at;
        let distance = if distance <= WINDOW as u32 {
            distance
        } else {
            0
        };
        self.prev[at as usize % WINDOW] = distance as u16;
        distance as usize
    }

    /// The distance from the position `distance` before `at` to the next one in its chain, 0 at
    /// the end.
    #[inline]
    pub(crate) fn step(&self, at: u32, distance: usize) -> usize {
        usize::from(self.prev[(at as usize).wrapping_sub(distance) % WINDOW])
    }

    /// Once in a while moves entries that are out of reach to where they stay out of reach.
    pub(crate) fn sweep(&mut self, origin: u32) {
        if origin.wrapping_sub(self.swept) < SWEEP {
            return;
        }
        self.swept = origin;
        for head in &mut self.head {
            // Entries may also lie a little after the origin.
            let age = origin.wrapping_sub(*head);
            if age > ORIGIN && age < u32::MAX - (1 << 21) {
                *head = origin.wrapping_sub(ORIGIN);
            }
        }
    }

    /// Whether searches from `at` on, which never look before `base`, see the same in both.
    pub(crate) fn agrees(&self, other: &Self, base: u32, at: u32) -> bool {
        let reach = at.wrapping_sub(base).min(WINDOW as u32) as usize;
        let back = |entry: u32| Some(at.wrapping_sub(entry) as usize).filter(|&b| b <= reach);
        let mut heads = self.head.iter().zip(&other.head);
        heads.all(|(&a, &b)| match (back(a), back(b)) {
            (None, None) => true,
            (Some(a), Some(b)) => {
                a == b && same_chain(|b| self.step(at, b), |b| other.step(at, b), a, reach)
            }
            _ => false,
        })
    }
}

/// Whether two chains that both start `back` before a position go through the same ones, as far back as
/// `reach`. Each side gives the step from one to the next, 0 at its end.
pub(crate) fn same_chain(
    one: impl Fn(usize) -> usize,
    other: impl Fn(usize) -> usize,
    mut back: usize,
    reach: usize,
) -> bool {
    let next = |back: usize, step: usize| match step {
        0 => None,
        step => Some(back + step).filter(|&b| b <= reach),
    };
    loop {
        match (next(back, one(back)), next(back, other(back))) {
            (None, None) => return true,
            (Some(a), Some(b)) if a == b => back = a,
            _ => return false,
        }
    }
}
