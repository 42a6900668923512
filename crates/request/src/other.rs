//! Other tools' files, read as requests where they mean the same. What they mean besides is listed.

mod hauler;
mod oc_mirror;
mod zarf;

use sealift_oci::Reference;

use crate::error::Fault;
use crate::fields::Text;
use crate::file::RequestFile;
use sealift_yaml::tree::{Node, Value};

/// The request in another tool's file; `None` if it is not one that is known.
pub(crate) fn read(documents: &[Node]) -> Option<Result<RequestFile, Fault>> {
    let first = documents.first()?;
    let (api, kind) = (scalar(first, "apiVersion"), scalar(first, "kind"));
    let group = api
        .unwrap_or_default()
        .split('/')
        .next()
        .unwrap_or_default();
    match (group, kind?) {
        (hauler::GROUP, _) => Some(hauler::read(documents)),
        ("" | "zarf.dev", "ZarfPackageConfig" | "ZarfInitConfig") => Some(zarf::read(documents)),
        ("mirror.openshift.io", "ImageSetConfiguration") => Some(oc_mirror::read(documents)),
        _ => None,
    }
}

/// The text of a field of a mapping.
fn scalar<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
    let Value::Map(entries) = &node.value else {
        return None;
    };
    let entry = entries.iter().find(|entry| entry.key == key)?;
    match &entry.value.value {
        Value::Scalar { text, .. } => Some(text),
        _ => None,
    }
}

/// Adds an image, or lists it if it is not a reference, which one with placeholders is not.
fn image(file: &mut RequestFile, text: &Text) {
    match text.text.parse::<Reference>() {
        Ok(_) => file.images.push(text.text.clone()),
        Err(error) => {
            let line = text.place.line;
            file.not_read.push(format!("line {line}: {error}"));
        }
    }
}

/// Whether a path is a URL, which is not fetched.
fn is_url(path: &str) -> bool {
    path.contains("://")
}
