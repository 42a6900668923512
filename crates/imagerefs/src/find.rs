//! From bytes to the references in them.

use crate::encoding::decode;
use crate::error::{FindError, Reason};
use crate::form;
use crate::list;
use crate::occurrence::{Findings, InputKind};
use crate::settings;
use crate::text::Text;
use crate::tree::{Document, Documents};
use crate::walk::Walk;

/// Most top-level keys that a message about an unknown form repeats.
const MAX_KEYS: usize = 5;

/// Finds the image references of `bytes`, whatever kind of input they are; `name` is for messages.
///
/// Work and memory are bounded by the size of the text. In a plain list, a lock file or a workload that
/// the kubelet runs as it is, everything must be understood; elsewhere what looks like an image and is
/// not understood is listed, and so is a document whose form is not known and in which nothing was found.
/// UTF-16 is read too; positions then are those of the same text as UTF-8.
///
/// # Errors
/// If the bytes are not text, not YAML, nested too deep, or the real value of an image is missing.
pub fn find(name: &str, bytes: &[u8]) -> Result<Findings, FindError> {
    let (bytes, _) = decode(bytes, name)?;
    find_in(&Text::new(&bytes, name)?)
}

/// Finds the image references of a text.
///
/// # Errors
/// The same as [`find`]'s.
pub(crate) fn find_in(text: &Text<'_>) -> Result<Findings, FindError> {
    if settings::is_settings(text) {
        return Ok(settings::scan(text));
    }
    if list::is_list(text) {
        return list::scan(text);
    }
    let mut documents = Documents::new(text);
    let mut found = None;
    while let Some(document) = documents.next()? {
        let Some(input) = form::recognise(text, &document)? else {
            continue;
        };
        let found = found.get_or_insert_with(|| Findings::new(input));
        let before = found.len();
        let mut walk = Walk::new(text, &document, found);
        form::read(&mut walk, input)?;
        if walk.found.len() == before && input == InputKind::Values {
            walk.leave(document.root(), &keys(&document), Reason::UnknownForm);
        }
    }
    let mut found = found.unwrap_or_else(|| Findings::new(InputKind::Empty));
    found.sort();
    Ok(found)
}

/// Whether a text is YAML rather than lines.
pub(crate) fn is_yaml(text: &Text<'_>) -> bool {
    !settings::is_settings(text) && !list::is_list(text)
}

/// The first keys of a document, for a message.
fn keys(document: &Document<'_>) -> String {
    let root = document.root();
    let first = document.sequence(root).first().copied().unwrap_or(root);
    let keys = document.mapping(first).iter();
    let keys = keys.filter_map(|(key, _)| document.scalar(*key));
    keys.take(MAX_KEYS).collect::<Vec<_>>().join(", ")
}
