//! oc-mirror's `ImageSetConfiguration`: images by name, and sets of images that only oc-mirror can list.

use crate::error::Reason;
use crate::walk::{Segment, Walk};

/// Keys of sets that are looked up in catalogs, release graphs and charts.
const SETS: &[&str] = &["platform", "operators", "helm"];

/// Lists the sets whose images are not in the file.
pub(super) fn not_listed(walk: &mut Walk<'_, '_>) {
    let document = walk.document;
    let Some(mirror) = document.get(document.root(), "mirror") else {
        return;
    };
    for &key in SETS {
        let Some(set) = document.get(mirror, key) else {
            continue;
        };
        walk.within(Segment::Key("mirror"), |walk| {
            walk.within(Segment::Key(key), |walk| {
                walk.leave(set, key, Reason::NotListed);
            });
        });
    }
}
