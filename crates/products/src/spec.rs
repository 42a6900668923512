//! How a release is named on input: `calico@v3.32.1`.

use std::fmt;
use std::str::FromStr;

use crate::version::Version;

/// A requested release: `calico@v3.32.1`, or `calico@3.32` for the newest known patch release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductSpec {
    pub(crate) product: String,
    pub(crate) wanted: Wanted,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Exact(Version),
    Series(u32, u32),
}

/// A text that does not name a release of a product.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} does not name a release of a product ({reason}; expected PRODUCT@VERSION, such as calico@v3.32.1 or calico@3.32)"
)]
pub struct SpecError {
    text: String,
    reason: &'static str,
}

impl ProductSpec {
    /// The product's name.
    pub fn product(&self) -> &str {
        &self.product
    }
}

impl FromStr for ProductSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let error = |reason| SpecError {
            text: text.chars().take(60).collect(),
            reason,
        };
        let (product, version) = text.split_once('@').ok_or(error("it has no @"))?;
        let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        if product.is_empty() || !product.bytes().all(plain) {
            return Err(error(
                "a product's name is lower-case letters, digits and -",
            ));
        }
        let wanted = match series(version) {
            Some((major, minor)) => Wanted::Series(major, minor),
            None => Wanted::Exact(
                version
                    .parse()
                    .map_err(|_| error("a version has at least two numbers"))?,
            ),
        };
        Ok(Self {
            product: product.to_owned(),
            wanted,
        })
    }
}

/// `3.32` or `v3.32`.
fn series(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.strip_prefix('v').unwrap_or(text).split_once('.')?;
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten()
    };
    Some((number(major)?, number(minor)?))
}

impl fmt::Display for ProductSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.wanted {
            Wanted::Exact(version) => write!(f, "{}@{version}", self.product),
            Wanted::Series(major, minor) => write!(f, "{}@{major}.{minor}", self.product),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_release_or_a_series_can_be_requested() {
        let exact: ProductSpec = "calico@v3.32.1".parse().unwrap();
        assert_eq!(exact.product(), "calico");
        assert!(matches!(exact.wanted, Wanted::Exact(_)));
        let series: ProductSpec = "calico@3.32".parse().unwrap();
        assert_eq!(series.wanted, Wanted::Series(3, 32));
        assert_eq!(series.to_string(), "calico@3.32");
    }

    #[test]
    fn a_text_that_names_no_release_is_refused() {
        for text in [
            "",
            "calico",
            "calico@",
            "@v3.32.1",
            "Calico@3.32",
            "calico@latest",
            "calico@v3.{{x}}.1",
            "a/b@1.2.3",
        ] {
            assert!(text.parse::<ProductSpec>().is_err(), "{text}");
        }
    }
}
