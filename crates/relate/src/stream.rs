//! Streams: what an encoded content consists of.

mod columns;
mod python;

use std::fmt;
use std::io::Read;

use crate::codec::Codec;

pub(crate) use columns::{Column, numbers};
pub(crate) use python::PythonStream;

/// An encoded content: a codec and its streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// What the streams mean.
    pub codec: Codec,
    /// The streams that are not empty, in ascending order of their identifiers.
    pub streams: Vec<Stream>,
}

impl Encoded {
    /// The streams as inputs of [`crate::decode`].
    pub fn inputs(&self) -> Vec<Input<'_>> {
        self.streams
            .iter()
            .map(|stream| Input {
                id: stream.id,
                reader: Box::new(stream.bytes.as_slice()),
            })
            .collect()
    }
}

/// One raw stream of an encoded content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// What it contains.
    pub id: StreamId,
    /// Its bytes, not yet compressed.
    pub bytes: Vec<u8>,
}

/// One raw stream given to the decoder.
pub struct Input<'a> {
    /// What it contains.
    pub id: StreamId,
    /// Its bytes; read in sequence, a bounded amount ahead.
    pub reader: Box<dyn Read + 'a>,
}

/// Identifies a stream within an encoded content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId {
    /// What it says.
    pub class: Class,
    /// What kind of bytes it says it about: the number of a [`Kind`], of a kind of field for [`Class::Fields`], of a
    /// part for [`Class::Python`], or of a column.
    pub kind: u8,
}

impl StreamId {
    /// The number that a container stores: the class in the high byte, the kind in the low one.
    pub fn number(self) -> u16 {
        u16::from(self.class as u8) << 8 | u16::from(self.kind)
    }

    /// The identifier with this number; `None` if its class is not known.
    pub fn from_number(number: u16) -> Option<Self> {
        let class = Class::ALL
            .into_iter()
            .find(|class| *class as u16 == number >> 8)?;
        Some(Self {
            class,
            kind: number as u8,
        })
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = self.class.name();
        if self.class == Class::Layout || self.class == Class::Fields {
            return write!(f, "{class} {}", self.kind);
        }
        if self.class == Class::Python {
            let name = python::name(self.kind).unwrap_or("unknown parts");
            return write!(f, "{name} of compiled Python");
        }
        if self.class == Class::Columns {
            let name = columns::name(self.kind).unwrap_or("unknown columns");
            return f.write_str(name);
        }
        match Kind::from_number(self.kind) {
            Some(kind) => write!(f, "{class} of {}", kind.name()),
            None => write!(f, "{class} of kind {}", self.kind),
        }
    }
}

/// What a stream says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Class {
    /// Where the pieces of a program are.
    Layout = 0,
    /// How many literals precede each copy, as variable-length integers.
    Runs = 1,
    /// How long each copy is.
    Lengths = 2,
    /// Where each copy comes from, relative to the one before.
    Sources = 3,
    /// Bytes that are not copied.
    Literals = 4,
    /// How many copied bytes are equal before each that is not.
    Gaps = 5,
    /// What is added to each copied byte that is not equal.
    Differences = 6,
    /// What is added to predicted references.
    Fields = 7,
    /// Parts of compiled Python modules; the kind has its own numbers.
    Python = 8,
    /// Columns of tables; the kind has its own numbers.
    Columns = 9,
}

impl Class {
    /// All classes, in the order of their numbers.
    pub const ALL: [Self; 10] = [
        Self::Layout,
        Self::Runs,
        Self::Lengths,
        Self::Sources,
        Self::Literals,
        Self::Gaps,
        Self::Differences,
        Self::Fields,
        Self::Python,
        Self::Columns,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Layout => "layout",
            Self::Runs => "runs",
            Self::Lengths => "lengths",
            Self::Sources => "sources",
            Self::Literals => "literals",
            Self::Gaps => "gaps",
            Self::Differences => "differences",
            Self::Fields => "fields",
            Self::Python => "Python",
            Self::Columns => "columns",
        }
    }
}

