//! Documents that are lists of images in YAML: hauler's, imgpkg's, and bare lists of strings.

use crate::check::{check, has_host};
use crate::error::{FindError, Reason};
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
    let document = walk.document;
    let Some(spec) = document.get(root, "spec") else {
        return Ok(());
    };
    let metadata = document.get(root, "metadata");
    let annotations = metadata.and_then(|metadata| document.get(metadata, "annotations"));
    // For names that have no registry of their own.
    let registry = annotations.and_then(|all| document.get_text(all, "hauler.dev/registry"));
    walk.within(Segment::Key("spec"), |walk| {
        images(walk, spec, "name", registry, Kind::HaulerImage)
    })
}

/// imgpkg's `ImagesLock`: `images[].image`.
pub(crate) fn images_lock(walk: &mut Walk<'_, '_>) -> Result<(), FindError> {
    let root = walk.document.root();
    walk.object = walk.label(root);
    images(walk, root, "image", None, Kind::LockedImage)
}

fn images<'a>(
    walk: &mut Walk<'a, '_>,
    parent: Id,
    field: &'a str,
    registry: Option<&str>,
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
                    let reason = Reason::Grammar(format!("the entry has no `{field}`"));
                    return Err(walk.error(item, "", reason));
                };
                walk.within(Segment::Key(field), |walk| {
                    let text = document.scalar(value).unwrap_or_default();
                    match registry.filter(|_| !has_host(text)) {
                        None => walk.required(value, kind),
                        Some(registry) => match check(&format!("{registry}/{text}")) {
                            Ok(reference) => {
                                walk.report(value, 0..text.len(), reference, kind);
                                Ok(())
                            }
                            Err(reason) => Err(walk.error(value, text, reason)),
                        },
                    }
                })
            })?;
        }
        Ok(())
    })
}
