//! `os-release`: which distribution an image is based on (freedesktop.org, `os-release(5)`).

use serde::Serialize;

use crate::bytes::field;

/// The largest file that is read, in bytes; real ones have less than a kilobyte.
pub(crate) const MAX_BYTES: u64 = 64 << 10;
/// Where the file may be; the first that exists counts.
pub(crate) const PATHS: [&str; 2] = ["etc/os-release", "usr/lib/os-release"];

/// Which distribution an image is based on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OsRelease {
    /// Its short name: `debian`.
    pub id: String,
    /// Its version: `12`; empty for a distribution without versions.
    pub version: String,
    /// Its name for people: `Debian GNU/Linux 12 (bookworm)`.
    pub name: String,
}

impl OsRelease {
    /// Reads the file; fields that it does not contain are empty.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let mut release = Self::default();
        for line in bytes.split(|&byte| byte == b'\n') {
            let Some(equals) = line.iter().position(|&byte| byte == b'=') else {
                continue;
            };
            let value = field(unquoted(line[equals + 1..].trim_ascii()));
            match &line[..equals] {
                b"ID" => release.id = value,
                b"VERSION_ID" => release.version = value,
                b"PRETTY_NAME" => release.name = value,
                _ => {}
            }
        }
        release
    }
}

fn unquoted(value: &[u8]) -> &[u8] {
    for quote in [b'"', b'\''] {
        if let [first, inner @ .., last] = value
            && *first == quote
            && *last == quote
        {
            return inner;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_be_quoted() {
        let release = OsRelease::parse(
            b"# comment\nPRETTY_NAME=\"Example Linux 1\"\r\nID=example\nVERSION_ID='1'\nX\n",
        );
        assert_eq!(release.name, "Example Linux 1");
        assert_eq!(
            (release.id.as_str(), release.version.as_str()),
            ("example", "1")
        );
        assert_eq!(OsRelease::parse(b"\xff=\n="), OsRelease::default());
    }
}
