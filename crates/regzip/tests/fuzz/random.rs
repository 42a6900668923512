//! A small generator of numbers, and content that looks like files.

/// Numbers, always the same for a seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed ^ 0x9e37_79b9_7f4a_7c15)
    }

    /// Any number (splitmix64).
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() >> 11) as usize % end
    }

    /// True once in `n` times.
    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// A length: mostly short, now and then across windows and blocks.
    pub(crate) fn len(&mut self) -> usize {
        match self.below(16) {
            0..=5 => self.below(300),
            6..=11 => self.below(5000),
            12..=13 => self.below(70_000),
            14 => {
                let edge = self.pick(&[16_384, 32_768, 65_274, 65_535, 65_536, 98_304, 131_072]);
                edge - 3 + self.below(7)
            }
            _ => self.below(300_000),
        }
    }
}

/// Content of one kind or of several in turn.
pub(crate) fn content(random: &mut Random, len: usize) -> Vec<u8> {
    let single = random.one_in(2).then(|| random.below(6));
    let alphabet = 1 + random.below(60);
    let mut out = Vec::with_capacity(len + 4096);
    while out.len() < len {
        let n = 1 + random.below(1500);
        match single.unwrap_or_else(|| random.below(6)) {
            0 => out.extend(random.bytes(n)),
            1 => {
                let byte = random.next() as u8;
                out.resize(out.len() + n, byte);
            }
            // Something like text.
            2 => {
                for _ in 0..n / 6 {
                    let word = random.below(alphabet) * random.below(alphabet);
                    out.extend_from_slice(format!("{word:x} is {} ", word % 7).as_bytes());
                }
                out.push(b'\n');
            }
            // Records that differ a little.
            3 => {
                for i in 0..n / 8 {
                    out.extend_from_slice(&(i as u32 * 24).to_le_bytes());
                    out.extend_from_slice(&[0xe8, random.next() as u8 & 3, 0, 0]);
                }
            }
            // A copy from before, near or at the window's edge.
            4 if !out.is_empty() => {
                let edge = 32_506 - 270 + random.below(540);
                let near = 1 + random.below(40_000);
                let back = if random.one_in(3) { edge } else { near };
                let from = out.len().saturating_sub(back);
                for index in from..from + n {
                    out.push(out[index]);
                }
            }
            _ => out.extend((0..n).map(|_| b'a' + random.below(alphabet) as u8)),
        }
    }
    out.truncate(len);
    out
}
