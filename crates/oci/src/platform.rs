//! Platforms: operating system, architecture and variant, and how a request matches them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::digest::shorten;

/// What an image runs on (image-spec, `image-index.md`, property `platform`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Platform {
    /// CPU architecture in Go's names: `amd64`, `arm64`, …
    #[serde(default)]
    pub architecture: String,
    /// Operating system in Go's names: `linux`, `windows`, …
    #[serde(default)]
    pub os: String,
    /// Build of the operating system; Windows images need it, `10.0.17763.5329`.
    #[serde(
        rename = "os.version",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub os_version: Option<String>,
    /// Features of the operating system, `win32k`.
    #[serde(
        rename = "os.features",
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "crate::json::null_as_default"
    )]
    pub os_features: Vec<String>,
    /// Variant of the CPU, `v7` or `v8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if let Some(variant) = self.variant.as_deref().filter(|v| !v.is_empty()) {
            write!(f, "/{variant}")?;
        }
        if let Some(version) = self.os_version.as_deref().filter(|v| !v.is_empty()) {
            write!(f, ":{version}")?;
        }
        Ok(())
    }
}

/// A choice of platforms: `os/architecture[/variant][:os.version]`.
///
/// What the selector does not say, it does not ask for: `linux/arm` takes every variant,
/// `windows/amd64` every build. An `os.version` matches whole components from the left:
/// `10.0.17763` takes `10.0.17763.5329`. The variants that Go's names leave out (`v8` of `arm64`,
/// `v1` of `amd64`) equal a platform that has none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlatformSelector {
    os: String,
    architecture: String,
    variant: Option<String>,
    os_version: Option<String>,
}

/// A text that is no platform selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a platform (expected os/architecture[/variant][:os.version], such as linux/arm64 or windows/amd64:10.0.17763)"
)]
pub struct SelectorError {
    text: String,
}

impl PlatformSelector {
    /// Whether `platform` is among those chosen.
    pub fn matches(&self, platform: &Platform) -> bool {
        self.os == platform.os
            && self.architecture == platform.architecture
            && self.variant.as_deref().is_none_or(|wanted| {
                variant(&self.architecture, Some(wanted))
                    == variant(&platform.architecture, platform.variant.as_deref())
            })
            && self.os_version.as_deref().is_none_or(|wanted| {
                platform
                    .os_version
                    .as_deref()
                    .is_some_and(|version| starts_with_components(version, wanted))
            })
    }
}

/// The variant with Go's unwritten default left out.
fn variant<'a>(architecture: &str, variant: Option<&'a str>) -> Option<&'a str> {
    variant.filter(|variant| {
        !variant.is_empty()
            && !matches!((architecture, *variant), ("arm64", "v8") | ("amd64", "v1"))
    })
}

fn starts_with_components(version: &str, wanted: &str) -> bool {
    version
        .strip_prefix(wanted)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

impl FromStr for PlatformSelector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let error = || SelectorError {
            text: shorten(text),
        };
        let (names, os_version) = match text.split_once(':') {
            Some((names, version)) => (names, Some(version.trim_end_matches(".x"))),
            None => (text, None),
        };
        let mut parts = names.split('/');
        let (Some(os), Some(architecture), variant, None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(error());
        };
        let all = [Some(os), Some(architecture), variant, os_version];
        if !all.into_iter().flatten().all(is_name) {
            return Err(error());
        }
        Ok(Self {
            os: os.to_ascii_lowercase(),
            architecture: canonical_architecture(architecture),
            variant: variant.map(str::to_ascii_lowercase),
            os_version: os_version.map(str::to_owned),
        })
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || b"._-".contains(&c))
}

/// The names that people and `uname` use, in Go's spelling.
fn canonical_architecture(name: &str) -> String {
    match name.to_ascii_lowercase().as_str() {
        "x86_64" | "x86-64" => "amd64".to_owned(),
        "aarch64" => "arm64".to_owned(),
        "i386" | "i686" => "386".to_owned(),
        other => other.to_owned(),
    }
}

impl fmt::Display for PlatformSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if let Some(variant) = &self.variant {
            write!(f, "/{variant}")?;
        }
        if let Some(version) = &self.os_version {
            write!(f, ":{version}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn platform(
        os: &str,
        architecture: &str,
        variant: Option<&str>,
        version: Option<&str>,
    ) -> Platform {
        Platform {
            architecture: architecture.to_owned(),
            os: os.to_owned(),
            os_version: version.map(str::to_owned),
            os_features: Vec::new(),
            variant: variant.map(str::to_owned),
        }
    }

    fn matches(selector: &str, platform: &Platform) -> bool {
        selector
            .parse::<PlatformSelector>()
            .unwrap()
            .matches(platform)
    }

    #[test]
    fn a_selector_without_variant_takes_all_variants() {
        assert!(matches(
            "linux/arm",
            &platform("linux", "arm", Some("v6"), None)
        ));
        assert!(matches(
            "linux/arm",
            &platform("linux", "arm", Some("v7"), None)
        ));
        assert!(!matches(
            "linux/arm/v6",
            &platform("linux", "arm", Some("v7"), None)
        ));
    }

    #[test]
    fn the_unwritten_variant_of_arm64_is_v8() {
        assert!(matches(
            "linux/arm64/v8",
            &platform("linux", "arm64", None, None)
        ));
        assert!(matches(
            "linux/arm64",
            &platform("linux", "arm64", Some("v8"), None)
        ));
        assert!(!matches(
            "linux/arm64/v9",
            &platform("linux", "arm64", None, None)
        ));
    }

    #[test]
    fn a_windows_build_matches_by_whole_components() {
        let windows = platform("windows", "amd64", None, Some("10.0.17763.5329"));
        assert!(matches("windows/amd64", &windows));
        assert!(matches("windows/amd64:10.0.17763", &windows));
        assert!(matches("windows/amd64:10.0.17763.x", &windows));
        assert!(matches("windows/amd64:10.0.17763.5329", &windows));
        assert!(!matches("windows/amd64:10.0.177", &windows));
        assert!(!matches("windows/amd64:10.0.20348", &windows));
    }

    #[test]
    fn the_kernels_names_are_understood() {
        assert!(matches(
            "linux/x86_64",
            &platform("linux", "amd64", None, None)
        ));
        assert!(matches(
            "linux/aarch64",
            &platform("linux", "arm64", None, None)
        ));
    }

    #[test]
    fn what_is_no_platform_is_refused() {
        for text in [
            "",
            "linux",
            "/amd64",
            "linux/",
            "linux/arm/v7/x",
            "linux/amd64:",
            "a b/c",
        ] {
            assert!(text.parse::<PlatformSelector>().is_err(), "{text}");
        }
    }
}
