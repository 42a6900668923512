//! JSON patches (RFC 6902): operations whose values are put where their paths point.

use crate::error::FindError;
use crate::occurrence::Kind;
use crate::tree::{Document, Id};
use crate::walk::{Mode, Segment, Walk};

/// Whether a node is a patch: a list of mappings, each with an operation and a path.
pub(crate) fn is_patch(document: &Document<'_>, id: Id) -> bool {
    let operation = |item: &Id| {
        document.get_text(*item, "op").is_some() && document.get(*item, "path").is_some()
    };
    let items = document.sequence(id);
    !items.is_empty() && items.iter().all(operation)
}

impl<'a> Walk<'a, '_> {
    /// The values of a patch's operations.
    ///
    /// # Errors
    /// Those of a pod's containers.
    pub(crate) fn json_patch(&mut self, id: Id) -> Result<(), FindError> {
        let document = self.document;
        for (index, &item) in document.sequence(id).iter().enumerate() {
            let operation = document.get_text(item, "op");
            let (Some("add" | "replace"), Some(path), Some(value)) = (
                operation,
                document.get_text(item, "path"),
                document.get(item, "value"),
            ) else {
                continue;
            };
            self.within(Segment::Index(index), |walk| {
                walk.within(Segment::Key("value"), |walk| walk.patched(path, value))
            })?;
        }
        Ok(())
    }

    /// A value that a patch puts at `path`.
    fn patched(&mut self, path: &'a str, value: Id) -> Result<(), FindError> {
        let steps: Vec<&'a str> = path.split('/').skip(1).collect();
        let number = |step: &str| step == "-" || step.bytes().all(|byte| byte.is_ascii_digit());
        let mut keys = steps.iter().rev().filter(|step| !number(step));
        let (Some(&key), parent) = (keys.next(), keys.next().copied()) else {
            return self.node(value, Mode::Custom);
        };
        let item = steps.last().is_some_and(|step| number(step));
        let document = self.document;
        match (key, parent, containers(key), parent.and_then(containers)) {
            (_, _, Some(kind), _) if item => self.container(value, kind, Mode::Custom),
            ("image", _, _, Some(kind)) => self.container_image(value, kind, Mode::Custom),
            ("args" | "command", ..) if item => {
                self.argument(value, "");
                Ok(())
            }
            ("env", ..) if item => {
                self.environment(value);
                Ok(())
            }
            ("value", Some("env"), ..) => {
                self.env_value(value);
                Ok(())
            }
            _ if item && document.scalar(value).is_none() => {
                self.within(Segment::Key(key), |walk| walk.node(value, Mode::Custom))
            }
            _ => self.pair_in(key, value, Mode::Custom),
        }
    }
}

/// The kind of the containers that a key holds.
fn containers(key: &str) -> Option<Kind> {
    Some(match key {
        "containers" => Kind::Container,
        "initContainers" => Kind::InitContainer,
        "ephemeralContainers" => Kind::EphemeralContainer,
        _ => return None,
    })
}
