//! Names and versions of codecs.

use std::fmt;

/// Defines what streams mean. A decoder refuses a codec or version that it does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Codec {
    /// Which codec: 1 is matching, 2 is program, 3 is python.
    pub id: u8,
    /// The version of its rules.
    pub version: u8,
}

impl Codec {
    /// Approximate matching: copies with differences, and literals.
    pub const MATCHING: Self = Self { id: 1, version: 1 };
    /// Matching within each part of a program; references in copied bytes are predicted, and what is
    /// not copied is stored in forms of its own.
    pub const PROGRAM: Self = Self { id: 2, version: 4 };
    /// Its third version, which only decoders know: literals of code are stored as they are.
    pub const PROGRAM_3: Self = Self { id: 2, version: 3 };
    /// Its second version, which only decoders know: fields are found in whole parts, on arm64 only neighbouring
    /// instructions form an address, and only ELF is known.
    pub const PROGRAM_2: Self = Self { id: 2, version: 2 };
    /// Its first version, which only decoders know: Go's links to types and its index of functions are not parts.
    pub const PROGRAM_1: Self = Self { id: 2, version: 1 };
    /// Compiled Python modules by their parts, given their source.
    pub const PYTHON: Self = Self { id: 3, version: 1 };
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id {
            1 => write!(f, "matching {}", self.version),
            2 => write!(f, "program {}", self.version),
            3 => write!(f, "python {}", self.version),
            id => write!(f, "codec {id} version {}", self.version),
        }
    }
}
