//! What differs between versions of klauspost/compress, in one table.

use super::version::Version;

/// How a version decides and what it writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behaviour {
    pub(crate) version: Version,
    pub(crate) tables: TableSize,
    /// Levels 1 to 6 make use of a dictionary.
    pub(crate) dictionary: bool,
    /// Bytes in a block of level -2.
    pub(crate) plain_block: usize,
    /// Bytes at a match's beginning that a better one at its end may lack at first, where such
    /// are looked for at all (levels 5 and 6).
    pub(crate) improves: Option<usize>,
    /// How long matches are cut: at the longest that there is, if enough is left.
    pub(crate) whole_pieces: bool,
    /// How levels 1 to 3 hash.
    pub(crate) fast_hash: FastHash,
    /// How level 3 proceeds after a match.
    pub(crate) level3: Level3Rule,
    /// Level 4 measures the length of a match at the next position from a wrong position.
    pub(crate) level4_misses: bool,
    /// How levels 7 to 9 choose.
    pub(crate) lazy: LazyRule,
    pub(crate) blocks: BlockBehaviour,
}

/// How large the tables of levels 1 to 6 are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TableSize {
    /// 2^16 entries, four times as many for level 2.
    Large,
    /// Half as many.
    Small,
}

/// How blocks are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockBehaviour {
    /// What a new table must save to be worth it, as a shift, by kind of level.
    penalty: Penalty,
    /// The stream ends with a block of fixed codes instead of an empty stored one.
    pub(crate) fixed_end: bool,
    /// What tables are built for.
    pub(crate) tables: TableRule,
    /// Blocks with more tokens are not tried with fixed codes.
    pub(crate) few_tokens: usize,
    /// The end of the block is one of the tokens that an estimate divides by.
    pub(crate) divides_by_end: bool,
    pub(crate) estimate: Estimate,
    pub(crate) literals: LiteralRule,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Penalty {
    ByLevel,
    Six,
    Eight,
    EightAndTen,
    Seven,
}

/// What tables are built for, where they may serve for several blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TableRule {
    /// They have a code for every symbol.
    Filled,
    /// They have codes for what is used, but all symbols are listed.
    Listed,
    /// The list is cut to what is used.
    Cut,
    /// And the end of the block counts even when none is written yet.
    CutWithEnd,
}

/// How the size of a block is estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Estimate {
    /// In double precision, rounded up for every symbol.
    Doubles,
    /// In single precision.
    Singles,
    /// In single precision, between 1 and 15 bits for a symbol.
    Clamped,
}

/// How a block of literals only is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LiteralRule {
    /// By an estimate in double precision.
    Doubles,
    /// By an estimate in single precision; what fills the table costs extra.
    Singles,
    /// By an estimate that spreads over what fills the table.
    Spread,
    /// By the codes that were built for it.
    Built,
    /// The same, but bytes that look random are stored at once.
    NotRandom,
}

/// How levels 1 to 3 hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FastHash {
    /// Four bytes, levels 1 and 3 with another factor.
    Four,
    /// Four bytes, level 1 with another factor.
    FourWide,
    /// Five bytes.
    Five,
}

/// How level 3 proceeds after a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level3Rule {
    /// With either candidate.
    Either,
    /// With the older candidate only, and only if the newer one does not match.
    Older,
    /// With either candidate, which must be four bytes nearer.
    Nearer,
}

/// How levels 7 to 9 choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LazyRule {
    /// By an estimate of bits for a byte.
    ByEntropy,
    /// Level 9 by codes for literals.
    ByCodes,
    /// The same with a lower price for a match, and a look at where it ends.
    Cheaper,
    /// The same with codes from the next 32 KiB only.
    Ahead,
}

