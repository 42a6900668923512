//! Images that one of upstream's sources takes from another registry than the operator does.
//!
//! Upstream pushes each image to all of its registries, but makes the indexes apart, so that a digest that
//! someone pinned may be the other registry's.

use std::collections::{BTreeMap, BTreeSet};

use sealift_bundle::Plan;
use sealift_oci::{Digest, Reference};
use sealift_pipeline::{Event, Observer};
use sealift_registry::{Client, RegistryError};

use crate::sources::Sources;

/// Says of every such image whether the other registry has it under another digest. What cannot be asked is
/// said too, once a registry; nothing fails for it.
pub(super) fn compare(found: &Sources, plan: &Plan, client: &Client, observer: &dyn Observer) {
    let summary = plan.summary();
    let planned: BTreeMap<&Reference, Digest> = summary
        .images
        .iter()
        .map(|image| (&image.reference, image.original.unwrap_or(image.digest)))
        .collect();
    let mut mute: BTreeSet<&str> = BTreeSet::new();
    let images = found.products.iter().flat_map(|chosen| {
        // A mirror stands for all registries.
        let images = chosen.images.images.iter();
        images.filter(|image| image.mirror.is_none())
    });
    for image in images {
        let Some(own) = planned.get(&image.reference) else {
            continue;
        };
        for other in &image.elsewhere {
            if mute.contains(other.registry()) {
                continue;
            }
            let text = match digest(client, other) {
                Ok(Some(digest)) if digest == *own => continue,
                Ok(Some(digest)) => format!(
                    "{other} has the digest {digest}, and {}, which is taken, has {own}: whoever pinned the first will not find it",
                    image.reference
                ),
                Ok(None) => format!(
                    "{other} is not there to be compared with {}",
                    image.reference
                ),
                Err(error) => {
                    mute.insert(other.registry());
                    format!(
                        "the digests of {} could not be compared with those that are taken: {error}",
                        other.registry()
                    )
                }
            };
            observer.event(&Event::Warning { text: &text });
        }
    }
}

fn digest(client: &Client, image: &Reference) -> Result<Option<Digest>, RegistryError> {
    let repository = client.repository(image.registry(), image.repository())?;
    let head = repository.head_manifest(image.tag().unwrap_or("latest"))?;
    Ok(head.map(|descriptor| descriptor.digest))
}
