//! `OpenShift`: mirror sets for digests and for tags (config.openshift.io/v1).

use super::names::scopes;
use super::request::{MirrorError, MirrorFiles, MirrorFormat, MirrorRequest};
use crate::emit::{Node, document, list, map};
use crate::file::OutputFile;

pub(super) fn files(request: &MirrorRequest<'_>) -> Result<MirrorFiles, MirrorError> {
    let scopes = scopes(MirrorFormat::OpenShift, request)?;
    let set = |kind: &str, field: &str| {
        let mirrors = scopes.iter().map(|(source, mirror)| {
            map([
                ("source", Node::from(source.as_str())),
                ("mirrors", list([Node::from(mirror.as_str())])),
            ])
        });
        document(&map([
            ("apiVersion", "config.openshift.io/v1".into()),
            ("kind", kind.into()),
            ("metadata", map([("name", "sealift".into())])),
            ("spec", map([(field, list(mirrors))])),
        ]))
    };
    let mut notes = vec![
        "apply both files with kubectl; the machine config operator then rolls the change out, node by node".to_owned(),
        "a pull by digest uses the ImageDigestMirrorSet, a pull by tag the ImageTagMirrorSet (OpenShift 4.13 and later)".to_owned(),
    ];
    if request.plain_http {
        notes.push(format!(
            "add {} to insecureRegistries in the resource image.config.openshift.io/cluster",
            request.destination.registry()
        ));
    }
    Ok(MirrorFiles {
        files: vec![
            OutputFile::text(
                "image-digest-mirror-set.yaml",
                set("ImageDigestMirrorSet", "imageDigestMirrors"),
            ),
            OutputFile::text(
                "image-tag-mirror-set.yaml",
                set("ImageTagMirrorSet", "imageTagMirrors"),
            ),
        ],
        notes,
    })
}
