//! The demo's third part: Calico, from a release's name to the difference in its manifests.

use std::error::Error;
use std::fs;

use sealift_testkit::{ImageMaker, Registry};

use super::{Demo, proof};

/// The release, whose manifests the demo brings along, shortened to what matters to a registry.
const RELEASE: &str = "calico@v3.32.1";
const MANIFESTS: [(&str, &str); 2] = [
    (
        "tigera-operator.yaml",
        include_str!("../../../tests/fixtures/calico/tigera-operator.yaml"),
    ),
    (
        "calico.yaml",
        include_str!("../../../tests/fixtures/calico/calico.yaml"),
    ),
];

impl Demo {
    /// Carries the release to `destination` and ends with the difference that its manifests get.
    pub(super) fn calico(&self, destination: &Registry) -> Result<(), Box<dyn Error>> {
        println!(
            "\nAnd now Calico. A third registry stands in for quay.io; it has an image of a few bytes under each \
             name that the release's operator asks for."
        );
        let source = Registry::start();
        self.publish(&source)?;
        for (name, text) in MANIFESTS {
            fs::write(self.folder.join(name), text)?;
        }
        let mirror = source.host();
        let to = self.destination.as_str();
        self.sealift(&[
            "bundle",
            "--product",
            RELEASE,
            "--product-mirror",
            &mirror,
            "-o",
            "calico.tar",
            "--quiet",
        ])?;
        self.sealift(&["load", "calico.tar", to, "--quiet"])?;
        self.sealift(&["product", "calico", "calico.tar", to, "--out-dir", "apply"])?;
        for name in ["installation.yaml", "imageset.yaml"] {
            let text = fs::read_to_string(self.folder.join("apply").join(name))?;
            println!("\n{}:\n\n{}", name, text.trim_end());
        }
        let [(operator, _), (others, _)] = MANIFESTS;
        let rewrite = [
            "rewrite",
            operator,
            others,
            "--to",
            to,
            "--pin",
            "calico.tar",
            "--dry-run",
        ];
        let diff = self.output(&rewrite)?;
        let images = added(&diff);
        if images.len() < MANIFESTS.len() {
            return Err(format!("the manifests' difference names no images:\n{diff}").into());
        }
        for image in &images {
            answered(destination, image)?;
        }
        println!(
            "\nThe manifests of Calico. The {} images of the lines with a + were fetched from {} before they are \
             shown here.\n\n$ sealift {}\n{}",
            images.len(),
            destination.host(),
            rewrite.join(" "),
            diff.trim_end()
        );
        Ok(())
    }

    /// Puts an image under every name that the program knows for the release.
    fn publish(&self, source: &Registry) -> Result<(), Box<dyn Error>> {
        let list = self.output(&["images", "--product", RELEASE])?;
        for line in list.lines() {
            let parts = line.rsplit_once(':').and_then(|(name, tag)| {
                let (_, repository) = name.split_once('/')?;
                Some((repository, tag))
            });
            let (repository, tag) = parts.ok_or_else(|| format!("no reference: {line}"))?;
            let image = ImageMaker::new(repository).make();
            image.put_into(source, repository, Some(tag));
        }
        Ok(())
    }
}

/// What the `image:` keys of the added lines say.
fn added(diff: &str) -> Vec<&str> {
    let lines = diff.lines().filter(|line| line.starts_with('+'));
    let values = lines.filter_map(|line| line.split_once("image: ").map(|(_, value)| value));
    let ends = |c: char| c.is_whitespace() || c == '"' || c == '}';
    values
        .map(|value| value.trim_start_matches('"'))
        .map(|value| value.split(ends).next().unwrap_or(value))
        .collect()
}

/// Fetches the image with all below it, by the name that a node would ask for.
fn answered(destination: &Registry, image: &str) -> Result<(), Box<dyn Error>> {
    let below = image.strip_prefix(&format!("{}/", destination.host()));
    let named = below.and_then(|name| name.split_once('@'));
    let (name, digest) =
        named.ok_or_else(|| format!("{image} is no pinned name at the destination"))?;
    let repository = name.rsplit_once(':').map_or(name, |(name, _)| name);
    let tree = proof::walk(destination.address(), repository, digest)?;
    if tree.root() == digest {
        return Ok(());
    }
    Err(format!("{image} is {} at the destination", tree.root()).into())
}
