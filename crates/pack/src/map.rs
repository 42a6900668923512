//! How the streams inside an object are closed again, in the form that an index has it in.

use std::sync::Arc;

use regzip::nested::Map;

/// A map as bytes. Parsed it takes about twenty times as much memory, and a pack may have hundreds of thousands of streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredMap {
    bytes: Arc<[u8]>,
    content_len: u64,
}

impl StoredMap {
    pub(crate) fn new(map: &Map) -> Self {
        Self {
            bytes: map.to_bytes().into(),
            content_len: map.content_len(),
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The length of the content.
    pub(crate) fn content_len(&self) -> u64 {
        self.content_len
    }

    pub(crate) fn parse(&self) -> regzip::Result<Map> {
        Map::from_bytes(&self.bytes)
    }
}
