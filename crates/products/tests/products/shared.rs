//! Upstream's files, kept beside the checkout, and short ways to the things under test.

use std::path::PathBuf;
use std::sync::OnceLock;

use sealift_products::{Catalogue, ProductImages, Release, Selection};

/// A file of upstream's; without the folder the test says so and ends, unless it is compulsory.
pub(crate) fn upstream(path: &str) -> Option<Vec<u8>> {
    let folder = std::env::var_os("SEALIFT_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let path = folder.join("data").join(path);
    match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            let compulsory =
                std::env::var_os("SEALIFT_REQUIRE_REAL").is_some_and(|value| value == "1");
            assert!(!compulsory, "{}: {error}", path.display());
            println!("SKIPPED: {}: {error}", path.display());
            None
        }
    }
}

/// The built-in catalogue, read once.
pub(crate) fn built_in() -> &'static Catalogue {
    static BUILT_IN: OnceLock<Catalogue> = OnceLock::new();
    BUILT_IN.get_or_init(|| Catalogue::built_in().unwrap())
}

/// A copy of the built-in catalogue.
pub(crate) fn catalogue() -> Catalogue {
    built_in().clone()
}

pub(crate) fn release<'c>(catalogue: &'c Catalogue, spec: &str) -> &'c Release {
    catalogue.resolve(&spec.parse().unwrap()).unwrap().release
}

/// The images of a release with features besides the default ones.
pub(crate) fn images(catalogue: &Catalogue, spec: &str, with: &[&str]) -> ProductImages {
    let resolved = catalogue.resolve(&spec.parse().unwrap()).unwrap();
    let selection = Selection {
        with: with.iter().map(|feature| (*feature).to_owned()).collect(),
        ..Selection::default()
    };
    resolved
        .release
        .select(resolved.product, &selection)
        .unwrap()
}

pub(crate) fn references(images: &ProductImages) -> Vec<String> {
    images
        .images
        .iter()
        .map(|image| image.reference.to_string())
        .collect()
}
