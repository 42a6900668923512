//! Images whose registry, name, tag and digest are in fields of their own, as in Helm values.
//!
//! The rules are those of `docs/image-references.md`. Where they do not decide, the fields are listed as
//! undecided, and neither taken for an image nor edited.

mod fields;
mod hosts;
mod rules;

use sealift_oci::Reference;

use crate::check::{check, has_host, has_selector};
use crate::error::Reason;
use crate::helm;
use crate::occurrence::Piece;
use crate::text::trim;
use crate::tree::{Document, Id};
use crate::walk::{Mode, Segment, Walk};
use fields::{Field, Fields};
use rules::{Context, Decision, decide};

/// Keys that name a repository in the mapping of an image that Cilium's `override` replaces.
const OVERRIDDEN: &[&str] = &[
    "override",
    "repository",
    "tag",
    "digest",
    "useDigest",
    "registry",
];

/// Keys of mappings whose registry is meant for the images beside them.
const COMMON: &[&str] = &["image", "images", "common", "default", "defaults"];

/// What the mappings around an image say of it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Scope {
    hub: Option<Id>,
    tag: Option<Id>,
    variant: Option<Id>,
    /// The common registry and namespace of cert-manager.
    registry: Option<Id>,
    namespace: Option<Id>,
    /// The registry that replaces every image's own (`global.imageRegistry`).
    everywhere: Option<Id>,
    /// The registry of images without one (`global.image.registry`).
    fallback: Option<Id>,
    /// A registry in a mapping around this one, or in its `global`.
    elsewhere: Option<Id>,
    /// The same for mappings below this one.
    elsewhere_below: Option<Id>,
}

/// The fields of one reference and their roles.
type Pieces = Vec<(Piece, Id)>;

