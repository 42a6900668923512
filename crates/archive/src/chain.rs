//! How deltas may build on each other.

/// The most deltas that may build on each other.
pub const MAX_CHAIN: u32 = 16;

/// Why a delta cannot be read with its bases, or be a base.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// Deltas that build on each other. No honest build writes them.
    #[error("{name} and its bases build on each other in a circle")]
    Circle {
        /// One of them.
        name: String,
    },
    /// As many deltas in a row as allowed: no other can be built on the last.
    #[error(
        "{name} is the end of a chain of {MAX_CHAIN} deltas, the most that are allowed (export it with its base)"
    )]
    Full {
        /// The last of the chain.
        name: String,
    },
    /// More deltas in a row than allowed.
    #[error(
        "{name} is the end of a chain of more than {MAX_CHAIN} deltas (export one of them with its base)"
    )]
    TooLong {
        /// The last of the chain.
        name: String,
    },
}
