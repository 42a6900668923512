//! Names at a destination: the rules by which an image gets its repository there.

use std::fmt;
use std::str::FromStr;

use crate::digest::shorten;
use crate::{Reference, ReferenceError, valid_repository};

/// Where images go: a registry and, where wanted, a path that all repositories are put under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    registry: String,
    path: Option<String>,
}

/// A text that is no destination.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a destination ({reason}; expected REGISTRY[:PORT][/PATH], such as registry.corp:5000/mirror)"
)]
pub struct DestinationError {
    text: String,
    reason: &'static str,
}

impl Destination {
    /// Host and, where given, port.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The path under which all repositories go.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// Checks that references can name the registry.
    ///
    /// # Errors
    /// Where its name has neither a dot nor a port, so that runtimes read it as a path on Docker Hub.
    pub fn check_nameable(&self) -> Result<(), NamingError> {
        let read = Reference::new(&self.registry, "a/b", None, None);
        match read {
            Ok(read) if read.repository() == "a/b" => Ok(()),
            _ => Err(NamingError::NotARegistry {
                registry: self.registry.clone(),
            }),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.registry)?;
        self.path
            .as_ref()
            .map_or(Ok(()), |path| write!(f, "/{path}"))
    }
}

impl FromStr for Destination {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, DestinationError> {
        let error = |reason| DestinationError {
            text: if text.contains('@') {
                "…".to_owned()
            } else {
                shorten(text)
            },
            reason,
        };
        if text.contains('@') {
            return Err(error("it carries credentials or a digest"));
        }
        if text.contains("://") {
            return Err(error("a URL with a scheme"));
        }
        let (registry, path) = match text.trim_end_matches('/').split_once('/') {
            Some((registry, path)) => (registry, Some(path)),
            None => (text.trim_end_matches('/'), None),
        };
        if !valid_host(registry) {
            return Err(error("the registry's name is malformed"));
        }
        match path {
            Some(path) if path.contains(|c: char| c.is_ascii_uppercase()) => {
                Err(error("repository paths are lower case"))
            }
            Some(path) if !valid_repository(path) => Err(error("the path is malformed")),
            path => Ok(Self {
                registry: registry.to_owned(),
                path: path.map(str::to_owned),
            }),
        }
    }
}

/// A host name, an IPv4 address or an IPv6 address in brackets, with or without a port.
fn valid_host(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return false;
            }
            return port.is_empty() || port.strip_prefix(':').is_some_and(valid_port);
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    port.is_none_or(valid_port)
        && host.len() <= 253
        && host.split('.').all(|label| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|c| c.is_ascii_alphanumeric() || c == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

fn valid_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port > 0)
}

/// How the name of an image at its source becomes its name at the destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NamingRule {
    /// The repository as it is: `docker.io/calico/node` becomes `calico/node`. What a plain mirror asks
    /// its upstream's mirror for.
    #[default]
    Keep,
    /// The last component alone: `docker.io/calico/node` becomes `node`.
    Flat,
    /// The registry's name in front: `docker.io/calico/node` becomes `docker.io/calico/node`; a port's
    /// colon, which no repository may have, becomes a `-`.
    Host,
}

impl FromStr for NamingRule {
    type Err = NamingError;

    fn from_str(text: &str) -> Result<Self, NamingError> {
        match text {
            "keep" => Ok(Self::Keep),
            "flat" => Ok(Self::Flat),
            "host" => Ok(Self::Host),
            other => Err(NamingError::UnknownRule {
                text: shorten(other),
            }),
        }
    }
}

impl fmt::Display for NamingRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keep => "keep",
            Self::Flat => "flat",
            Self::Host => "host",
        })
    }
}

/// One explicit map: a repository at its source, or (ending in `/`) all below a prefix, and what takes
/// its place below the destination's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapRule {
    from: String,
    to: String,
}

impl fmt::Display for MapRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.from, self.to)
    }
}

impl FromStr for MapRule {
    type Err = NamingError;

    /// Reads `FROM=TO`, such as `quay.io/tigera/operator=ops/operator` or `docker.io/calico/=net/`.
    fn from_str(text: &str) -> Result<Self, NamingError> {
        if text.contains('@') {
            // A password must not get into a message.
            return Err(NamingError::Map {
                text: "…".to_owned(),
                reason: "it carries credentials or a digest",
            });
        }
        let error = |reason| NamingError::Map {
            text: shorten(text),
            reason,
        };
        let (from, to) = text.split_once('=').ok_or(error("there is no ="))?;
        if from.ends_with('/') != to.ends_with('/') {
            return Err(error("a prefix ends in / on both sides"));
        }
        if !valid_repository(to.trim_end_matches('/')) {
            return Err(error("the right side is no repository name"));
        }
        let from = if let Some(prefix) = from.strip_suffix('/') {
            if prefix.is_empty() {
                return Err(error("the left side is empty"));
            }
            from.to_owned()
        } else {
            let reference: Reference = from
                .parse()
                .map_err(|_| error("the left side is no image name"))?;
            let last = from.rsplit('/').next();
            if last.is_some_and(|last| last.contains(':')) {
                return Err(error("maps are for repositories; leave the tag away"));
            }
            reference.name()
        };
        Ok(Self {
            from,
            to: to.to_owned(),
        })
    }
}

