//! The header of a dynamic block: two codes as a list of code lengths, in runs (RFC 1951, 3.2.7).

use super::bits::BitWriter;
use super::huffman::{Code, build, total_bits};
use super::token::{CODE_LENGTH_ORDER, CODE_LENGTHS};

/// The run-length coded list of code lengths that opens a dynamic block.
pub(crate) struct CodeLengths {
    /// Symbol and the value of its extra bits.
    runs: Vec<(u8, u8)>,
    codes: [Code; CODE_LENGTHS],
    count: usize,
    /// Bits of the block header.
    pub(crate) size: usize,
}

impl CodeLengths {
    pub(crate) fn new(literals: &[Code], distances: &[Code]) -> Self {
        let mut runs = Vec::with_capacity(320);
        let mut lengths = literals.iter().chain(distances).map(|c| c.len).peekable();
        while let Some(len) = lengths.next() {
            let mut run = 1;
            while lengths.next_if_eq(&len).is_some() {
                run += 1;
            }
            push_run(&mut runs, len, run);
        }
        let mut freq = [0u32; CODE_LENGTHS];
        for &(symbol, _) in &runs {
            freq[usize::from(symbol)] += 1;
        }
        let mut codes = [Code::default(); CODE_LENGTHS];
        build(&freq, 7, &mut codes);
        let mut count = CODE_LENGTHS;
        while count > 4 && freq[CODE_LENGTH_ORDER[count - 1]] == 0 {
            count -= 1;
        }
        let extra = freq[16] * 2 + freq[17] * 3 + freq[18] * 7;
        let size = 3 + 5 + 5 + 4 + 3 * count + total_bits(&codes, &freq) + extra as usize;
        Self {
            runs,
            codes,
            count,
            size,
        }
    }

    /// The start of a block that is not the last, with so many codes listed.
    pub(crate) fn begin_block(&self, bits: &mut BitWriter, literals: usize, distances: usize) {
        bits.put(0b100, 3);
        bits.put(literals as u64 - 257, 5);
        bits.put(distances as u64 - 1, 5);
        self.write(bits);
    }

    /// Everything after the two symbol counts.
    fn write(&self, bits: &mut BitWriter) {
        bits.put(self.count as u64 - 4, 4);
        for &symbol in &CODE_LENGTH_ORDER[..self.count] {
            bits.put(u64::from(self.codes[symbol].len), 3);
        }
        for &(symbol, extra) in &self.runs {
            let code = self.codes[usize::from(symbol)];
            bits.put(u64::from(code.bits), u32::from(code.len));
            match symbol {
                16 => bits.put(u64::from(extra), 2),
                17 => bits.put(u64::from(extra), 3),
                18 => bits.put(u64::from(extra), 7),
                _ => {}
            }
        }
    }
}

/// Splits `run` equal code lengths into symbols, greedily, as Go does.
pub(crate) fn push_run(runs: &mut Vec<(u8, u8)>, len: u8, mut run: usize) {
    if len == 0 {
        while run >= 11 {
            let n = run.min(138);
            runs.push((18, (n - 11) as u8));
            run -= n;
        }
        if run >= 3 {
            runs.push((17, (run - 3) as u8));
            run = 0;
        }
    } else {
        runs.push((len, 0));
        run -= 1;
        while run >= 3 {
            let n = run.min(6);
            runs.push((16, (n - 3) as u8));
            run -= n;
        }
    }
    runs.extend(std::iter::repeat_n((len, 0), run));
}
