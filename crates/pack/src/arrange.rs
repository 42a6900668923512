//! The order of contents in a pack: alike next to each other, so that a window of limited length finds
//! what they have in common.

use std::cmp::Ordering;

use crate::open::Content;

/// The numbers of contents in the order in which they are stored. It depends on what the contents are,
/// and where that is equal on the order in which they were met.
pub(crate) fn arrange(contents: &[Content]) -> Vec<usize> {
    let keys: Vec<Key<'_>> = contents.iter().map(Key::of).collect();
    let mut order: Vec<usize> = (0..contents.len()).collect();
    order.sort_by(|&a, &b| keys[a].compare(&keys[b]).then(a.cmp(&b)));
    order
}

/// What a content is sorted by.
struct Key<'a> {
    content: &'a Content,
    extension: &'a str,
    file: &'a str,
}

impl<'a> Key<'a> {
    fn of(content: &'a Content) -> Self {
        let file = content.name.rsplit('/').next().unwrap_or_default();
        Self {
            content,
            extension: extension(file),
            file,
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        let class = self.content.class.cmp(&other.content.class);
        class
            .then_with(|| self.extension.cmp(other.extension))
            .then_with(|| self.file.cmp(other.file))
            .then_with(|| self.content.name.cmp(&other.content.name))
    }
}

/// What follows the last dot, or for a library the part before its version: `libc.so.6` is `so`.
fn extension(file: &str) -> &str {
    if let Some(at) = file.find(".so.") {
        return &file[at + 1..at + 3];
    }
    match file.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => extension,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_a_library_have_one_extension() {
        assert_eq!(extension("libc.so.6"), "so");
        assert_eq!(extension("libc.so"), "so");
        assert_eq!(extension("a.tar.gz"), "gz");
        assert_eq!(extension(".profile"), "");
        assert_eq!(extension("README"), "");
    }
}
