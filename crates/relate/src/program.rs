//! The codec that knows what is inside programs: references in copied bytes are predicted.

mod address;
mod annotate;
mod columns;
mod entities;
mod exceptions;
mod found;
mod inverse;
mod literals;
mod marks;
mod passage;
mod predict;
mod source;
mod symbols;

/// From this version of the codec on, literals have forms of their own, and tables are divided into columns.
pub(crate) const FORMS: u8 = 4;

pub(crate) use annotate::Fields;
pub(crate) use entities::{Entity, anchors, entities, follower_pairs, follows};
pub(crate) use passage::{Passage, coding_order, is_derived};
pub(crate) use source::Source;
