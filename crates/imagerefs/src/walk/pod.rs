//! What a pod has: containers, their environment and their arguments.

use crate::check::{check, has_selector};
use crate::error::{FindError, Reason};
use crate::helm;
use crate::occurrence::Kind;
use crate::placeholder::Placeholder;
use crate::text::trim;
use crate::tree::Id;
use crate::walk::{Mode, Segment, Walk, image_key};

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

    /// One container; where a list of strings is called containers, one of those.
    ///
    /// # Errors
    /// If a template's variable takes the image's place and nothing will replace it any more.
    pub(crate) fn container(&mut self, item: Id, kind: Kind, mode: Mode) -> Result<(), FindError> {
        let document = self.document;
        if document.scalar(item).is_some() {
            self.listed(item, kind);
            return Ok(());
        }
        if let Some(image) = document.get(item, "image") {
            self.within(Segment::Key("image"), |walk| {
                let keys = document.mapping(item).iter().map(|(key, _)| *key);
                let named = keys.filter(|key| document.scalar(*key) == Some("image"));
                if named.count() > 1 {
                    let text = document.text(image).unwrap_or_default();
                    walk.leave(image, text, Reason::KeyTwice("image"));
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
    /// If a template's variable stands there and nothing will replace it any more.
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
            Err(reason @ Reason::Placeholder(placeholder))
                if mode == (Mode::Builtin { strict: true }) && placeholder != Placeholder::Word =>
            {
                return Err(self.error(id, text, reason));
            }
            Err(reason) => self.leave(id, trimmed, reason),
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
    pub(crate) fn argument(&mut self, id: Id, before: &str) {
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

    /// A list of `NAME=value`, or of mappings with name and value.
    ///
    /// # Errors
    /// Those of [`Walk::node`].
    pub(crate) fn assignments(&mut self, list: Id, mode: Mode) -> Result<(), FindError> {
        let document = self.document;
        if !self.seen.insert(document.target(list)) {
            return Ok(());
        }
        for (index, &item) in document.sequence(list).iter().enumerate() {
            self.within(Segment::Index(index), |walk| {
                if document.scalar(item).is_none() {
                    return walk.node(item, mode);
                }
                walk.assignment(item);
                Ok(())
            })?;
        }
        Ok(())
    }

    /// `NAME=value`.
    fn assignment(&mut self, id: Id) {
        let Some(text) = self.document.text(id) else {
            return;
        };
        let (name, value) = text.split_once('=').unwrap_or(("", text));
        self.value(id, text, value, image_key(name), Kind::Environment);
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
            self.within(Segment::Key("value"), |walk| {
                if name.contains('.') && part_of_image(name) {
                    walk.leave(
                        value,
                        &format!("{name}={text}"),
                        Reason::Undecided("a parameter sets one part of a reference"),
                    );
                } else {
                    walk.value(value, text, text, image_key(name), Kind::Environment);
                }
            });
        }
        document.scalar(value).is_some()
    }

    /// The value of an environment variable whose name is not known.
    pub(crate) fn env_value(&mut self, id: Id) {
        if let Some(text) = self.document.text(id) {
            self.value(id, text, text, false, Kind::Environment);
        }
    }

    /// A value that may be an image: `value` is the end of `text`, the scalar's whole value. If its name
    /// says that it is one, less is asked of it. The program that reads it may complete it, so that no tag
    /// is added.
    fn value(&mut self, id: Id, text: &'a str, value: &'a str, named: bool, kind: Kind) {
        // Several images at once: each must then say itself that it is one.
        if !named || value.contains([',', '=']) {
            self.free(id, kind);
            return;
        }
        let within = text.len() - value.len()..text.len();
        match check(value) {
            Ok(reference) if has_selector(value) => self.report(id, within, reference, kind),
            Ok(reference) if value.contains('/') => {
                self.report_incomplete(id, within, reference, kind);
            }
            Ok(_) if is_word(value) => self.leave(id, value, Reason::BareName),
            Ok(_) => {}
            Err(reason) => self.leave(id, value, reason),
        }
    }
}

/// Whether a value can be an image's short name rather than a number or a truth value.
fn is_word(value: &str) -> bool {
    value.len() > 1
        && value.starts_with(|c: char| c.is_ascii_lowercase())
        && helm::printed(value).is_none()
        && !matches!(value, "true" | "false" | "null" | "none")
}

/// Whether a dotted name, as charts' parameters have, is a part of an image and not all of it.
pub(crate) fn part_of_image(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let (above, last) = lower.rsplit_once('.').unwrap_or_default();
    above.contains("image")
        && matches!(
            last,
            "registry" | "repository" | "name" | "tag" | "version" | "digest" | "sha"
        )
        || matches!(last, "imageregistry" | "imagerepository" | "imagetag")
}
