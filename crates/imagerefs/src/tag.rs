//! The tag in the text of a reference.

/// Splits `name:tag`; a colon before the last slash belongs to a port.
pub(crate) fn split_tag(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((name, tag)) if !tag.contains(['/', ']']) => (name, Some(tag)),
        _ => (text, None),
    }
}
