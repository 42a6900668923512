//! A program whose bytes are known: a base, or the new content while it is encoded.

use std::io;

use super::address::Addresses;
use crate::content::Content;
use crate::layout::{Layout, Part};
use crate::stream::Kind;

/// Longer parts are not annotated.
pub(crate) const MAX_PART: u64 = 192 << 20;

/// A content with its layout.
pub(crate) struct Source<'a> {
    pub(crate) content: &'a dyn Content,
    pub(crate) layout: Layout,
    pub(crate) addresses: Addresses,
    /// The version of the codec whose rules say where fields are.
    pub(crate) version: u8,
}

impl<'a> Source<'a> {
    /// A content with the layout that its headers give in a version of the codec.
    pub(crate) fn new(content: &'a dyn Content, version: u8) -> io::Result<Self> {
        Ok(Self::with_layout(
            content,
            Layout::of(content, version)?,
            version,
        ))
    }

    /// A content with its layout, by the rules of a version of the codec.
    pub(crate) fn with_layout(content: &'a dyn Content, layout: Layout, version: u8) -> Self {
        let addresses = Addresses::new(&layout);
        Self {
            content,
            layout,
            addresses,
            version,
        }
    }

    /// The bytes of a part; nothing if it is longer than is ever annotated.
    pub(crate) fn bytes(&self, part: &Part) -> io::Result<Vec<u8>> {
        if part.len > MAX_PART {
            return Ok(Vec::new());
        }
        let mut bytes = vec![0; part.len as usize];
        self.content.read_at(&mut bytes, part.start)?;
        Ok(bytes)
    }

    /// The bytes of the first part of a kind; nothing if there is none.
    pub(crate) fn bytes_of(&self, kind: Kind) -> io::Result<Vec<u8>> {
        match self.layout.part(kind) {
            Some(part) => self.bytes(part),
            None => Ok(Vec::new()),
        }
    }
}
