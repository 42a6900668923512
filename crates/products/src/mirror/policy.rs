//! containers-policy.json(5) with `remapIdentity`: a signature names the image as its publisher did, so the
//! policy has to map the new name to that one. A node with a mirror still checks the policy under the
//! publisher's name.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::request::{MirrorError, MirrorRequest};
use crate::file::OutputFile;

/// The kind of signature that is required.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureKind {
    /// sigstore (cosign), with a public key.
    Sigstore,
    /// Simple signing, with a GPG key.
    Gpg,
}

/// The public key of the signer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyKey {
    /// What kind of signature.
    pub kind: SignatureKind,
    /// Where the public key is on the nodes.
    pub path: String,
}

/// A `policy.json` that requires a signature by `key` on every image of the request: under its name at the
/// destination, signed for its name at the source, and under that name itself, which a node with a mirror
/// checks. All other images stay accepted, as distributions ship it. For sigstore signatures there is a
/// second file for `registries.d`, without which nodes do not look for them.
///
/// # Errors
/// If two images have the same name at the destination.
pub fn policy_files(
    request: &MirrorRequest<'_>,
    key: &PolicyKey,
) -> Result<Vec<OutputFile>, MirrorError> {
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
        let signed = image.name();
        let identity = json!({
            "type": "remapIdentity", "prefix": scope, "signedPrefix": signed,
        });
        scopes.insert(scope, json!([requirement(key, Some(identity))]));
        scopes
            .entry(signed)
            .or_insert_with(|| json!([requirement(key, None)]));
    }
    let policy = json!({
        "default": [{ "type": "insecureAcceptAnything" }],
        "transports": { "docker": scopes },
    });
    let policy = OutputFile::text("policy.json", format!("{policy:#}\n"));
    let lookup = match key.kind {
        SignatureKind::Sigstore => Some(lookup(request.destination.registry())),
        SignatureKind::Gpg => None,
    };
    Ok(std::iter::once(policy).chain(lookup).collect())
}

/// containers-registries.d(5): nodes look for sigstore signatures only at registries listed there, by the name
/// of the registry they connect to.
fn lookup(registry: &str) -> OutputFile {
    let text = format!("docker:\n  \"{registry}\":\n    use-sigstore-attachments: true\n");
    OutputFile::text("registries.d/sealift.yaml", text)
}

fn requirement(key: &PolicyKey, identity: Option<Value>) -> Value {
    let mut requirement = match key.kind {
        SignatureKind::Sigstore => json!({ "type": "sigstoreSigned", "keyPath": key.path }),
        SignatureKind::Gpg => {
            json!({ "type": "signedBy", "keyType": "GPGKeys", "keyPath": key.path })
        }
    };
    if let Some(identity) = identity {
        requirement["signedIdentity"] = identity;
    }
    requirement
}
