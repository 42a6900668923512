//! What a pod has: containers, their environment and their arguments.

use crate::check::{Placeholder, check, has_selector};
use crate::error::{FindError, Problem};
use crate::occurrence::Kind;
use crate::text::trim;
use crate::tree::Id;
use crate::walk::{Mode, Segment, Walk};

impl<'a> Walk<'a, '_> {
    /// A list of containers, wherever it stands.
    pub(crate) fn containers(&mut self, list: Id, kind: Kind, mode: Mode) -> Result<(), FindError> {
        let document = self.document;
        if !self.seen.insert(document.target(list)) {
            return Ok(());
        }
        for (index, &item) in document.sequence(list).iter().enumerate() {
            if !self.seen.insert(document.target(item)) {
                continue;
            }
            self.within(Segment::Index(index), |walk| {
                walk.container(item, kind, mode)
            })?;
        }
        Ok(())
    }

    fn container(&mut self, item: Id, kind: Kind, mode: Mode) -> Result<(), FindError> {
        let document = self.document;
        if let Some(image) = document.get(item, "image") {
            self.within(Segment::Key("image"), |walk| {
                let keys = document.mapping(item).iter().map(|(key, _)| *key);
                let named = keys.filter(|key| document.scalar(*key) == Some("image"));
                if named.count() > 1 {
                    let text = document.text(image).unwrap_or_default();
                    walk.leave(image, text, Problem::KeyTwice("image"));
                    Ok(())
                } else if document.scalar(image).is_some() {
                    walk.container_image(image, kind, mode)
                } else {
                    walk.node(image, mode)
                }
            })?;
        }
        for key in ["command", "args"] {
            if let Some(list) = document.get(item, key) {
                self.within(Segment::Key(key), |walk| walk.arguments(list));
            }
        }
        if let Some(list) = document.get(item, "env")
            && self.seen.insert(document.target(list))
        {
            self.within(Segment::Key("env"), |walk| {
                for (index, &entry) in document.sequence(list).iter().enumerate() {
                    walk.within(Segment::Index(index), |walk| {
                        walk.environment(entry);
                    });
                }
            });
        }
        Ok(())
    }

    /// The image that a container or a volume names.
    ///
    /// # Errors
    /// Where a template's variable stands there and nothing will replace it any more.
    pub(crate) fn container_image(
        &mut self,
        id: Id,
        kind: Kind,
        mode: Mode,
    ) -> Result<(), FindError> {
        let document = self.document;
        let Some(text) = document.text(id) else {
            return Ok(());
        };
        let trimmed = trim(text);
        let start = text.find(trimmed).unwrap_or_default();
        match check(trimmed) {
            Ok(reference) => self.report(id, start..start + trimmed.len(), reference, kind),
            Err(problem @ Problem::Placeholder(placeholder))
                if mode == (Mode::Builtin { strict: true }) && placeholder != Placeholder::Word =>
            {
                return Err(self.error(id, text, problem));
            }
            Err(problem) => self.leave(id, trimmed, problem),
        }
        Ok(())
    }

    /// A list of arguments.
    pub(crate) fn arguments(&mut self, list: Id) {
        let document = self.document;
        if !self.seen.insert(document.target(list)) {
            return;
        }
        let mut before = "";
        for (index, &item) in document.sequence(list).iter().enumerate() {
            let flag = std::mem::replace(&mut before, document.scalar(item).unwrap_or_default());
            self.within(Segment::Index(index), |walk| walk.argument(item, flag));
        }
    }

    /// One argument: `--flag=value`, or a value after the flag before it.
    fn argument(&mut self, id: Id, before: &str) {
        let Some(text) = self.document.text(id) else {
            return;
        };
        let (flag, value) = match text.split_once('=') {
            Some((flag, value)) if flag.starts_with('-') => (flag, value),
            _ if before.starts_with('-') && !before.contains('=') => (before, text),
            _ => ("", text),
        };
        let named = flag.to_ascii_lowercase().ends_with("image");
        self.value(id, text, value, named, Kind::Argument);
    }

    /// One environment variable, a mapping with name and value. Returns whether it is one.
    pub(crate) fn environment(&mut self, entry: Id) -> bool {
        let document = self.document;
        let (Some(name), Some(value)) = (
            document.get_text(entry, "name"),
            document.get(entry, "value"),
        ) else {
            return false;
        };
        if let Some(text) = document.text(value) {
            let named = name.starts_with("RELATED_IMAGE_") || name.ends_with("IMAGE");
            self.within(Segment::Key("value"), |walk| {
                walk.value(value, text, text, named, Kind::Environment);
            });
        }
        document.scalar(value).is_some()
    }

    /// A value that may be an image: `value` is the end of `text`, the scalar's whole value. Where its
    /// name says that it is one, less is asked of it.
    fn value(&mut self, id: Id, text: &'a str, value: &'a str, named: bool, kind: Kind) {
        // Several images at once: each must then say itself that it is one.
        if !named || value.contains([',', '=']) {
            self.free(id, kind);
            return;
        }
        let start = text.len() - value.len();
        match check(value) {
            Ok(reference) if has_selector(value) || value.contains('/') => {
                self.report(id, start..text.len(), reference, kind);
            }
            Ok(_) => {}
            Err(problem) => self.leave(id, value, problem),
        }
    }
}
