//! The bytes of a pack; `docs/format-packs.md` describes them for a second implementation.

mod fields;
mod head;
mod index;
mod numbers;

pub(crate) use fields::{Fields, put};
pub(crate) use head::{Coding, Head, MAX_INDEX, MAX_MIXED, StreamEntry, StreamKind, head_len};
pub(crate) use index::{
    BaseBlob, BaseObject, BlobEntry, Body, Index, MAX_BASES_SHARE, Object, Piece, Range, Related,
    Wrapping, max_source,
};
pub(crate) use numbers::Numbers;
