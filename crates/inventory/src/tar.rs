//! Reads a layer's tar as a stream, as container runtimes do (Go's `archive/tar`): POSIX, GNU and PAX, with long
//! names and sizes. Nothing that an entry claims decides how much memory is used.

use std::io::{self, Read};

use crate::bytes::until_zero;
use crate::limits::{MAX_METADATA, MAX_NAME};

const BLOCK: usize = 512;

/// Why a tar cannot be read any further.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// Reading fails, or decompressing.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Not a tar from here on.
    #[error("at byte {offset} of the tar: {what}")]
    Malformed {
        /// Where, in bytes from the start of the decompressed layer.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    HardLink,
    Symlink,
    Directory,
    /// A device, a pipe, or a type that nobody knows.
    Other,
}

/// The header of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) path: Vec<u8>,
    pub(crate) link: Vec<u8>,
    /// The lowest twelve bits of its mode: permissions.
    pub(crate) mode: u32,
    /// The size of its content in the tar.
    pub(crate) size: u64,
    /// Whether holes are left out, so that the content in the tar is not the file's.
    pub(crate) sparse: bool,
}

/// A tar that is read from its start to its end. Between two headers the content of the first can be read.
pub(crate) struct Tar<R> {
    inner: R,
    offset: u64,
    /// What is left of the content of the current entry.
    content: u64,
    padding: u64,
}

/// What the metadata entries before an entry say.
#[derive(Default)]
struct Metadata {
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
    pax: Pax,
}

#[derive(Default)]
struct Pax {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: bool,
}

impl<R: Read> Tar<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self {
            inner,
            offset: 0,
            content: 0,
            padding: 0,
        }
    }

    /// The next entry; what was not read of the content before it is skipped. `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Header>, TarError> {
        self.skip_content()?;
        let mut metadata = Metadata::default();
        loop {
            let Some(block) = self.header_block()? else {
                return Ok(None);
            };
            let size = self.size(&block)?;
            match block[156] {
                b'L' => metadata.long_name = Some(until_zero(&self.metadata(size)?).to_vec()),
                b'K' => metadata.long_link = Some(until_zero(&self.metadata(size)?).to_vec()),
                b'x' => {
                    let start = self.offset;
                    let records = self.metadata(size)?;
                    metadata.pax = Pax::parse(&records).ok_or(TarError::Malformed {
                        offset: start,
                        what: "malformed PAX records",
                    })?;
                }
                // Defaults for the entries that follow; runtimes do not use them.
                b'g' => drop(self.metadata(size)?),
                _ => return self.enter(&block, size, metadata).map(Some),
            }
        }
    }

    /// Reads on in the content of the current entry; 0 at its end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, TarError> {
        let most =
            usize::try_from(self.content).map_or(buffer.len(), |left| left.min(buffer.len()));
        if most == 0 {
            return Ok(0);
        }
        let read = self.inner.read(&mut buffer[..most])?;
        if read == 0 {
            return Err(self.malformed("the tar ends inside a file"));
        }
        self.offset += read as u64;
        self.content -= read as u64;
        Ok(read)
    }

    /// Reads everything after the last entry; whether any of it is not zero.
    pub(crate) fn rest(&mut self) -> Result<bool, TarError> {
        let (mut buffer, mut trailing) = ([0; 8192], false);
        loop {
            let read = self.inner.read(&mut buffer)?;
            if read == 0 {
                return Ok(trailing);
            }
            self.offset += read as u64;
            trailing |= buffer[..read].iter().any(|&byte| byte != 0);
        }
    }

    fn malformed(&self, what: &'static str) -> TarError {
        TarError::Malformed {
            offset: self.offset,
            what,
        }
    }

    fn skip_content(&mut self) -> Result<(), TarError> {
        self.content += std::mem::take(&mut self.padding);
        let mut buffer = [0; 8192];
        while self.read(&mut buffer)? > 0 {}
        Ok(())
    }

    /// The next block that is not zero; `None` after two that are, or at the end of the stream.
    fn header_block(&mut self) -> Result<Option<[u8; BLOCK]>, TarError> {
        for zeros in 0..2 {
            let Some(block) = self.block()? else {
                return Ok(None);
            };
            if block.iter().any(|&byte| byte != 0) {
                if zeros == 1 || !checksum_matches(&block) {
                    self.offset -= BLOCK as u64;
                    return Err(self.malformed("this is not the header of an entry"));
                }
                return Ok(Some(block));
            }
        }
        Ok(None)
    }

    /// The next block; `None` at the end of the stream.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, TarError> {
        let (mut block, mut filled) = ([0; BLOCK], 0);
        while filled < BLOCK {
            let read = self.inner.read(&mut block[filled..])?;
            self.offset += read as u64;
            filled += read;
            if read == 0 {
                if filled == 0 {
                    return Ok(None);
                }
                return Err(self.malformed("the tar ends inside a header"));
            }
        }
        Ok(Some(block))
    }

    fn size(&self, block: &[u8; BLOCK]) -> Result<u64, TarError> {
        number(&block[124..136])
            .ok_or_else(|| self.malformed("the size of an entry is not a number"))
    }

    fn metadata(&mut self, size: u64) -> Result<Vec<u8>, TarError> {
        if size > MAX_METADATA {
            return Err(self.malformed("a name or a list of PAX records is larger than 1 MiB"));
        }
        self.content = size;
        self.padding = size.wrapping_neg() % BLOCK as u64;
        let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            let read = self.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            bytes.extend_from_slice(&buffer[..read]);
        }
        self.skip_content()?;
        Ok(bytes)
    }

    fn enter(
        &mut self,
        block: &[u8; BLOCK],
        stated: u64,
        metadata: Metadata,
    ) -> Result<Header, TarError> {
        let Metadata {
            long_name,
            long_link,
            pax,
        } = metadata;
        let path = long_name.or(pax.path).unwrap_or_else(|| path(block));
        let link = long_link.or(pax.link);
        let link = link.unwrap_or_else(|| until_zero(&block[157..257]).to_vec());
        if path.len() > MAX_NAME || link.len() > MAX_NAME {
            return Err(self.malformed("a name has more than 4096 bytes"));
        }
        let old_sparse = block[156] == b'S';
        if old_sparse {
            self.skip_sparse_map(block)?;
        }
        let kind = kind(block[156], &path);
        let size = match kind {
            Kind::File => pax.size.unwrap_or(stated),
            // Unknown types have content, devices and pipes do not.
            Kind::Other if !matches!(block[156], b'3' | b'4' | b'6') => pax.size.unwrap_or(stated),
            _ => 0,
        };
        if size > 1 << 62 {
            return Err(self.malformed("an entry is larger than any file"));
        }
        self.content = size;
        self.padding = size.wrapping_neg() % BLOCK as u64;
        Ok(Header {
            kind,
            path,
            link,
            mode: number(&block[100..108])
                .map_or(0, |mode| u32::try_from(mode & 0o7777).unwrap_or(0)),
            size,
            sparse: old_sparse || pax.sparse,
        })
    }

    /// Skips the blocks with more of the map that an entry of GNU's old sparse format may have.
    fn skip_sparse_map(&mut self, block: &[u8; BLOCK]) -> Result<(), TarError> {
        let mut more = block[482] != 0;
        while more {
            let block = self.block()?;
            let block = block.ok_or_else(|| self.malformed("the tar ends inside a header"))?;
            more = block[504] != 0;
        }
        Ok(())
    }
}

