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

/// A release of everything: the tags of its images.
pub(crate) struct Release {
    product: &'static str,
    operator: &'static str,
    proxy: &'static str,
}

/// What is carried first.
pub(crate) const FIRST: Release = Release {
    product: "v1.2.3",
    operator: "v4.5.6",
    proxy: "2026.11",
};

/// What is carried next: in each image a part of one layer is another.
pub(crate) const NEXT: Release = Release {
    product: "v1.2.4",
    operator: "v4.5.7",
    proxy: "2026.12",
};

/// Publishes a release in `registry`.
pub(crate) fn fill(registry: &Registry, release: &Release) -> Content {
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
        let image = maker(name, release.product).make();
        put(
            registry,
            &mut content,
            &format!("product/{name}"),
            release.product,
            &signed(&image),
        );
    }
    let windows = [
        "windows/amd64:10.0.17763.5329",
        "windows/amd64:10.0.20348.2227",
    ];
    let image = maker("node-windows", release.product).platforms(&windows);
    put(
        registry,
        &mut content,
        "product/node-windows",
        release.product,
        &image.make(),
    );
    let image = maker("operator", release.operator).docker().make();
    put(
        registry,
        &mut content,
        "vendor/operator",
        release.operator,
        &image,
    );
    let image = maker("attested", release.proxy).attested().make();
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
        release.proxy,
        &image.with(sbom),
    );
    content
}

fn maker(name: &str, tag: &str) -> ImageMaker {
    let changed = format!("{name} {tag}");
    ImageMaker::new(&changed)
        .platforms(&LINUX)
        .layer(Layer::gzip("the base that all share", 6 << 20).everywhere())
        .layer(Layer::gzip(&changed, OWN / 32).file(name, OWN))
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
