//! The forms of documents: which one a document has, and who reads it.

mod kustomize;
mod oc_mirror;
mod skopeo;

use crate::error::{FindError, Reason};
use crate::lists;
use crate::occurrence::InputKind;
use crate::text::Text;
use crate::tree::Document;
use crate::walk::{Walk, is_patch};

/// What a document is; `None` for an empty one.
///
/// # Errors
/// If it is a single scalar.
pub(crate) fn recognise(
    text: &Text<'_>,
    document: &Document<'_>,
) -> Result<Option<InputKind>, FindError> {
    let root = document.root();
    if document.is_sequence(root) {
        return Ok(Some(sequence(document)));
    }
    if document.is_mapping(root) {
        return Ok(Some(mapping(document)));
    }
    match document.text(root) {
        None => Ok(None),
        Some(_) => Err(text.error(document.node(root).span.start, "", Reason::NotAManifest)),
    }
}

fn sequence(document: &Document<'_>) -> InputKind {
    let root = document.root();
    let items = document.sequence(root);
    if items.is_empty() {
        InputKind::Values
    } else if items.iter().all(|item| document.scalar(*item).is_some()) {
        InputKind::List
    } else if is_patch(document, root) {
        InputKind::JsonPatch
    } else {
        InputKind::Values
    }
}

fn mapping(document: &Document<'_>) -> InputKind {
    let root = document.root();
    let api = document.get_text(root, "apiVersion");
    let kind = document.get_text(root, "kind");
    if let Some(form) = by_kind(api, kind) {
        return form;
    }
    if api.is_some() && kind.is_some() {
        return InputKind::Manifests;
    }
    let has = |key| document.get(root, key).is_some();
    if skopeo::is_sync(document, root) {
        InputKind::SkopeoSync
    } else if kustomize::is_kustomization(document, root) {
        InputKind::Kustomization
    } else if has("embeddedArtifactRegistry") {
        InputKind::EdgeImageBuilder
    } else if has("system_images") || has("rancher_kubernetes_engine_config") {
        InputKind::RkeCluster
    } else if matches!(api, Some("v1" | "v2")) && has("name") && has("version") {
        InputKind::HelmChart
    } else {
        InputKind::Values
    }
}

/// The form by its API's group and its kind. Zarf's files need no API version.
fn by_kind(api: Option<&str>, kind: Option<&str>) -> Option<InputKind> {
    let group = api
        .and_then(|api| api.split_once('/'))
        .map(|(group, _)| group);
    Some(match (group.unwrap_or_default(), kind?) {
        ("content.hauler.cattle.io", "Images") => InputKind::HaulerImages,
        ("imgpkg.carvel.dev", "ImagesLock") => InputKind::ImagesLock,
        ("kustomize.config.k8s.io", _) => InputKind::Kustomization,
        ("" | "zarf.dev", "ZarfPackageConfig" | "ZarfInitConfig") => InputKind::ZarfPackage,
        ("mirror.openshift.io", "ImageSetConfiguration") => InputKind::OcMirror,
        ("kubekey.kubesphere.io", "Manifest" | "ArtifactManifest") => InputKind::KubeKeyManifest,
        _ => return None,
    })
}

/// Reads a document of a form.
///
/// # Errors
/// If the form is a list and an entry of it is not a reference, or if an image's real value is missing.
pub(crate) fn read(walk: &mut Walk<'_, '_>, form: InputKind) -> Result<(), FindError> {
    match form {
        InputKind::List => lists::strings(walk),
        InputKind::HaulerImages => lists::hauler(walk),
        InputKind::ImagesLock => lists::images_lock(walk),
        InputKind::SkopeoSync => {
            skopeo::read(walk);
            Ok(())
        }
        InputKind::JsonPatch => {
            let root = walk.document.root();
            walk.json_patch(root)
        }
        InputKind::Kustomization => {
            walk.kustomize = true;
            kustomize::other_files(walk);
            walk.run()
        }
        InputKind::OcMirror => {
            oc_mirror::not_listed(walk);
            walk.run()
        }
        InputKind::Empty
        | InputKind::Settings
        | InputKind::Manifests
        | InputKind::Values
        | InputKind::ZarfPackage
        | InputKind::EdgeImageBuilder
        | InputKind::KubeKeyManifest
        | InputKind::RkeCluster
        | InputKind::HelmChart => walk.run(),
    }
}
