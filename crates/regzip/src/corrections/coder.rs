//! An adaptive binary arithmetic coder: what was expected costs next to nothing.
//!
//! Models are written once for both directions: [`Coder::bit`] takes the value when it writes and
//! yields it when it reads.

use std::sync::Arc;

/// Writes or reads decisions.
pub(crate) trait Coder {
    /// Whether this side knows what is coded.
    const WRITES: bool;

    /// One decision. A reader does not look at `value`, and a writer gives it back.
    fn bit(&mut self, chance: &mut Chance, value: bool) -> bool;

    /// The `count` low bits of a value about which nothing is known; `count` is at most 16.
    fn raw(&mut self, value: u32, count: u32) -> u32 {
        let mut out = 0;
        for shift in (0..count).rev() {
            let bit = self.bit(&mut Chance::default(), value >> shift & 1 == 1);
            out = out << 1 | u32::from(bit);
        }
        out
    }
}

/// How likely a decision is `true`, learnt from those before.
///
/// The probability takes the upper 22 bits, the number of decisions seen the lower 10.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chance(u32);

/// After so many decisions the newest has a fixed weight.
const SEEN: usize = 255;

/// Weight of the next decision by the number of those before, of 65,536.
const WEIGHTS: [i64; SEEN + 1] = weights();

const fn weights() -> [i64; SEEN + 1] {
    let mut table = [0; SEEN + 1];
    let mut n = 0;
    while n <= SEEN {
        table[n] = (65_536 * 2) / (2 * n as i64 + 3);
        n += 1;
    }
    table
}

impl Default for Chance {
    fn default() -> Self {
        Self(1 << 31)
    }
}

impl Chance {
    /// Of 65,536; never 0 or all of it.
    fn of_true(self) -> u32 {
        (self.0 >> 16).clamp(1, 65_535)
    }

    fn learn(&mut self, value: bool) {
        let seen = (self.0 & 1023) as usize;
        let old = i64::from(self.0 >> 10);
        let target = if value { (1 << 22) - 1 } else { 0 };
        let new = old + (((target - old) * WEIGHTS[seen.min(SEEN)]) >> 16);
        let seen = if seen < SEEN { seen + 1 } else { seen };
        self.0 = (new as u32) << 10 | seen as u32;
    }
}

/// The current range; both sides narrow it in the same way.
#[derive(Clone, Copy)]
struct Range {
    low: u32,
    high: u32,
}

impl Range {
    const ALL: Self = Self {
        low: 0,
        high: u32::MAX,
    };

    /// The last value that stands for `true`; below `high` unless the range is one value.
    fn middle(self, chance: Chance) -> u32 {
        let size = u64::from(self.high - self.low);
        self.low + ((size * u64::from(chance.of_true())) >> 16) as u32
    }

    fn narrow(&mut self, middle: u32, value: bool) {
        if value {
            self.high = middle;
        } else {
            self.low = middle + 1;
        }
    }

    /// Shifts out the first byte if it is certain.
    fn certain(&mut self) -> Option<u8> {
        if (self.low ^ self.high) >> 24 != 0 {
            return None;
        }
        let byte = (self.low >> 24) as u8;
        self.low <<= 8;
        self.high = self.high << 8 | 0xff;
        Some(byte)
    }
}

/// Collects decisions as bytes.
pub(crate) struct Writer {
    range: Range,
    pub(crate) out: Vec<u8>,
}

impl Writer {
    pub(crate) fn new() -> Self {
        Self {
            range: Range::ALL,
            out: Vec::new(),
        }
    }

    /// The bytes; zeros at the end are left out, as the reader supplies them.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let Range { low, high } = self.range;
        // The shortest value within the range.
        for kept in 1..=4 {
            let value = high >> (32 - 8 * kept) << (32 - 8 * kept);
            if value >= low {
                self.out
                    .extend_from_slice(&value.to_be_bytes()[..kept as usize]);
                break;
            }
        }
        while self.out.last() == Some(&0) {
            self.out.pop();
        }
        self.out
    }
}

