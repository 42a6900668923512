//! containers-policy.json(5) with `remapIdentity`: a signature names the image as its publisher did;
//! after renaming, the policy has to say which name that was. A node that has a mirror still asks the policy
//! by the publisher's name.

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

/// A `policy.json` that demands a signature by `key` on every image of the request: at its name at the
/// destination, made for its name at the source, and at that name itself, which is what a node asks by that
/// has a mirror. What is not named stays accepted, as distributions ship it. For sigstore's signatures a file
/// for `registries.d` comes along, without which nodes do not look for them.
///
/// # Errors
/// Where two images have the same name at the destination.
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

/// containers-registries.d(5): nodes look for sigstore's signatures where it says so, by the name of the
/// registry that they really ask.
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
