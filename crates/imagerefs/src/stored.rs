//! Texts that a `ConfigMap` or a `Secret` stores: references, manifests, values, settings, scripts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::occurrence::Kind;
use crate::tree::Id;
use crate::walk::{Segment, Walk, image_key, images_key};

/// Longest encoded text that is decoded, in bytes: what the API server stores of one object.
const MAX_ENCODED: usize = 4 << 20;

impl Walk<'_, '_> {
    /// The texts of a `ConfigMap` or `Secret`. Of a Secret, only references are repeated.
    pub(crate) fn stored_texts(&mut self, id: Id, resource: &str) {
        let document = self.document;
        let secret = resource == "Secret";
        let outer = self.confidential;
        self.confidential |= secret;
        if let Some(metadata) = document.get(id, "metadata") {
            self.within(Segment::Key("metadata"), |walk| walk.metadata(metadata));
        }
        let kind = if secret {
            Kind::Secret
        } else {
            Kind::ConfigMap
        };
        let encoded = |key: &str| key == "binaryData" || (secret && key == "data");
        for key in ["data", "stringData", "binaryData"] {
            let Some(data) = document.get(id, key) else {
                continue;
            };
            if !self.seen.insert(document.target(data)) {
                continue;
            }
            self.within(Segment::Key(key), |walk| {
                for &(name, value) in document.mapping(data) {
                    let name = document.scalar(name).unwrap_or_default();
                    walk.within(Segment::Key(name), |walk| {
                        if encoded(key) {
                            walk.encoded_text(value, kind);
                        } else {
                            walk.stored_text(name, value, kind);
                        }
                    });
                }
            });
        }
        self.confidential = outer;
    }

    /// One text. Scripts are not searched, but references in them are listed.
    fn stored_text(&mut self, name: &str, value: Id, kind: Kind) {
        if image_key(name) {
            self.image_field(name, value, kind);
        } else if images_key(name) {
            self.lines(value, kind);
        } else {
            self.free(value, kind);
        }
    }

    /// A text in base64, which is not edited.
    fn encoded_text(&mut self, value: Id, kind: Kind) {
        let Some(text) = self.document.text(value) else {
            return;
        };
        let text: String = text.split_whitespace().collect();
        if text.len() > MAX_ENCODED {
            return;
        }
        let decoded = STANDARD.decode(text).ok();
        if let Some(decoded) = decoded.and_then(|bytes| String::from_utf8(bytes).ok()) {
            self.decoded(value, &decoded, kind);
        }
    }
}
