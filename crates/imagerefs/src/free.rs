//! What no API defines: fields of custom resources and of values files.

use sealift_oci::Reference;

use crate::check::{check, fully_qualified, has_host, has_selector, short_reference};
use crate::error::Reason;
use crate::occurrence::Kind;
use crate::text::trim;
use crate::tree::Id;
use crate::walk::{Mode, Segment, Walk, image_key};

/// Most references inside one longer text that are listed.
const MAX_LISTED: usize = 16;
/// Why a name without a host is not taken for one of Docker Hub.
pub(crate) const ELSEWHERE: &str = "a registry is set elsewhere in the file";
/// Longest value, and most references in it, that is taken apart at `=` and commas.
pub(crate) const MAX_APART: (usize, usize) = (64 << 10, 64);

impl Walk<'_, '_> {
    /// Any scalar: a reference with registry and version is one wherever it is, alone or after `=`
    /// and between commas. Within a longer text it is listed and left.
    pub(crate) fn free(&mut self, id: Id, kind: Kind) {
        let document = self.document;
        let Some(text) = document.text(id) else {
            return;
        };
        if !text.contains([':', '@']) || self.seen.contains(&id) {
            return;
        }
        let trimmed = trim(text);
        if (trimmed.contains(char::is_whitespace) || trimmed.starts_with(['{', '[']))
            && self.inner_yaml(id)
        {
            return;
        }
        if short_reference(trimmed) {
            if !self.confidential && !self.is_sensitive() {
                self.leave(id, trimmed, Reason::MayBeImage);
            }
            return;
        }
        if trimmed.contains(char::is_whitespace) {
            self.several_lines(id, text, kind);
            return;
        }
        if trimmed.starts_with("oci://") {
            self.leave(id, trimmed, Reason::OciArtifact);
            return;
        }
        if !text.contains('/') {
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

    /// Whether a name without a host may get one from a registry that is set elsewhere in the file.
    pub(crate) fn needs_registry(&self, text: &str) -> bool {
        !has_host(text) && (has_selector(text) || text.contains('/')) && self.registry_elsewhere()
    }

    /// Whether the keys above speak of what no message should repeat.
    pub(crate) fn is_sensitive(&self) -> bool {
        const WORDS: &[&str] = &[
            "pass", "secret", "token", "cred", "auth", "user", "login", "key",
        ];
        let keys = self.keys().take(3).map(str::to_ascii_lowercase);
        keys.into_iter()
            .any(|key| WORDS.iter().any(|word| key.contains(word)))
    }

    /// A text of several lines or words: settings such as `SIDE_IMAGE=team/side:v1`, names with a tag one a
    /// line, or anything else, in which references are listed.
    fn several_lines(&mut self, id: Id, text: &str, kind: Kind) {
        let lines = lines_of(text);
        let settings = lines.iter().filter_map(|&(at, line)| {
            let (start, reference) = setting(line)?;
            Some((at + start..at + line.len(), reference))
        });
        for (within, reference) in settings.take(MAX_APART.1) {
            self.report(id, within, reference, kind);
        }
        if lines.iter().all(|(_, line)| short_reference(line)) && !self.confidential {
            for (_, line) in lines.iter().take(MAX_LISTED) {
                self.leave(id, line, Reason::MayBeImage);
            }
        }
        let rest = lines.iter().filter(|(_, line)| setting(line).is_none());
        let rest: Vec<&str> = rest.map(|(_, line)| *line).collect();
        self.longer_text(id, &rest.join("\n"));
    }

    fn longer_text(&mut self, id: Id, text: &str) {
        // Pieces of a Secret's texts may be anything.
        if self.confidential {
            return;
        }
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
            self.leave(id, token, Reason::InLongerText);
        }
    }

    /// A scalar under a key that says it is an image.
    pub(crate) fn image_field(&mut self, key: &str, id: Id, kind: Kind) {
        let document = self.document;
        let Some(text) = document.text(id) else {
            return;
        };
        let trimmed = trim(text);
        let start = text.find(trimmed).unwrap_or_default();
        let within = start..start + trimmed.len();
        match check(trimmed) {
            Ok(_) if self.needs_registry(trimmed) => {
                self.leave(id, text, Reason::Undecided(ELSEWHERE));
            }
            Ok(reference) if has_selector(trimmed) => self.report(id, within, reference, kind),
            Ok(reference) if has_host(trimmed) => {
                self.report_incomplete(id, within, reference, kind);
            }
            Ok(_) if key == "image" || text.contains('/') => {
                self.leave(id, text, Reason::BareName);
            }
            // `osImage: Ubuntu` and its like: a word says nothing.
            Ok(_) => {}
            Err(_) if key != "image" && !text.contains('/') => {}
            Err(reason) => self.leave(id, text, reason),
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
        if let Some(taken) = self
            .kustomize_image(id, mode)
            .or_else(|| self.copy(id, mode))
        {
            return taken;
        }
        self.compose(id, mode)
    }

    /// Tools that copy images say from where and to where: only the first is an image that exists.
    fn copy(&mut self, id: Id, mode: Mode) -> Option<Vec<Id>> {
        let document = self.document;
        let text = |key| self.filled(id, key).and_then(|value| document.text(value));
        let source = ["source", "src", "from"]
            .into_iter()
            .find(|key| text(key).is_some())?;
        let target = ["target", "dest", "destination", "to"];
        let target = target.into_iter().find(|key| text(key).is_some())?;
        let is_image =
            |key| text(key).is_some_and(|text| text.contains(['/', ':']) && check(text).is_ok());
        if !is_image(source) || !is_image(target) {
            return None;
        }
        let (from, to) = (self.filled(id, source)?, self.filled(id, target)?);
        self.within(Segment::Key(source), |walk| walk.listed(from, mode.field()));
        Some(vec![from, to])
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
                        walk.leave(value, text, Reason::InMetadata);
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
                        walk.leave(image, text, Reason::ImageSetName);
                    });
                });
            });
        }
    }
}

/// `SIDE_IMAGE=team/side:v1`: where the reference begins, and it.
fn setting(line: &str) -> Option<(usize, Reference)> {
    let (name, value) = line.split_once('=')?;
    let image = image_key(name.trim()) && has_selector(value);
    let reference = check(value).ok().filter(|_| image)?;
    Some((line.len() - value.len(), reference))
}

/// The lines of a text that are neither blank nor comments, without blanks around them, with where they
/// begin.
pub(crate) fn lines_of(text: &str) -> Vec<(usize, &str)> {
    let lines = tokens(text, |c| c == '\n' || c == '\r').into_iter();
    lines
        .map(|(start, line)| {
            let blanks = line.len() - line.trim_start().len();
            (start + blanks, line.trim())
        })
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .collect()
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
