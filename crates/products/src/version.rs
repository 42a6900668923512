//! Versions of releases and operators.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A version: `v3.32.1`, `1.36.4`, `v1.36.4+rke2r1`, `v3.33.0-0.dev`. Ordered as semantic versions are, except that
/// build metadata counts, since distributions number their releases with it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    text: String,
    numbers: [u32; 3],
    pre: Option<String>,
    build: Option<String>,
}

impl Version {
    /// The first number.
    pub fn major(&self) -> u32 {
        self.numbers[0]
    }

    /// The second number.
    pub fn minor(&self) -> u32 {
        self.numbers[1]
    }

    /// The third number.
    pub fn patch(&self) -> u32 {
        self.numbers[2]
    }

    /// Whether it is a pre-release.
    pub fn is_pre(&self) -> bool {
        self.pre.is_some()
    }

    /// `(major, minor)`: the release series.
    pub fn series(&self) -> (u32, u32) {
        (self.numbers[0], self.numbers[1])
    }

    /// As it was written, `v` included.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether both mean the same version, with or without a leading `v`.
    pub fn same(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl FromStr for Version {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected a version such as v3.32.1";
        if text.len() > 64 {
            return Err(EXPECTED);
        }
        let bare = text.strip_prefix('v').unwrap_or(text);
        let (rest, build) = match bare.split_once('+') {
            Some((rest, build)) => (rest, Some(build)),
            None => (bare, None),
        };
        let (numbers, pre) = match rest.split_once('-') {
            Some((numbers, pre)) => (numbers, Some(pre)),
            None => (rest, None),
        };
        let word = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|c| c.is_ascii_alphanumeric() || c == b'.' || c == b'-')
        };
        if pre.is_some_and(|text| !word(text)) || build.is_some_and(|text| !word(text)) {
            return Err(EXPECTED);
        }
        let mut parts = numbers.split('.').map(|part| {
            let digits = !part.is_empty() && part.bytes().all(|c| c.is_ascii_digit());
            digits.then(|| part.parse::<u32>().ok()).flatten()
        });
        let mut next = || parts.next().flatten().ok_or(EXPECTED);
        let numbers = [next()?, next()?, next()?];
        if parts.next().is_some() {
            return Err(EXPECTED);
        }
        Ok(Self {
            text: text.to_owned(),
            numbers,
            pre: pre.map(str::to_owned),
            build: build.map(str::to_owned),
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        // A pre-release comes before the version that it prepares.
        let pre = match (&self.pre, &other.pre) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(a), Some(b)) => a.cmp(b),
        };
        self.numbers
            .cmp(&other.numbers)
            .then(pre)
            .then_with(|| self.build.cmp(&other.build))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn versions_are_ordered_by_number_and_not_by_text() {
        assert!(version("v3.30.10") > version("v3.30.9"));
        assert!(version("v3.33.0") > version("v3.33.0-0.dev"));
        assert!(version("v1.36.4+rke2r2") > version("v1.36.4+rke2r1"));
        assert!(version("3.1.0").same(&version("v3.1.0")));
    }

    #[test]
    fn a_text_that_is_not_a_version_is_refused() {
        for text in [
            "",
            "v",
            "3.32",
            "v3.32.x",
            "latest",
            "v3.32.1.1",
            "v3.32.1-",
            "3.32.-1",
            "v3.32.1 ",
            "V3.1.1",
            "v99999999999.0.0",
        ] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }
}