impl Coder for Writer {
    const WRITES: bool = true;

    fn bit(&mut self, chance: &mut Chance, value: bool) -> bool {
        let middle = self.range.middle(*chance);
        self.range.narrow(middle, value);
        chance.learn(value);
        while let Some(byte) = self.range.certain() {
            self.out.push(byte);
        }
        value
    }
}

/// Reads decisions from bytes. After their end everything is zero: any bytes give decisions.
pub(crate) struct Reader {
    range: Range,
    value: u32,
    bytes: Arc<[u8]>,
    next: usize,
}

impl Reader {
    pub(crate) fn new(bytes: Arc<[u8]>) -> Self {
        let mut new = Self {
            range: Range::ALL,
            value: 0,
            bytes,
            next: 0,
        };
        for _ in 0..4 {
            new.shift();
        }
        new
    }

    fn shift(&mut self) {
        let byte = self.bytes.get(self.next).copied().unwrap_or(0);
        self.next = self.next.saturating_add(1);
        self.value = self.value << 8 | u32::from(byte);
    }
}

impl Coder for Reader {
    const WRITES: bool = false;

    fn bit(&mut self, chance: &mut Chance, _: bool) -> bool {
        let middle = self.range.middle(*chance);
        let value = self.value <= middle;
        self.range.narrow(middle, value);
        chance.learn(value);
        while self.range.certain().is_some() {
            self.shift();
        }
        value
    }
}

/// Numbers of which small ones are likely.
#[derive(Clone)]
pub(crate) struct Number {
    /// Whether the number, plus one, has more bits than this.
    longer: [Chance; Self::BITS],
    bits: Vec<[Chance; Self::BITS]>,
}

impl Default for Number {
    fn default() -> Self {
        Self {
            longer: [Chance::default(); Self::BITS],
            bits: vec![[Chance::default(); Self::BITS]; Self::BITS],
        }
    }
}

impl Number {
    const BITS: usize = 31;

    /// A number below 2^31 - 1.
    pub(crate) fn code<C: Coder>(&mut self, coder: &mut C, value: u32) -> u32 {
        let value = value.saturating_add(1);
        let wanted = value.checked_ilog2().unwrap_or(0) as usize;
        let mut length = 0;
        while length + 1 < Self::BITS && coder.bit(&mut self.longer[length], length < wanted) {
            length += 1;
        }
        let mut out = 1;
        for shift in (0..length).rev() {
            let bit = coder.bit(&mut self.bits[length][shift], value >> shift & 1 == 1);
            out = out << 1 | u32::from(bit);
        }
        out - 1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(values in proptest::collection::vec((any::<bool>(), 0u32..1 << 30, 0u32..1 << 15), 0..400)) {
            let mut writer = Writer::new();
            let (mut chance, mut number) = (Chance::default(), Number::default());
            for &(bit, n, raw) in &values {
                writer.bit(&mut chance, bit);
                number.code(&mut writer, n >> (n % 30));
                writer.raw(raw, 15);
            }
            let mut reader = Reader::new(writer.finish().into());
            let (mut chance, mut number) = (Chance::default(), Number::default());
            for &(bit, n, raw) in &values {
                prop_assert_eq!(reader.bit(&mut chance, false), bit);
                prop_assert_eq!(number.code(&mut reader, 0), n >> (n % 30));
                prop_assert_eq!(reader.raw(0, 15), raw);
            }
        }
    }

    #[test]
    fn what_is_expected_costs_nothing() {
        let mut writer = Writer::new();
        let mut chance = Chance::default();
        for n in 0..1_000_000 {
            writer.bit(&mut chance, n % 100_000 == 99_999);
        }
        let len = writer.finish().len();
        assert!(len < 80, "{len} bytes for ten surprises");
    }
}
