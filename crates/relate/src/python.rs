//! Compiled Python modules (`.pyc`), given their source: the codec python.
//!
//! A compiled module is a header and one object in the format of Python's `marshal`: a tree of code objects with their
//! constants, names, instructions and, since Python 3.11, the range of the source that each instruction comes from.
//! The codec walks through this tree and moves each kind of item to a stream of its own. Ranges are numbers of tokens
//! of the source instead of lines and columns, arguments of instructions are predicted from the tokens of their range,
//! and strings are taken from the source.
//!
//! The formats are those of `CPython`'s `Python/marshal.c` and `Objects/locations.md` (`InternalDocs/code_objects.md` in
//! newer versions).

mod arguments;
mod coder;
mod instructions;
mod locations;
mod side;
mod stream;
mod text;
mod tokens;
mod value;
mod version;
mod walk;

use std::io;

use crate::channel::Readers;
use crate::content::{Content, Target};
use crate::error::{DecodeError, Error};
use crate::stream::Encoded;
use side::{Decoder, Encoder};
use tokens::Source;
use version::Version;

/// The longest module or source that is parsed; both are in memory, with up to 48 times their bytes.
const MAX_LEN: u64 = 4 << 20;

/// Whether a content starts with the header of a compiled Python module of a known version. Such a module is encoded
/// against its source, the first base.
///
/// # Errors
///
/// If the content cannot be read.
pub fn is_compiled(content: &dyn Content) -> io::Result<bool> {
    if content.len() < version::HEADER as u64 || content.len() > MAX_LEN {
        return Ok(false);
    }
    let mut start = [0; 4];
    content.read_at(&mut start, 0)?;
    Ok(Version::of(&start).is_some())
}

/// Encodes a compiled module given its source, the first of the bases; `None` if the codec
/// cannot parse it.
pub(crate) fn encode(new: &dyn Content, bases: &[&dyn Content]) -> Result<Option<Encoded>, Error> {
    if !is_compiled(new).map_err(Error::Content)? || is_too_long(bases) {
        return Ok(None);
    }
    // Matching against another version of the module gives a smaller result.
    for (index, base) in bases.iter().enumerate() {
        if is_compiled(*base).map_err(|source| Error::Base { index, source })? {
            return Ok(None);
        }
    }
    let content = read(new).map_err(Error::Content)?;
    let source = source(bases).map_err(|source| Error::Base { index: 0, source })?;
    let mut encoder = Encoder::new(&content);
    // A module that cannot be parsed is not an error: it is encoded by matching.
    let walked = walk::module(&mut encoder, &Source::new(&source));
    Ok(walked.ok().map(|()| encoder.finish()))
}

/// Decodes the result of [`encode`].
pub(crate) fn decode(
    readers: Readers<'_>,
    bases: &[&dyn Content],
    target: &mut dyn Target,
) -> Result<(), DecodeError> {
    if is_too_long(bases) {
        return Err(DecodeError::BasesTooLong);
    }
    let source = source(bases).map_err(|source| DecodeError::Base { index: 0, source })?;
    let len = usize::try_from(target.len().min(MAX_LEN)).unwrap_or_default();
    let mut decoder = Decoder::new(readers, len);
    walk::module(&mut decoder, &Source::new(&source))?;
    let content = decoder.finish()?;
    if content.len() as u64 != target.len() {
        return Err(stream::Stream::Types.invalid("not as long as the content"));
    }
    target.write_at(&content, 0).map_err(DecodeError::Target)
}

fn is_too_long(bases: &[&dyn Content]) -> bool {
    bases.first().is_some_and(|source| source.len() > MAX_LEN)
}

fn source(bases: &[&dyn Content]) -> io::Result<Vec<u8>> {
    bases
        .first()
        .map_or_else(|| Ok(Vec::new()), |base| read(*base))
}

fn read(content: &dyn Content) -> io::Result<Vec<u8>> {
    let len = usize::try_from(content.len()).map_err(|_| io::ErrorKind::OutOfMemory)?;
    let mut bytes = vec![0; len];
    content.read_at(&mut bytes, 0)?;
    Ok(bytes)
}
