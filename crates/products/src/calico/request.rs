//! What the files to apply are created from.

use std::collections::BTreeMap;

use sealift_oci::{Digest, Naming, Reference};

use super::install::Install;
use super::manifest::Manifest;
use super::pull_secret::PullSecret;
use super::target::Target;
use crate::data::Release;
use crate::select::ProductImage;

/// A request for the files to apply.
#[derive(Clone, Copy, Debug)]
pub struct ApplyRequest<'a> {
    /// The release.
    pub release: &'a Release,
    /// Its images that are in the bundle.
    pub images: &'a [ProductImage],
    /// Where they go.
    pub target: &'a Target,
    /// The naming that `load` uses: the target's own unless there are explicit maps.
    pub naming: &'a Naming,
    /// The digests at the destination, by the reference in the bundle.
    pub digests: &'a BTreeMap<Reference, Digest>,
    /// Whether images are pulled by digest, through an `ImageSet`.
    pub image_set: bool,
    /// The pull secret.
    pub pull_secret: &'a PullSecret,
    /// How Calico is installed.
    pub install: Install,
    /// The release's manifests that are written, rewritten, into the same folder.
    pub manifests: &'a [Manifest],
    /// The file name of the release's chart, if it is copied into the folder.
    pub chart: Option<&'a str>,
    /// The bundle's path as seen from the folder, for the instructions.
    pub bundle: &'a str,
    /// What the naming adds to the `load` command of the instructions, with a space before each word.
    pub load_options: &'a str,
    /// The bundle's identity, for the checklist.
    pub identity: Option<&'a str>,
}

impl ApplyRequest<'_> {
    /// How Calico is installed, given the manifests in hand.
    pub(super) fn install(&self) -> Install {
        let names = self.manifests.iter();
        self.install
            .with_manifests(names.map(|manifest| manifest.name.as_str()))
    }
}
