//! Finds copies with differences: seeds in a hash table, extended over mismatches.

mod extend;
mod search;
mod table;

pub(crate) use extend::common_prefix;
pub(crate) use search::search;
