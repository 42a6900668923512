//! The Installation resource.

use super::compose::Fields;
use super::install::InstallationKind;
use crate::emit::{Node, document, list, map};
use crate::file::OutputFile;

/// The Installation resource `default`, or the patch that points it at the target. A patch sets unused
/// fields to the empty string, so that an older setting cannot survive.
pub fn installation(
    kind: InstallationKind,
    fields: &Fields,
    pull_secrets: &[String],
) -> OutputFile {
    let secrets = list(
        pull_secrets
            .iter()
            .map(|name| map([("name", Node::from(name.as_str()))])),
    );
    let mut spec = vec![("variant".to_owned(), Node::from("Calico"))];
    spec.push(("registry".to_owned(), fields.registry.as_str().into()));
    for (key, value) in [
        ("imagePath", &fields.image_path),
        ("imagePrefix", &fields.image_prefix),
    ] {
        match (value, kind) {
            (Some(value), _) => spec.push((key.to_owned(), value.as_str().into())),
            (None, InstallationKind::Patch) => spec.push((key.to_owned(), "".into())),
            (None, InstallationKind::Fresh) => {}
        }
    }
    if !pull_secrets.is_empty() {
        spec.push(("imagePullSecrets".to_owned(), secrets));
    }
    match kind {
        InstallationKind::Fresh => OutputFile::text(
            "installation.yaml",
            document(&map([
                ("apiVersion", "operator.tigera.io/v1".into()),
                ("kind", "Installation".into()),
                ("metadata", map([("name", "default".into())])),
                ("spec", Node::Map(spec)),
            ])),
        ),
        InstallationKind::Patch => OutputFile::text(
            "installation-patch.yaml",
            document(&map([("spec", Node::Map(spec))])),
        ),
    }
}
