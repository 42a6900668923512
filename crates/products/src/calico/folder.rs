//! The files of the folder that the instructions are for: they name no other.

use super::manifest::Manifest;
use crate::file::OutputFile;

/// The folder's content, as far as steps depend on it.
#[derive(Clone, Copy)]
pub(super) struct Folder<'a> {
    /// Files that are written besides the release's manifests.
    pub(super) files: &'a [OutputFile],
    /// The release's manifests.
    pub(super) manifests: &'a [Manifest],
    /// The file name of the release's chart.
    pub(super) chart: Option<&'a str>,
}

impl<'a> Folder<'a> {
    /// The file `name`, if it is in the folder.
    pub(super) fn file(&self, name: &str) -> Option<&'a str> {
        let file = self.files.iter().find(|file| file.name == name);
        file.map(|file| file.name.as_str())
    }

    /// The manifests for which `condition` holds, by name.
    pub(super) fn named(&self, condition: impl Fn(&Manifest) -> bool) -> Vec<&'a str> {
        let manifests = self.manifests.iter();
        manifests
            .filter(|manifest| condition(manifest))
            .map(|manifest| manifest.name.as_str())
            .collect()
    }

    /// Whether a manifest contains the operator's Deployment.
    pub(super) fn has_operator(&self) -> bool {
        self.manifests.iter().any(|manifest| manifest.operator)
    }

    /// Whether a manifest contains definitions of the operator's resources.
    pub(super) fn has_definitions(&self) -> bool {
        self.manifests.iter().any(|manifest| manifest.definitions)
    }
}
