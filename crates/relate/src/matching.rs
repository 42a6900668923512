//! Finds copies with differences: seeds in a hash table, extended over mismatches.

mod extend;
mod guide;
mod search;
mod table;

pub(crate) use guide::Guide;
pub(crate) use search::{Search, search};
