//! Reads a text before and after, and compares it with what was wanted.

use super::{ITEMS, SECRETS, SPEC, SpecFields, is_wanted, resources};
use crate::edit::RewriteError;
use crate::text::Text;
use crate::tree::{Document, Documents, Id};

/// A value for comparing; aliases stay aliases, so that it is no larger than its text.
#[derive(Debug, PartialEq)]
enum Tree {
    /// A text, and whether it stands without quotes.
    Scalar(String, bool),
    Sequence(Vec<Tree>),
    Mapping(Vec<(Tree, Tree)>),
    Alias,
}

/// Checks that two texts are the same YAML but for what `wanted` says.
///
/// # Errors
/// If they differ in anything else.
pub(super) fn reads_as_intended(
    before: &[u8],
    after: &[u8],
    wanted: &SpecFields<'_>,
) -> Result<(), RewriteError> {
    let (before, after) = (Text::new(before, "")?, Text::new(after, "")?);
    let (mut left, mut right) = (Documents::new(&before), Documents::new(&after));
    loop {
        let (old, new) = match (left.next()?, right.next()?) {
            (None, None) => return Ok(()),
            (Some(old), Some(new)) => (old, new),
            _ => return Err(RewriteError::Inconsistent { line: 1 }),
        };
        let mut expected = tree(&old, old.root());
        let mut actual = tree(&new, new.root());
        for (index, (resource, changed)) in
            resources(&old).into_iter().zip(resources(&new)).enumerate()
        {
            if !is_wanted(&old, resource, wanted) {
                continue;
            }
            let in_list = resource != old.root();
            for whole in [&mut expected, &mut actual] {
                let resource = if in_list {
                    item(whole, index)
                } else {
                    Some(whole)
                };
                if let Some(spec) = resource.and_then(|resource| value_of(resource, SPEC)) {
                    put(spec, wanted);
                }
            }
            // One that was changed has to say so without help; others were listed.
            let same = tree(&old, resource) == tree(&new, changed);
            if !same && !says(&new, changed, wanted) {
                return Err(inconsistent(&before, &old));
            }
        }
        if expected != actual {
            return Err(inconsistent(&before, &old));
        }
    }
}

fn inconsistent(text: &Text<'_>, document: &Document<'_>) -> RewriteError {
    let start = document.node(document.root()).span.start;
    RewriteError::Inconsistent {
        line: text.position(start).0,
    }
}

fn tree(document: &Document<'_>, id: Id) -> Tree {
    if document.is_alias(id) {
        return Tree::Alias;
    }
    if let Some(text) = document.scalar(id) {
        return Tree::Scalar(text.to_owned(), document.is_plain(id));
    }
    if document.is_sequence(id) {
        let items = document.sequence(id).iter();
        return Tree::Sequence(items.map(|item| tree(document, *item)).collect());
    }
    let pairs = document.mapping(id).iter();
    Tree::Mapping(
        pairs
            .map(|(key, value)| (tree(document, *key), tree(document, *value)))
            .collect(),
    )
}

fn value_of<'t>(tree: &'t mut Tree, name: &str) -> Option<&'t mut Tree> {
    let Tree::Mapping(pairs) = tree else {
        return None;
    };
    let found = pairs.iter_mut().find(|(key, _)| is(key, name));
    found.map(|(_, value)| value)
}

/// An item of a `List`.
fn item(list: &mut Tree, index: usize) -> Option<&mut Tree> {
    match value_of(list, ITEMS)? {
        Tree::Sequence(items) => items.get_mut(index),
        _ => None,
    }
}

fn is(tree: &Tree, text: &str) -> bool {
    matches!(tree, Tree::Scalar(own, _) if own == text)
}

/// Takes out of a `spec` what was to change: what is left has to be the same on both sides.
fn put(spec: &mut Tree, wanted: &SpecFields<'_>) {
    if is_null(spec) {
        *spec = Tree::Mapping(Vec::new());
    }
    let Tree::Mapping(pairs) = spec else { return };
    pairs.retain(|(key, _)| !wanted.fields.iter().any(|(name, _)| is(key, name)));
    let Some(secret) = wanted.pull_secret else {
        return;
    };
    for (key, value) in &mut *pairs {
        if let (true, Tree::Sequence(items)) = (is(key, SECRETS), value) {
            items.retain(|item| !names(item, secret));
        }
    }
    pairs.retain(|(key, value)| {
        let nothing = match value {
            Tree::Sequence(items) => items.is_empty(),
            other => is_null(other),
        };
        !(is(key, SECRETS) && nothing)
    });
}

fn is_null(tree: &Tree) -> bool {
    matches!(tree, Tree::Scalar(text, true) if matches!(text.as_str(), "" | "~" | "null"))
}

fn names(item: &Tree, secret: &str) -> bool {
    let Tree::Mapping(pairs) = item else {
        return false;
    };
    matches!(pairs.as_slice(), [(key, value)] if is(key, "name") && is(value, secret))
}

/// Whether the resource's `spec` says all that is wanted, each key once.
fn says(document: &Document<'_>, resource: Id, wanted: &SpecFields<'_>) -> bool {
    let Some(spec) = document.get(resource, SPEC) else {
        return false;
    };
    let all = |name: &str| {
        let pairs = document.mapping(spec).iter();
        pairs
            .filter(|(key, _)| document.scalar(*key) == Some(name))
            .count()
    };
    let fields = wanted.fields.iter().all(|(name, value)| {
        let said = document.get_text(spec, name).unwrap_or_default();
        said == *value && all(name) <= 1
    });
    let secret = wanted.pull_secret.is_none_or(|secret| {
        let list = document.get(spec, SECRETS);
        let items = list.map_or(&[][..], |list| document.sequence(list));
        let named = |item: &&Id| document.get_text(**item, "name") == Some(secret);
        items.iter().filter(named).count() == 1 && all(SECRETS) == 1
    });
    fields && secret
}
