//! Images that some of their publisher's sources pull from another registry.
//!
//! Publishers push an image to several registries but create its index in each of them separately, so that a
//! digest that someone pinned may be that of another registry.

use std::collections::BTreeSet;

use sealift_oci::{Digest, Reference};
use sealift_registry::{Client, RegistryError};

use super::{Chosen, Root};
use crate::context::Context;
use crate::request::Request;

/// A warning for each image whose digest in another registry is a different one. What cannot be compared is
/// also reported, once for each registry; nothing fails because of it.
pub(super) fn compare(
    request: &Request,
    images: &[(Root, Chosen)],
    context: &Context<'_>,
) -> Vec<String> {
    let client = context.client.impatient();
    let mut unavailable: BTreeSet<&str> = BTreeSet::new();
    let mut warnings = Vec::new();
    for (root, _) in images {
        let others = request.elsewhere.get(&root.reference);
        for other in others.into_iter().flatten() {
            if unavailable.contains(other.registry()) || context.cancel.is_cancelled() {
                continue;
            }
            let own = root.descriptor.digest;
            match digest(&client, other) {
                Ok(Some(digest)) if digest == own => {}
                Ok(Some(digest)) => warnings.push(format!(
                    "{other} has the digest {digest}, and {}, which is bundled, has {own}: references pinned to the first will not resolve",
                    root.reference
                )),
                Ok(None) => warnings.push(format!(
                    "{other} does not exist, so it was not compared with {}",
                    root.reference
                )),
                Err(error) => {
                    unavailable.insert(other.registry());
                    warnings.push(format!(
                        "digests could not be compared with those in {}: {error}",
                        other.registry()
                    ));
                }
            }
        }
    }
    warnings
}

fn digest(client: &Client, image: &Reference) -> Result<Option<Digest>, RegistryError> {
    let repository = client.repository(image.registry(), image.repository())?;
    let head = repository.head_manifest(image.tag().unwrap_or("latest"))?;
    Ok(head.map(|descriptor| descriptor.digest))
}
