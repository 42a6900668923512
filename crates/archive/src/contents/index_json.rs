//! `index.json`: what other tools see of a bundle. It follows from the record.

use std::collections::BTreeMap;

use sealift_oci::{Descriptor, Reference, annotation, encode_ref_name, media_type};
use serde::Serialize;

use crate::contents::record::{Discovery, stored_name};
use crate::contents::value::Contents;

/// The annotation of the index that names the record by its digest.
pub(crate) const RECORD: &str = "dev.sealift.record";

/// The content of `oci-layout` (image-spec, `image-layout.md`).
pub(crate) const OCI_LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u8,
    media_type: &'static str,
    manifests: Vec<Descriptor>,
    annotations: BTreeMap<&'static str, String>,
}

/// The bytes of `index.json`: images and files by name, referrers by what they belong to.
pub(crate) fn index_json(contents: &Contents) -> Vec<u8> {
    let record = contents.record();
    let images = record
        .images
        .iter()
        .map(|image| named(Descriptor::from(&image.descriptor), &image.reference));
    let files = record
        .files
        .iter()
        .map(|file| named(Descriptor::from(&file.descriptor), &file.reference));
    let referrers = record.referrers.iter().map(|referrer| {
        let descriptor = Descriptor::from(&referrer.descriptor)
            .with_annotation(annotation::CONTAINERD_SUBJECT, referrer.subject.to_string());
        match &referrer.discovery {
            Discovery::Subject => descriptor,
            Discovery::Tag(tag) => {
                let name = format!("{}:{tag}", referrer.repository);
                descriptor.with_annotation(annotation::REF_NAME, encode_ref_name(&name))
            }
        }
    });
    let index = Index {
        schema_version: 2,
        media_type: media_type::OCI_INDEX,
        manifests: images.chain(files).chain(referrers).collect(),
        annotations: BTreeMap::from([(RECORD, contents.identity().to_string())]),
    };
    serde_json::to_vec(&index).expect("an index has no map with other keys than text")
}

/// The name is in both annotations: skopeo, podman and oras read the first, containerd the second.
fn named(descriptor: Descriptor, reference: &Reference) -> Descriptor {
    let name = stored_name(reference);
    descriptor
        .with_annotation(annotation::REF_NAME, encode_ref_name(&name))
        .with_annotation(annotation::CONTAINERD_IMAGE_NAME, name)
}
