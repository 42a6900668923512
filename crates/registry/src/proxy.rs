//! Which proxy a host is reached through, if any.

use std::net::IpAddr;

use crate::origin::Origin;

/// Whether `origin` is in a `NO_PROXY` list. An entry is `*`, a host, a domain above it (with or without a
/// leading dot or `*.`), an address, or a block of addresses (`10.0.0.0/8`); a host may carry a port, which
/// then has to be the same.
pub(crate) fn is_excepted(list: &str, origin: &Origin) -> bool {
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
