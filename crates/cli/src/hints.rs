//! What to try after a failure. Libraries say what happened; what to do about it, in this program's flags, is
//! here and nowhere else.

pub(crate) mod bundle;
pub(crate) mod load;
pub(crate) mod registry;

/// What to try if there is not enough scratch space.
pub(crate) const SCRATCH: &str =
    "free some space, or use --scratch-dir with a folder that has more";
/// What to try if blobs of a delta's base are absent.
pub(crate) const BASE: &str = "give the bundle with that identity with --base FILE (sealift inspect shows the identity of a bundle)";
