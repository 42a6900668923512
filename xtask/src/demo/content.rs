//! What the demo's first registry holds.

use std::fmt;

use sealift_testkit::{Artifact, Image, ImageMaker, Layer, Registry, cosign};

/// A manifest of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) repository: String,
    /// A tag, or the digest of what has none.
    pub(crate) selector: String,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.selector.contains(':') {
            '@'
        } else {
            ':'
        };
        write!(f, "{}{sign}{}", self.repository, self.selector)
    }
}

/// The images, and what belongs to them.
pub(crate) struct Content {
    pub(crate) images: Vec<Name>,
    referrers: Vec<Name>,
}

impl Content {
    /// The image list that a person would write.
    pub(crate) fn list(&self, host: &str) -> String {
        let lines = self.images.iter().map(|name| format!("{host}/{name}\n"));
        format!(
            "# everything that the product needs\n{}",
            lines.collect::<String>()
        )
    }

    /// Everything that has to arrive under a name.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Name> {
        self.images.iter().chain(&self.referrers)
    }
}

/// Platforms of most images.
const LINUX: [&str; 2] = ["linux/amd64", "linux/arm64"];
/// One image's own layer, in bytes.
const OWN: usize = 3 << 20;

/// Fills `registry`.
pub(crate) fn fill(registry: &Registry) -> Content {
    let mut content = Content {
        images: Vec::new(),
        referrers: Vec::new(),
    };
    for name in [
        "node",
        "cni",
        "typha",
        "kube-controllers",
        "apiserver",
        "csi",
    ] {
        let image = maker(name).make();
        put(
            registry,
            &mut content,
            &format!("product/{name}"),
            "v1.2.3",
            &signed(&image),
        );
    }
    let windows = [
        "windows/amd64:10.0.17763.5329",
        "windows/amd64:10.0.20348.2227",
    ];
    let image = maker("node-windows").platforms(&windows).make();
    put(
        registry,
        &mut content,
        "product/node-windows",
        "v1.2.3",
        &image,
    );
    let image = maker("operator").docker().make();
    put(registry, &mut content, "vendor/operator", "v4.5.6", &image);
    let image = maker("attested").attested().make();
    let sbom = Artifact::new("application/spdx+json")
        .file(
            "application/spdx+json",
            "sbom.spdx.json",
            r#"{"spdxVersion":"SPDX-2.3"}"#,
        )
        .subject(&image.root)
        .make();
    content.referrers.push(Name {
        repository: "vendor/deep/er/proxy".to_owned(),
        selector: sbom.digest().to_string(),
    });
    put(
        registry,
        &mut content,
        "vendor/deep/er/proxy",
        "2026.11",
        &image.with(sbom),
    );
    content
}

fn maker(name: &str) -> ImageMaker {
    ImageMaker::new(name)
        .platforms(&LINUX)
        .layer(Layer::gzip("the base that all share", 6 << 20).everywhere())
        .layer(Layer::gzip(name, OWN))
        .layer(Layer::zstd(name, OWN / 4))
}

/// The image with signatures of its index and of each child.
fn signed(image: &Image) -> Image {
    let mut signed = image.clone().with(cosign(&image.root, "sig"));
    for child in image.children() {
        signed = signed.with(cosign(&child, "sig"));
    }
    signed
}

fn put(registry: &Registry, content: &mut Content, repository: &str, tag: &str, image: &Image) {
    image.put_into(registry, repository, Some(tag));
    content.images.push(Name {
        repository: repository.to_owned(),
        selector: tag.to_owned(),
    });
    content
        .referrers
        .extend(image.tags.iter().map(|(tag, _)| Name {
            repository: repository.to_owned(),
            selector: tag.clone(),
        }));
}