impl<'a> Walk<'a, '_> {
    /// An image in several fields of the mapping `id`. Returns the values that are dealt with.
    pub(crate) fn compose(&mut self, id: Id, mode: Mode) -> Vec<Id> {
        if let Some(taken) = self.overridden(id, mode).or_else(|| self.prefix(id)) {
            return taken;
        }
        let hub = self.hub(id).or_else(|| self.namespace_and_name(id));
        if let Some((key, pieces)) = hub {
            self.within(Segment::Key(key), |walk| walk.join(&pieces, mode));
            return pieces.iter().map(|(_, id)| *id).collect();
        }
        let mut taken = self.families(id, mode);
        taken.extend(self.by_rules(id, mode));
        taken
    }

    fn by_rules(&mut self, id: Id, mode: Mode) -> Vec<Id> {
        let document = self.document;
        let image = self.is_image();
        let mut fields = Fields::of(document, id, image);
        self.set_global_registry(&mut fields);
        let context = Context {
            image,
            global: self.keys().any(|key| key == "global"),
            values: mode == Mode::Values,
            registry_elsewhere: self.scope.elsewhere.is_some(),
            common_namespace: self.scope.namespace.is_some(),
        };
        match decide(&fields, context) {
            Decision::NotAnImage => Vec::new(),
            Decision::Join(joined) => {
                let name = joined.iter().rev().find(|(piece, _)| *piece == Piece::Name);
                let key = name.map_or("image", |(_, field)| field.key);
                let pieces: Pieces = joined
                    .iter()
                    .map(|(piece, field)| (*piece, field.id))
                    .collect();
                self.within(Segment::Key(key), |walk| walk.join(&pieces, mode));
                let all = fields.all().map(|field| field.id);
                // A label, or a version that is not the tag, is looked at like any other field.
                all.filter(|id| pieces.iter().any(|(_, piece)| piece == id))
                    .collect()
            }
            Decision::Undecided(reason) => {
                if let Some(Field { id, key, .. }) = fields.position() {
                    let text = fields.describe();
                    self.within(Segment::Key(key), |walk| {
                        walk.leave(*id, &text, Reason::Undecided(reason));
                    });
                }
                fields.all().map(|field| field.id).collect()
            }
        }
    }

    /// Registries that `global` has for all images. Bitnami: `imageRegistry` replaces every image's own.
    /// ingress-nginx, Kyverno: `image.registry` is for images without one of their own; for others, one
    /// chart lets the image's win and one the global.
    fn set_global_registry(&self, fields: &mut Fields<'a>) {
        let field = |key, id| {
            let text = trim(self.document.text(id)?);
            Some(Field { key, id, text })
        };
        let everywhere = self
            .scope
            .everywhere
            .and_then(|id| field("imageRegistry", id));
        let fallback = self.scope.fallback.and_then(|id| field("registry", id));
        // A name alone is not an image yet.
        if !fields.is_engaged() || (everywhere.is_none() && fallback.is_none()) {
            return;
        }
        match (everywhere, fallback, &fields.registry) {
            (Some(everywhere), ..) => fields.registry = Some(everywhere),
            (None, Some(fallback), Some(own)) if own.text != fallback.text => {
                fields.conflict = Some("the image and all images have different registries");
            }
            (None, Some(fallback), None) if !fields.has_host() => fields.registry = Some(fallback),
            _ => {}
        }
    }

    /// Whether the mapping that the walk is in is an image's: its key, or the one above, says so.
    fn is_image(&self) -> bool {
        let other = |key: &str| {
            let words = ["secret", "policy", "policies", "credential"];
            words.iter().any(|word| key.contains(word))
        };
        let keys = self.keys().take(2).map(str::to_ascii_lowercase);
        let mut keys = keys.take_while(|key| !other(key));
        keys.any(|key| key.contains("image"))
    }

    /// Cilium: all other fields are ignored if `override` is set.
    fn overridden(&mut self, id: Id, mode: Mode) -> Option<Vec<Id>> {
        let document = self.document;
        let whole = self.filled(id, "override")?;
        self.filled(id, "repository")?;
        self.within(Segment::Key("override"), |walk| {
            walk.image_field("image", whole, mode.field());
        });
        let all = OVERRIDDEN.iter().filter_map(|key| document.get(id, key));
        Some(all.collect())
    }

    /// kubeadm's `imageRepository`: what comes before names that kubeadm knows, for all images or for one.
    fn prefix(&mut self, id: Id) -> Option<Vec<Id>> {
        let document = self.document;
        let prefix = self.filled(id, "imageRepository")?;
        let text = document.text(prefix)?;
        let tag = ["tag", "imageTag", "version"]
            .iter()
            .any(|key| self.filled(id, key).is_some());
        let kubeadm = matches!(self.key(), Some("dns" | "local"));
        if text.contains('/') && tag && !kubeadm {
            return None;
        }
        self.within(Segment::Key("imageRepository"), |walk| {
            walk.leave(prefix, text, Reason::NoNames);
        });
        Some(vec![prefix])
    }

    /// Istio: `image` is the last component, `hub`, `tag` and `variant` are beside it or in `global`.
    fn hub(&self, id: Id) -> Option<(&'static str, Pieces)> {
        let name = self.filled(id, "image")?;
        let text = self.document.text(name)?;
        let other = ["repository", "registry"]
            .iter()
            .any(|key| self.filled(id, key).is_some());
        if other || text.contains('/') || has_selector(text) || text == "auto" {
            return None;
        }
        let mut pieces = vec![(Piece::Hub, self.scope.hub?), (Piece::Name, name)];
        pieces.extend(self.scope.tag.map(|tag| (Piece::Tag, tag)));
        pieces.extend(self.scope.variant.map(|variant| (Piece::Variant, variant)));
        Some(("image", pieces))
    }

    /// cert-manager: `image.name` below a common `imageRegistry` and `imageNamespace`.
    fn namespace_and_name(&self, id: Id) -> Option<(&'static str, Pieces)> {
        let name = self.filled(id, "name")?;
        let registry = self.scope.registry?;
        let own = ["repository", "registry"]
            .iter()
            .any(|key| self.filled(id, key).is_some());
        if self.key() != Some("image") || own || has_host(self.document.text(name)?) {
            return None;
        }
        let mut pieces = vec![(Piece::Registry, registry)];
        pieces.extend(self.scope.namespace.map(|path| (Piece::Namespace, path)));
        pieces.push((Piece::Name, name));
        let fields = Fields::of(self.document, id, false);
        pieces.extend(fields.tag.as_ref().map(|tag| (Piece::Tag, tag.id)));
        pieces.extend(
            fields
                .digest
                .as_ref()
                .map(|(piece, field)| (*piece, field.id)),
        );
        Some(("name", pieces))
    }

    /// Rancher's chart: `rancherImage` with its tag in `rancherImageTag`.
    fn families(&mut self, id: Id, mode: Mode) -> Vec<Id> {
        let document = self.document;
        let mut taken = Vec::new();
        if document.is_alias(id) {
            return taken;
        }
        for &(key, value) in document.mapping(id) {
            let (Some(key), Some(text)) = (document.scalar(key), document.text(value)) else {
                continue;
            };
            let Some(stem) = key.strip_suffix("Image").filter(|stem| !stem.is_empty()) else {
                continue;
            };
            let sibling = |end: &str| self.filled(id, &format!("{stem}{end}"));
            let Some(tag) = sibling("ImageTag").or_else(|| sibling("Tag")) else {
                continue;
            };
            let others = [
                "ImageRegistry",
                "Registry",
                "ImageRepository",
                "Repository",
                "ImageDigest",
            ];
            let others: Vec<Id> = others.iter().filter_map(|end| sibling(end)).collect();
            let parts = [vec![value, tag], others.clone()].concat();
            self.within(Segment::Key(key), |walk| {
                if others.is_empty()
                    && !has_selector(text)
                    && (has_host(text) || !walk.registry_elsewhere())
                {
                    walk.join(&[(Piece::Name, value), (Piece::Tag, tag)], mode);
                } else {
                    let texts = parts.iter().filter_map(|id| document.text(*id));
                    let texts = texts.collect::<Vec<_>>().join(", ");
                    let reason = "several fields begin with the same word";
                    walk.leave(value, &texts, Reason::Undecided(reason));
                }
            });
            taken.extend(parts);
        }
        taken
    }

    /// Reports the reference that `pieces` make, or lists it if it is not one.
    pub(crate) fn join(&mut self, pieces: &[(Piece, Id)], mode: Mode) {
        let name = pieces.iter().find(|(piece, _)| piece.is_name());
        let Some(&(_, name)) = name else {
            return;
        };
        let text = joined(self.document, pieces);
        if let Some(printed) = pieces
            .iter()
            .find_map(|(piece, id)| self.misprinted(*piece, *id))
        {
            self.leave(name, &text, Reason::NumberAsTag(printed));
            return;
        }
        match check(&text) {
            Ok(reference) => self.settle(pieces, reference, text, mode),
            Err(reason) => self.leave(name, &text, reason),
        }
    }

    fn settle(&mut self, pieces: &[(Piece, Id)], reference: Reference, text: String, mode: Mode) {
        let complete = has_selector(&text);
        self.report_split(pieces, reference, text, complete, mode.field());
    }

    /// What Helm prints for a piece that is written as a number, if that differs.
    fn misprinted(&self, piece: Piece, id: Id) -> Option<String> {
        if piece == Piece::UseDigest || !self.document.is_plain(id) {
            return None;
        }
        helm::printed(trim(self.document.text(id)?))
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
            walk.leave(hub, &both, Reason::NoNames);
        });
    }

    /// A field that is there and neither null nor empty.
    pub(crate) fn filled(&self, id: Id, key: &str) -> Option<Id> {
        let value = self.document.get(id, key)?;
        self.document.text(value).map(|_| value)
    }

    /// Whether a registry is set in the mapping that the walk is in, or in one around it.
    pub(crate) fn registry_elsewhere(&self) -> bool {
        self.scope.elsewhere_below.or(self.scope.fallback).is_some()
    }

    /// What images in the mapping `id` get from around it: the mapping's own fields, or those of what is
    /// `global` in it, or what the mapping itself gets.
    pub(crate) fn scope(&self, id: Id) -> Scope {
        let document = self.document;
        // Behind an alias it would be read again wherever it is named.
        let plain = |key| {
            document
                .get(id, key)
                .filter(|value| !document.is_alias(*value))
        };
        let global = plain("global");
        let outer = self.scope;
        let field = |key: &str, outer: Option<Id>| {
            let in_global = || self.filled(global?, key);
            self.filled(id, key).or_else(in_global).or(outer)
        };
        let in_global = || Scope::registry_of(document, global?);
        let fallback = || self.filled(document.get(global?, "image")?, "registry");
        // `image: {registry: …}` without a name is meant for all.
        let common = || {
            let common = COMMON.iter().filter_map(|key| plain(key));
            let named = |id| {
                let mut names = ["repository", "name", "image"].iter();
                names.any(|key| self.filled(id, key).is_some())
            };
            common
                .filter(|&id| !named(id))
                .find_map(|id| Scope::registry_of(document, id))
        };
        let elsewhere = outer.elsewhere_below.or_else(in_global);
        let everywhere = || self.filled(global?, "imageRegistry");
        Scope {
            hub: field("hub", outer.hub),
            tag: field("tag", outer.tag),
            variant: field("variant", outer.variant),
            registry: field("imageRegistry", outer.registry),
            namespace: field("imageNamespace", outer.namespace),
            everywhere: outer.everywhere.or_else(everywhere),
            fallback: outer.fallback.or_else(fallback),
            elsewhere,
            elsewhere_below: elsewhere
                .or_else(|| Scope::registry_of(document, id))
                .or_else(common),
        }
    }
}

/// The text of the reference that `pieces` make.
fn joined(document: &Document<'_>, pieces: &[(Piece, Id)]) -> String {
    let text = |wanted| {
        let mut all = pieces.iter().filter(|(piece, _)| *piece == wanted);
        all.next().and_then(|(_, id)| document.text(*id)).map(trim)
    };
    let mut out = String::new();
    for piece in [Piece::Registry, Piece::Hub, Piece::Namespace] {
        if let Some(part) = text(piece) {
            out.push_str(part.trim_matches('/'));
            out.push('/');
        }
    }
    let name = text(Piece::Name).or_else(|| text(Piece::FixedName));
    out.push_str(name.unwrap_or_default());
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
