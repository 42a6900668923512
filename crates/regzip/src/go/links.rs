//! The search tables of Go's levels 2 to 9: chains of four bytes as Go has them, and chains of more
//! bytes beside them.
//!
//! When only a long match is of use, the chain of longer strings has far fewer candidates. Go counts
//! the candidates that it looks at, so that every position has a number in its chain of four bytes:
//! the difference tells how many Go would have looked at.

use crate::chain::{ORIGIN, same_chain};
use crate::token::WINDOW;

const BITS: u32 = 17;
const LONG_BITS: u32 = 16;
/// The long chains join strings with so many equal bytes.
pub(super) const LONG: usize = 7;
/// Entries are compared modulo 2^32, so that old ones are swept before they can alias.
const SWEEP: u32 = 1 << 30;

/// One position's place in its chains: distances to the positions before it, 0 at the end.
#[derive(Clone, Copy, Default)]
#[repr(align(8))]
struct Link {
    four: u16,
    number: u16,
    long: u16,
}

/// Where the chains of a string begin: distances to the newest positions, 0 if there is none in
/// reach.
#[derive(Clone, Copy, Default)]
pub(super) struct Heads {
    pub(super) four: usize,
    pub(super) long: usize,
    /// The number of the position that was the window's size before this one.
    displaced: u16,
}

#[derive(Clone)]
pub(super) struct Links {
    /// The newest position in the low half, its number in the high half.
    four: Box<[u64; 1 << BITS]>,
    long: Box<[u32; 1 << LONG_BITS]>,
    places: Box<[Link; WINDOW]>,
    swept: u32,
}

impl Links {
    /// Empty tables for positions from `origin` on.
    #[allow(clippy::large_stack_arrays, reason = "it goes to the heap at once")]
    pub(super) fn new(origin: u32) -> Self {
        let far = origin.wrapping_sub(ORIGIN);
        Self {
            four: Box::new([u64::from(far); 1 << BITS]),
            long: Box::new([far; 1 << LONG_BITS]),
            places: Box::new([Link::default(); WINDOW]),
            swept: origin,
        }
    }

    /// Enters the string that starts with these four bytes.
    #[inline]
    fn insert_four(&mut self, bytes: u32, at: u32) -> (usize, u16) {
        let hash = bytes.swap_bytes().wrapping_mul(0x1e35_a7bd) >> (32 - BITS);
        let slot = &mut self.four[hash as usize];
        let mut newest = *slot as u32;
        let number = ((*slot >> 32) as u16).wrapping_add(1);
        let distance = reach(&mut newest, at);
        *slot = u64::from(number) << 32 | u64::from(newest);
        (distance, number)
    }

    /// Enters a string of which eight bytes are known.
    #[inline]
    pub(super) fn insert(&mut self, bytes: u64, at: u32) -> Heads {
        let hash = (bytes << (64 - 8 * LONG)).wrapping_mul(0x9e37_79b1_85eb_ca87);
        let long = reach(&mut self.long[(hash >> (64 - LONG_BITS)) as usize], at);
        let (four, number) = self.insert_four(bytes as u32, at);
        self.set(four, long, number, at)
    }

    /// Enters a string of which only four bytes are known.
    pub(super) fn insert_short(&mut self, bytes: u32, at: u32) -> Heads {
        let (four, number) = self.insert_four(bytes, at);
        self.set(four, 0, number, at)
    }

    #[inline]
    fn set(&mut self, four: usize, long: usize, number: u16, at: u32) -> Heads {
        let slot = &mut self.places[at as usize % WINDOW];
        let displaced = slot.number;
        *slot = Link {
            four: four as u16,
            number,
            long: long as u16,
        };
        Heads {
            four,
            long,
            displaced,
        }
    }

    #[inline]
    fn link(&self, at: u32, back: usize) -> Link {
        self.places[(at as usize).wrapping_sub(back) % WINDOW]
    }

    /// The step from `back` before `at` to the next in its chain of four bytes.
    #[inline]
    pub(super) fn step(&self, at: u32, back: usize) -> usize {
        usize::from(self.link(at, back).four)
    }

    /// The same in the chain of longer strings; and how many candidates Go would have looked at,
    /// that one included, if it shares four bytes with `at`.
    #[inline]
    pub(super) fn long_step(&self, at: u32, back: usize, heads: Heads) -> (usize, u32) {
        let link = self.link(at, back);
        let number = if back == WINDOW {
            heads.displaced
        } else {
            link.number
        };
        let tried = self.link(at, 0).number.wrapping_sub(number);
        (usize::from(link.long), u32::from(tried))
    }

    /// Once in a while moves entries that are out of reach to where they stay out of reach.
    pub(super) fn sweep(&mut self, origin: u32) {
        if origin.wrapping_sub(self.swept) < SWEEP {
            return;
        }
        self.swept = origin;
        let far = origin.wrapping_sub(ORIGIN);
        let is_old = |head: u32| {
            // Entries may also lie a little after the origin.
            let age = origin.wrapping_sub(head);
            age > ORIGIN && age < u32::MAX - (1 << 21)
        };
        for head in self.four.iter_mut().filter(|head| is_old(**head as u32)) {
            *head = u64::from(far);
        }
        for head in self.long.iter_mut().filter(|head| is_old(**head)) {
            *head = far;
        }
    }

    /// Whether searches from `at` on, which never look before `base`, see the same in both. The
    /// long chains follow from the others.
    pub(super) fn agrees(&self, other: &Self, base: u32, at: u32) -> bool {
        let reach = at.wrapping_sub(base).min(WINDOW as u32) as usize;
        let back = |entry: u32| Some(at.wrapping_sub(entry) as usize).filter(|&b| b <= reach);
        let mut heads = self.four.iter().zip(other.four.iter());
        heads.all(|(&a, &b)| match (back(a as u32), back(b as u32)) {
            (None, None) => true,
            (Some(a), Some(b)) => {
                a == b && same_chain(|b| self.step(at, b), |b| other.step(at, b), a, reach)
            }
            _ => false,
        })
    }
}

/// Puts `at` in the place of the position before it; the distance, 0 if that is too far.
#[inline]
fn reach(slot: &mut u32, at: u32) -> usize {
    let distance = at.wrapping_sub(*slot);
    *slot = at;
    if distance <= WINDOW as u32 {
        distance as usize
    } else {
        0
    }
}
