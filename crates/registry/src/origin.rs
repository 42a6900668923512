//! Where a request goes: scheme, host and port of a URL; and what a relative location means.

use std::fmt;
use std::net::IpAddr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Scheme and authority of a URL.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Origin {
    pub(crate) https: bool,
    /// Host and, if given, port; lower case.
    pub(crate) authority: String,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}://{}",
            if self.https { "https" } else { "http" },
            self.authority
        )
    }
}

impl Origin {
    /// The host without its port.
    pub(crate) fn host(&self) -> &str {
        host_of(&self.authority)
    }

    /// The port, given or implied.
    pub(crate) fn port(&self) -> u16 {
        let given = self
            .authority
            .rsplit_once(':')
            .filter(|(_, port)| !port.contains(']'));
        let implied = if self.https { 443 } else { 80 };
        given
            .and_then(|(_, port)| port.parse().ok())
            .unwrap_or(implied)
    }

    /// Splits an absolute URL; `None` unless it is a plain http or https URL.
    pub(crate) fn split(url: &str) -> Option<(Self, String)> {
        let (https, rest) = match url.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, url.strip_prefix("http://")?),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let legal = |c: u8| c.is_ascii_alphanumeric() || b".-:[]_".contains(&c);
        if authority.is_empty() || !authority.bytes().all(legal) || !clean(path) {
            return None;
        }
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        Some((
            Self {
                https,
                authority: authority.to_ascii_lowercase(),
            },
            path,
        ))
    }

    /// What `location` means, seen from a URL of this origin with path `base`.
    pub(crate) fn resolve(&self, base: &str, location: &str) -> Option<(Self, String)> {
        if location.starts_with("//") {
            return Self::split(&format!(
                "{}:{location}",
                if self.https { "https" } else { "http" }
            ));
        }
        if location.contains("://") {
            return Self::split(location);
        }
        if !clean(location) {
            return None;
        }
        if location.starts_with('/') {
            return Some((self.clone(), location.to_owned()));
        }
        let path = base.split('?').next().unwrap_or_default();
        let folder = path.rfind('/').map_or("/", |end| &path[..=end]);
        Some((self.clone(), format!("{folder}{location}")))
    }

    /// Whether `name`, a host with or without a port, means this origin.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        name.eq_ignore_ascii_case(&self.authority) || name.eq_ignore_ascii_case(self.host())
    }

    /// Whether requests to it stay on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(self.host())
    }
}

/// What `location`, a URL or a path, means in a document that was downloaded from `base`; `None` if that is not a
/// plain http or https URL.
pub fn resolve_url(base: &str, location: &str) -> Option<String> {
    let (origin, path) = Origin::split(base)?;
    let (origin, path) = origin.resolve(&path, location)?;
    Some(format!("{origin}{path}"))
}

/// No control characters and no spaces: what could end a request line early.
fn clean(path: &str) -> bool {
    path.len() <= 8192 && path.bytes().all(|c| (0x21..0x7f).contains(&c))
}

fn host_of(authority: &str) -> &str {
    match authority
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        Some((address, _)) => address,
        None => authority.split(':').next().unwrap_or_default(),
    }
}

/// Whether `host` (without port) is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback())
}

/// Whether the host of `authority` is this machine: such registries are reached over plain HTTP unless an
/// option says otherwise.
pub fn is_loopback_authority(authority: &str) -> bool {
    is_loopback(host_of(authority))
}

/// Everything but unreserved characters (RFC 3986, section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// `text` as a value in a query or form.
pub(crate) fn percent_encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(url: &str) -> Origin {
        Origin::split(url).unwrap().0
    }

    #[test]
    fn locations_are_resolved_like_links() {
        let here = origin("https://r.io:5000/");
        let at = |location| {
            here.resolve("/v2/a/blobs/uploads/", location)
                .map(|(o, p)| format!("{o}{p}"))
        };
        assert_eq!(at("/v2/x?y=1").unwrap(), "https://r.io:5000/v2/x?y=1");
        assert_eq!(
            at("x?y=1").unwrap(),
            "https://r.io:5000/v2/a/blobs/uploads/x?y=1"
        );
        assert_eq!(at("http://other/x").unwrap(), "http://other/x");
        assert_eq!(at("//other/x").unwrap(), "https://other/x");
        for bad in [
            "/a\r\nHost: b",
            "ftp://r.io/",
            "http://u:p@r.io/",
            "/a b",
            "https:///x",
        ] {
            assert_eq!(at(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_port_is_given_or_implied() {
        assert_eq!(origin("https://r.io").port(), 443);
        assert_eq!(origin("http://[::1]").port(), 80);
        assert_eq!(origin("http://[::1]:5000").port(), 5000);
    }

    #[test]
    fn everything_but_unreserved_characters_is_encoded() {
        assert_eq!(percent_encoded("a/b:c d&é~"), "a%2Fb%3Ac%20d%26%C3%A9~");
    }
}
