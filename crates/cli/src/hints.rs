//! What to try after a failure. Libraries say what happened; what to do about it, in this program's flags, is
//! here and nowhere else.

pub(crate) mod bundle;
pub(crate) mod load;
pub(crate) mod registry;
