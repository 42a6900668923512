//! From bytes to what was found in them.

use crate::error::{FindError, Problem};
use crate::list;
use crate::locks;
use crate::occurrence::{Found, InputKind};
use crate::text::Text;
use crate::tree::{Document, Documents};
use crate::walk::Walk;

/// Finds the image references of `bytes`, whatever kind of input they are; `name` is for messages.
///
/// Work and memory are bounded by the size of the text. In a plain list, a lock file or a workload that
/// the kubelet runs as it is, everything must be understood; elsewhere what looks like an image and is
/// not understood is listed.
///
/// # Errors
/// Where the bytes are no text, no YAML, nested too deep, or an image is missing its real value.
pub fn find(name: &str, bytes: &[u8]) -> Result<Found, FindError> {
    let text = Text::new(bytes, name)?;
    if list::is_list(&text) {
        return list::scan(&text);
    }
    let mut documents = Documents::new(&text);
    let mut found = None;
    while let Some(document) = documents.next()? {
        let Some(input) = kind(&text, &document)? else {
            continue;
        };
        let found = found.get_or_insert_with(|| Found::new(input));
        let mut walk = Walk::new(&text, &document, found);
        match input {
            InputKind::List => locks::strings(&mut walk)?,
            InputKind::HaulerImages => locks::hauler(&mut walk)?,
            InputKind::ImagesLock => locks::images_lock(&mut walk)?,
            InputKind::Manifests | InputKind::Values => walk.run()?,
        }
    }
    let mut found = found.unwrap_or_else(|| Found::new(InputKind::Manifests));
    found
        .occurrences
        .sort_by_key(|occurrence| occurrence.span.start);
    found
        .incomplete
        .sort_by_key(|occurrence| occurrence.span.start);
    found
        .not_understood
        .sort_by_key(|place| (place.line, place.column));
    Ok(found)
}

/// What a document is; nothing for an empty one.
pub(crate) fn kind(
    text: &Text<'_>,
    document: &Document<'_>,
) -> Result<Option<InputKind>, FindError> {
    let root = document.root();
    if document.is_sequence(root) {
        let items = document.sequence(root);
        let strings =
            !items.is_empty() && items.iter().all(|item| document.scalar(*item).is_some());
        return Ok(Some(if strings {
            InputKind::List
        } else {
            InputKind::Values
        }));
    }
    if !document.is_mapping(root) {
        return match document.text(root) {
            None => Ok(None),
            Some(_) => Err(text.error(document.node(root).span.start, "", Problem::NotAManifest)),
        };
    }
    let group = document.get_text(root, "apiVersion");
    let kind = document.get_text(root, "kind");
    Ok(Some(match (group, kind) {
        (Some(group), Some("Images")) if group.starts_with("content.hauler.cattle.io/") => {
            InputKind::HaulerImages
        }
        (Some(group), Some("ImagesLock")) if group.starts_with("imgpkg.carvel.dev/") => {
            InputKind::ImagesLock
        }
        (Some(_), Some(_)) => InputKind::Manifests,
        _ => InputKind::Values,
    }))
}
