//! The head: what is needed to find, check and decode everything else.

use sealift_mixing::Model;
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Part, Result, damaged};

const MAGIC: [u8; 8] = *b"SEALPACK";
/// Versions that are read: packs that are complete in themselves, and packs with bases.
const VERSIONS: std::ops::RangeInclusive<u32> = 1..=2;
/// Bytes before the table of streams.
const FIXED: usize = 64;
/// Bytes of one row of that table.
const ROW: usize = 56;
const DIGEST: usize = 32;
/// A pack has at most so many streams.
pub(crate) const MAX_STREAMS: usize = 4096;
/// No window is larger: 128 MiB.
const MAX_WINDOW: u8 = 27;
/// An index is not longer than this, in bytes: it is held in memory, where it takes several times as
/// much.
pub(crate) const MAX_INDEX: u64 = 16 << 20;
/// Mixed streams of a pack are not longer together, decompressed: they take a second a megabyte.
pub(crate) const MAX_MIXED: u64 = 64 << 20;

/// Where the index and the streams lie, and their digests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The version of the format: 1, or 2 if the pack has bases.
    pub(crate) version: u32,
    /// Stored and decompressed length of the index, in bytes.
    pub(crate) index_stored: u64,
    pub(crate) index_raw: u64,
    /// SHA-256 of the stored index.
    pub(crate) index_digest: [u8; DIGEST],
    pub(crate) streams: Vec<StreamEntry>,
}

/// A stream: bytes of one kind, of all objects, compressed together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StreamEntry {
    pub(crate) kind: StreamKind,
    pub(crate) coding: Coding,
    /// Base-two logarithm of the window that the decoder needs, in bytes; 0 if it needs none.
    pub(crate) window: u8,
    /// Decompressed and stored length in bytes.
    pub(crate) raw: u64,
    pub(crate) stored: u64,
    /// SHA-256 of the stored bytes.
    pub(crate) digest: [u8; DIGEST],
}

/// What the bytes of a stream are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum StreamKind {
    /// What is between the files of tars: headers and padding.
    Structure,
    /// Objects as they are; the number tells streams of different content apart and means nothing.
    Plain(u8),
    /// A stream of a codec of the crate relate, by the codec's number for it.
    Related(u16),
}

impl StreamKind {
    fn numbers(self) -> (u8, u16) {
        match self {
            Self::Structure => (1, 0),
            Self::Plain(number) => (2, u16::from(number)),
            Self::Related(number) => (3, number),
        }
    }

    fn from_numbers(group: u8, number: u16) -> Option<Self> {
        match (group, number) {
            (1, 0) => Some(Self::Structure),
            (2, number) => u8::try_from(number).ok().map(Self::Plain),
            (3, number) => Some(Self::Related(number)),
            _ => None,
        }
    }
}

impl std::fmt::Display for StreamKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Structure => f.write_str("structure"),
            Self::Plain(number) => write!(f, "plain objects {number}"),
            Self::Related(number) => match relate::StreamId::from_number(*number) {
                Some(id) => id.fmt(f),
                None => write!(f, "codec stream {number}"),
            },
        }
    }
}

/// How a stream is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// As it is.
    Raw,
    /// One zstd frame (RFC 8878).
    Zstd,
    /// By the crate mixing, with one of its models.
    Mixed(Model),
}

/// The length of a head with so many streams.
pub(crate) fn head_len(streams: usize) -> usize {
    FIXED + streams * ROW + DIGEST
}