impl Version {
    /// The table. Numbers are those of klauspost/compress's pull requests.
    pub(crate) fn behaviour(self) -> Behaviour {
        let since = |version: Self| self >= version;
        Behaviour {
            version: self,
            // 1.10.2, #227
            tables: if since(Self::From1_10_2) {
                TableSize::Small
            } else {
                TableSize::Large
            },
            // 1.10.1, #224
            dictionary: since(Self::From1_10_1),
            // 1.11.13, #338
            plain_block: if since(Self::From1_11_13) {
                1 << 15
            } else {
                65_535
            },
            // 1.12.2, #367; 1.15.10, #656
            improves: if since(Self::From1_15_10) {
                Some(2)
            } else if since(Self::From1_12_2) {
                Some(0)
            } else {
                None
            },
            // 1.15.0, #509
            whole_pieces: since(Self::From1_15_0),
            // 1.14.3, #478; 1.15.11, #678
            fast_hash: if since(Self::From1_15_11) {
                FastHash::Five
            } else if since(Self::From1_14_3) {
                FastHash::FourWide
            } else {
                FastHash::Four
            },
            // 1.10.2, #227; 1.14.3, #478
            level3: if since(Self::From1_14_3) {
                Level3Rule::Nearer
            } else if since(Self::From1_10_2) {
                Level3Rule::Older
            } else {
                Level3Rule::Either
            },
            // 1.18.0, #1043
            level4_misses: since(Self::From1_18_0),
            // 1.14.2, #471 and #473; 1.15.15, #739; 1.18.2, #1115
            lazy: if since(Self::From1_18_2) {
                LazyRule::Ahead
            } else if since(Self::From1_15_15) {
                LazyRule::Cheaper
            } else if since(Self::From1_14_2) {
                LazyRule::ByCodes
            } else {
                LazyRule::ByEntropy
            },
            blocks: self.block_behaviour(),
        }
    }

    fn block_behaviour(self) -> BlockBehaviour {
        let since = |version: Self| self >= version;
        BlockBehaviour {
            // 1.9.8, #207; 1.11.13, #338; 1.12.3, #374; 1.14.0, #452 and #461
            penalty: if since(Self::From1_14_0) {
                Penalty::Seven
            } else if since(Self::From1_12_3) {
                Penalty::EightAndTen
            } else if since(Self::From1_11_13) {
                Penalty::Eight
            } else if since(Self::From1_9_8) {
                Penalty::Six
            } else {
                Penalty::ByLevel
            },
            // 1.10.2, #232
            fixed_end: since(Self::From1_10_2),
            // 1.14.0, #461; 1.18.1, #1103; 1.18.2, #1115
            tables: if since(Self::From1_18_2) {
                TableRule::CutWithEnd
            } else if since(Self::From1_18_1) {
                TableRule::Cut
            } else if since(Self::From1_14_0) {
                TableRule::Listed
            } else {
                TableRule::Filled
            },
            // 1.14.3, #494
            few_tokens: if since(Self::From1_14_3) {
                250
            } else {
                usize::MAX
            },
            // 1.14.2, #471
            divides_by_end: since(Self::From1_14_2),
            // 1.9.8, #207; 1.12.3, #374
            estimate: if since(Self::From1_12_3) {
                Estimate::Clamped
            } else if since(Self::From1_9_8) {
                Estimate::Singles
            } else {
                Estimate::Doubles
            },
            // 1.9.8, #207; 1.11.13, #338; 1.12.3, #374; 1.14.3, #491
            literals: if since(Self::From1_14_3) {
                LiteralRule::NotRandom
            } else if since(Self::From1_12_3) {
                LiteralRule::Built
            } else if since(Self::From1_11_13) {
                LiteralRule::Spread
            } else if since(Self::From1_9_8) {
                LiteralRule::Singles
            } else {
                LiteralRule::Doubles
            },
        }
    }
}

impl BlockBehaviour {
    /// What a new table must save at this level, as a shift.
    pub(crate) fn penalty(&self, level: i8) -> u32 {
        match (self.penalty, level) {
            (Penalty::ByLevel | Penalty::Six, -2) => 4,
            (Penalty::ByLevel, 1..=6) => u32::from(level.unsigned_abs()) + 1,
            (Penalty::ByLevel, _) => u32::from(level.unsigned_abs()),
            (Penalty::Six, 1..=6) => 6,
            (Penalty::Seven, 1..=6) => 7,
            (Penalty::Eight, -2 | 1..=6)
            | (Penalty::EightAndTen, 1..=6)
            | (Penalty::Seven, 7..=9) => 8,
            _ => 10,
        }
    }
}
