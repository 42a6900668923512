//! In which order pieces of work are started. Each order has a name here and nowhere else.

use std::cmp::Reverse;

use sealift_oci::Digest;

/// Largest first: whatever ends last then ends with a small piece, and no worker is left with a long one.
/// Equal sizes are ordered by digest, so that two runs start alike.
pub fn largest_first<T>(items: &mut [T], of: impl Fn(&T) -> (u64, Digest)) {
    items.sort_by_cached_key(|item| {
        let (size, digest) = of(item);
        (Reverse(size), digest)
    });
}