/// A kind of bytes within a content. Bytes of one kind resemble each other and share streams. Parts of a program
/// are coded in the order of these numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// Anything else.
    Other = 0,
    /// Strings of the symbol table.
    Strings = 1,
    /// The symbol table.
    Symbols = 2,
    /// `.debug_loclists`.
    Locations = 3,
    /// `.debug_rnglists`.
    Ranges = 4,
    /// Machine code.
    Text = 5,
    /// Read-only data.
    ReadOnly = 6,
    /// The header of Go's table of functions.
    FuncHeader = 7,
    /// Names of Go's functions.
    FuncNames = 8,
    /// Files of Go's compilation units.
    UnitFiles = 9,
    /// Names of Go's source files.
    FileNames = 10,
    /// Go's tables of values by program counter.
    PcValues = 11,
    /// Descriptions of Go's functions.
    Funcs = 12,
    /// The table of Go's functions.
    FuncTable = 13,
    /// Data of Go's functions.
    FuncData = 14,
    /// Writable data.
    Data = 15,
    /// `.debug_line`.
    Lines = 16,
    /// `.debug_frame`.
    Frames = 17,
    /// `.debug_info`.
    Info = 18,
    /// `.debug_addr`.
    Addresses = 19,
    /// `.debug_abbrev`.
    Abbreviations = 20,
    /// `.eh_frame`.
    CallFrames = 21,
    /// `.eh_frame_hdr`.
    CallFrameIndex = 22,
    /// Strings of the dynamic symbol table.
    DynamicStrings = 23,
    /// The dynamic symbol table.
    DynamicSymbols = 24,
    /// Relocations.
    Relocations = 25,
    /// Offsets of Go's types, in the order of their names.
    TypeLinks = 26,
    /// Go's index of functions by address.
    FuncIndex = 27,
}

impl Kind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 28] = [
        Self::Other,
        Self::Strings,
        Self::Symbols,
        Self::Locations,
        Self::Ranges,
        Self::Text,
        Self::ReadOnly,
        Self::FuncHeader,
        Self::FuncNames,
        Self::UnitFiles,
        Self::FileNames,
        Self::PcValues,
        Self::Funcs,
        Self::FuncTable,
        Self::FuncData,
        Self::Data,
        Self::Lines,
        Self::Frames,
        Self::Info,
        Self::Addresses,
        Self::Abbreviations,
        Self::CallFrames,
        Self::CallFrameIndex,
        Self::DynamicStrings,
        Self::DynamicSymbols,
        Self::Relocations,
        Self::TypeLinks,
        Self::FuncIndex,
    ];

    /// The kind with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The name, in the plural.
    pub fn name(self) -> &'static str {
        match self {
            Self::Other => "other bytes",
            Self::Strings => "symbol strings",
            Self::Symbols => "symbols",
            Self::Locations => "location lists",
            Self::Ranges => "range lists",
            Self::Text => "text",
            Self::ReadOnly => "read-only data",
            Self::FuncHeader => "function table header",
            Self::FuncNames => "function names",
            Self::UnitFiles => "unit files",
            Self::FileNames => "file names",
            Self::PcValues => "program counter values",
            Self::Funcs => "functions",
            Self::FuncTable => "function table",
            Self::FuncData => "function data",
            Self::Data => "data",
            Self::Lines => "line programs",
            Self::Frames => "frames",
            Self::Info => "debug entries",
            Self::Addresses => "debug addresses",
            Self::Abbreviations => "abbreviations",
            Self::CallFrames => "call frames",
            Self::CallFrameIndex => "call frame index",
            Self::DynamicStrings => "dynamic symbol strings",
            Self::DynamicSymbols => "dynamic symbols",
            Self::Relocations => "relocations",
            Self::TypeLinks => "type links",
            Self::FuncIndex => "function index",
        }
    }
}
