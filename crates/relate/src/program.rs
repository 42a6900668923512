//! The codec that knows what is inside programs: references in copied bytes are predicted.

mod address;
mod annotate;
mod elf;
mod entities;
mod exceptions;
mod field;
mod inverse;
mod layout;
mod marks;
mod passage;
mod predict;
mod source;
mod symbols;

pub(crate) use entities::{Entity, anchors, entities, follower_pairs, follows};
pub(crate) use field::Field;
pub(crate) use layout::{Layout, MAX_BYTES as MAX_LAYOUT, Part};
pub(crate) use passage::{Passage, coding_order, is_derived};
pub(crate) use source::Source;
