//! The images that trials carry, and the proof that they arrived.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::net::SocketAddr;

use sealift_testkit::{Image, ImageMaker, Layer, Registry, cosign};
use tempfile::TempDir;

use crate::demo::proof::{Tree, walk};

/// The tag of every image.
const TAG: &str = "v1";

/// Images of several platforms with shared layers, one of them signed, one of Docker's media types.
pub(crate) struct Content {
    images: Vec<(&'static str, Image)>,
}

/// What a registry serves under each name that has to arrive.
pub(crate) type Trees = BTreeMap<(String, String), Tree>;

impl Content {
    /// Three images with layers of about `bytes` each.
    pub(crate) fn new(bytes: usize) -> Self {
        let maker = |name: &str| {
            ImageMaker::new(name)
                .platforms(&["linux/amd64", "linux/arm64"])
                .layer(Layer::gzip("shared", bytes).everywhere())
                .layer(Layer::gzip(name, bytes))
        };
        let node = maker("node").make();
        let signature = cosign(&node.root, "sig");
        let single = ImageMaker::new("tool").single();
        Self {
            images: vec![
                ("product/node", node.with(signature)),
                ("product/deep/operator", maker("operator").docker().make()),
                ("tool", single.layer(Layer::gzip("tool", bytes)).make()),
            ],
        }
    }

    /// A registry with everything in it, and a folder with the list of it, `images.txt`.
    pub(crate) fn source(&self) -> Result<(Registry, TempDir), Box<dyn Error>> {
        let (registry, folder) = (Registry::start(), tempfile::tempdir()?);
        self.put_into(&registry);
        let list = folder.path().join("images.txt");
        fs::write(list, self.list(&registry.host()))?;
        Ok((registry, folder))
    }

    /// Puts everything into a registry.
    pub(crate) fn put_into(&self, registry: &Registry) {
        for (repository, image) in &self.images {
            image.put_into(registry, repository, Some(TAG));
        }
    }

    /// The image list for a registry, by its host and port.
    pub(crate) fn list(&self, host: &str) -> String {
        let images = self.images.iter();
        let names: Vec<String> = images
            .map(|(repository, _)| format!("{host}/{repository}:{TAG}"))
            .collect();
        names.join("\n")
    }

    /// Fetches and hashes all of it from a registry, where `prefix` stands before every repository, without
    /// sealift's code.
    ///
    /// # Errors
    /// If something is missing there, or is not what its digest says.
    pub(crate) fn trees(
        &self,
        registry: SocketAddr,
        prefix: &str,
    ) -> Result<Trees, Box<dyn Error>> {
        let mut trees = Trees::new();
        for (repository, image) in &self.images {
            let tags = image.tags.iter().map(|(tag, _)| tag.as_str());
            for tag in tags.chain([TAG]) {
                let tree = walk(registry, &format!("{prefix}{repository}"), tag)?;
                trees.insert(((*repository).to_owned(), tag.to_owned()), tree);
            }
        }
        Ok(trees)
    }
}
