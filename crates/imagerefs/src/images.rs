//! What a key calls images: lists, mappings from names to references, and lines of text; also lists that look
//! like images under keys that say nothing.

use crate::check::{check, fully_qualified, has_host, has_selector, short_reference};
use crate::error::{FindError, Reason};
use crate::free::{ELSEWHERE, MAX_APART, lines_of};
use crate::occurrence::Kind;
use crate::tag::split_tag;
use crate::text::trim;
use crate::tree::Id;
use crate::walk::{Mode, Segment, Walk};

impl Walk<'_, '_> {
    /// What a key calls images: a list of references or of mappings, a mapping from names to references, or
    /// lines of text.
    ///
    /// # Errors
    /// Those of [`Walk::node`].
    pub(crate) fn images(&mut self, value: Id, mode: Mode) -> Result<(), FindError> {
        let document = self.document;
        if document.is_alias(value) && document.scalar(value).is_none() {
            return self.node(value, mode);
        }
        if document.is_mapping(value) {
            return self.image_map(value, mode);
        }
        if document.scalar(value).is_some() {
            self.lines(value, mode.field());
            return Ok(());
        }
        for (index, &item) in document.sequence(value).iter().enumerate() {
            self.within(Segment::Index(index), |walk| walk.image_item(item, mode))?;
        }
        Ok(())
    }

    /// An entry of a list that is called images.
    fn image_item(&mut self, item: Id, mode: Mode) -> Result<(), FindError> {
        let document = self.document;
        if document.scalar(item).is_some() {
            self.listed(item, mode.field());
            return Ok(());
        }
        let before = self.found.len();
        self.node(item, mode)?;
        // Its name may be all that the file says of the image.
        if self.found.len() == before
            && let Some(name) = self.filled(item, "name")
            && !self.seen.contains(&name)
            && document.text(name).is_some_and(|text| check(text).is_ok())
        {
            self.within(Segment::Key("name"), |walk| walk.listed(name, mode.field()));
        }
        Ok(())
    }

    /// A mapping from names to references. What has a role of its own in it does not count.
    fn image_map(&mut self, value: Id, mode: Mode) -> Result<(), FindError> {
        let document = self.document;
        let composed = [
            "repository",
            "tag",
            "registry",
            "pullPolicy",
            "name",
            "image",
        ];
        if composed
            .iter()
            .any(|key| document.get(value, key).is_some())
        {
            return self.node(value, mode);
        }
        for &(key, entry) in document.mapping(value) {
            let Some(key) = document.scalar(key) else {
                continue;
            };
            let text = document.text(entry).map(trim);
            if text
                .is_some_and(|text| has_selector(text) && check(text).is_ok() && !is_address(text))
            {
                self.within(Segment::Key(key), |walk| walk.listed(entry, mode.field()));
            }
        }
        self.node(value, mode)
    }

    /// A string that is called an image by the list that it is in.
    pub(crate) fn listed(&mut self, id: Id, kind: Kind) {
        let Some(text) = self.document.text(id) else {
            return;
        };
        let trimmed = trim(text);
        // Argo CD, as Kustomize: the image of this name gets that reference.
        let reference = trimmed
            .split_once('=')
            .map_or(trimmed, |(_, reference)| reference);
        let start = text.find(trimmed).unwrap_or_default() + trimmed.len() - reference.len();
        let within = start..start + reference.len();
        let overrides = self.kustomize || self.keys().nth(1) == Some("kustomize");
        match check(reference) {
            Ok(parsed) if overrides && reference.len() == trimmed.len() => {
                if has_selector(reference) {
                    // It also is the name to look for, so that it cannot be replaced.
                    self.report_fixed(id, parsed, reference.to_owned(), kind);
                } else {
                    self.leave(id, trimmed, Reason::BareName);
                }
            }
            Ok(_) if self.needs_registry(reference) => {
                self.leave(id, trimmed, Reason::Undecided(ELSEWHERE));
            }
            Ok(parsed) if has_selector(reference) => self.report(id, within, parsed, kind),
            Ok(parsed) if has_host(reference) => self.report_incomplete(id, within, parsed, kind),
            Ok(_) => self.leave(id, trimmed, Reason::BareName),
            Err(reason) => self.leave(id, trimmed, reason),
        }
    }

    /// Lines of text under a key that says they are images: all of them are references, or the text is like
    /// any other.
    pub(crate) fn lines(&mut self, id: Id, kind: Kind) {
        let document = self.document;
        let Some(text) = document.text(id) else {
            return;
        };
        let lines = lines_of(text);
        let all = lines
            .iter()
            .all(|(_, line)| has_selector(line) && check(line).is_ok());
        if !all || lines.is_empty() || lines.len() > MAX_APART.1 {
            self.free(id, kind);
            return;
        }
        for (start, line) in lines {
            if let Ok(reference) = check(line) {
                self.report(id, start..start + line.len(), reference, kind);
            }
        }
    }

    /// A list whose every entry is a name with a version, such as `team/app:v2`, under a key that says
    /// nothing: its entries are listed. Returns whether it is one.
    pub(crate) fn short_references(&mut self, list: Id) -> bool {
        let document = self.document;
        let items = document.sequence(list);
        let reference = |item: &Id| {
            let text = document.text(*item).map(trim).unwrap_or_default();
            short_reference(text) || fully_qualified(text).is_some()
        };
        let short = |item: &Id| {
            let text = document.text(*item).map(trim).unwrap_or_default();
            short_reference(text)
        };
        if !items.iter().all(reference) || !items.iter().any(short) || self.is_sensitive() {
            return false;
        }
        for (index, &item) in items.iter().enumerate() {
            let text = document.text(item).map(trim).unwrap_or_default();
            self.within(Segment::Index(index), |walk| match fully_qualified(text) {
                Some(_) => walk.free(item, Kind::Values),
                None => walk.leave(item, text, Reason::MayBeImage),
            });
        }
        true
    }
}

/// Whether a text can be a host and its port.
fn is_address(text: &str) -> bool {
    let (name, tag) = split_tag(text);
    let port = tag.is_some_and(|tag| tag.parse::<u16>().is_ok_and(|port| port > 99));
    port && !name.contains('/')
}
