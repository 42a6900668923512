//! The compressed streams inside of a file, opened.

use std::cmp::Reverse;
use std::io;
use std::sync::Arc;

use regzip::nested::{self, Kept, Storage};

use crate::class::Class;
use crate::error::{Error, Result};
use crate::map::StoredMap;
use crate::options::Options;
use crate::report::{KeptStream, MAX_LISTED};
use crate::sketch::{MIN_SKETCHED, Sketch};
use crate::spool::{Short, Spool, SpoolWriter};
use crate::storage::{Cursor, Lazy, Region, Scratch};

use super::{Content, File};

/// Streams with more plain bytes are looked into on scratch space.
const IN_MEMORY: u64 = 4 << 20;

/// Opens the streams inside a file; its bytes move to other scratch space if there are any.
pub(crate) fn open_nested(
    file: File,
    spool: &Spool,
    scratch: &Arc<dyn Scratch>,
    options: &Options,
) -> Result<(Content, Vec<KeptStream>)> {
    let create =
        || -> io::Result<Box<dyn Storage>> { Ok(Box::new(Cursor::new(scratch.create()?))) };
    let mut settings = nested::Options::default();
    settings.depth = options.depth;
    settings.memory = IN_MEMORY;
    settings.scratch = Some(&create);
    let own = Spool::new(Arc::new(Lazy::new(scratch.clone())));
    let mut expanded = own.writer();
    let opened = nested::open(file.bytes.reader(), &mut expanded, &settings);
    let opened = opened.map_err(|error| Error::Scratch(error.into()))?;
    let (bytes, map) = if opened.map.is_empty() {
        (file.bytes, None)
    } else {
        let bytes = keep(expanded, spool).map_err(Error::Scratch)?;
        (bytes, Some(StoredMap::new(&opened.map)))
    };
    let mut longest = opened.kept;
    longest.sort_by_key(|kept| Reverse(kept.len));
    longest.truncate(MAX_LISTED);
    let kept = longest.iter().map(|kept| kept_stream(&file.name, kept));
    let kept = kept.collect();
    let content = describe(file.name, file.blob, bytes, map).map_err(Error::Scratch)?;
    Ok((content, kept))
}

fn kept_stream(name: &str, kept: &Kept) -> KeptStream {
    KeptStream {
        file: name.to_owned(),
        offset: kept.offset,
        len: kept.len,
    }
}

fn describe(
    name: String,
    blob: usize,
    bytes: Region,
    map: Option<StoredMap>,
) -> io::Result<Content> {
    let sketch = if bytes.len() >= MIN_SKETCHED {
        Sketch::of(bytes.reader())?
    } else {
        Sketch::default()
    };
    let class = Class::of(&bytes)?;
    Ok(Content {
        name,
        class,
        bytes,
        map,
        sketch,
        blob,
    })
}

/// Moves what was written to one range of the spool.
fn keep(written: SpoolWriter<'_>, spool: &Spool) -> io::Result<Region> {
    let from = match written.finish_short()? {
        Short::Bytes(bytes) => return spool.store(&bytes),
        Short::Chain(chain) => chain,
    };
    let region = spool.reserve(from.len());
    let mut at = 0;
    for chunk in from.regions() {
        let bytes = chunk.to_vec()?;
        spool.write(&region, at, &bytes)?;
        at += chunk.len();
    }
    Ok(region)
}
