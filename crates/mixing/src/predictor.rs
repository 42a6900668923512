//! Predicts bits: what was seen after several contexts, weighed by a mixer that learns, and corrected by how right it was.

use crate::coder::Coder;
use crate::tables::{LIMIT, Tables};

/// Contexts of a step.
pub(crate) const CONTEXTS: usize = 8;
/// What the mixer weighs: a prediction for each context, and that of a match.
const INPUTS: usize = CONTEXTS + 1;
/// Mixers of the first kind, which steps choose, and groups of those of the second kind.
const MIXERS: usize = 48;
const STAGES: usize = 8;
/// Buckets, as a power of two, of short and of long streams.
const MIN_BUCKETS: u32 = 10;
const MAX_BUCKETS: u32 = 18;
/// By this power of two the second correction has fewer rows than there are buckets.
const FINE_BITS: u32 = 2;
/// Places within a step: one for each value of the bits before, with a leading 1.
const NODES: usize = 16;
/// Grades of matches.
const GRADES: usize = 64;
/// How often a probability has moved at most, for the rate of its next move.
const MAX_COUNT: u16 = 10;
/// A weight of 1.
const ONE: i32 = 1 << 16;
/// Weights at the beginning.
const FIRST_WEIGHT: i32 = ONE / 20;
/// The rate of mixers: at the beginning so much more, which halves in so many bits.
const RATE: i32 = 10;
const FIRST_RATE: i32 = 100;
const HALVING: u32 = 4096;
/// Bits are counted up to here.
const MAX_BITS: u32 = 1 << 20;
/// Probabilities that are coded are within these.
const MIN_P: i32 = 16;
const MAX_P: i32 = 65_536 - MIN_P;

/// What was seen after a context, for each place of a step: a probability in the high twelve bits, and how often it has
/// moved in the low four. The first word tells contexts apart; it is odd, or 0 if there is none.
#[derive(Clone, Copy)]
struct Bucket([u16; NODES]);

impl Bucket {
    const EMPTY: Self = Self([0; NODES]);

    fn new(check: u16) -> Self {
        let mut words = [0x8000; NODES];
        words[0] = check;
        Self(words)
    }

    /// How often the first place was passed.
    fn uses(self) -> u16 {
        self.0[1] & 15
    }
}

/// Up to four bits that are coded with the same contexts.
pub(crate) struct Step {
    /// How many bits.
    pub(crate) width: u32,
    pub(crate) contexts: [u32; CONTEXTS],
    /// Chooses the mixer of the first kind, below [`MIXERS`].
    pub(crate) mixer: usize,
    /// Chooses the group of mixers of the second kind, below [`STAGES`].
    pub(crate) stage: usize,
    /// What a match says.
    pub(crate) expected: Option<Expectation>,
    /// The context of the last correction.
    pub(crate) refine: u32,
}

/// The bits of a step that a match expects, and its grade, below [`GRADES`].
#[derive(Clone, Copy)]
pub(crate) struct Expectation {
    pub(crate) bits: u32,
    pub(crate) grade: usize,
}

/// Predicts the bits of one stream.
pub(crate) struct Predictor {
    tables: Tables,
    buckets: Vec<Bucket>,
    /// For each context, count and probability of a place: what the probability turned out to be.
    adapted: Vec<[u16; 1024]>,
    /// For each grade: how often a match of it was right, of 65536.
    right: [u16; GRADES],
    first: Vec<[i32; INPUTS]>,
    second: Vec<[i32; INPUTS]>,
    last: [[i32; 2]; STAGES * NODES],
    corrections: [Correction; 2],
    /// What is left of a hash as the row of the second correction.
    refine_shift: u32,
    /// Bits coded.
    bits: u32,
}

