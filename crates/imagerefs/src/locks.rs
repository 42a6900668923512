//! Documents that are lists of images in YAML: hauler's, imgpkg's, and bare lists of strings.

use crate::error::{FindError, Problem};
use crate::occurrence::Kind;
use crate::tree::Id;
use crate::walk::{Segment, Walk};

/// A YAML list of strings, each one a reference.
pub(crate) fn strings(walk: &mut Walk<'_, '_>) -> Result<(), FindError> {
    let root = walk.document.root();
    for (index, &item) in walk.document.sequence(root).iter().enumerate() {
        walk.within(Segment::Index(index), |walk| {
            walk.required(item, Kind::ListLine)
        })?;
    }
    Ok(())
}

/// hauler's `Images`: `spec.images[].name`.
pub(crate) fn hauler(walk: &mut Walk<'_, '_>) -> Result<(), FindError> {
    let root = walk.document.root();
    walk.object = walk.label(root);
    let Some(spec) = walk.document.get(root, "spec") else {
        return Ok(());
    };
    walk.within(Segment::Key("spec"), |walk| {
        images(walk, spec, "name", Kind::HaulerImage)
    })
}

/// imgpkg's `ImagesLock`: `images[].image`.
pub(crate) fn images_lock(walk: &mut Walk<'_, '_>) -> Result<(), FindError> {
    let root = walk.document.root();
    walk.object = walk.label(root);
    images(walk, root, "image", Kind::LockedImage)
}

fn images<'a>(
    walk: &mut Walk<'a, '_>,
    parent: Id,
    field: &'a str,
    kind: Kind,
) -> Result<(), FindError> {
    let document = walk.document;
    let Some(list) = document.get(parent, "images") else {
        return Ok(());
    };
    walk.within(Segment::Key("images"), |walk| {
        for (index, &item) in document.sequence(list).iter().enumerate() {
            walk.within(Segment::Index(index), |walk| {
                let Some(value) = document.get(item, field) else {
                    let problem = Problem::Grammar(format!("the entry has no `{field}`"));
                    return Err(walk.error(item, "", problem));
                };
                walk.within(Segment::Key(field), |walk| walk.required(value, kind))
            })?;
        }
        Ok(())
    })
}
