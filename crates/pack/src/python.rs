//! Compiled Python modules and the sources that they were compiled from, which they are stored against.

use std::collections::HashMap;
use std::io;

use crate::format::max_source;
use crate::open::Content;
use crate::path::source_path;
use crate::storage::Region;

/// Shorter modules are not worth an entry.
const MIN_LEN: u64 = 256;
/// Modules with fewer bytes in total do not pay for their streams.
const MIN_TOGETHER: u64 = 16 << 10;
/// Where the header of a module has the size of its source, if it does not have the hash.
const SOURCE_SIZE: u64 = 12;

/// For each compiled module its source, by their positions among `contents`; nothing if there are so few modules that
/// their streams would cost more than they save.
pub(crate) fn sources(contents: &[&Content]) -> io::Result<HashMap<usize, usize>> {
    let sources = Sources::of(contents);
    let mut found = HashMap::new();
    let mut bytes = 0;
    for (number, content) in contents.iter().enumerate() {
        if let Some(source) = sources.find(contents, number)? {
            found.insert(number, source);
            bytes += content.bytes.len();
        }
    }
    if bytes < MIN_TOGETHER {
        found.clear();
    }
    Ok(found)
}

/// The sources in a pack, by their paths.
struct Sources<'a>(HashMap<&'a str, SourcesOfPath>);

/// The sources with one path.
struct SourcesOfPath {
    /// The first of all, and of each size.
    first: usize,
    by_size: HashMap<u64, usize>,
}

impl<'a> Sources<'a> {
    /// The sources among `contents`.
    fn of(contents: &[&'a Content]) -> Self {
        let mut sources: HashMap<&str, SourcesOfPath> = HashMap::new();
        for (number, content) in contents.iter().enumerate() {
            if content.name.strip_suffix(".py").is_some() && content.map.is_none() {
                let sources = sources
                    .entry(&content.name)
                    .or_insert_with(|| SourcesOfPath {
                        first: number,
                        by_size: HashMap::new(),
                    });
                sources.by_size.entry(content.bytes.len()).or_insert(number);
            }
        }
        Self(sources)
    }

    /// The source of the module with this number: the one of the size that the module names, otherwise the first. `None`
    /// if the content is not a compiled module, or its source does not come before it or is out of proportion.
    fn find(&self, contents: &[&Content], number: usize) -> io::Result<Option<usize>> {
        let module = contents[number];
        let sources = source_path(&module.name).and_then(|path| self.0.get(path.as_str()));
        let Some(sources) = sources.filter(|_| module.bytes.len() >= MIN_LEN) else {
            return Ok(None);
        };
        if !relate::is_compiled_python(&module.bytes)? {
            return Ok(None);
        }
        let named = sources.by_size.get(&source_size(&module.bytes)?);
        let source = *named.unwrap_or(&sources.first);
        // What does not compress is stored behind everything else, whatever its name.
        let fits = contents[source].bytes.len() <= max_source(module.bytes.len());
        Ok((source < number && fits).then_some(source))
    }
}

fn source_size(module: &Region) -> io::Result<u64> {
    let bytes = module.part(SOURCE_SIZE, 4).to_vec()?;
    let size = bytes
        .first_chunk()
        .map_or(0, |size| u32::from_le_bytes(*size));
    Ok(u64::from(size))
}
