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
    /// RFC 1951 alone.
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

    /// The trailer that fits the content.
    pub(crate) fn trailer(self, sums: &Sums) -> Vec<u8> {
        match self {
            Self::Gzip => {
                let mut out = sums.crc32().to_le_bytes().to_vec();
                out.extend_from_slice(&(sums.len as u32).to_le_bytes());
                out
            }
            Self::Zlib => sums.adler32().to_be_bytes().to_vec(),
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

/// Running checksums of plain content.
#[derive(Default)]
pub(crate) struct Sums {
    crc: flate2::Crc,
    adler: Option<(u32, u32)>,
    pub(crate) len: u64,
}

impl Sums {
    pub(crate) fn new(wrapper: Wrapper) -> Self {
        let adler = (wrapper == Wrapper::Zlib).then_some((1, 0));
        Self {
            crc: flate2::Crc::new(),
            adler,
            len: 0,
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.crc.update(bytes);
        self.len += bytes.len() as u64;
        if let Some((a, b)) = &mut self.adler {
            // 5552 is the longest run for which the sums stay below 2^32.
            for run in bytes.chunks(5552) {
                for &byte in run {
                    *a += u32::from(byte);
                    *b += *a;
                }
                *a %= 65521;
                *b %= 65521;
            }
        }
    }

    pub(crate) fn crc32(&self) -> u32 {
        self.crc.sum()
    }

    fn adler32(&self) -> u32 {
        self.adler.map_or(0, |(a, b)| b << 16 | a)
    }
}
