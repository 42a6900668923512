//! Reads a text before and after, and compares.

use super::KEY;
use crate::edit::RewriteError;
use crate::text::Text;
use crate::tree::{Document, Documents, Id};

/// Checks that two texts are the same YAML but for `count` mappings that name `secret` before all else.
///
/// # Errors
/// If they differ in anything else.
pub(crate) fn same_but_for(
    before: &[u8],
    after: &[u8],
    secret: &str,
    count: usize,
) -> Result<(), RewriteError> {
    let odd = |line| RewriteError::Inconsistent { line };
    let before = Text::new(before, "").map_err(|error| odd(error.line))?;
    let after = Text::new(after, "").map_err(|error| odd(error.line))?;
    let (mut left, mut right) = (Documents::new(&before), Documents::new(&after));
    let mut pair = Comparison { secret, met: 0 };
    loop {
        let old = left.next().map_err(|error| odd(error.line))?;
        let new = right.next().map_err(|error| odd(error.line))?;
        let (old, new) = match (old, new) {
            (None, None) => break,
            (Some(old), Some(new)) => (old, new),
            _ => return Err(odd(1)),
        };
        if !pair.same((&old, old.root()), (&new, new.root())) {
            let start = old.node(old.root()).span.start;
            return Err(odd(before.position(start).0));
        }
    }
    if pair.met == count {
        Ok(())
    } else {
        Err(odd(1))
    }
}

type Located<'a, 't> = (&'a Document<'t>, Id);

struct Comparison<'s> {
    secret: &'s str,
    /// How many mappings name the secret now that did not.
    met: usize,
}

impl Comparison<'_> {
    fn same(&mut self, old: Located<'_, '_>, new: Located<'_, '_>) -> bool {
        let ((before, b), (after, a)) = (old, new);
        if before.is_alias(b) || after.is_alias(a) {
            // What it stands for is compared where it is anchored.
            return before.is_alias(b) && after.is_alias(a);
        }
        if before.is_mapping(b) && after.is_mapping(a) {
            return self.mappings(old, new);
        }
        if before.is_sequence(b) && after.is_sequence(a) {
            return self.items(old, before.sequence(b), new, after.sequence(a));
        }
        before.scalar(b).is_some()
            && before.scalar(b) == after.scalar(a)
            && before.is_plain(b) == after.is_plain(a)
    }

    fn items(
        &mut self,
        old: Located<'_, '_>,
        before: &[Id],
        new: Located<'_, '_>,
        after: &[Id],
    ) -> bool {
        before.len() == after.len()
            && before
                .iter()
                .zip(after)
                .all(|(b, a)| self.same((old.0, *b), (new.0, *a)))
    }

    fn mappings(&mut self, old: Located<'_, '_>, new: Located<'_, '_>) -> bool {
        let mut before = old.0.mapping(old.1).iter().peekable();
        for &(key, value) in new.0.mapping(new.1) {
            let pair = before.peek().copied().copied();
            let same_key = pair.is_some_and(|(b, _)| self.same((old.0, b), (new.0, key)));
            let secrets = new.0.scalar(key) == Some(KEY);
            let value = (new.0, value);
            let same = match pair {
                Some((_, list)) if same_key => {
                    before.next();
                    let list = (old.0, list);
                    (secrets && self.gained(Some(list), value)) || self.same(list, value)
                }
                _ => secrets && self.gained(None, value),
            };
            if !same {
                return false;
            }
        }
        before.next().is_none()
    }

    /// Whether the new list is the old one with the secret before its first item.
    fn gained(&mut self, old: Option<Located<'_, '_>>, new: Located<'_, '_>) -> bool {
        let Some((&first, rest)) = new.0.sequence(new.1).split_first() else {
            return false;
        };
        let name = new.0.get(first, "name").and_then(|name| new.0.scalar(name));
        if name != Some(self.secret) || new.0.mapping(first).len() != 1 {
            return false;
        }
        let same = match old {
            None => rest.is_empty(),
            Some(list) if list.0.is_sequence(list.1) => {
                let items = list.0.sequence(list.1);
                self.items(list, items, new, rest)
            }
            Some((document, id)) => rest.is_empty() && document.text(id).is_none(),
        };
        self.met += usize::from(same);
        same
    }
}
