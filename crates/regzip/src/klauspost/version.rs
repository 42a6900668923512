//! The versions of klauspost/compress that write other bytes than those before.
//!
//! Found by comparing the sources of all releases; the tests run the first and the last release of each range.
//! All releases of a range write the same bytes.

/// A range of releases of klauspost/compress that write the same bytes, named after its first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Version {
    /// 1.9.0 to 1.9.7.
    From1_9_0,
    /// 1.9.8 to 1.10.0.
    From1_9_8,
    /// 1.10.1.
    From1_10_1,
    /// 1.10.2 to 1.11.12.
    From1_10_2,
    /// 1.11.13 to 1.12.1.
    From1_11_13,
    /// 1.12.2.
    From1_12_2,
    /// 1.12.3 to 1.13.6.
    From1_12_3,
    /// 1.14.0 and 1.14.1.
    From1_14_0,
    /// 1.14.2.
    From1_14_2,
    /// 1.14.3 and 1.14.4.
    From1_14_3,
    /// 1.15.0 to 1.15.9.
    From1_15_0,
    /// 1.15.10.
    From1_15_10,
    /// 1.15.11 to 1.15.14.
    From1_15_11,
    /// 1.15.15 to 1.17.11.
    From1_15_15,
    /// 1.18.0.
    From1_18_0,
    /// 1.18.1, which was withdrawn.
    From1_18_1,
    /// 1.18.2 and later, and Go's own encoder from 1.27 on, which was made from it.
    From1_18_2,
}

/// What is known of a range.
struct ReleaseRange {
    version: Version,
    first: &'static str,
    last: &'static str,
    /// Levels that are written otherwise than in the range before. In 1.10.1 this shows only after
    /// a dictionary, which pgzip sets.
    changes: &'static [i8],
}

const ALL_LEVELS: &[i8] = &[-2, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const FAST: &[i8] = &[1, 2, 3, 4, 5, 6];
const LAZY: &[i8] = &[7, 8, 9];
const FAST_AND_LAZY: &[i8] = &[1, 2, 3, 4, 5, 6, 7, 8, 9];
const FAST_AND_PLAIN: &[i8] = &[-2, 1, 2, 3, 4, 5, 6];

const fn range(
    version: Version,
    first: &'static str,
    last: &'static str,
    changes: &'static [i8],
) -> ReleaseRange {
    ReleaseRange {
        version,
        first,
        last,
        changes,
    }
}

/// All ranges, in order. What changes is in [`super::behaviour`].
static RANGES: [ReleaseRange; 17] = [
    range(Version::From1_9_0, "1.9.0", "1.9.7", FAST_AND_PLAIN),
    range(Version::From1_9_8, "1.9.8", "1.10.0", FAST_AND_PLAIN),
    range(Version::From1_10_1, "1.10.1", "1.10.1", FAST),
    range(Version::From1_10_2, "1.10.2", "1.11.12", FAST_AND_PLAIN),
    range(Version::From1_11_13, "1.11.13", "1.12.1", FAST_AND_PLAIN),
    range(Version::From1_12_2, "1.12.2", "1.12.2", &[5, 6]),
    range(Version::From1_12_3, "1.12.3", "1.13.6", FAST_AND_PLAIN),
    range(Version::From1_14_0, "1.14.0", "1.14.1", FAST_AND_LAZY),
    range(Version::From1_14_2, "1.14.2", "1.14.2", FAST_AND_LAZY),
    range(Version::From1_14_3, "1.14.3", "1.14.4", ALL_LEVELS),
    range(Version::From1_15_0, "1.15.0", "1.15.9", FAST),
    range(Version::From1_15_10, "1.15.10", "1.15.10", &[5, 6]),
    range(Version::From1_15_11, "1.15.11", "1.15.14", &[1, 2, 3]),
    range(Version::From1_15_15, "1.15.15", "1.17.11", LAZY),
    range(Version::From1_18_0, "1.18.0", "1.18.0", &[4]),
    range(Version::From1_18_1, "1.18.1", "1.18.1", FAST_AND_LAZY),
    range(Version::From1_18_2, "1.18.2", "", FAST_AND_LAZY),
];

impl Version {
    /// All versions, the latest first.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        RANGES.iter().rev().map(|s| s.version)
    }

    /// The version with this number in a recipe.
    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        RANGES.get(usize::from(byte)).map(|s| s.version)
    }

    /// Whether the level is written otherwise than by the version before.
    pub(crate) fn changes(self, level: i8) -> bool {
        RANGES[self as usize].changes.contains(&level)
    }

    /// Whether what changed shows only after a dictionary.
    pub(crate) fn only_with_dictionaries(self) -> bool {
        self == Self::From1_10_1
    }

    /// Whether the encoder of this level is known. Levels 7 to 9 are from 1.14.0 on: until then the
    /// sizes of writes shaped what they wrote.
    pub(crate) fn knows(self, level: i8) -> bool {
        match level {
            7..=9 => self >= Self::From1_14_0,
            _ => ALL_LEVELS.contains(&level),
        }
    }

    /// The first and the last release that write this level as this version does; the last is
    /// empty if there is none yet.
    fn releases(self, level: i8) -> (&'static str, &'static str) {
        let (before, after) = RANGES.split_at(self as usize + 1);
        let first = before.iter().rfind(|s| s.changes.contains(&level));
        let same = after
            .iter()
            .take_while(|s| !s.changes.contains(&level))
            .last();
        let this = &RANGES[self as usize];
        (first.unwrap_or(this).first, same.unwrap_or(this).last)
    }

    /// The encoder of a level in words.
    pub(crate) fn describe(self, level: i8) -> String {
        match self.releases(level) {
            (first, "") => format!("klauspost >={first}"),
            (first, last) if first == last => format!("klauspost {first}"),
            (first, last) => format!("klauspost {first} to {last}"),
        }
    }
}
