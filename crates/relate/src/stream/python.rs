//! The streams of the codec python.

/// A stream, by the number of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum PythonStream {
    /// The header of the module.
    Header = 0,
    /// The byte before each object that says what it is.
    Types = 1,
    /// How many items or bytes objects have.
    Counts = 2,
    /// How many arguments, locals and slots on the stack code objects have, and their flags.
    Numbers = 3,
    /// The line that each code object begins in.
    FirstLines = 4,
    /// References to earlier objects.
    References = 5,
    /// Numbers and other values as they are.
    Values = 6,
    /// The opcode of each instruction.
    Opcodes = 7,
    /// The argument of each instruction, as far as it is not predicted.
    Arguments = 8,
    /// Cache entries after opcodes where their number is unusual.
    CacheEntries = 9,
    /// How many instructions each range of the source belongs to.
    Spans = 10,
    /// Ranges of the source, in tokens.
    Ranges = 11,
    /// Ranges of the source that are not tokens: lines and columns.
    Columns = 12,
    /// Tables of exceptions, and of lines before Python 3.11.
    Tables = 13,
    /// Where the source contains a string.
    Sources = 14,
    /// How long parts of strings are.
    Lengths = 15,
    /// Strings that the source does not contain.
    Text = 16,
    /// Names of code objects with those around them.
    Qualified = 17,
    /// Kinds of locals.
    LocalKinds = 18,
}

const NAMES: [&str; 19] = [
    "headers",
    "types",
    "counts",
    "numbers",
    "first lines",
    "references",
    "values",
    "opcodes",
    "arguments",
    "cache entries",
    "spans",
    "ranges",
    "columns",
    "tables",
    "sources of strings",
    "lengths of strings",
    "strings",
    "qualified names",
    "kinds of locals",
];

/// The name of the stream with this number.
pub(super) fn name(number: u8) -> Option<&'static str> {
    NAMES.get(usize::from(number)).copied()
}
