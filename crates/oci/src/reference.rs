//! References: registry, repository, tag and digest of an image as people write them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::digest::shorten;
use crate::{Digest, DigestError};

/// The full name of an image: registry, repository, and a tag, a digest or both.
///
/// Always normalised the way every container runtime does it: no registry means `docker.io`, a single
/// name there means `library/NAME`, neither tag nor digest means `latest`. Where both are given, the
/// digest decides which content is meant and the tag is a name for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why a text is no reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// It does not follow the grammar of references.
    #[error("{text:?} is not an image reference ({reason})")]
    Grammar {
        /// The text, shortened.
        text: String,
        /// What is wrong with it, and what was expected.
        reason: &'static str,
    },
    /// A URL with a user and a password in it; its text is not repeated.
    #[error("an image reference contains credentials (expected REGISTRY/REPOSITORY:TAG)")]
    Credentials,
    /// Its digest is malformed or of an algorithm that cannot be verified.
    #[error("{text:?} is not an image reference: {source}")]
    Digest {
        /// The text, shortened.
        text: String,
        /// What is wrong with the digest.
        source: DigestError,
    },
}

impl Reference {
    /// A reference from its parts.
    ///
    /// # Errors
    /// Where the parts do not form a reference.
    pub fn new(
        registry: &str,
        repository: &str,
        tag: Option<&str>,
        digest: Option<Digest>,
    ) -> Result<Self, ReferenceError> {
        let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
        let digest = digest
            .map(|digest| format!("@{digest}"))
            .unwrap_or_default();
        format!("{registry}/{repository}{tag}{digest}").parse()
    }

    /// The registry: host and, where given, port. `docker.io` for Docker Hub; where its API listens
    /// is the client's knowledge.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository, without the registry.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag; `None` only where a digest is given instead.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest that the content must have.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// `registry/repository`, without tag and digest.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The same image with another digest.
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self {
            digest: Some(digest),
            ..self.clone()
        }
    }

    /// The same image without its tag; `None` where it has no other name.
    pub fn without_tag(&self) -> Option<Self> {
        self.digest.map(|digest| Self {
            tag: None,
            digest: Some(digest),
            ..self.clone()
        })
    }

    /// The tag that the image gets where it is stored: its own, or one made of the digest for an image
    /// that is named by digest alone, since garbage collection eats what no tag holds. It does not take
    /// the form `sha256-<64 hex>`, which is the referrers' fallback tag.
    pub fn storage_tag(&self) -> String {
        match (&self.tag, &self.digest) {
            (Some(tag), _) => tag.clone(),
            (None, Some(digest)) => {
                let mut hex = digest.hex();
                hex.truncate(32);
                format!("{}.{hex}", digest.algorithm())
            }
            (None, None) => "latest".to_owned(),
        }
    }

    /// What a registry is asked for: the digest where there is one, else the tag.
    pub fn selector(&self) -> String {
        match &self.digest {
            Some(digest) => digest.to_string(),
            None => self.storage_tag(),
        }
    }
}

/// Whether `text` is a repository name (distribution-spec, "Pulling manifests").
pub fn valid_repository(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 255
        && text.split('/').all(|component| {
            let mut words =
                component.split(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit());
            let legal = component
                .bytes()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"._-".contains(&c));
            legal
                && words.next().is_some_and(|word| !word.is_empty())
                && component.ends_with(|c: char| c.is_ascii_alphanumeric())
                && separators_are_legal(component)
        })
}

/// Between two words: one `.`, one `_`, two `_`, or any number of `-`.
fn separators_are_legal(component: &str) -> bool {
    component
        .split(|c: char| c.is_ascii_alphanumeric())
        .all(|run| matches!(run, "" | "." | "_" | "__") || run.bytes().all(|c| c == b'-'))
}