fn kind(flag: u8, path: &[u8]) -> Kind {
    match flag {
        // Before POSIX a directory was a file whose name ends so.
        0 | b'0' if path.ends_with(b"/") => Kind::Directory,
        0 | b'0' | b'7' | b'S' => Kind::File,
        b'1' => Kind::HardLink,
        b'2' => Kind::Symlink,
        b'5' => Kind::Directory,
        _ => Kind::Other,
    }
}

fn path(block: &[u8; BLOCK]) -> Vec<u8> {
    let name = until_zero(&block[..100]);
    let prefix = until_zero(&block[345..500]);
    // Only POSIX has the prefix; GNU has times there.
    if &block[257..263] == b"ustar\0" && !prefix.is_empty() {
        [prefix, b"/", name].concat()
    } else {
        name.to_vec()
    }
}

/// Whether the sum of the bytes is what the header states; some old programs summed signed bytes.
fn checksum_matches(block: &[u8; BLOCK]) -> bool {
    let without = |sum: i64, (at, &byte): (usize, &u8), signed: bool| {
        let byte = if (148..156).contains(&at) { b' ' } else { byte };
        sum + if signed {
            i64::from(byte.cast_signed())
        } else {
            i64::from(byte)
        }
    };
    let sum = |signed| {
        let bytes = block.iter().enumerate();
        bytes.fold(0_i64, |sum, byte| without(sum, byte, signed))
    };
    let stated = number(&block[148..156]).and_then(|stated| i64::try_from(stated).ok());
    stated.is_some_and(|stated| stated == sum(false) || stated == sum(true))
}

/// A number in octal or, as GNU writes large ones, in base 256; `None` for anything else, negative ones included.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        let (lead, rest) = field.split_at(field.len() - 8);
        let zero = lead.iter().enumerate().all(|(at, &byte)| {
            let byte = if at == 0 { byte & 0x7f } else { byte };
            byte == 0
        });
        return (zero && !lead.is_empty())
            .then(|| u64::from_be_bytes(rest.try_into().unwrap_or([0xff; 8])));
    }
    let text = std::str::from_utf8(until_zero(field))
        .ok()?
        .trim_matches(' ');
    if text.is_empty() {
        return Some(0);
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| u64::from_str_radix(text, 8).ok()).flatten()
}

impl Pax {
    /// The records that matter here; `None` if they are malformed.
    fn parse(mut records: &[u8]) -> Option<Self> {
        let mut pax = Self::default();
        while !records.is_empty() {
            let space = records.iter().position(|&byte| byte == b' ')?;
            let length: usize = std::str::from_utf8(&records[..space]).ok()?.parse().ok()?;
            let record = records.get(space + 1..length)?.strip_suffix(b"\n")?;
            records = &records[length..];
            let equals = record.iter().position(|&byte| byte == b'=')?;
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            pax.set(key, value)?;
        }
        Some(pax)
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let given = || (!value.is_empty()).then(|| value.to_vec());
        match key {
            // The path of a sparse entry is a name that only the tar has.
            b"path" if !self.sparse || self.path.is_none() => self.path = given(),
            b"GNU.sparse.name" => self.path = given(),
            b"linkpath" => self.link = given(),
            b"size" => self.size = Some(std::str::from_utf8(value).ok()?.parse().ok()?),
            _ => {}
        }
        self.sparse |= key.starts_with(b"GNU.sparse.");
        Some(())
    }
}

#[cfg(test)]
#[path = "tar/tests.rs"]
mod tests;
