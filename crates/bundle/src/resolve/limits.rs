//! How large one image may be.

use sealift_archive::{MAX_ENTRIES, MAX_INDEX_DEPTH};

use crate::error::ResolveError;

/// How many manifests one image may have.
pub(crate) const MAX_MANIFESTS: usize = 20_000;

/// An image whose indexes are nested too deep.
pub(crate) const TOO_DEEP: ResolveError = ResolveError::TooMuch {
    what: "indexes nested too deep",
    limit: MAX_INDEX_DEPTH,
};

/// Images that have too many manifests and blobs together.
pub(crate) const TOO_MANY_TOGETHER: ResolveError = ResolveError::TooMuch {
    what: "too many manifests, configs and layers, with the images before it",
    limit: MAX_ENTRIES,
};

/// An image with too many manifests.
pub(crate) const TOO_MANY: ResolveError = ResolveError::TooMuch {
    what: "too many manifests",
    limit: MAX_MANIFESTS,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_named_with_its_own_number() {
        let words = TOO_MANY_TOGETHER.to_string();
        assert!(words.contains("with the images before it"), "{words}");
        assert!(words.contains("no more than 400000"), "{words}");
        assert!(TOO_MANY.to_string().contains("no more than 20000"));
    }
}
