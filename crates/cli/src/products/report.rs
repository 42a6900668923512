//! The images of a product's release: which sources name each of them, and which omit it.

use sealift_products::Source;
use serde::Serialize;

use super::Chosen;

/// A release.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProductReport<'a> {
    product: &'a str,
    images: Vec<ProductImage<'a>>,
    left_out: Vec<ProductImage<'a>>,
    warnings: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProductImage<'a> {
    reference: String,
    /// Its name at the mirror, if it is pulled from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    mirror: Option<String>,
    features: &'a [String],
    named_by: Vec<&'a str>,
    omitted_by: Vec<&'a str>,
}

impl<'a> ProductReport<'a> {
    /// The report of a selection.
    pub(crate) fn of(chosen: &'a Chosen) -> Self {
        Self {
            product: &chosen.name,
            images: chosen.images.images.iter().map(ProductImage::of).collect(),
            left_out: chosen
                .images
                .left_out
                .iter()
                .map(ProductImage::of)
                .collect(),
            warnings: chosen.warnings(),
        }
    }

    /// One line for each image, for a person.
    pub(crate) fn lines(&self) -> Vec<String> {
        let head = format!("{}:", self.product);
        let images = self.images.iter().map(ProductImage::line);
        std::iter::once(head).chain(images).collect()
    }
}

impl<'a> ProductImage<'a> {
    fn of(image: &'a sealift_products::ProductImage) -> Self {
        Self {
            reference: image.reference.to_string(),
            mirror: image.mirror.as_ref().map(ToString::to_string),
            features: &image.features,
            named_by: image.named_by.iter().map(Source::as_str).collect(),
            omitted_by: image.omitted_by.iter().map(Source::as_str).collect(),
        }
    }

    fn line(&self) -> String {
        let mirror = match &self.mirror {
            Some(mirror) => format!(" from {mirror}"),
            None => String::new(),
        };
        let list = |what: &str, sources: &[&str]| match sources {
            [] => String::new(),
            _ => format!("{what} {}", sources.join(", ")),
        };
        format!(
            "    {}{mirror}: {}{}",
            self.reference,
            list("named by", &self.named_by),
            list("; omitted by", &self.omitted_by)
        )
    }
}
