//! Versions of Python by the first bytes of compiled modules.

/// How long the header of a compiled module is: the version, flags, and the time and size of the source or its hash.
pub(crate) const HEADER: usize = 16;

/// A version of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// Python 3.8 to 3.10: code objects have tables of lines.
    Lines,
    /// Python 3.11 and newer: code objects have tables of ranges, and instructions are followed by space that the
    /// interpreter uses.
    Ranges(&'static [(u8, u64)]),
}

impl Version {
    /// The version of a module with this start; `None` if it is not known. The numbers are those in `CPython`'s
    /// `importlib/_bootstrap_external.py`: each version has 50 of its own since 3.11.
    pub(crate) fn of(start: &[u8]) -> Option<Self> {
        let [low, high, b'\r', b'\n'] = *start.get(..4)? else {
            return None;
        };
        match u16::from_le_bytes([low, high]) {
            3400..3450 => Some(Self::Lines),
            3450..3500 => Some(Self::Ranges(&SPACE_3_11)),
            3500..3550 => Some(Self::Ranges(&SPACE_3_12)),
            3550..3600 => Some(Self::Ranges(&SPACE_3_13)),
            3600..3650 => Some(Self::Ranges(&[])),
            _ => None,
        }
    }
}

/// How much space follows an opcode, in instructions, where there is any. What is not in a table is learned.
type CacheEntries<const N: usize> = [(u8, u64); N];

const SPACE_3_11: CacheEntries<11> = [
    (25, 4),
    (60, 1),
    (92, 1),
    (95, 4),
    (106, 4),
    (107, 2),
    (116, 5),
    (122, 1),
    (160, 10),
    (166, 1),
    (171, 4),
];

const SPACE_3_12: CacheEntries<12> = [
    (25, 1),
    (60, 1),
    (92, 1),
    (93, 1),
    (95, 4),
    (106, 9),
    (107, 1),
    (116, 4),
    (122, 1),
    (123, 1),
    (141, 1),
    (171, 3),
];

const SPACE_3_13: CacheEntries<19> = [
    (5, 1),
    (39, 1),
    (40, 3),
    (45, 1),
    (53, 3),
    (58, 1),
    (59, 1),
    (72, 1),
    (77, 1),
    (82, 9),
    (91, 4),
    (93, 1),
    (97, 1),
    (98, 1),
    (99, 1),
    (100, 1),
    (104, 1),
    (108, 4),
    (117, 1),
];
