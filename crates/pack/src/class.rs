//! Kinds of content: what is compressed together, and what is worth relating.

use std::io;

use crate::storage::Region;

/// A kind of content. Contents of one kind are next to each other in a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Class {
    /// Machine code: ELF, PE, Mach-O, WebAssembly.
    Program,
    /// Other binary content.
    Binary,
    /// Text in any language.
    Text,
    /// What does not compress.
    Dense,
}

/// Bytes that are looked at.
const SAMPLE: u64 = 16 << 10;
/// Shorter contents are never taken for dense ones.
const MIN_DENSE: usize = 4 << 10;

/// The number of the plain stream of what does not compress.
pub(crate) const DENSE_STREAM: u8 = 1;

impl Class {
    /// The class of a content, by a sample from its middle and by its first bytes.
    pub(crate) fn of(bytes: &Region) -> io::Result<Self> {
        let start = bytes.part(0, SAMPLE).to_vec()?;
        if is_program(&start) {
            return Ok(Self::Program);
        }
        let sample = if bytes.len() > 2 * SAMPLE {
            bytes.part(bytes.len() / 2, SAMPLE).to_vec()?
        } else {
            start
        };
        if is_dense(&sample) {
            return Ok(Self::Dense);
        }
        Ok(if is_text(&sample) {
            Self::Text
        } else {
            Self::Binary
        })
    }

    /// The number of the plain stream that contents of this class share.
    pub(crate) fn stream(self) -> u8 {
        match self {
            Self::Program | Self::Binary | Self::Text => 0,
            Self::Dense => DENSE_STREAM,
        }
    }

    /// Whether approximate matching is worth a try: code that moves changes in every address.
    pub(crate) fn relates(self) -> bool {
        matches!(self, Self::Program | Self::Binary)
    }
}

fn is_program(start: &[u8]) -> bool {
    const STARTS: [&[u8]; 5] = [
        b"\x7fELF",
        b"MZ",
        b"\xcf\xfa\xed\xfe",
        b"\xce\xfa\xed\xfe",
        b"\0asm",
    ];
    STARTS.iter().any(|magic| start.starts_with(magic))
}

/// Whether fast compression gains less than two hundredths.
pub(crate) fn is_dense(sample: &[u8]) -> bool {
    if sample.len() < MIN_DENSE {
        return false;
    }
    let compressed = zstd::bulk::compress(sample, 1).map_or(0, |bytes| bytes.len());
    compressed > sample.len() / 50 * 49
}

/// Whether nearly all bytes are printable, spaces, or beyond ASCII.
fn is_text(sample: &[u8]) -> bool {
    let odd = |&&byte: &&u8| byte < 9 || (14..32).contains(&byte) || byte == 127;
    sample.iter().filter(odd).count() <= sample.len() / 256
}
