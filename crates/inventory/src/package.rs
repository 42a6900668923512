//! Installed packages.

use std::fmt;

use serde::Serialize;

/// What installed a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PackageKind {
    /// Alpine's package manager.
    Apk,
    /// Debian's and Ubuntu's.
    Dpkg,
    /// Red Hat's, SUSE's and others'.
    Rpm,
}

impl PackageKind {
    /// Its name: `apk`, `dpkg` or `rpm`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Apk => "apk",
            Self::Dpkg => "dpkg",
            Self::Rpm => "rpm",
        }
    }
}

impl fmt::Display for PackageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An installed package, as its database describes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Package {
    /// What installed it.
    pub kind: PackageKind,
    /// Its name.
    pub name: String,
    /// Its version, with the epoch and release that its kind has.
    pub version: String,
    /// The architecture that it was built for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// The source package that it was built from, if that has another name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}
