//! The streams of columns: what is alike in the entries of a table of a program.

/// A stream, by the number of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Column {
    /// How many bytes of each part are in columns.
    Covered = 0,
    /// Headers of units.
    Headers = 1,
    /// What each entry of a list of locations is.
    LocationKinds = 2,
    /// Indexes of addresses that locations count from.
    LocationBases = 3,
    /// Where a location starts, counted from the end of the one before.
    LocationStarts = 4,
    /// How long a location counts.
    LocationLengths = 5,
    /// Expressions of locations.
    Expressions = 6,
    /// What each entry of a list of ranges is.
    RangeKinds = 7,
    /// Indexes of addresses that ranges count from.
    RangeBases = 8,
    /// Where a range starts, counted from the end of the one before.
    RangeStarts = 9,
    /// How long a range is.
    RangeLengths = 10,
    /// Go's tables of values by program counter: changes of the value.
    Values = 11,
    /// The same: how far each value counts.
    Distances = 12,
    /// The abbreviation of each debug entry.
    Codes = 13,
    /// Strings in debug entries.
    Strings = 14,
    /// Indexes of addresses in debug entries.
    Indexes = 15,
    /// References to debug entries.
    References = 16,
    /// References to lists of locations and ranges.
    Lists = 17,
    /// Blocks and expressions in debug entries.
    Blocks = 18,
    /// Headers of line programs, with their tables of folders and files.
    LineHeaders = 19,
    /// Opcodes of line programs.
    LineCodes = 20,
    /// How far instructions advance the address.
    LineAdvances = 21,
    /// How far instructions advance the line.
    LineSteps = 22,
    /// Files of line programs.
    LineFiles = 23,
    /// Operands of other instructions of line programs.
    LineOperands = 24,
}

const NAMES: [&str; 25] = [
    "lengths of columns",
    "unit headers",
    "kinds of locations",
    "bases of locations",
    "starts of locations",
    "lengths of locations",
    "expressions of locations",
    "kinds of ranges",
    "bases of ranges",
    "starts of ranges",
    "lengths of ranges",
    "changes of values",
    "distances of values",
    "codes of debug entries",
    "strings of debug entries",
    "address indexes of debug entries",
    "references of debug entries",
    "list references of debug entries",
    "blocks of debug entries",
    "headers of line programs",
    "opcodes of line programs",
    "advances of line programs",
    "steps of line programs",
    "files of line programs",
    "operands of line programs",
];

/// The first stream with numbers of debug entries, of [`NUMBERS`], by the name of the attribute.
const FIRST_NUMBERS: u8 = 32;
/// How many streams these are.
const NUMBERS: u16 = 32;

/// The stream of the numbers of an attribute with this name.
pub(crate) fn numbers(name: u16) -> u8 {
    FIRST_NUMBERS + (name % NUMBERS) as u8
}

/// The name of the stream with this number.
pub(super) fn name(number: u8) -> Option<&'static str> {
    match number {
        FIRST_NUMBERS.. => Some("numbers of debug entries"),
        number => NAMES.get(usize::from(number)).copied(),
    }
}