impl Head {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(head_len(self.streams.len()));
        out.extend(MAGIC);
        out.extend(self.version.to_le_bytes());
        let count = u32::try_from(self.streams.len()).unwrap_or(u32::MAX);
        out.extend(count.to_le_bytes());
        out.extend(self.index_stored.to_le_bytes());
        out.extend(self.index_raw.to_le_bytes());
        out.extend(self.index_digest);
        for stream in &self.streams {
            stream.put(&mut out);
        }
        let digest: [u8; DIGEST] = Sha256::digest(&out).into();
        out.extend(digest);
        out
    }

    /// How many streams a pack has that starts with these bytes, [`Head::START`] of them.
    pub(crate) fn stream_count(start: &[u8]) -> Result<usize> {
        if start.get(..8) != Some(&MAGIC) {
            return Err(damaged(Part::Head, "it does not start like a pack"));
        }
        let version = u32_at(start, 8)?;
        if !VERSIONS.contains(&version) {
            return Err(unsupported("format version", u64::from(version)));
        }
        let count = u32_at(start, 12)? as usize;
        if count > MAX_STREAMS {
            return Err(damaged(Part::Head, "too many streams"));
        }
        Ok(count)
    }

    /// So many bytes tell how long the head is.
    pub(crate) const START: usize = 16;

    /// Reads a head; fails on anything that [`Head::to_bytes`] would not write.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let count = Self::stream_count(bytes)?;
        if bytes.len() != head_len(count) {
            return Err(damaged(Part::Head, "it is not as long as it says"));
        }
        let (covered, digest) = bytes.split_at(bytes.len() - DIGEST);
        if Sha256::digest(covered).as_slice() != digest {
            return Err(damaged(Part::Head, "its digest differs"));
        }
        let rows = covered[FIXED..].chunks_exact(ROW);
        let head = Self {
            version: u32_at(covered, 8)?,
            index_stored: u64_at(covered, 16)?,
            index_raw: u64_at(covered, 24)?,
            index_digest: digest_at(covered, 32)?,
            streams: rows.map(StreamEntry::get).collect::<Result<_>>()?,
        };
        if head.pack_len().is_none() || head.raw_len().is_none() {
            return Err(damaged(Part::Head, "impossible lengths"));
        }
        let mixed = head.streams.iter().filter(|stream| stream.is_mixed());
        if mixed.map(|stream| stream.raw).sum::<u64>() > MAX_MIXED {
            return Err(damaged(Part::Head, "its mixed streams are too long"));
        }
        Ok(head)
    }

    /// The length of the complete pack in bytes, if that is a number.
    pub(crate) fn pack_len(&self) -> Option<u64> {
        let start = (head_len(self.streams.len()) as u64).checked_add(self.index_stored);
        let add = |sum: u64, stream: &StreamEntry| sum.checked_add(stream.stored);
        self.streams.iter().try_fold(start?, add)
    }

    /// The length of all streams decompressed, if that is a number.
    pub(crate) fn raw_len(&self) -> Option<u64> {
        let add = |sum: u64, stream: &StreamEntry| sum.checked_add(stream.raw);
        self.streams.iter().try_fold(0, add)
    }
}

impl StreamEntry {
    /// Resident bytes that decompression needs.
    pub(crate) fn memory(&self) -> u64 {
        match self.coding {
            Coding::Raw => 0,
            Coding::Zstd => 1 << self.window,
            Coding::Mixed(_) => sealift_mixing::MEMORY,
        }
    }

    pub(crate) fn is_mixed(&self) -> bool {
        matches!(self.coding, Coding::Mixed(_))
    }

    fn put(&self, out: &mut Vec<u8>) {
        let (group, number) = self.kind.numbers();
        let (coding, model) = match self.coding {
            Coding::Raw => (0, 0),
            Coding::Zstd => (1, 0),
            Coding::Mixed(model) => (2, model.number()),
        };
        out.extend([group, coding]);
        out.extend(number.to_le_bytes());
        out.extend([self.window, model, 0, 0]);
        out.extend(self.raw.to_le_bytes());
        out.extend(self.stored.to_le_bytes());
        out.extend(self.digest);
    }

