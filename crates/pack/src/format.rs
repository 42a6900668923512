//! The bytes of a pack; `docs/format-packs.md` describes them for a second implementation.

mod bases;
mod fields;
mod head;
mod index;

pub(crate) use bases::{BaseBlob, BaseObject, Range};
pub(crate) use fields::{Fields, put};
pub(crate) use head::{Coding, Head, StreamEntry, StreamKind, head_len};
pub(crate) use index::{BlobEntry, Body, Index, Object, Piece, Related, Wrapping};
