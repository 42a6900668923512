//! Images whose registry, name, tag and digest stand in fields of their own, as in Helm values.

use sealift_oci::Reference;

use crate::check::{check, has_selector};
use crate::error::Problem;
use crate::occurrence::Piece;
use crate::text::trim;
use crate::tree::Id;
use crate::walk::{Mode, Segment, Walk};

/// Keys that hold the tag, the usual one first.
const TAGS: &[&str] = &["tag", "imageTag", "newTag", "version"];
/// Keys that hold the name or all but tag and digest.
const NAMES: &[&str] = &["repository", "imageRepository", "newName"];
/// Keys that hold the registry, for one image or (in `global`) for all.
const REGISTRIES: &[&str] = &["registry", "imageRegistry"];

/// Fields that the mappings around an image give it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Inherited {
    hub: Option<Id>,
    tag: Option<Id>,
    variant: Option<Id>,
    registry: Option<Id>,
    namespace: Option<Id>,
    /// The registry that replaces every image's own (`global.imageRegistry`).
    everywhere: Option<Id>,
}

/// What is known of an image so far.
#[derive(Default)]
struct Parts {
    pieces: Vec<(Piece, Id)>,
}

impl Parts {
    fn add(&mut self, piece: Piece, id: Option<Id>) {
        if let Some(id) = id {
            self.pieces.push((piece, id));
        }
    }

    fn get(&self, wanted: Piece) -> Option<Id> {
        let mut found = self.pieces.iter().filter(|(piece, _)| *piece == wanted);
        found.next().map(|(_, id)| *id)
    }
}