impl MapRule {
    fn apply(&self, name: &str) -> Option<String> {
        match self.from.strip_suffix('/') {
            None => (self.from == name).then(|| self.to.clone()),
            Some(_) => name
                .strip_prefix(&self.from)
                .map(|rest| format!("{}{rest}", self.to)),
        }
    }
}

/// Why a name cannot be given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NamingError {
    /// No rule has this name.
    #[error("{text:?} is not a naming rule (expected keep, flat or host)")]
    UnknownRule {
        /// The text, shortened.
        text: String,
    },
    /// An explicit map is malformed.
    #[error("{text:?} is not a map ({reason}; expected FROM=TO, such as docker.io/calico/=net/)")]
    Map {
        /// The text, shortened.
        text: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// The prefix for image names is malformed.
    #[error("{text:?} cannot be put before image names")]
    Prefix {
        /// The prefix, shortened.
        text: String,
    },
    /// A registry that no reference can name.
    #[error(
        "{registry:?} would be read as a path on Docker Hub (expected a registry with a domain or a port, such as {registry}:443)"
    )]
    NotARegistry {
        /// The registry.
        registry: String,
    },
    /// The name that the rules give is none.
    #[error("the naming rules give {reference} a name that registries refuse: {source}")]
    Result {
        /// The image at its source.
        reference: String,
        /// What is wrong with the name.
        source: ReferenceError,
    },
}

/// The rules that name every image at its destination: explicit maps first (the longest that fits),
/// then the rule, then the prefix before the last component.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Naming {
    rule: NamingRule,
    maps: Vec<MapRule>,
    prefix: String,
}

impl Naming {
    /// Naming by one rule alone.
    pub fn new(rule: NamingRule) -> Self {
        Self {
            rule,
            ..Self::default()
        }
    }

    /// The same with explicit maps, which go before the rule.
    pub fn with_maps(mut self, maps: impl IntoIterator<Item = MapRule>) -> Self {
        self.maps.extend(maps);
        self.maps
            .sort_by_key(|map| std::cmp::Reverse(map.from.len()));
        self
    }

    /// The same with a prefix before the last component of every name (`imagePrefix` of Calico's
    /// Installation resource).
    ///
    /// # Errors
    /// Where no repository name can begin with it.
    pub fn with_prefix(mut self, prefix: &str) -> Result<Self, NamingError> {
        if !valid_repository(&format!("{prefix}a")) || prefix.contains('/') {
            return Err(NamingError::Prefix {
                text: shorten(prefix),
            });
        }
        prefix.clone_into(&mut self.prefix);
        Ok(self)
    }

    /// The rule for images that no map names.
    pub fn rule(&self) -> NamingRule {
        self.rule
    }

    /// The prefix before the last component of every name, if there is one.
    pub fn prefix(&self) -> Option<&str> {
        Some(self.prefix.as_str()).filter(|prefix| !prefix.is_empty())
    }

    /// The first map that names none of `references`.
    pub fn unused_map<'r>(
        &self,
        references: impl Iterator<Item = &'r Reference>,
    ) -> Option<&MapRule> {
        let names: Vec<String> = references.map(Reference::name).collect();
        let mut maps = self.maps.iter();
        maps.find(|map| names.iter().all(|name| map.apply(name).is_none()))
    }

    /// The repository of `reference` below the destination's path.
    pub fn repository(&self, reference: &Reference) -> String {
        let name = reference.name();
        let mapped = self.maps.iter().find_map(|map| map.apply(&name));
        let repository = mapped.unwrap_or_else(|| match self.rule {
            NamingRule::Keep => reference.repository().to_owned(),
            NamingRule::Flat => last_component(reference.repository()).to_owned(),
            NamingRule::Host => format!(
                "{}/{}",
                reference.registry().to_ascii_lowercase().replace(':', "-"),
                reference.repository()
            ),
        });
        match repository.rsplit_once('/') {
            Some((path, last)) => format!("{path}/{}{last}", self.prefix),
            None => format!("{}{repository}", self.prefix),
        }
    }

    /// The repository of `reference` at `destination`, path included, registry not.
    pub fn repository_at(&self, reference: &Reference, destination: &Destination) -> String {
        let repository = self.repository(reference);
        match destination.path() {
            Some(path) => format!("{path}/{repository}"),
            None => repository,
        }
    }

    /// The full reference of `reference` at `destination`, tag and digest as they were.
    ///
    /// # Errors
    /// Where registries would refuse the name, for its length, or where references cannot name the registry.
    pub fn reference_at(
        &self,
        reference: &Reference,
        destination: &Destination,
    ) -> Result<Reference, NamingError> {
        destination.check_nameable()?;
        let repository = self.repository_at(reference, destination);
        Reference::new(
            destination.registry(),
            &repository,
            reference.tag(),
            reference.digest().copied(),
        )
        .map_err(|source| NamingError::Result {
            reference: reference.to_string(),
            source,
        })
    }
}

