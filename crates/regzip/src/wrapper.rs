//! What surrounds a deflate stream: gzip and zlib headers and trailers.

use std::io::Read;

use crate::error::{Error, Result};
use crate::input::Input;

/// The format around a deflate stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Wrapper {
    /// RFC 1952: header, deflate, CRC-32 and length.
    #[default]
    Gzip,
    /// RFC 1950: two bytes, deflate, Adler-32.
    Zlib,
    /// RFC 1951 only.
    Raw,
}

/// Headers with longer fields than this are not kept in a recipe.
const MAX_HEADER: usize = 1 << 16;

impl Wrapper {
    /// Bytes after the deflate stream.
    pub(crate) fn trailer_len(self) -> usize {
        match self {
            Self::Gzip => 8,
            Self::Zlib => 4,
            Self::Raw => 0,
        }
    }

    /// Recognises the wrapper by its first bytes.
    pub(crate) fn detect(start: &[u8]) -> Option<Self> {
        match *start {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            // Without a dictionary, and the two bytes are a multiple of 31.
            [cmf, flags, ..]
                if cmf & 0x0f == 8
                    && cmf >> 4 <= 7
                    && flags & 0x20 == 0
                    && (u16::from(cmf) << 8 | u16::from(flags)).is_multiple_of(31) =>
            {
                Some(Self::Zlib)
            }
            _ => None,
        }
    }

    /// Takes the header from the input, all its bytes.
    pub(crate) fn read_header<R: Read>(self, input: &mut Input<R>) -> Result<Vec<u8>> {
        match self {
            Self::Raw => Ok(Vec::new()),
            Self::Zlib => Ok(input.take(2)?.to_vec()),
            Self::Gzip => gzip_header(input),
        }
    }

    /// The trailer of content with this checksum and length.
    pub(crate) fn trailer(self, sum: u32, len: u64) -> Vec<u8> {
        match self {
            Self::Gzip => [sum.to_le_bytes(), (len as u32).to_le_bytes()].concat(),
            Self::Zlib => sum.to_be_bytes().to_vec(),
            Self::Raw => Vec::new(),
        }
    }
}

fn gzip_header<R: Read>(input: &mut Input<R>) -> Result<Vec<u8>> {
    let mut header = input.take(10)?.to_vec();
    let flags = header[3];
    if flags & 0xe0 != 0 {
        return Err(Error::BadStream("reserved gzip flags"));
    }
    if flags & 4 != 0 {
        let len = input.take(2)?.to_vec();
        header.extend_from_slice(&len);
        let extra = input.take(usize::from(u16::from_le_bytes([len[0], len[1]])))?;
        header.extend_from_slice(extra);
    }
    for flag in [8, 16] {
        if flags & flag == 0 {
            continue;
        }
        loop {
            let byte = input.take(1)?[0];
            header.push(byte);
            if byte == 0 {
                break;
            }
            if header.len() > MAX_HEADER {
                return Err(Error::BadStream("gzip header too long"));
            }
        }
    }
    if flags & 2 != 0 {
        header.extend_from_slice(input.take(2)?);
    }
    Ok(header)
}

/// The length of plain content and the checksum that its wrapper carries: Adler-32 in zlib's, CRC-32 in
/// gzip's and for raw deflate.
pub(crate) struct Sums {
    checksum: Checksum,
    pub(crate) len: u64,
}

enum Checksum {
    Crc(flate2::Crc),
    Adler(u32, u32),
}

impl Sums {
    pub(crate) fn new(wrapper: Wrapper) -> Self {
        let checksum = match wrapper {
            Wrapper::Zlib => Checksum::Adler(1, 0),
            Wrapper::Gzip | Wrapper::Raw => Checksum::Crc(flate2::Crc::new()),
        };
        Self { checksum, len: 0 }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.len += bytes.len() as u64;
        match &mut self.checksum {
            Checksum::Crc(crc) => crc.update(bytes),
            // 5552 is the longest run for which the sums stay below 2^32.
            Checksum::Adler(a, b) => bytes.chunks(5552).for_each(|run| {
                for &byte in run {
                    *a += u32::from(byte);
                    *b += *a;
                }
                *a %= 65521;
                *b %= 65521;
            }),
        }
    }

    pub(crate) fn sum(&self) -> u32 {
        match &self.checksum {
            Checksum::Crc(crc) => crc.sum(),
            Checksum::Adler(a, b) => b << 16 | a,
        }
    }
}
