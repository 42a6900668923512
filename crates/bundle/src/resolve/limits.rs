//! How large one image may be.

use sealift_archive::MAX_INDEX_DEPTH;

use crate::error::ResolveError;

/// How many manifests one image may have.
pub(crate) const MAX_MANIFESTS: usize = 20_000;

/// An image whose indexes are nested too deep.
pub(crate) const TOO_DEEP: ResolveError = ResolveError::TooMuch {
    what: "indexes nested too deep",
    limit: MAX_INDEX_DEPTH,
};

/// An image with too many manifests.
pub(crate) const TOO_MANY: ResolveError = ResolveError::TooMuch {
    what: "too many manifests",
    limit: MAX_MANIFESTS,
};
