//! Where a registry may lead the client, and to whom its credentials may be sent.
//!
//! Responses name other hosts: redirects, upload locations, token services. A registry could use that to make
//! the client send requests inside its network, or to obtain credentials. So it leads neither out of https, nor
//! to addresses of this machine or link that the user did not name, and credentials stay with the registry and
//! its token service.

use std::net::IpAddr;

use crate::error::ErrorKind;
use crate::options::ClientOptions;
use crate::origin::{Origin, is_loopback};
use crate::quirks::known;

/// Whether an address is one of this machine or link; clouds keep their machines' credentials there.
pub(crate) fn is_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_link_local() || address.is_unspecified()
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unicast_link_local() || address.is_unspecified()
        }
    }
}

/// Whether the user named this host, as the registry or in an option.
pub(crate) fn was_named(registry: &Origin, to: &Origin, options: &ClientOptions) -> bool {
    let lists = [&options.token_hosts, &options.plain_http, &options.insecure];
    to.host() == registry.host() || lists.into_iter().flatten().any(|name| to.is_called(name))
}

/// Checks where a response of `registry` leads.
///
/// # Errors
/// [`ErrorKind::Refused`] if it leads from https to http, or to a local address that nobody named. Names that
/// only the resolver knows are checked when they are looked up.
pub(crate) fn check(
    registry: &Origin,
    to: &Origin,
    options: &ClientOptions,
) -> Result<(), ErrorKind> {
    if registry.https && !to.https {
        return Err(ErrorKind::Refused(format!(
            "the registry leads from https to {to}, which is not encrypted"
        )));
    }
    let local = is_loopback(to.host()) || to.host().parse().is_ok_and(is_local);
    if local && !was_named(registry, to, options) {
        return Err(ErrorKind::Refused(format!(
            "the registry leads to {to}, an address of this machine or link"
        )));
    }
    Ok(())
}

/// Whether credentials for `registry` may be sent to a token service at `realm`: on the registry's own host and
/// port, known to belong to the registry, or named by the user.
pub(crate) fn may_have_credentials(registry: &Origin, realm: &Origin, named: &[String]) -> bool {
    if registry.https && !realm.https {
        return false;
    }
    (realm.host() == registry.host() && realm.port() == registry.port())
        || known::is_token_service(registry.host(), realm.host())
        || named.iter().any(|name| realm.is_called(name))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn origin(url: &str) -> Origin {
        Origin::split(url).unwrap().0
    }

    #[test]
    fn a_registry_leads_neither_to_plain_http_nor_to_local_addresses() {
        let options = ClientOptions::default();
        let leads = |from: &str, to: &str| check(&origin(from), &origin(to), &options).is_ok();
        assert!(leads("https://r.io", "https://storage.io"));
        assert!(!leads("https://r.io", "http://storage.io"));
        for local in [
            "localhost",
            "a.localhost",
            "127.9.9.9",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "0.0.0.0",
            "169.254.169.254",
            "[fe80::1]",
        ] {
            let url = format!("https://{local}:1");
            assert!(!leads("https://r.io", &url), "{local}");
            assert!(!leads("http://127.0.0.1:5000", &url), "{local}");
        }
        assert!(leads("http://127.0.0.1:5000", "http://127.0.0.1:9000"));
    }

    #[test]
    fn a_local_address_that_was_named_is_allowed() {
        let options = ClientOptions {
            plain_http: vec!["localhost:9000".to_owned()],
            ..ClientOptions::default()
        };
        let leads = |to: &str| check(&origin("http://r.corp"), &origin(to), &options).is_ok();
        assert!(leads("http://localhost:9000"));
        assert!(!leads("http://localhost:9001"));
    }

    #[test]
    fn credentials_go_to_the_registry_and_its_known_token_service() {
        let hub = origin("https://registry-1.docker.io");
        let may = |from: &Origin, to: &str, named: &[&str]| {
            let named: Vec<String> = named.iter().map(|&name| name.to_owned()).collect();
            may_have_credentials(from, &origin(to), &named)
        };
        assert!(may(&hub, "https://auth.docker.io", &[]));
        assert!(!may(&hub, "http://auth.docker.io", &[]));
        assert!(!may(&hub, "https://auth.docker.io.evil", &[]));
        let own = origin("https://r.corp:5000");
        assert!(may(&own, "https://r.corp:5000/token", &[]));
        assert!(!may(&own, "https://r.corp:5001/token", &[]));
        assert!(!may(&own, "https://r.corp/token", &[]));
        assert!(may(&own, "https://r.corp:5001/token", &["r.corp:5001"]));
        assert!(may(&own, "https://r.corp/token", &["r.corp"]));
        assert!(!may(&own, "https://sso.corp/token", &[]));
        assert!(may(&own, "https://sso.corp/token", &["sso.corp"]));
        assert!(may(&origin("https://r.corp"), "https://r.corp:443/t", &[]));
    }
}
