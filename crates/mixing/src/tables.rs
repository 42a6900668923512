//! The tables that the arithmetic of predictions is made of.

/// Probabilities in the logistic domain go from `-LIMIT` to `LIMIT`, in units of 1/256.
pub(crate) const LIMIT: i32 = 2815;
/// How far apart the values of [`KNOTS`] are.
const STEP: i32 = 128;
/// `65536 / (1 + exp(-x / 256))` for each multiple of [`STEP`] from -2816 to 2816.
const KNOTS: [u16; 45] = [
    1, 2, 3, 5, 8, 13, 22, 36, 60, 98, 162, 267, 439, 720, 1179, 1921, 3108, 4971, 7812, 11955,
    17625, 24743, 32768, 40793, 47911, 53581, 57724, 60565, 62428, 63615, 64357, 64816, 65097,
    65269, 65374, 65438, 65476, 65500, 65514, 65523, 65528, 65531, 65533, 65534, 65535,
];
/// Where 0 is in [`KNOTS`].
const CENTRE: i32 = 22 * STEP;
/// How many counts are told apart, 0 included.
const COUNTS: usize = 16;

/// Tables that are computed once for each stream.
pub(crate) struct Tables {
    /// The probability for each logistic value from -[`CENTRE`] on.
    squash: Vec<u16>,
    /// The logistic value for each sixteenth of a probability.
    stretch: Vec<i16>,
    /// By how much a probability moves that has moved so often.
    pub(crate) rate: [i32; COUNTS],
}

impl Tables {
    pub(crate) fn new() -> Self {
        let squash: Vec<u16> = (0..2 * CENTRE).map(interpolated).collect();
        let stretch = (0..4096u32).map(|index| {
            let least = index * 16 + 8;
            let found = squash[1..].partition_point(|p| u32::from(*p) < least) as i32;
            (found - LIMIT).min(LIMIT) as i16
        });
        let mut rate = [0; COUNTS];
        for (count, rate) in rate.iter_mut().enumerate() {
            *rate = 131_072 / (2 * count as i32 + 3);
        }
        Self {
            stretch: stretch.collect(),
            squash,
            rate,
        }
    }

    /// The probability, of 65536, of a logistic value within the limits.
    #[inline]
    pub(crate) fn squash(&self, value: i32) -> i32 {
        i32::from(self.squash[(value + CENTRE) as usize])
    }

    /// The logistic value of a probability of 65536.
    #[inline]
    pub(crate) fn stretch(&self, p: u16) -> i32 {
        i32::from(self.stretch[usize::from(p >> 4)])
    }
}

fn interpolated(index: i32) -> u16 {
    let (knot, part) = ((index / STEP) as usize, index % STEP);
    let (low, high) = (i32::from(KNOTS[knot]), i32::from(KNOTS[knot + 1]));
    (low + (high - low) * part / STEP) as u16
}

/// A hash of two numbers.
#[inline]
pub(crate) fn hash(a: u32, b: u32) -> u32 {
    let mixed = a
        .wrapping_mul(0x2f0b_4c47)
        .wrapping_add(b)
        .wrapping_mul(0x9e37_79b1);
    mixed ^ mixed >> 14
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretch_is_the_inverse_of_squash() {
        let tables = Tables::new();
        assert_eq!(tables.squash(0), 32768);
        assert_eq!(tables.squash(-LIMIT), 1);
        assert_eq!(tables.squash(LIMIT), 65534);
        for p in (8..65528).step_by(16) {
            let value = tables.stretch(p);
            let back = tables.squash(value);
            assert!(value == LIMIT || back >= i32::from(p), "{p} {value} {back}");
            assert!(
                value == -LIMIT || tables.squash(value - 1) < i32::from(p),
                "{p} {value}"
            );
        }
    }

    #[test]
    fn knots_are_the_logistic_function() {
        for (index, knot) in (-22i32..).zip(KNOTS) {
            let x = f64::from(index) / 2.0;
            let exact = 65536.0 / (1.0 + (-x).exp());
            assert!((f64::from(knot) - exact).abs() <= 1.0, "{index}");
        }
    }
}
