//! The list of encoders: one line for each, everything else is in its descriptor.

#[cfg(test)]
mod tests;

use std::fmt::{Display, Formatter};

use crate::checkpoint::{Checkpoint, Limits};
use crate::clues::Clues;
use crate::descriptor::{Descriptor, Rank};
use crate::encode::Encode;
use crate::error::{Error, Result};
use crate::varint::Fields;

macro_rules! encoders {
    ($($name:ident: $path:path,)+) => {
        $(use $path;)+

        /// An encoder with its settings, as a recipe names it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Encoder {
            $(
                #[doc = concat!("See [`", stringify!($name), "`](struct@", stringify!($name), ").")]
                $name($name),
            )+
        }

        $(
            impl From<$name> for Encoder {
                fn from(encoder: $name) -> Self {
                    Self::$name(encoder)
                }
            }
        )+

        impl Display for Encoder {
            fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
                match self {
                    $(Self::$name(encoder) => encoder.fmt(f),)+
                }
            }
        }

        impl Encoder {
            /// Appends the encoder's number and its settings.
            pub(crate) fn put(self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$name(encoder) => {
                        out.push($name::NUMBER);
                        encoder.put(out);
                    })+
                }
            }

            /// Reads what [`Encoder::put`] wrote, after the number.
            pub(crate) fn get(number: u8, fields: &mut Fields<'_>) -> Result<Self> {
                match number {
                    $($name::NUMBER => $name::get(fields).map(Self::$name),)+
                    _ => Err(Error::BadRecipe("unknown encoder")),
                }
            }

            /// All encoders that may have written a stream with these clues, in the order of the list.
            fn ranked(clues: &Clues) -> Vec<(Rank, Self)> {
                let mut all = Vec::new();
                $(
                    let candidates = $name::candidates(clues).into_iter();
                    all.extend(candidates.map(|(rank, encoder)| (rank, Self::$name(encoder))));
                )+
                all
            }

            /// See [`Descriptor::opening`].
            pub(crate) fn opening(self) -> Option<(Self, u64)> {
                match self {
                    $(Self::$name(encoder) => {
                        encoder.opening().map(|(same, block)| (same.into(), block))
                    })+
                }
            }
        }

        encoders!(@forward [$($name)+]
            start() -> Box<dyn Encode>;
            resume(checkpoint: &Checkpoint, history: &[u8]) -> Box<dyn Encode>;
            limits() -> Option<Limits>;
            marks(at: u64, before: u64) -> bool;
            has_unusual_blocks(plain_len: u64) -> bool;
            ends_blocks_with_writes() -> bool;
            flushes_fully() -> bool;
            flushes_at_the_end() -> bool;
        );
    };
    (@forward $names:tt $($method:ident($($argument:ident: $type:ty),*) -> $output:ty;)+) => {
        impl Encoder {
            $(encoders! {
                @method $names $method ($($argument: $type),*) ($($argument),*) -> $output
            })+
        }
    };
    (@method [$($name:ident)+] $method:ident ($($parameters:tt)*) $arguments:tt -> $output:ty) => {
        #[doc = concat!("See [`Descriptor::", stringify!($method), "`].")]
        pub(crate) fn $method(self, $($parameters)*) -> $output {
            match self {
                $(Self::$name(encoder) => encoder.$method $arguments,)+
            }
        }
    };
}

// Of candidates with the same rank, those of encoders that come first in this list are tried first.
encoders! {
    Go: crate::go::Go,
    Pgzip: crate::klauspost::Pgzip,
    Klauspost: crate::klauspost::Klauspost,
    GnuGzip: crate::zlib::GnuGzip,
    Pigz: crate::zlib::Pigz,
    BusyBox: crate::zlib::BusyBox,
    Zlib: crate::zlib::Zlib,
    Stored: crate::stored::Stored,
}

impl Encoder {
    /// All encoders that may have written a stream with these clues, in groups, the likeliest first: a group
    /// is tried if none of those before it fits.
    pub(crate) fn candidates(clues: &Clues) -> Vec<Vec<Self>> {
        let mut all = Self::ranked(clues);
        all.sort_by_key(|&(rank, _)| rank);
        let groups = all.chunk_by(|a, b| a.0 == b.0);
        groups
            .map(|group| group.iter().map(|&(_, encoder)| encoder).collect())
            .collect()
    }

    /// Fails if there is no such encoder: a recipe that names it would not be read.
    pub(crate) fn check(self) -> Result<()> {
        let mut bytes = Vec::new();
        self.put(&mut bytes);
        let mut fields = Fields::new(&bytes);
        let number = fields.byte()?;
        Self::get(number, &mut fields).map(drop)
    }
}