impl<'a> Walk<'a, '_> {
    /// An image in several fields of the mapping `id`. Returns the values that are dealt with.
    pub(crate) fn split(&mut self, id: Id, mode: Mode) -> Vec<Id> {
        let document = self.document;
        if let Some(whole) = self.filled(id, "override") {
            // Cilium: all other fields are ignored where this one is set.
            if self.any(id, NAMES).is_some() {
                self.within(Segment::Key("override"), |walk| {
                    walk.image_field("image", whole, mode.field());
                });
                let all = [
                    &["override", "digest", "useDigest"],
                    NAMES,
                    TAGS,
                    REGISTRIES,
                ]
                .concat();
                return all
                    .into_iter()
                    .filter_map(|key| document.get(id, key))
                    .collect();
            }
        }
        if let Some(prefix) = self.prefix(id) {
            self.within(Segment::Key("imageRepository"), |walk| {
                let text = walk.document.text(prefix).unwrap_or_default();
                walk.leave(prefix, text, Problem::NoNames);
            });
            return vec![prefix];
        }
        let found = self
            .repository(id)
            .or_else(|| self.image_and_tag(id))
            .or_else(|| self.hub(id))
            .or_else(|| self.namespace_and_name(id));
        let Some((key, parts)) = found else {
            return Vec::new();
        };
        self.within(Segment::Key(key), |walk| walk.put_together(&parts, mode));
        parts.pieces.iter().map(|(_, id)| *id).collect()
    }

    /// kubeadm's `imageRepository`: what comes before names that kubeadm knows, for all images or for one.
    fn prefix(&self, id: Id) -> Option<Id> {
        let prefix = self.filled(id, "imageRepository")?;
        let name = self.document.text(prefix)?.contains('/') && self.any(id, TAGS).is_some();
        let kubeadm = matches!(self.key(), Some("dns" | "local"));
        (!name || kubeadm).then_some(prefix)
    }

    /// `repository` with or without `registry`, `tag` and `digest`.
    fn repository(&self, id: Id) -> Option<(&'a str, Parts)> {
        let document = self.document;
        let (key, name) = self.any(id, NAMES)?;
        let tag = self.any(id, TAGS).map(|(_, tag)| tag);
        let field = |key| document.get(id, key).is_some();
        // A repository may be of charts or of sources: something must speak of an image.
        let image = self
            .key()
            .is_some_and(|key| key.to_ascii_lowercase().contains("image"))
            || key != "repository"
            || [
                "tag",
                "digest",
                "pullPolicy",
                "imagePullPolicy",
                "useDigest",
            ]
            .into_iter()
            .any(field);
        if !image {
            return None;
        }
        let mut parts = Parts::default();
        parts.add(Piece::Registry, self.registry(id));
        parts.add(Piece::Name, Some(name));
        parts.add(Piece::Tag, tag);
        self.add_digest(id, &mut parts);
        Some((key, parts))
    }

    /// `image` without a tag beside `tag` or `version`, with or without `registry`.
    fn image_and_tag(&self, id: Id) -> Option<(&'a str, Parts)> {
        let document = self.document;
        let name = self.filled(id, "image")?;
        let text = document.text(name)?;
        let (_, tag) = self.any(id, TAGS)?;
        if has_selector(text) || self.filled(id, "hub").is_some() {
            return None;
        }
        let mut parts = Parts::default();
        parts.add(Piece::Registry, self.registry(id));
        parts.add(Piece::Name, Some(name));
        parts.add(Piece::Tag, Some(tag));
        self.add_digest(id, &mut parts);
        Some(("image", parts))
    }

    /// Istio: `image` is the last component, `hub`, `tag` and `variant` are beside it or in `global`.
    fn hub(&self, id: Id) -> Option<(&'a str, Parts)> {
        let name = self.filled(id, "image")?;
        let text = self.document.text(name)?;
        if text.contains('/') || has_selector(text) || text == "auto" {
            return None;
        }
        let mut parts = Parts::default();
        parts.add(Piece::Hub, Some(self.inherited.hub?));
        parts.add(Piece::Name, Some(name));
        parts.add(Piece::Tag, self.inherited.tag);
        parts.add(Piece::Variant, self.inherited.variant);
        Some(("image", parts))
    }

    /// cert-manager: `image.name` below a common `imageRegistry` and `imageNamespace`.
    fn namespace_and_name(&self, id: Id) -> Option<(&'a str, Parts)> {
        let name = self.filled(id, "name")?;
        if self.key() != Some("image") {
            return None;
        }
        let mut parts = Parts::default();
        parts.add(Piece::Registry, Some(self.inherited.registry?));
        parts.add(Piece::Namespace, self.inherited.namespace);
        parts.add(Piece::Name, Some(name));
        parts.add(Piece::Tag, self.any(id, TAGS).map(|(_, tag)| tag));
        self.add_digest(id, &mut parts);
        Some(("name", parts))
    }

    fn add_digest(&self, id: Id, parts: &mut Parts) {
        let document = self.document;
        // An empty one in quotes is a place to write to; a null one is not.
        let quoted = |key| {
            document.get(id, key).filter(|&digest| {
                document.text(digest).is_some()
                    || (document.scalar(digest) == Some("") && !document.is_plain(digest))
            })
        };
        if let Some(digest) = quoted("digest").or_else(|| quoted("imageDigest")) {
            parts.add(Piece::Digest, Some(digest));
        } else {
            parts.add(Piece::Sha, quoted("sha"));
        }
        parts.add(Piece::UseDigest, self.filled(id, "useDigest"));
    }

    /// The registry of an image: one for all images, if there is one, wins.
    fn registry(&self, id: Id) -> Option<Id> {
        let own = || self.any(id, REGISTRIES).map(|(_, registry)| registry);
        self.inherited.everywhere.or_else(own)
    }

    /// The reference that the fields make, reported or left.
    fn put_together(&mut self, parts: &Parts, mode: Mode) {
        let Some(name) = parts.get(Piece::Name) else {
            return;
        };
        if let Some(printed) = parts.get(Piece::Tag).and_then(|tag| self.misprinted(tag)) {
            let text = self.compose(parts);
            self.leave(name, &text, Problem::NumberAsTag(printed));
            return;
        }
        let text = self.compose(parts);
        match check(&text) {
            Ok(reference) => self.settle(parts, reference, text, mode),
            // A repository of charts or sources.
            Err(Problem::Url | Problem::Credentials) if self.key() == Some("repository") => {}
            Err(problem) => self.leave(name, &text, problem),
        }
    }

    fn settle(&mut self, parts: &Parts, reference: Reference, text: String, mode: Mode) {
        let complete = has_selector(&text);
        self.report_split(&parts.pieces, reference, text, complete, mode.field());
    }

    /// The text of the reference.
    fn compose(&self, parts: &Parts) -> String {
        let document = self.document;
        let text = |piece| {
            let id = parts.get(piece)?;
            document.text(id).map(trim)
        };
        let mut out = String::new();
        for piece in [Piece::Registry, Piece::Hub, Piece::Namespace] {
            if let Some(part) = text(piece) {
                out.push_str(part.trim_matches('/'));
                out.push('/');
            }
        }
        out.push_str(text(Piece::Name).unwrap_or_default());
        if let Some(tag) = text(Piece::Tag) {
            out.push(':');
            out.push_str(tag);
            if let Some(variant) = text(Piece::Variant) {
                out.push('-');
                out.push_str(variant);
            }
        }
        if text(Piece::UseDigest) != Some("false") {
            if let Some(digest) = text(Piece::Digest) {
                out.push('@');
                out.push_str(digest);
            } else if let Some(sha) = text(Piece::Sha) {
                out.push_str("@sha256:");
                out.push_str(sha);
            }
        }
        out
    }

    /// What Helm makes of a tag that is written as a number, where that differs.
    fn misprinted(&self, tag: Id) -> Option<String> {
        let text = self.document.text(tag)?;
        let decimal = text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
        if !self.document.is_plain(tag) || !decimal {
            return None;
        }
        let printed = text.parse::<f64>().ok()?.to_string();
        (printed != text).then_some(printed)
    }

    /// A registry and a tag with nothing between them (an `IstioOperator`) are listed.
    pub(crate) fn lonely_hub(&mut self, id: Id) {
        let document = self.document;
        let (Some(hub), Some(tag)) = (self.filled(id, "hub"), self.filled(id, "tag")) else {
            return;
        };
        let text = |id| document.text(id).unwrap_or_default();
        let both = format!("{}/…:{}", text(hub), text(tag));
        self.within(Segment::Key("hub"), |walk| {
            walk.leave(hub, &both, Problem::NoNames);
        });
    }

    /// A field that is there and neither null nor empty.
    fn filled(&self, id: Id, key: &str) -> Option<Id> {
        let value = self.document.get(id, key)?;
        self.document.text(value).map(|_| value)
    }

    /// The first of `keys` that is filled.
    fn any(&self, id: Id, keys: &'static [&'static str]) -> Option<(&'static str, Id)> {
        keys.iter()
            .find_map(|key| self.filled(id, key).map(|value| (*key, value)))
    }

    /// What the images below the mapping `id` inherit: the mapping's own fields, or those of what is
    /// `global` in it, or what the mapping itself inherits.
    pub(crate) fn inherit(&self, id: Id) -> Inherited {
        let document = self.document;
        // Behind an alias it would be read again at each place.
        let global = document
            .get(id, "global")
            .filter(|global| !document.is_alias(*global));
        let outer = self.inherited;
        let field = |key: &str, outer: Option<Id>| {
            let in_global = || self.filled(global?, key);
            self.filled(id, key).or_else(in_global).or(outer)
        };
        let everywhere = || self.filled(global?, "imageRegistry");
        Inherited {
            hub: field("hub", outer.hub),
            tag: field("tag", outer.tag),
            variant: field("variant", outer.variant),
            registry: field("imageRegistry", outer.registry),
            namespace: field("imageNamespace", outer.namespace),
            everywhere: outer.everywhere.or_else(everywhere),
        }
    }
}