/// Whether `text` is a tag (distribution-spec, "Pulling manifests").
pub fn valid_tag(text: &str) -> bool {
    let word = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
    text.len() <= 128
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|c| word(c) || b".-".contains(&c))
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let error = |reason| ReferenceError::Grammar {
            text: shorten(text),
            reason,
        };
        if let Some((_, rest)) = text.split_once("://") {
            return Err(
                if rest
                    .split('/')
                    .next()
                    .is_some_and(|host| host.contains('@'))
                {
                    ReferenceError::Credentials
                } else {
                    error("a URL; expected REGISTRY/REPOSITORY:TAG without a scheme")
                },
            );
        }
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(parse_digest(text, digest)?)),
            None => (text, None),
        };
        let parts = Parts::of(name);
        if let Some(reason) = parts.fault(name) {
            return Err(error(reason));
        }
        Ok(parts.normalised(digest))
    }
}

/// A name as it is written, taken apart: `[HOST/]PATH[:TAG]`.
struct Parts<'a> {
    host: Option<&'a str>,
    path: &'a str,
    tag: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// The first component is a host if it has a dot or a colon or is `localhost`; a colon after the last
    /// slash begins the tag.
    fn of(name: &'a str) -> Self {
        let (name, tag) = match name.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (name, None),
        };
        let host = name
            .split_once('/')
            .filter(|(first, _)| first.contains(['.', ':']) || *first == "localhost");
        match host {
            Some((host, path)) => Self {
                host: Some(host),
                path,
                tag,
            },
            None => Self {
                host: None,
                path: name,
                tag,
            },
        }
    }

    /// What is wrong with `name`, of which these are the parts.
    fn fault(&self, name: &str) -> Option<&'static str> {
        let placeholder = ["{{", "${", "$["].iter().any(|open| name.contains(open));
        if name.is_empty() {
            Some("empty")
        } else if name.contains(char::is_whitespace) {
            Some("it contains a space")
        } else if placeholder {
            Some("it contains a placeholder that was not filled in")
        } else if self.path.len() > 255 {
            Some("the repository name is longer than 255 characters")
        } else if self.path.contains(|c: char| c.is_ascii_uppercase()) {
            Some("repository names are lower case")
        } else if self.tag.is_some_and(|tag| tag.len() > 128) {
            Some("the tag is longer than 128 characters")
        } else if self.tag.is_some_and(|tag| !valid_tag(tag)) {
            Some("the tag is empty or has characters other than letters, digits, _ . and -")
        } else if let Some(fault) = self.host.and_then(host_fault) {
            Some(fault)
        } else if !valid_repository(self.path) {
            Some("expected [REGISTRY/]REPOSITORY[:TAG][@DIGEST]")
        } else {
            None
        }
    }

    fn normalised(&self, digest: Option<Digest>) -> Reference {
        let registry = match self.host {
            None | Some("index.docker.io") => "docker.io",
            Some(host) => host,
        };
        let library = registry == "docker.io" && !self.path.contains('/');
        let default = digest.is_none().then_some("latest");
        Reference {
            registry: registry.to_owned(),
            repository: format!("{}{}", if library { "library/" } else { "" }, self.path),
            tag: self.tag.or(default).map(str::to_owned),
            digest,
        }
    }
}

/// What is wrong with a host: a domain name or an IPv6 address in brackets, with or without a port.
fn host_fault(host: &str) -> Option<&'static str> {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    };
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || c == b'-')
    };
    let address = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let valid = match address {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => name.split('.').all(label),
    };
    let valid_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    if port.is_some_and(|port| !valid_port(port)) {
        Some("the port is not between 1 and 65535")
    } else if !valid {
        Some("the registry's host name is malformed")
    } else {
        None
    }
}

