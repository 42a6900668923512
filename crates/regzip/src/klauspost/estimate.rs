//! How many bits a block might take. The order of the operations and their precision decide, in
//! rare cases, whether a table is used again.
#![allow(clippy::cast_precision_loss)]

use super::behaviour::{BlockBehaviour, Estimate};
use super::tokens::Tokens;
use crate::coding::token::{DISTANCE_EXTRA, LENGTH_EXTRA};

impl Tokens {
    /// A lower bound of the block's size in bits.
    pub(crate) fn estimated_bits(&self, behaviour: &BlockBehaviour) -> usize {
        let total =
            self.list.len() + self.filled + usize::from(self.ended && behaviour.divides_by_end);
        if total == 0 {
            return 0;
        }
        let (literals, lengths) = (&self.literals[..256], &self.literals[257..]);
        let matches: u32 = lengths.iter().sum();
        if behaviour.estimate == Estimate::Doubles {
            let mut sum = 0f64;
            add_doubles(&mut sum, literals, 1.0 / total as f64);
            sum += 15.0;
            add_doubles(&mut sum, lengths, 1.0 / total as f64);
            if matches > 0 {
                add_doubles(&mut sum, &self.distances, 1.0 / f64::from(matches));
            }
            return sum as usize + self.mistaken_extra_bits();
        }
        let clamped = behaviour.estimate == Estimate::Clamped;
        let mut sum = 0f32;
        add_singles(&mut sum, literals, 1.0 / total as f32, clamped);
        sum += 15.0;
        add_singles(&mut sum, lengths, 1.0 / total as f32, clamped);
        if matches > 0 {
            add_singles(&mut sum, &self.distances, 1.0 / matches as f32, clamped);
        }
        let extra = |counts: &[u32], extra: &[u8]| -> usize {
            let counts = counts.iter().zip(extra);
            counts
                .map(|(&n, &bits)| n as usize * usize::from(bits))
                .sum()
        };
        let distances = if matches > 0 {
            extra(&self.distances, &DISTANCE_EXTRA)
        } else {
            0
        };
        sum as usize + extra(lengths, &LENGTH_EXTRA) + distances
    }

    /// Up to 1.9.7 the extra bits are looked up by the count of a symbol instead of its number.
    fn mistaken_extra_bits(&self) -> usize {
        let sum = |counts: &[u32], extra: &dyn Fn(usize) -> u8| -> usize {
            let bits = |&n: &u32| n as usize * usize::from(extra(n as usize & 31));
            counts.iter().map(bits).sum()
        };
        let of_length = |at: usize| LENGTH_EXTRA.get(at).copied().unwrap_or(0);
        // The table continues for larger windows.
        let of_distance = |at: usize| DISTANCE_EXTRA.get(at).copied().unwrap_or(14);
        sum(&self.literals[257..], &of_length) + sum(&self.distances, &of_distance)
    }
}

fn add_singles(sum: &mut f32, counts: &[u32], inverse: f32, clamped: bool) {
    for &count in counts.iter().filter(|&&count| count > 0) {
        let n = count as f32;
        let bits = -fast_log2(n * inverse);
        *sum += if clamped { bits.clamp(1.0, 15.0) } else { bits } * n;
    }
}

fn add_doubles(sum: &mut f64, counts: &[u32], inverse: f64) {
    for &count in counts.iter().filter(|&&count| count > 0) {
        let n = f64::from(count);
        *sum += (-log2(n * inverse) * n).ceil();
    }
}

/// Bits of literals in single precision, of `total` in all; at least one for each.
pub(super) fn single_bits(counts: &[u32], total: usize) -> usize {
    let inverse = 1.0 / total as f32;
    let mut sum = 0f32;
    for &count in counts.iter().filter(|&&count| count > 0) {
        let n = count as f32;
        sum += (-fast_log2(n * inverse)).max(1.0) * n;
    }
    (sum + 0.99) as usize
}

/// Bits of `len` literals in double precision, and of one more for each of those that do not occur if
/// these have codes too.
pub(super) fn double_bits(counts: &[u32], len: usize, empty: usize) -> usize {
    let inverse = 1.0 / len as f64;
    let one = (-log2(inverse)).ceil();
    let mut sum = 0f64;
    for &count in counts {
        if count > 0 {
            let n = f64::from(count);
            sum += (-log2(n * inverse) * n).ceil();
        } else if empty > 0 {
            sum += one;
        }
    }
    (sum + 0.99) as usize
}

/// A polynomial over the mantissa; the constants are klauspost's.
pub(super) fn fast_log2(value: f32) -> f32 {
    let bits = value.to_bits();
    let exponent = (bits >> 23 & 255) as i32 - 128;
    let mantissa = f32::from_bits((bits & 0x807f_ffff).wrapping_add(127 << 23));
    let exponent = exponent as f32;
    exponent + (((-0.344_848_43_f32) * mantissa + 2.024_665_8) * mantissa - 0.674_877_6)
}

/// The logarithm to base two as Go computes it, from the natural one by `FreeBSD`'s method; what the
/// platform offers may differ in the last bit.
pub(super) fn log2(value: f64) -> f64 {
    let (fraction, exponent) = split(value);
    if fraction.to_bits() == 0.5f64.to_bits() {
        return f64::from(exponent - 1);
    }
    f64::from(exponent) + ln(fraction) * (1.0 / std::f64::consts::LN_2)
}

/// A fraction from a half to below one, and the exponent that goes with it. Zero and what is smaller than
/// a normal number does not occur.
fn split(value: f64) -> (f64, i32) {
    let bits = value.to_bits();
    let exponent = (bits >> 52 & 0x7ff) as i32 - 1022;
    (f64::from_bits(bits & !(0x7ff << 52) | 1022 << 52), exponent)
}

/// The natural logarithm of a fraction from a half to below one.
fn ln(fraction: f64) -> f64 {
    // Given as bits: what counts is the last of them.
    const HIGH: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000);
    const LOW: f64 = f64::from_bits(0x3dea_39ef_3579_3c76);
    const ODD: [f64; 4] = [
        f64::from_bits(0x3fe5_5555_5555_5593),
        f64::from_bits(0x3fd2_4924_9422_9359),
        f64::from_bits(0x3fc7_4664_96cb_03de),
        f64::from_bits(0x3fc2_f112_df3e_5244),
    ];
    const EVEN: [f64; 3] = [
        f64::from_bits(0x3fd9_9999_9997_fa04),
        f64::from_bits(0x3fcc_71c5_1d8e_78af),
        f64::from_bits(0x3fc3_9a09_d078_c69f),
    ];
    let (mantissa, k) = if fraction < std::f64::consts::FRAC_1_SQRT_2 {
        (fraction * 2.0, -1.0)
    } else {
        (fraction, 0.0)
    };
    let f = mantissa - 1.0;
    let s = f / (2.0 + f);
    let (s2, s4) = (s * s, s * s * (s * s));
    let odd = s2 * (ODD[0] + s4 * (ODD[1] + s4 * (ODD[2] + s4 * ODD[3])));
    let even = s4 * (EVEN[0] + s4 * (EVEN[1] + s4 * EVEN[2]));
    let half = 0.5 * f * f;
    k * HIGH - ((half - (s * (half + (odd + even)) + k * LOW)) - f)
}