impl Predictor {
    /// A predictor for a stream of `len` bytes.
    pub(crate) fn new(len: u64) -> Self {
        let wanted = len.saturating_mul(2 * CONTEXTS as u64).max(1);
        let bits = (u64::BITS - (wanted - 1).leading_zeros()).clamp(MIN_BUCKETS, MAX_BUCKETS);
        let tables = Tables::new();
        let mut adapted = [0x8000; 1024];
        for (index, p) in adapted.iter_mut().enumerate() {
            if index % 16 > 0 {
                *p = (index / 16 * 1024 + 512) as u16;
            }
        }
        let corrections = [MIXERS * NODES, 1 << (bits - FINE_BITS)];
        let corrections = corrections.map(|count| Correction::new(count, &tables));
        Self {
            tables,
            buckets: vec![Bucket::EMPTY; 1 << bits],
            adapted: vec![adapted; CONTEXTS],
            right: [0xc000; GRADES],
            first: vec![[FIRST_WEIGHT; INPUTS]; MIXERS * NODES],
            second: vec![[FIRST_WEIGHT; INPUTS]; STAGES * (CONTEXTS + 1) * 4],
            last: [[ONE / 2; 2]; STAGES * NODES],
            corrections,
            refine_shift: u32::BITS - (bits - FINE_BITS),
            bits: 0,
        }
    }

    /// Where the bucket of a context is; a new one if it has none.
    #[inline]
    fn bucket(&mut self, number: usize, context: u32) -> usize {
        let mixed = context
            .wrapping_add(number as u32 + 1)
            .wrapping_mul(0x9e37_79b1);
        let mixed = (mixed ^ mixed >> 15).wrapping_mul(0x2c1b_3c6d);
        let mixed = mixed ^ mixed >> 13;
        let check = (mixed >> 16) as u16 | 1;
        let one = mixed as usize & (self.buckets.len() - 1);
        let other = one ^ 1;
        for at in [one, other] {
            if self.buckets[at].0[0] == check {
                return at;
            }
        }
        let less_used = if self.buckets[other].uses() < self.buckets[one].uses() {
            other
        } else {
            one
        };
        self.buckets[less_used] = Bucket::new(check);
        less_used
    }

    /// Passes a step.
    pub(crate) fn code<C: Coder>(
        &mut self,
        coder: &mut C,
        step: &Step,
        bits: u32,
    ) -> Result<u32, C::Error> {
        let mut places = [0; CONTEXTS];
        for (number, place) in places.iter_mut().enumerate() {
            *place = self.bucket(number, step.contexts[number]);
        }
        let mut found = places.map(|place| self.buckets[place]);
        let known = found.iter().filter(|bucket| bucket.uses() > 0).count();
        let rate = RATE + FIRST_RATE * HALVING as i32 / (HALVING + self.bits) as i32;
        let mut node = 1;
        for left in (0..step.width).rev() {
            let expected = step.expected.map(|expected| Expectation {
                bits: expected.bits | 1 << step.width,
                grade: expected.grade,
            });
            // A match says nothing once it was wrong.
            let expected =
                expected.filter(|expected| (expected.bits >> (left + 1)) as usize == node);
            let place = Place {
                node,
                known,
                rate,
                expected: expected.map(|expected| (expected.bits >> left & 1, expected.grade)),
            };
            let bit = self.bit(coder, step, &mut found, &place, bits >> left & 1)?;
            node = node << 1 | bit as usize;
        }
        for (place, bucket) in places.into_iter().zip(found) {
            self.buckets[place] = bucket;
        }
        Ok(node as u32 & ((1 << step.width) - 1))
    }

