//! Streams: what an encoded content consists of.

use std::fmt;
use std::io::Read;

use crate::codec::Codec;

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
    /// What kind of bytes it says it about: the number of a [`Kind`], or of a kind of field for
    /// [`Class::Fields`].
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
}

impl Class {
    /// All classes, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Layout,
        Self::Runs,
        Self::Lengths,
        Self::Sources,
        Self::Literals,
        Self::Gaps,
        Self::Differences,
        Self::Fields,
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
        }
    }
}

/// A kind of bytes within a content. Bytes of one kind resemble each other and share streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// Anything else.
    Other = 0,
}

impl Kind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 1] = [Self::Other];

    /// The kind with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    fn name(self) -> &'static str {
        match self {
            Self::Other => "other bytes",
        }
    }
}
