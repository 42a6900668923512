//! Where a request goes: scheme, host and port; and the rules for following what answers name.

use std::fmt;
use std::net::IpAddr;

use crate::error::ErrorKind;

/// Scheme and authority of a URL.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Origin {
    pub(crate) https: bool,
    /// Host and, where given, port; lower case.
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

    /// The port, said or implied.
    pub(crate) fn port(&self) -> u16 {
        let said = self
            .authority
            .rsplit_once(':')
            .filter(|(_, port)| !port.contains(']'));
        let implied = if self.https { 443 } else { 80 };
        said.and_then(|(_, port)| port.parse().ok())
            .unwrap_or(implied)
    }

    /// Splits an absolute URL; none where it is no plain http or https URL.
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

    /// Whether requests to it stay on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(self.host())
    }
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

/// Whether an address is one of this machine or link; clouds keep their machines' credentials there.
pub(crate) fn stays_inside(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_link_local() || address.is_unspecified()
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unicast_link_local() || address.is_unspecified()
        }
    }
}

/// A registry on https does not lead to http, and one elsewhere does not lead to this machine.
pub(crate) fn check_lead(registry: &Origin, to: &Origin) -> Result<(), ErrorKind> {
    if registry.https && !to.https {
        return Err(ErrorKind::Refused(format!(
            "the registry leads from https to {to}, which is not encrypted"
        )));
    }
    let inside = is_loopback(to.host()) || to.host().parse().is_ok_and(stays_inside);
    if inside && !registry.is_loopback() && to.host() != registry.host() {
        return Err(ErrorKind::Refused(format!(
            "the registry leads to {to}, an address of this machine or link"
        )));
    }
    Ok(())
}

/// Whether the host of `authority` is this machine: such registries are reached over plain HTTP unless said
/// otherwise.
pub fn is_loopback_authority(authority: &str) -> bool {
    is_loopback(host_of(authority))
}

/// Token services that belong to a registry of another name. Everything else has to be the registry's own
/// host, or be named by the user.
const KNOWN_TOKEN_HOSTS: [(&str, &str); 3] = [
    ("registry-1.docker.io", "auth.docker.io"),
    ("registry.gitlab.com", "gitlab.com"),
    ("registry.connect.redhat.com", "sso.redhat.com"),
];

/// Whether credentials for `registry` may be sent to a token service at `realm`.
pub(crate) fn may_have_credentials(registry: &Origin, realm: &Origin, named: &[String]) -> bool {
    if registry.https && !realm.https {
        return false;
    }
    realm.host() == registry.host()
        || KNOWN_TOKEN_HOSTS.contains(&(registry.host(), realm.host()))
        || named
            .iter()
            .any(|host| *host == realm.authority || host == realm.host())
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
    fn a_registry_leads_neither_to_plain_http_nor_inwards() {
        let leads = |from: &str, to: &str| check_lead(&origin(from), &origin(to)).is_ok();
        assert!(leads("https://r.io", "https://storage.io"));
        assert!(!leads("https://r.io", "http://storage.io"));
        for inside in [
            "localhost",
            "a.localhost",
            "127.9.9.9",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "0.0.0.0",
            "169.254.169.254",
            "[fe80::1]",
        ] {
            let url = format!("https://{inside}:1");
            assert!(!leads("https://r.io", &url), "{inside}");
            assert!(leads("http://127.0.0.1:5000", &url), "{inside}");
        }
    }

    #[test]
    fn a_port_is_said_or_implied() {
        assert_eq!(origin("https://r.io").port(), 443);
        assert_eq!(origin("http://[::1]").port(), 80);
        assert_eq!(origin("http://[::1]:5000").port(), 5000);
    }

    #[test]
    fn credentials_go_to_the_registry_and_its_known_token_service() {
        let hub = origin("https://registry-1.docker.io");
        assert!(may_have_credentials(
            &hub,
            &origin("https://auth.docker.io"),
            &[]
        ));
        assert!(!may_have_credentials(
            &hub,
            &origin("http://auth.docker.io"),
            &[]
        ));
        assert!(!may_have_credentials(
            &hub,
            &origin("https://auth.docker.io.evil"),
            &[]
        ));
        let own = origin("https://r.corp:5000");
        assert!(may_have_credentials(
            &own,
            &origin("https://r.corp/token"),
            &[]
        ));
        assert!(!may_have_credentials(
            &own,
            &origin("https://sso.corp/token"),
            &[]
        ));
        assert!(may_have_credentials(
            &own,
            &origin("https://sso.corp/token"),
            &["sso.corp".to_owned()]
        ));
    }
}