    fn get(row: &[u8]) -> Result<Self> {
        let number = u16::from_le_bytes([row[2], row[3]]);
        let kind = StreamKind::from_numbers(row[0], number).ok_or(unsupported(
            "stream kind",
            u64::from(row[0]) << 16 | u64::from(number),
        ))?;
        let coding = match row[1] {
            0 => Coding::Raw,
            1 => Coding::Zstd,
            2 => Coding::Mixed(
                Model::from_number(row[5]).ok_or(unsupported("model", u64::from(row[5])))?,
            ),
            other => return Err(unsupported("coding", u64::from(other))),
        };
        let entry = Self {
            kind,
            coding,
            window: row[4],
            raw: u64_at(row, 8)?,
            stored: u64_at(row, 16)?,
            digest: digest_at(row, 24)?,
        };
        let plausible = match coding {
            Coding::Raw => entry.window == 0 && entry.raw == entry.stored,
            Coding::Zstd => (10..=MAX_WINDOW).contains(&entry.window),
            Coding::Mixed(_) => entry.window == 0,
        };
        let is_zero = row[6..8] == [0; 2] && (entry.is_mixed() || row[5] == 0);
        if !plausible || !is_zero {
            return Err(damaged(
                Part::Head,
                "a stream's fields contradict each other",
            ));
        }
        Ok(entry)
    }
}

fn unsupported(what: &'static str, number: u64) -> Error {
    Error::Unsupported {
        part: Part::Head,
        what,
        number,
    }
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N]> {
    let field = bytes
        .get(at..at + N)
        .and_then(|field| field.try_into().ok());
    field.ok_or(damaged(Part::Head, "it ends early"))
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32> {
    field(bytes, at).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Result<u64> {
    field(bytes, at).map(u64::from_le_bytes)
}

fn digest_at(bytes: &[u8], at: usize) -> Result<[u8; DIGEST]> {
    field(bytes, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        let stream = |kind, coding, window, stored| StreamEntry {
            kind,
            coding,
            window,
            raw: 100,
            stored,
            digest: [7; DIGEST],
        };
        Head {
            version: 1,
            index_stored: 40,
            index_raw: 90,
            index_digest: [1; DIGEST],
            streams: vec![
                stream(StreamKind::Structure, Coding::Zstd, 20, 50),
                stream(StreamKind::Plain(1), Coding::Raw, 0, 100),
                stream(StreamKind::Related(0x402), Coding::Zstd, 27, 10),
                stream(
                    StreamKind::Related(0x702),
                    Coding::Mixed(Model::SparseNumbers),
                    0,
                    10,
                ),
            ],
        }
    }

    #[test]
    fn a_head_comes_back() {
        let bytes = head().to_bytes();
        assert_eq!(bytes.len(), head_len(4));
        assert_eq!(Head::from_bytes(&bytes).unwrap(), head());
        assert_eq!(head().pack_len(), Some(bytes.len() as u64 + 40 + 170));
    }

    #[test]
    fn mixed_streams_that_are_too_long_together_are_refused() {
        let mut head = head();
        head.streams[3].raw = MAX_MIXED;
        assert!(Head::from_bytes(&head.to_bytes()).is_ok());
        head.streams[1] = StreamEntry {
            kind: StreamKind::Plain(1),
            raw: 1,
            ..head.streams[3].clone()
        };
        let error = Head::from_bytes(&head.to_bytes()).unwrap_err();
        assert!(error.to_string().contains("too long"), "{error}");
    }

    #[test]
    fn an_unknown_model_is_named() {
        let mut bytes = head().to_bytes();
        let end = bytes.len() - DIGEST;
        bytes[FIXED + 3 * ROW + 5] = 9;
        let digest = Sha256::digest(&bytes[..end]);
        bytes[end..].copy_from_slice(&digest);
        let error = Head::from_bytes(&bytes).unwrap_err();
        assert!(error.to_string().contains("model 9"), "{error}");
    }

    #[test]
    fn any_changed_byte_of_a_head_is_refused() {
        let bytes = head().to_bytes();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(Head::from_bytes(&changed).is_err(), "byte {at}");
        }
    }

    #[test]
    fn an_unknown_version_is_named() {
        let mut bytes = head().to_bytes();
        bytes[8] = 9;
        let error = Head::from_bytes(&bytes).unwrap_err();
        assert!(error.to_string().contains("format version 9"), "{error}");
    }
}
