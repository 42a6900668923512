//! Places that no API defines: fields of custom resources, of values files and of `ConfigMap`s.

use crate::check::{check, fully_qualified, has_host, has_selector};
use crate::error::Problem;
use crate::occurrence::Kind;
use crate::text::trim;
use crate::tree::Id;
use crate::walk::{Mode, Segment, Walk};

/// Most references inside one longer text that are listed.
const MAX_LISTED: usize = 16;
/// Longest value, and most references in it, that is taken apart at `=` and commas.
const MAX_APART: (usize, usize) = (64 << 10, 64);

impl Walk<'_, '_> {
    /// Any scalar: a reference with registry and version is one wherever it stands, alone or after `=`
    /// and between commas. Within a longer text it is listed and left.
    pub(crate) fn free(&mut self, id: Id, kind: Kind) {
        let document = self.document;
        let Some(text) = document.text(id) else {
            return;
        };
        if !text.contains('/') || !text.contains([':', '@']) || self.seen.contains(&id) {
            return;
        }
        let trimmed = trim(text);
        if trimmed.contains(char::is_whitespace) {
            if !self.inner_yaml(id) {
                self.longer_text(id, trimmed);
            }
            return;
        }
        let mut found = Vec::new();
        let mut others = Vec::new();
        for (start, token) in tokens(text, |c| c == '=' || c == ',' || c.is_whitespace()) {
            match fully_qualified(token) {
                Some(reference) => found.push((start..start + token.len(), reference)),
                None => others.push(token),
            }
        }
        if text.len() > MAX_APART.0 || found.len() > MAX_APART.1 {
            self.longer_text(id, trimmed);
            return;
        }
        for (within, reference) in found {
            self.report(id, within, reference, kind);
        }
        // JSON on one line, and its like.
        self.longer_text(id, &others.join(" "));
    }

    fn longer_text(&mut self, id: Id, text: &str) {
        let mut listed: Vec<&str> = Vec::new();
        let ends = |c: char| c.is_whitespace() || "=,;()[]{}\"'`|&".contains(c);
        for (_, token) in tokens(text, ends) {
            let token = token.trim_end_matches(['.', ':']);
            if listed.len() < MAX_LISTED
                && fully_qualified(token).is_some()
                && !listed.contains(&token)
            {
                listed.push(token);
            }
        }
        for token in listed {
            self.leave(id, token, Problem::InLongerText);
        }
    }

    /// A scalar under a key that says it is an image.
    pub(crate) fn image_field(&mut self, key: &str, id: Id, kind: Kind) {
        let document = self.document;
        let Some(text) = document.text(id) else {
            return;
        };
        let trimmed = trim(text);
        match check(trimmed) {
            Ok(reference) if has_selector(text) => {
                let start = text.find(trimmed).unwrap_or_default();
                self.report(id, start..start + trimmed.len(), reference, kind);
            }
            Ok(reference) if has_host(text) => self.report_incomplete(id, reference, kind),
            Ok(_) if key == "image" || text.contains('/') => {
                self.leave(id, text, Problem::BareName);
            }
            // `osImage: Ubuntu` and its like: a word says nothing.
            Ok(_) => {}
            Err(_) if key != "image" && !text.contains('/') => {}
            Err(problem) => self.leave(id, text, problem),
        }
    }

    /// The fields of a mapping that are read together. Returns the values that are dealt with.
    pub(crate) fn fields(&mut self, id: Id, mode: Mode) -> Vec<Id> {
        let document = self.document;
        if self.environment(id) {
            return document.get(id, "value").into_iter().collect();
        }
        // OpenShift's ImageStreams and builds: `from: {kind: DockerImage, name: …}`.
        if document.get_text(id, "kind") == Some("DockerImage")
            && let Some(name) = document.get(id, "name")
        {
            self.within(Segment::Key("name"), |walk| {
                walk.image_field("image", name, mode.field());
            });
            return vec![name];
        }
        self.split(id, mode)
    }

    /// A `ConfigMap`: values that are a reference and nothing else count, scripts do not.
    pub(crate) fn config_map(&mut self, id: Id) {
        let document = self.document;
        let Some(data) = document.get(id, "data") else {
            return;
        };
        if !self.seen.insert(document.target(data)) {
            return;
        }
        self.within(Segment::Key("data"), |walk| {
            for &(key, value) in document.mapping(data) {
                let key = document.scalar(key).unwrap_or_default();
                walk.within(Segment::Key(key), |walk| walk.free(value, Kind::ConfigMap));
            }
        });
    }

    /// A resource's metadata: annotations that name an image are listed.
    pub(crate) fn metadata(&mut self, id: Id) {
        let document = self.document;
        let Some(annotations) = document.get(id, "annotations") else {
            return;
        };
        if !self.seen.insert(document.target(annotations)) {
            return;
        }
        self.within(Segment::Key("annotations"), |walk| {
            for &(key, value) in document.mapping(annotations) {
                let key = document.scalar(key).unwrap_or_default();
                let text = document.text(value).unwrap_or_default();
                if fully_qualified(text).is_some() {
                    walk.within(Segment::Key(key), |walk| {
                        walk.leave(value, text, Problem::InMetadata);
                    });
                }
            }
        });
    }

    /// Calico's `ImageSet`: its names are keys, which must stay what they are.
    pub(crate) fn image_set(&mut self, id: Id) {
        let document = self.document;
        let images = document
            .get(id, "spec")
            .and_then(|spec| document.get(spec, "images"));
        let Some(images) = images else {
            return;
        };
        if !self.seen.insert(document.target(images)) {
            return;
        }
        for (index, &item) in document.sequence(images).iter().enumerate() {
            let Some(image) = document.get(item, "image") else {
                continue;
            };
            let text = document.text(image).unwrap_or_default();
            self.within(Segment::Key("spec"), |walk| {
                walk.within(Segment::Key("images"), |walk| {
                    walk.within(Segment::Index(index), |walk| {
                        walk.leave(image, text, Problem::ImageSetName);
                    });
                });
            });
        }
    }
}

/// The pieces of `text` between characters that end one, with where they begin.
fn tokens(text: &str, ends: impl Fn(char) -> bool) -> Vec<(usize, &str)> {
    let mut start = 0;
    let mut out = Vec::new();
    for (at, c) in text.char_indices().filter(|&(_, c)| ends(c)) {
        out.push((start, &text[start..at]));
        start = at + c.len_utf8();
    }
    out.push((start, &text[start..]));
    out
}
