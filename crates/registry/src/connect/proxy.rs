//! Which proxy a host is reached through, if any.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ureq::http::Uri;
use ureq::{Proxy, ProxyProtocol};

use crate::options::ClientOptions;
use crate::origin::{Origin, percent_encoded};
use crate::secret::Secret;

/// How a host is reached.
#[derive(Debug)]
pub(super) enum Route {
    /// Directly.
    Direct,
    /// Through a tunnel that a proxy opens: SOCKS, or CONNECT for TLS.
    Tunnel(Proxy),
    /// Through a proxy that passes requests on, each addressed with its whole URL.
    Forward {
        /// The proxy.
        proxy: Uri,
        /// What it is shown.
        authorization: Option<Secret>,
    },
}

impl Route {
    /// The route to `origin`; loopback is never reached through a proxy.
    ///
    /// # Errors
    /// A message if the proxy's URL is malformed or of a kind that is not supported. It does not repeat the
    /// URL, which may carry a password.
    pub(super) fn to(origin: &Origin, options: &ClientOptions) -> Result<Self, String> {
        let url = if origin.https {
            &options.https_proxy
        } else {
            &options.http_proxy
        };
        let excepted = options
            .no_proxy
            .as_deref()
            .is_some_and(|list| is_excepted(list, origin));
        match url {
            Some(url) if !excepted && !origin.is_loopback() => Self::through(url, origin.https),
            _ => Ok(Self::Direct),
        }
    }

    fn through(url: &str, https: bool) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            // As Go's programs do, and unlike curl: behind a jump host only the proxy can look names up.
            "socks" | "socks5" | "socks5h" => "socks5h",
            "socks4" => "socks4",
            "socks4a" => "socks4a",
            "http" => "http",
            "https" if https => "https",
            "https" => {
                return Err(
                    "a proxy that speaks TLS itself is not supported for registries on plain HTTP"
                        .to_owned(),
                );
            }
            other => {
                let other: String = other
                    .chars()
                    .filter(char::is_ascii_alphanumeric)
                    .take(20)
                    .collect();
                return Err(format!(
                    "proxies of the kind {other:?} are not supported (supported: http, https, socks4, socks4a, socks5, socks5h)"
                ));
            }
        };
        let malformed = || "the proxy's URL is malformed".to_owned();
        let proxy = Proxy::new(&format!("{scheme}://{rest}")).map_err(|_| malformed())?;
        if https || proxy.protocol() != ProxyProtocol::Http {
            return Ok(Self::Tunnel(proxy));
        }
        let address = format!("http://{}:{}/", proxy.host(), proxy.port());
        Ok(Self::Forward {
            proxy: address.parse().map_err(|_| malformed())?,
            authorization: authorization(&proxy),
        })
    }
}

/// Every secret in the proxies' URLs, in every form that it is sent or written in: no message repeats them.
pub(crate) fn proxy_secrets(options: &ClientOptions) -> Vec<Secret> {
    let urls = [&options.https_proxy, &options.http_proxy];
    let proxies = urls
        .into_iter()
        .flatten()
        .filter_map(|url| Proxy::new(url).ok());
    let mut secrets = Vec::new();
    for proxy in proxies {
        let encoded = authorization(&proxy);
        let encoded = encoded
            .as_ref()
            .and_then(|header| header.expose().split(' ').next_back());
        secrets.extend(encoded.map(Secret::new));
        if let Some(password) = proxy.password().filter(|password| !password.is_empty()) {
            secrets.push(Secret::new(password));
            secrets.push(Secret::new(percent_encoded(password)));
        }
    }
    secrets
}

fn authorization(proxy: &Proxy) -> Option<Secret> {
    let user = proxy.username()?;
    let pair = format!("{user}:{}", proxy.password().unwrap_or_default());
    Some(Secret::new(format!("Basic {}", STANDARD.encode(pair))))
}

/// Whether `origin` is in a `NO_PROXY` list. An entry is `*`, a host, a domain above it (with or without a
/// leading dot or `*.`), an address, or a block of addresses (`10.0.0.0/8`); a host may carry a port, which
/// then has to be the same.
fn is_excepted(list: &str, origin: &Origin) -> bool {
    list.split([',', ' '])
        .filter(|entry| !entry.is_empty())
        .any(|entry| matches(&entry.to_ascii_lowercase(), origin))
}

