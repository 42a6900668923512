//! What `skopeo sync --src yaml` reads: registries, and in each the repositories with their tags.

use crate::check::{check, has_host};
use crate::error::Reason;
use crate::occurrence::Kind;
use crate::tree::{Document, Id};
use crate::walk::{Segment, Walk};

/// What a registry may have in such a file.
const KEYS: &[&str] = &[
    "images",
    "images-by-tag-regex",
    "images-by-semver",
    "credentials",
    "tls-verify",
    "cert-dir",
];
/// The keys whose repositories get their tags from the registry.
const CHOSEN: &[&str] = &["images-by-tag-regex", "images-by-semver"];

/// Whether a mapping is such a file: every key is a registry, and each has images and nothing else.
pub(super) fn is_sync(document: &Document<'_>, root: Id) -> bool {
    let pairs = document.mapping(root);
    let images = |registry: Id| {
        let keys = document.mapping(registry).iter();
        let mut keys = keys.filter_map(|(key, _)| document.scalar(*key));
        let named = |key: &&str| document.get(registry, key).is_some();
        keys.all(|key| KEYS.contains(&key)) && KEYS[..3].iter().any(named)
    };
    let host = |key: Id| {
        document
            .scalar(key)
            .is_some_and(|key| has_host(&format!("{key}/x")))
    };
    !pairs.is_empty() && pairs.iter().all(|&(key, value)| host(key) && images(value))
}

/// Reads the repositories of every registry. Credentials are not looked at.
pub(super) fn read(walk: &mut Walk<'_, '_>) {
    let document = walk.document;
    for &(key, registry) in document.mapping(document.root()) {
        let Some(host) = document.scalar(key) else {
            continue;
        };
        walk.within(Segment::Key(host), |walk| {
            if let Some(images) = document.get(registry, "images") {
                walk.within(Segment::Key("images"), |walk| {
                    walk.repositories(host, images);
                });
            }
            for &key in CHOSEN {
                let Some(images) = document.get(registry, key) else {
                    continue;
                };
                walk.within(Segment::Key(key), |walk| walk.chosen_tags(host, images));
            }
        });
    }
}

impl Walk<'_, '_> {
    fn repositories(&mut self, host: &str, images: Id) {
        let document = self.document;
        if !self.seen.insert(document.target(images)) {
            return;
        }
        for &(key, tags) in document.mapping(images) {
            let Some(repository) = document.scalar(key) else {
                continue;
            };
            self.within(Segment::Key(repository), |walk| {
                let name = format!("{host}/{repository}");
                let items = document.sequence(tags);
                if items.is_empty() {
                    walk.leave(key, &name, Reason::TagsOfRegistry);
                }
                if !items.is_empty() && !walk.seen.insert(document.target(tags)) {
                    walk.leave(tags, &name, Reason::SharedValue);
                    return;
                }
                for (index, &tag) in items.iter().enumerate() {
                    walk.within(Segment::Index(index), |walk| walk.tag(&name, tag));
                }
            });
        }
    }

    /// One tag, or a digest, of a repository.
    fn tag(&mut self, name: &str, id: Id) {
        let text = self.document.text(id).unwrap_or_default();
        let sign = if text.contains(':') { '@' } else { ':' };
        let reference = format!("{name}{sign}{text}");
        match check(&reference) {
            Ok(parsed) => self.report_fixed(id, parsed, reference, Kind::ImageList),
            Err(reason) => self.leave(id, &reference, reason),
        }
    }

    fn chosen_tags(&mut self, host: &str, images: Id) {
        let document = self.document;
        for &(key, _) in document.mapping(images) {
            let Some(repository) = document.scalar(key) else {
                continue;
            };
            self.within(Segment::Key(repository), |walk| {
                walk.leave(key, &format!("{host}/{repository}"), Reason::TagsOfRegistry);
            });
        }
    }
}
