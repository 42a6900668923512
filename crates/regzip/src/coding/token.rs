//! Deflate symbols: literals and matches packed in a `u32`, and the tables of RFC 1951.

/// A literal byte, or a match with its length and distance.
///
/// Literals are the byte itself; matches set the top bit and carry `length - 3` in bits 16 to 23
/// and `distance - 1` in the low 16 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token(u32);

const MATCH: u32 = 1 << 31;

impl Token {
    pub(crate) const fn literal(byte: u8) -> Self {
        Self(byte as u32)
    }

    /// `length` in 3..=258, `distance` in 1..=32768.
    pub(crate) const fn new_match(length: u32, distance: u32) -> Self {
        Self(MATCH | (length - MIN_MATCH) << 16 | (distance - 1))
    }

    pub(crate) const fn is_match(self) -> bool {
        self.0 & MATCH != 0
    }

    /// Plain bytes that it represents.
    pub(crate) const fn plain_len(self) -> usize {
        if self.is_match() {
            self.length_index() + MIN_MATCH as usize
        } else {
            1
        }
    }

    /// The byte of a literal.
    pub(crate) const fn byte(self) -> u8 {
        self.0 as u8
    }

    /// `length - 3` of a match.
    pub(crate) const fn length_index(self) -> usize {
        (self.0 >> 16 & 0xff) as usize
    }

    /// `distance - 1` of a match.
    pub(crate) const fn distance_index(self) -> usize {
        (self.0 & 0xffff) as usize
    }
}

/// The shortest match that the format can express.
pub(crate) const MIN_MATCH: u32 = 3;
/// The longest match.
pub(crate) const MAX_MATCH: usize = 258;
/// The largest distance.
pub(crate) const WINDOW: usize = 1 << 15;
/// The most bytes that one stored block holds.
pub(crate) const MAX_STORED: usize = 65535;
/// Literal and length symbols in use.
pub(crate) const LITERALS: usize = 286;
/// Distance symbols in use.
pub(crate) const DISTANCES: usize = 30;
/// The end-of-block symbol.
pub(crate) const END_OF_BLOCK: usize = 256;
/// Symbols of the code that describes the code lengths.
pub(crate) const CODE_LENGTHS: usize = 19;

/// Extra bits by length code (symbol - 257).
pub(crate) const LENGTH_EXTRA: [u8; 29] = [
    0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
];

/// `length - 3` at which each length code starts.
pub(crate) const LENGTH_BASE: [u16; 29] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128,
    160, 192, 224, 255,
];

/// Extra bits by distance code.
pub(crate) const DISTANCE_EXTRA: [u8; 30] = [
    0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13,
    13,
];

/// `distance - 1` at which each distance code starts.
pub(crate) const DISTANCE_BASE: [u16; 30] = [
    0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536,
    2048, 3072, 4096, 6144, 8192, 12288, 16384, 24576,
];

/// The order in which a dynamic header lists the lengths of the code length code.
pub(crate) const CODE_LENGTH_ORDER: [usize; 19] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];

/// Length code by `length - 3`.
pub(crate) static LENGTH_CODE: [u8; 256] = length_codes();

/// Distance code by `distance - 1` below 256, and by `(distance - 1) >> 7` from 256 on.
static DISTANCE_CODE: [u8; 512] = distance_codes();

/// The distance code of `distance - 1`.
pub(crate) fn distance_code(index: usize) -> usize {
    let slot = if index < 256 {
        index
    } else {
        256 + (index >> 7)
    };
    usize::from(DISTANCE_CODE[slot & 511])
}

const fn length_codes() -> [u8; 256] {
    let mut table = [0u8; 256];
    let mut code = 0;
    while code < 29 {
        let mut index = LENGTH_BASE[code] as usize;
        let end = if code == 28 {
            256
        } else {
            LENGTH_BASE[code + 1] as usize
        };
        while index < end {
            table[index] = code as u8;
            index += 1;
        }
        code += 1;
    }
    table
}

const fn distance_codes() -> [u8; 512] {
    let mut table = [0u8; 512];
    let mut code = 0;
    while code < 30 {
        let start = DISTANCE_BASE[code] as usize;
        let end = if code == 29 {
            WINDOW
        } else {
            DISTANCE_BASE[code + 1] as usize
        };
        let mut index = start;
        while index < end {
            if index < 256 {
                table[index] = code as u8;
                index += 1;
            } else {
                table[256 + (index >> 7)] = code as u8;
                index += 128;
            }
        }
        code += 1;
    }
    table
}
