//! How encoders find earlier occurrences of what comes next: comparisons, hash chains, and chains that are filled
//! ahead of the search.

pub(crate) mod ahead;
pub(crate) mod chain;
pub(crate) mod links;
pub(crate) mod matching;
