//! Looking names up, and refusing addresses that a registry may not lead to.

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::leads::is_local;

/// Which addresses a host's name stands for.
#[derive(Debug)]
pub(super) enum HostResolver {
    /// All that the system says.
    Any,
    /// Those that are neither of this machine nor of this link.
    Remote,
    /// Those of a proxy, whatever the host: it looks the name up itself.
    Proxy(Uri),
}

impl Resolver for HostResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        // The system's errors have no kind: whatever it says, there is no address.
        let system = |uri| {
            let found = DefaultResolver::default().resolve(uri, config, timeout);
            found.map_err(|error| match error {
                Error::Io(_) => Error::HostNotFound,
                error => error,
            })
        };
        match self {
            Self::Any => system(uri),
            Self::Proxy(proxy) => system(proxy),
            Self::Remote => {
                let all = system(uri)?;
                let mut remote = self.empty();
                for address in all.iter().filter(|address| !is_local(address.ip())) {
                    remote.push(*address);
                }
                if remote.is_empty() {
                    return Err(Error::Other(
                        "the name stands for an address of this machine or link, where a registry may not lead"
                            .into(),
                    ));
                }
                Ok(remote)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn resolve(url: &str) -> Result<ResolvedSocketAddrs, Error> {
        HostResolver::Remote.resolve(
            &url.parse().unwrap(),
            &Config::default(),
            NextTimeout::default(),
        )
    }

    #[test]
    fn no_spelling_of_a_local_address_passes() {
        for host in [
            "localhost",
            "127.0.0.1",
            "127.1",
            "2130706433",
            "[::1]",
            "169.254.169.254",
            "0.0.0.0",
        ] {
            let found = resolve(&format!("http://{host}:1/"));
            assert!(found.is_err(), "{host}: {found:?}");
        }
        assert!(resolve("http://192.0.2.1/").is_ok());
    }
}
