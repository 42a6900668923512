use std::fmt;
use std::str::FromStr;

use oci_spec::distribution::{ParseError, Reference as SpecReference};
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
    #[error(
        "an image reference carries credentials (expected REGISTRY/REPOSITORY:TAG; log in or use --username instead)"
    )]
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
        // The digest's own rules are stricter than the reference grammar's and word the fault better.
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(parse_digest(text, digest)?)),
            None => (text, None),
        };
        let parsed = SpecReference::try_from(name).map_err(|fault| error(reason(name, &fault)))?;
        let tag = match (parsed.tag(), digest) {
            (Some("latest"), Some(_)) if !name.ends_with(":latest") => None,
            (tag, _) => tag.map(str::to_owned),
        };
        // The specification crate's grammar accepts Unicode word characters in tags.
        if tag.as_deref().is_some_and(|tag| !valid_tag(tag)) {
            return Err(error(
                "the tag has characters other than letters, digits, _ . and -",
            ));
        }
        if !valid_repository(parsed.repository()) {
            return Err(error("the repository name is malformed"));
        }
        if !valid_port(parsed.registry()) {
            return Err(error("the port is not between 1 and 65535"));
        }
        Ok(Self {
            registry: parsed.registry().to_owned(),
            repository: parsed.repository().to_owned(),
            tag,
            digest,
        })
    }
}

fn parse_digest(text: &str, digest: &str) -> Result<Digest, ReferenceError> {
    digest.parse().map_err(|source| ReferenceError::Digest {
        text: shorten(text),
        source,
    })
}

fn valid_port(registry: &str) -> bool {
    registry
        .split_once(':')
        .is_none_or(|(_, port)| port.parse::<u16>().is_ok_and(|port| port > 0))
}

fn reason(name: &str, fault: &ParseError) -> &'static str {
    let repository = name
        .split_once('/')
        .map_or(name, |(_, repository)| repository);
    match fault {
        ParseError::NameEmpty => "empty",
        ParseError::NameTooLong => "the repository name is longer than 255 characters",
        _ if name.contains(char::is_whitespace) => "it contains a space",
        _ if name.contains("{{") || name.contains("${") || name.contains("$[") => {
            "it contains a placeholder that was not filled in"
        }
        _ if repository.contains(|c: char| c.is_ascii_uppercase())
            && repository
                .rsplit_once(':')
                .map_or(repository, |(path, _)| path)
                != repository
                    .rsplit_once(':')
                    .map_or(repository, |(path, _)| path)
                    .to_ascii_lowercase() =>
        {
            "repository names are lower case"
        }
        _ => "expected [REGISTRY/]REPOSITORY[:TAG][@DIGEST]",
    }
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

    proptest! {
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