    /// Passes a bit.
    #[inline]
    fn bit<C: Coder>(
        &mut self,
        coder: &mut C,
        step: &Step,
        found: &mut [Bucket; CONTEXTS],
        place: &Place,
        bit: u32,
    ) -> Result<u32, C::Error> {
        let node = place.node & (NODES - 1);
        let mut inputs = [0; INPUTS];
        let mut cells = [0; CONTEXTS];
        for (number, bucket) in found.iter().enumerate() {
            let word = bucket.0[node];
            let cell = usize::from(word >> 6 & 0x3f0 | word & 15);
            cells[number] = cell;
            inputs[number] = self.tables.stretch(self.adapted[number][cell]);
        }
        let mut grade_of_match = 0;
        if let Some((expected, grade)) = place.expected {
            let sure = self.tables.stretch(self.right[grade]);
            inputs[CONTEXTS] = if expected == 1 { sure } else { -sure };
            grade_of_match = match grade % 32 {
                0..12 => 1,
                12..20 => 2,
                _ => 3,
            };
        }
        let first = &mut self.first[step.mixer * NODES + node];
        let second = (step.stage * (CONTEXTS + 1) + place.known) * 4 + grade_of_match;
        let second = &mut self.second[second];
        let mixed = [dot(&inputs, first), dot(&inputs, second)];
        let last = &mut self.last[step.stage * NODES + node];
        let value = dot(&mixed, last);
        let mixed_p = self.tables.squash(value);
        let refine = step.refine.wrapping_mul(16).wrapping_add(node as u32);
        let refine = refine.wrapping_mul(0x9e37_79b1) >> self.refine_shift;
        let [one, other] = &mut self.corrections;
        let corrected = one.p(value, step.mixer * NODES + node) + other.p(value, refine as usize);
        let p = ((2 * mixed_p + corrected) >> 2).clamp(MIN_P, MAX_P);

        let bit = coder.bit(bit, p as u32)?;

        let truth = bit as i32 * 65_536;
        let errors = mixed.map(|value| truth - self.tables.squash(value));
        learn(first, &inputs, errors[0] * place.rate, 18);
        learn(second, &inputs, errors[1] * place.rate, 18);
        learn(last, &mixed, (truth - mixed_p) * 2, 16);
        one.learn(bit);
        other.learn(bit);
        for (number, bucket) in found.iter_mut().enumerate() {
            let word = &mut bucket.0[node];
            let count = *word & 15;
            if count > 0 {
                let p = &mut self.adapted[number][cells[number]];
                *p = moved(*p, bit, 7);
            }
            let p = i32::from(*word >> 4);
            let target = bit as i32 * 4095;
            let change = (target - p) * self.tables.rate[usize::from(count)] + 0x8000;
            *word = ((p + (change >> 16)) as u16) << 4 | (count + 1).min(MAX_COUNT);
        }
        if let Some((expected, grade)) = place.expected {
            self.right[grade] = moved(self.right[grade], u32::from(expected == bit), 5);
        }
        self.bits = (self.bits + 1).min(MAX_BITS);
        Ok(bit)
    }
}

/// A place within a step.
struct Place {
    /// The bits before, with a leading 1.
    node: usize,
    /// How many contexts were seen before.
    known: usize,
    rate: i32,
    /// The bit that a match expects, and its grade.
    expected: Option<(u32, usize)>,
}

/// The sum of values by their weights, within the limits.
#[inline]
fn dot<const N: usize>(values: &[i32; N], weights: &[i32; N]) -> i32 {
    let products = values.iter().zip(weights);
    let sum: i64 = products
        .map(|(value, weight)| i64::from(*value) * i64::from(*weight))
        .sum();
    (sum >> 16).clamp(-i64::from(LIMIT), i64::from(LIMIT)) as i32
}

/// Changes weights in the direction that makes the error smaller.
#[inline]
fn learn<const N: usize>(weights: &mut [i32; N], values: &[i32; N], error: i32, shift: u32) {
    let half = 1i64 << (shift - 1);
    for (weight, value) in weights.iter_mut().zip(values) {
        let change = (i64::from(*value) * i64::from(error) + half) >> shift;
        *weight = weight.saturating_add(change as i32);
    }
}

/// A probability after a bit.
#[inline]
fn moved(p: u16, bit: u32, rate: u32) -> u16 {
    let p = i32::from(p);
    (p + ((bit as i32 * 65_535 - p) >> rate)) as u16
}

/// What probabilities turned out to be, by context, with interpolation between every 256 logistic values.
struct Correction {
    table: Vec<[u16; Self::KNOTS]>,
    /// The last one that was used.
    at: (usize, usize),
}

impl Correction {
    const KNOTS: usize = 24;
    const CENTRE: i32 = 12 * 256;

    fn new(count: usize, tables: &Tables) -> Self {
        let mut knots = [0; Self::KNOTS];
        for (index, knot) in knots.iter_mut().enumerate() {
            let value = (index as i32 * 256 - Self::CENTRE).clamp(-LIMIT, LIMIT);
            *knot = tables.squash(value) as u16;
        }
        Self {
            table: vec![knots; count],
            at: (0, 0),
        }
    }

    #[inline]
    fn p(&mut self, value: i32, context: usize) -> i32 {
        let position = value + Self::CENTRE;
        let (knot, part) = ((position >> 8) as usize, position & 255);
        let knots = &self.table[context];
        let (low, high) = (i32::from(knots[knot]), i32::from(knots[knot + 1]));
        self.at = (context, knot + usize::from(part >= 128));
        (low * (256 - part) + high * part) >> 8
    }

    #[inline]
    fn learn(&mut self, bit: u32) {
        let p = &mut self.table[self.at.0][self.at.1];
        *p = moved(*p, bit, 6);
    }
}