fn last_component(repository: &str) -> &str {
    repository
        .rsplit_once('/')
        .map_or(repository, |(_, last)| last)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn named(naming: &Naming, reference: &str, destination: &str) -> String {
        naming.repository_at(&reference.parse().unwrap(), &destination.parse().unwrap())
    }

    #[test]
    fn a_map_with_credentials_is_refused_without_showing_them() {
        for map in ["user:canary@quay.io/a/=b/", "user:canary@quay.io/a=b"] {
            let error = map.parse::<MapRule>().unwrap_err().to_string();
            assert!(error.contains("credentials"), "{error}");
            assert!(!error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn the_three_rules() {
        let reference = "calico/node:v3.32.1";
        for (rule, expected) in [
            ("keep", "mirror/calico/node"),
            ("flat", "mirror/node"),
            ("host", "mirror/docker.io/calico/node"),
        ] {
            let naming = Naming::new(rule.parse().unwrap());
            assert_eq!(named(&naming, reference, "r.corp:5000/mirror"), expected);
        }
        let host = Naming::new(NamingRule::Host);
        assert_eq!(named(&host, "r.io:5000/a:1", "r.corp"), "r.io-5000/a");
    }

    #[test]
    fn the_longest_map_goes_before_the_rule() {
        let naming = Naming::new(NamingRule::Keep).with_maps([
            "docker.io/calico/=net/".parse().unwrap(),
            "docker.io/calico/node=special/n".parse().unwrap(),
        ]);
        assert_eq!(named(&naming, "calico/cni:1", "r"), "net/cni");
        assert_eq!(named(&naming, "calico/node:1", "r"), "special/n");
        assert_eq!(named(&naming, "calicoctl/x:1", "r"), "calicoctl/x");
    }

    #[test]
    fn a_prefix_goes_before_the_last_component() {
        let naming = Naming::new(NamingRule::Keep).with_prefix("acme-").unwrap();
        assert_eq!(named(&naming, "calico/node:1", "r/p"), "p/calico/acme-node");
        assert!(Naming::default().with_prefix("A").is_err());
        assert!(Naming::default().with_prefix("a/").is_err());
    }

    #[test]
    fn a_reference_at_the_destination_keeps_tag_and_digest() {
        let digest = crate::Digest::sha256(b"");
        let reference: Reference = format!("calico/node:v1@{digest}").parse().unwrap();
        let at = Naming::default()
            .reference_at(&reference, &"r:5000/p".parse().unwrap())
            .unwrap();
        assert_eq!(at.to_string(), format!("r:5000/p/calico/node:v1@{digest}"));
    }

    #[test]
    fn destinations_are_registries_with_or_without_a_path() {
        for text in [
            "r",
            "r:5000",
            "r.corp/a/b",
            "127.0.0.1:80",
            "[::1]:5000/x",
            "r.corp/a/",
        ] {
            assert!(text.parse::<Destination>().is_ok(), "{text}");
        }
        for text in [
            "",
            "/a",
            "https://r.corp",
            "r.corp/Mirror",
            "r..corp",
            "r:0",
            "r:x",
            "user:pw@r.corp",
            "-r",
            "r/a//b",
        ] {
            assert!(text.parse::<Destination>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_registry_that_reads_as_a_path_is_refused() {
        let reference: Reference = "quay.io/calico/node:v1".parse().unwrap();
        let naming = Naming::default();
        for text in ["corp", "corp/mirror"] {
            let error = naming.reference_at(&reference, &text.parse().unwrap());
            let words = error.unwrap_err().to_string();
            assert!(words.contains("such as corp:443"), "{words}");
        }
        for text in ["localhost", "corp:443", "r.corp", "[::1]/m", "docker.io"] {
            assert_eq!(
                text.parse::<Destination>().unwrap().check_nameable(),
                Ok(())
            );
        }
    }

    #[test]
    fn malformed_maps_are_refused() {
        for text in [
            "",
            "a",
            "a=",
            "=a",
            "a/=b",
            "a=b/",
            "calico/node:v1=x",
            "a=B",
        ] {
            assert!(text.parse::<MapRule>().is_err(), "{text}");
        }
    }
}
