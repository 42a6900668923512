//! containers-policy.json(5) with `remapIdentity`: a signature names the image as its publisher did;
//! after renaming, the policy has to say which name that was.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{MirrorError, MirrorRequest};
use crate::OutputFile;

/// The kind of signature that is demanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureKind {
    /// sigstore (cosign), with a public key.
    Sigstore,
    /// Simple signing, with a GPG key.
    Gpg,
}

/// The key that has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyKey {
    /// What kind of signature.
    pub kind: SignatureKind,
    /// Where the public key is on the nodes.
    pub path: String,
}

/// A `policy.json` that demands a signature by `key` on every image of the request at its name at the
/// destination, made for its name at the source. What is not named stays accepted, as distributions
/// ship it.
///
/// # Errors
/// Where two images have the same name at the destination.
pub fn policy_json(
    request: &MirrorRequest<'_>,
    key: &PolicyKey,
) -> Result<OutputFile, MirrorError> {
    let mut seen: BTreeMap<String, _> = BTreeMap::new();
    let mut scopes = Map::new();
    for image in request.images {
        let loaded = request.naming.reference_at(image, request.destination)?;
        let scope = loaded.name();
        match seen.insert(scope.clone(), image) {
            Some(first) if first.name() != image.name() => {
                return Err(MirrorError::Collision {
                    first: first.to_string(),
                    second: image.to_string(),
                });
            }
            _ => {}
        }
        scopes.insert(
            scope.clone(),
            json!([requirement(key, &scope, &image.name())]),
        );
    }
    let policy = json!({
        "default": [{ "type": "insecureAcceptAnything" }],
        "transports": { "docker": scopes },
    });
    Ok(OutputFile::text("policy.json", format!("{policy:#}\n")))
}

fn requirement(key: &PolicyKey, prefix: &str, signed: &str) -> Value {
    let identity = json!({ "type": "remapIdentity", "prefix": prefix, "signedPrefix": signed });
    match key.kind {
        SignatureKind::Sigstore => json!({
            "type": "sigstoreSigned", "keyPath": key.path, "signedIdentity": identity,
        }),
        SignatureKind::Gpg => json!({
            "type": "signedBy", "keyType": "GPGKeys", "keyPath": key.path, "signedIdentity": identity,
        }),
    }
}
