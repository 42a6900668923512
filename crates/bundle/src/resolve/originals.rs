//! The publisher's index of an image of which platforms were chosen: carried beside the new one, since what the
//! publisher signed is that.

use sealift_archive::PlainDescriptor;
use sealift_oci::Descriptor;

use crate::error::ResolveError;
use crate::resolve::fetch::{Known, keep};
use crate::resolve::select::Chosen;
use crate::resolve::{Images, Root};

/// A larger index is not carried beside a new one, in bytes: all of them are part of the plan.
const MAX_BYTES: u64 = 1 << 20;

/// The publisher's index of an image, if the image stands for a new one.
pub(crate) fn of<'a>(root: &'a Root, chosen: &'a Chosen) -> Option<&'a PlainDescriptor> {
    let recorded = root.recorded.as_ref();
    let earlier = recorded.and_then(|recorded| recorded.original.as_ref());
    let own = (chosen.descriptor != root.descriptor).then_some(&root.descriptor);
    earlier.or(own)
}

/// Whether the publisher's index is carried: its bytes are there.
pub(crate) fn is_carried(known: &Known<'_>, original: &PlainDescriptor) -> bool {
    original.size <= MAX_BYTES && known.spool.has(&original.digest)
}

/// Reads the indexes that an earlier choice left in the bundles that images come from. One that is not there
/// was not carried.
///
/// # Errors
/// If what was read cannot be kept.
pub(crate) fn read(known: &Known<'_>, images: &Images) -> Result<(), ResolveError> {
    for (root, chosen) in images {
        let Some(original) = of(root, chosen).filter(|original| original.size <= MAX_BYTES) else {
            continue;
        };
        if known.spool.has(&original.digest) {
            continue;
        }
        if let Some(local) = known.sources.local(root.source)
            && let Ok(manifest) = local.manifest(&Descriptor::from(original))
        {
            keep(known.spool, &manifest)?;
        }
    }
    Ok(())
}