fn parse_digest(text: &str, digest: &str) -> Result<Digest, ReferenceError> {
    digest.parse().map_err(|source| ReferenceError::Digest {
        text: shorten(text),
        source,
    })
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn normalised(text: &str) -> String {
        text.parse::<Reference>().unwrap().to_string()
    }

    #[test]
    fn short_names_are_completed() {
        assert_eq!(normalised("nginx"), "docker.io/library/nginx:latest");
        assert_eq!(
            normalised("calico/node:v3.32.1"),
            "docker.io/calico/node:v3.32.1"
        );
        assert_eq!(
            normalised("index.docker.io/nginx:1"),
            "docker.io/library/nginx:1"
        );
        assert_eq!(normalised("localhost/a"), "localhost/a:latest");
        assert_eq!(normalised("r.corp:5000/a/b:1"), "r.corp:5000/a/b:1");
    }

    #[test]
    fn a_digest_alone_stays_without_a_tag() {
        let digest = Digest::sha256(b"x");
        let reference: Reference = format!("r.io/a@{digest}").parse().unwrap();
        assert_eq!(reference.tag(), None);
        assert_eq!(reference.digest(), Some(&digest));
        assert_eq!(
            reference.storage_tag(),
            format!("sha256.{}", &digest.hex()[..32])
        );
        let both: Reference = format!("r.io/a:latest@{digest}").parse().unwrap();
        assert_eq!(both.tag(), Some("latest"));
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        let long_tag = format!("r.io/a:{}", "t".repeat(129));
        for text in [
            "",
            "/",
            "a/",
            "r.io/A:1",
            "r.io/a:",
            "r.io/a:la test",
            "latest\n",
            "r.io/a:latest\n",
            "r.io/../a",
            "r.io/a//b",
            "r.io:0/a",
            "r.io:99999/a:1",
            "r.io/a:é",
            "r.io/a@sha256:00",
            "r.io/a@md5:d41d8cd98f00b204e9800998ecf8427e",
            "{{image}}",
            &long_tag,
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn credentials_in_a_url_are_refused_and_not_repeated() {
        let error = "https://user:canary@r.io/a:1"
            .parse::<Reference>()
            .unwrap_err();
        assert_eq!(error, ReferenceError::Credentials);
        assert!(!error.to_string().contains("canary"));
    }

    #[test]
    fn repository_names_follow_the_distribution_specification() {
        for name in ["a", "a/b", "a.b", "a_b", "a__b", "a---b", "0/1"] {
            assert!(valid_repository(name), "{name}");
        }
        for name in [
            "", "A", "a/", "/a", "a..b", "a___b", "-a", "a-", "a._b", "a//b", "..",
        ] {
            assert!(!valid_repository(name), "{name}");
        }
    }

    #[test]
    fn an_address_may_be_the_registry() {
        assert_eq!(normalised("[::1]:5000/a:1"), "[::1]:5000/a:1");
        assert_eq!(normalised("[2001:db8::1]/a/b"), "[2001:db8::1]/a/b:latest");
        assert!("[::1/a".parse::<Reference>().is_err());
    }

    /// What the specification's own crate makes of a text, in one line. It takes what cannot be
    /// a host for a part of the repository, and then for the registry after all: left aside here.
    fn by_oci_spec(text: &str) -> Option<String> {
        let reference = oci_spec::distribution::Reference::try_from(text).ok()?;
        let host = reference.registry().split(['.', ':']);
        let proper = host
            .clone()
            .all(|label| !label.contains('_') && !label.starts_with('-') && !label.ends_with('-'));
        (proper && valid_repository(reference.repository())).then(|| reference.whole())
    }

    proptest! {
        #[test]
        fn the_specifications_crate_reads_every_reference_the_same(
            text in "([a-zA-Z0-9.:-]{1,8}/)?[a-z0-9._/-]{1,12}(:[a-zA-Z0-9._-]{0,6})?"
        ) {
            match text.parse::<Reference>() {
                Ok(own) => prop_assert_eq!(by_oci_spec(&text), Some(own.to_string()), "{}", text),
                Err(ReferenceError::Grammar { reason, .. }) if reason.contains("port") => {}
                Err(_) => prop_assert_eq!(by_oci_spec(&text), None, "{}", text),
            }
        }

        #[test]
        fn any_text_gives_a_reference_that_reads_back_or_an_error(text in ".{0,80}") {
            if let Ok(reference) = text.parse::<Reference>() {
                prop_assert_eq!(reference.to_string().parse::<Reference>().unwrap(), reference);
            }
        }

        #[test]
        fn both_grammars_of_repository_names_agree(name in "[a-z0-9._/-]{1,12}") {
            let parsed = format!("r.io/{name}:1").parse::<Reference>().is_ok();
            prop_assert_eq!(parsed, valid_repository(&name));
        }
    }
}
