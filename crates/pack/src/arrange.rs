//! The order of contents in a pack: alike next to each other, so that a window of limited length finds
//! what they have in common. Names say best what is alike: the same file of two versions has one name, and
//! the files of a folder share words, a module and its compiled form above all. A compiled form comes after its source,
//! which it can then be stored against.

use crate::open::Content;
use crate::path::source_path;

/// The numbers of contents in the order in which they are stored. It depends on what the contents are,
/// and where that is equal on the order in which they were met.
pub(crate) fn arrange(contents: &[Content]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..contents.len()).collect();
    order.sort_by_cached_key(|&number| {
        let content = &contents[number];
        let (path, compiled) = match source_path(&content.name) {
            Some(source) => (source, Some(&content.name)),
            None => (content.name.clone(), None),
        };
        (content.class.stream(), path, compiled, number)
    });
    order
}