fn matches(entry: &str, origin: &Origin) -> bool {
    if entry == "*" {
        return true;
    }
    if let Some((network, length)) = entry.split_once('/') {
        return in_block(network, length, origin.host()).unwrap_or(false);
    }
    let (name, port) = split_port(entry);
    if port.is_some_and(|port| port != origin.port()) {
        return false;
    }
    let name = name.trim_start_matches("*.").trim_start_matches('.');
    let host = origin.host();
    !name.is_empty()
        && (host == name
            || host
                .strip_suffix(name)
                .is_some_and(|rest| rest.ends_with('.')))
}

/// Host and port of an entry; an address of IPv6 has a port only after brackets.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    if let Some((address, rest)) = entry
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        let port = rest.strip_prefix(':').and_then(|port| port.parse().ok());
        return (address, port);
    }
    match entry.split_once(':') {
        Some((name, port)) if !port.contains(':') => (name, port.parse().ok()),
        _ => (entry, None),
    }
}

fn in_block(network: &str, length: &str, host: &str) -> Option<bool> {
    let length: u32 = length.parse().ok()?;
    Some(match (network.parse().ok()?, host.parse().ok()?) {
        (IpAddr::V4(network), IpAddr::V4(host)) => {
            let mask = u32::MAX.checked_shl(32_u32.checked_sub(length)?);
            (network.to_bits() ^ host.to_bits()) & mask.unwrap_or(0) == 0
        }
        (IpAddr::V6(network), IpAddr::V6(host)) => {
            let mask = u128::MAX.checked_shl(128_u32.checked_sub(length)?);
            (network.to_bits() ^ host.to_bits()) & mask.unwrap_or(0) == 0
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excepted(list: &str, url: &str) -> bool {
        is_excepted(list, &Origin::split(url).expect("a URL").0)
    }

    #[test]
    fn a_proxy_is_used_as_its_kind_and_the_registry_need() {
        let tunnel = |url: &str, https| matches!(Route::through(url, https), Ok(Route::Tunnel(_)));
        let forward =
            |url: &str, https| matches!(Route::through(url, https), Ok(Route::Forward { .. }));
        assert!(tunnel("http://p:3128", true) && forward("http://p:3128", false));
        assert!(tunnel("p:3128", true) && forward("u:canary@p:3128", false));
        for url in [
            "socks5://p",
            "socks://u:canary@p:1",
            "SOCKS5H://p",
            "socks4a://p",
        ] {
            assert!(tunnel(url, true) && tunnel(url, false), "{url}");
        }
    }

    #[test]
    fn a_proxy_that_is_not_supported_is_refused_by_name() {
        for (url, word) in [
            ("ftp://u:canary@p", "\"ftp\""),
            ("http://u:canary@", "malformed"),
            ("https://u:canary@p", "speaks TLS"),
        ] {
            let error = Route::through(url, false).expect_err(url);
            assert!(error.contains(word) && !error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn hosts_and_domains_are_excepted() {
        let r = "https://r.corp:5000";
        for list in ["a.b, r.corp", ".corp", "*.corp", "corp", "*", "R.Corp:5000"] {
            assert!(excepted(list, r), "{list}");
        }
        for list in ["", "corp.example,orp", "r.corp:443", ".", ":5000", "*."] {
            assert!(!excepted(list, r), "{list}");
        }
        assert!(excepted("r.corp:443", "https://r.corp"));
    }

    #[test]
    fn blocks_of_addresses_are_excepted() {
        assert!(excepted("10.0.0.0/8", "http://10.200.3.4:5000"));
        assert!(!excepted("10.0.0.0/8", "http://11.0.0.1"));
        assert!(excepted("0.0.0.0/0", "http://11.0.0.1"));
        assert!(excepted("fd00::/8", "https://[fd12::1]:5000"));
        assert!(excepted("[fd12::1]:5000", "https://[fd12::1]:5000"));
        for bad in ["10.0.0.0/33", "10.0.0.0/x", "/", "10.0.0.0/8", "x/8"] {
            assert!(!excepted(bad, "https://r.corp"), "{bad}");
        }
    }
}
