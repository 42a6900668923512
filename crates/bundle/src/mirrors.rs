//! Where images are pulled from when that is not where their names say: mirrors, by prefix.
//!
//! Names in the bundle stay the publishers'. Rules come from arguments (`FROM=TO`) or from a `registries.conf`
//! (containers-registries.conf(5)). The rule with the longest prefix applies; rules from arguments go before
//! those of a file.

mod registries_conf;

use std::fmt;
use std::str::FromStr;

use sealift_oci::{Destination, Reference};

use crate::request::Request;
pub use registries_conf::RegistriesConfError;

/// Which images are pulled from where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mirrors {
    /// From arguments.
    rules: Vec<MirrorRule>,
    /// From a file, with its name.
    file: Vec<Entry>,
    file_name: String,
    /// Whether publishers are asked for what no mirror has.
    pub fallback: bool,
    /// Registries whose certificates the file says not to verify.
    pub insecure: Vec<String>,
    /// What the file contains and is not used, for a person.
    pub notes: Vec<String>,
}

/// `HOST[/PREFIX]=REGISTRY[/PATH]`: images below the left side are pulled from below the right side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorRule {
    prefix: Prefix,
    to: Destination,
}

/// A text that is not a mirror rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{reason} (expected HOST[/PREFIX]=REGISTRY[/PATH], such as docker.io=mirror.corp:5000/hub)"
)]
pub struct MirrorRuleError {
    reason: String,
}

/// An image that must not be pulled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{image} is blocked by {file} (prefix {prefix})")]
pub struct BlockedError {
    image: String,
    file: String,
    prefix: String,
}

/// What an image's name begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Prefix {
    /// A registry, and perhaps the beginning of a repository.
    Name(String),
    /// All registries below a domain: what follows the `*`.
    Domain(String),
}

/// One entry of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    prefix: Prefix,
    /// What takes the place of the prefix at the primary location; `None` if nothing does.
    location: Option<Destination>,
    blocked: bool,
    mirrors: Vec<MirrorEntry>,
}

/// One mirror of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
struct MirrorEntry {
    to: Destination,
    pulls: Pulls,
}

/// Which references a mirror is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pulls {
    All,
    DigestOnly,
    TagOnly,
}

/// Where a file that is not in a registry, such as a chart of a chart repository, is downloaded from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileLocation {
    /// Its own URL.
    Url(String),
    /// A mirror, which serves it at this path.
    Mirror {
        /// The mirror's host, with its port if that is not the usual one.
        host: String,
        /// The path, which begins with a slash; with the query of the URL.
        path: String,
    },
}

impl Pulls {
    fn include(self, image: &Reference) -> bool {
        match self {
            Self::All => true,
            Self::DigestOnly => image.digest().is_some(),
            Self::TagOnly => image.digest().is_none(),
        }
    }
}

impl Prefix {
    /// How many bytes of `image`, a registry and a repository, the prefix stands for; `None` if it does not
    /// match.
    fn matched(&self, image: &str) -> Option<usize> {
        match self {
            Self::Name(name) => {
                let rest = image.strip_prefix(name.as_str())?;
                (rest.is_empty() || rest.starts_with('/')).then_some(name.len())
            }
            Self::Domain(domain) => {
                let host = image.split('/').next().unwrap_or_default();
                let is_below = host.len() > domain.len() && host.ends_with(domain.as_str());
                is_below.then_some(host.len())
            }
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Domain(domain) => write!(f, "*{domain}"),
        }
    }
}

impl FromStr for Prefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(domain) = text.strip_prefix('*') {
            let is_domain = domain.starts_with('.') && !domain.contains(['/', '*', ':', '@']);
            return if is_domain {
                Ok(Self::Domain(domain.to_owned()))
            } else {
                Err(format!("{text:?} is not a domain such as *.example.com"))
            };
        }
        let prefix: Destination = text.parse().map_err(|error| format!("{error}"))?;
        Ok(Self::Name(prefix.to_string()))
    }
}

impl FromStr for MirrorRule {
    type Err = MirrorRuleError;

    fn from_str(text: &str) -> Result<Self, MirrorRuleError> {
        let error = |reason: String| MirrorRuleError { reason };
        let (from, to) = text
            .split_once('=')
            .ok_or_else(|| error("no = was found".to_owned()))?;
        let prefix: Prefix = from.parse().map_err(error)?;
        let to = to.parse().map_err(|fault| error(format!("{fault}")))?;
        Ok(Self { prefix, to })
    }
}

impl fmt::Display for MirrorRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.prefix, self.to)
    }
}

impl MirrorRule {
    /// The registry and prefix that it is for.
    pub fn from(&self) -> String {
        self.prefix.to_string()
    }

    /// Where images are pulled from.
    pub fn to(&self) -> &Destination {
        &self.to
    }
}

impl Mirrors {
    /// Mirrors by these rules.
    pub fn new(rules: Vec<MirrorRule>, fallback: bool) -> Self {
        Self {
            rules,
            fallback,
            ..Self::default()
        }
    }

    /// The same with the entries of a `registries.conf`; `name` is the file's, for messages.
    ///
    /// # Errors
    /// If the file is not one of the second version, or an entry is malformed.
    pub fn with_registries_conf(
        mut self,
        name: &str,
        bytes: &[u8],
    ) -> Result<Self, RegistriesConfError> {
        let read = registries_conf::read(name, bytes)?;
        name.clone_into(&mut self.file_name);
        self.file = read.entries;
        self.insecure = read.insecure;
        self.notes = read.notes;
        Ok(self)
    }

    /// Where `image` is pulled from, in the order in which the locations are tried: mirrors, then its own
    /// name if it has no mirror or [`Mirrors::fallback`] allows it.
    ///
    /// # Errors
    /// If the file blocks it.
    pub fn locations(&self, image: &Reference) -> Result<Vec<Reference>, BlockedError> {
        let name = image.name();
        let own = || vec![image.clone()];
        if let Some(entry) = longest(&self.file, &name, |entry| &entry.prefix)
            && entry.blocked
        {
            return Err(BlockedError {
                image: image.to_string(),
                file: self.file_name.clone(),
                prefix: entry.prefix.to_string(),
            });
        }
        if let Some(rule) = longest(&self.rules, &name, |rule| &rule.prefix) {
            let same = self
                .rules
                .iter()
                .filter(|other| other.prefix == rule.prefix);
            let mut all: Vec<Reference> = same
                .filter_map(|rule| at(image, &name, &rule.prefix, &rule.to))
                .collect();
            if self.fallback {
                all.push(image.clone());
            }
            return Ok(all);
        }
        let Some(entry) = longest(&self.file, &name, |entry| &entry.prefix) else {
            return Ok(own());
        };
        let mirrors = entry.mirrors.iter();
        let mirrors = mirrors.filter(|mirror| mirror.pulls.include(image));
        let mut all: Vec<Reference> = mirrors
            .filter_map(|mirror| at(image, &name, &entry.prefix, &mirror.to))
            .collect();
        let primary = entry.location.as_ref();
        let primary = primary.and_then(|to| at(image, &name, &entry.prefix, to));
        match primary {
            // Another registry in place of the publisher's, which the file names.
            Some(primary) if primary != *image => all.push(primary),
            _ if self.fallback || all.is_empty() => all.push(image.clone()),
            _ => {}
        }
        Ok(all)
    }

    /// Where the file with this URL is downloaded from, in the order in which the locations are tried. Only the rules
    /// from arguments apply: a `registries.conf` is about registries.
    pub fn file_locations(&self, url: &str) -> Vec<FileLocation> {
        let own = || FileLocation::Url(url.to_owned());
        let name = url.split_once("://").map_or(url, |(_, name)| name);
        let Some(rule) = longest(&self.rules, name, |rule| &rule.prefix) else {
            return vec![own()];
        };
        let same = self
            .rules
            .iter()
            .filter(|other| other.prefix == rule.prefix);
        let mirrors = same.filter_map(|rule| {
            let rest = name.get(rule.prefix.matched(name)?..)?;
            let below = rule
                .to
                .path()
                .map_or(String::new(), |path| format!("/{path}"));
            Some(FileLocation::Mirror {
                host: rule.to.registry().to_owned(),
                path: format!("{below}{rest}"),
            })
        });
        let fallback = self.fallback.then(own);
        mirrors.chain(fallback).collect()
    }

    /// Sets where the images of `request` are pulled from. Images that have a location already keep it.
    ///
    /// # Errors
    /// The first image that the file blocks.
    pub fn apply(&self, request: &mut Request) -> Result<(), BlockedError> {
        if self.rules.is_empty() && self.file.is_empty() {
            return Ok(());
        }
        for image in &request.images {
            if request.mirrors.contains_key(image) {
                continue;
            }
            let locations = self.locations(image)?;
            if locations != std::slice::from_ref(image) {
                // Its copies in other registries are not compared: a mirror stands for all of them.
                request.elsewhere.remove(image);
                request.mirrors.insert(image.clone(), locations);
            }
        }
        Ok(())
    }
}

/// The last one with the longest prefix that matches `image`.
fn longest<'a, T>(rules: &'a [T], image: &str, prefix: impl Fn(&T) -> &Prefix) -> Option<&'a T> {
    let matching = rules.iter().filter_map(|rule| {
        let matched = prefix(rule).matched(image)?;
        // A name is more specific than the domain that contains it.
        let exact = matches!(prefix(rule), Prefix::Name(_));
        Some(((exact, matched), rule))
    });
    matching.max_by_key(|(key, _)| *key).map(|(_, rule)| rule)
}

/// The name of `image` with `to` in place of the prefix; `None` if that is not a name.
fn at(image: &Reference, name: &str, prefix: &Prefix, to: &Destination) -> Option<Reference> {
    let rest = name.get(prefix.matched(name)?..)?.trim_start_matches('/');
    let path = to.path().unwrap_or_default();
    let repository = match (path, rest) {
        ("", rest) => rest.to_owned(),
        (path, "") => path.to_owned(),
        (path, rest) => format!("{path}/{rest}"),
    };
    let tag = image.tag();
    Reference::new(to.registry(), &repository, tag, image.digest().copied()).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn mirrors(rules: &[&str], fallback: bool) -> Mirrors {
        let rules = rules.iter().map(|rule| rule.parse().unwrap());
        Mirrors::new(rules.collect(), fallback)
    }

    fn locations(mirrors: &Mirrors, image: &str) -> Vec<String> {
        let locations = mirrors.locations(&image.parse().unwrap()).unwrap();
        locations.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn files_of_other_servers_come_from_mirrors_too() {
        let rules = [
            "charts.example.com=m.corp:5000/helm",
            "cdn.example.com/a=m.corp",
        ];
        let located = |url: &str, fallback| mirrors(&rules, fallback).file_locations(url);
        let mirror = |host: &str, path: &str| FileLocation::Mirror {
            host: host.to_owned(),
            path: path.to_owned(),
        };
        for (url, there) in [
            (
                "https://charts.example.com/stable/index.yaml",
                mirror("m.corp:5000", "/helm/stable/index.yaml"),
            ),
            (
                "https://cdn.example.com/a/b.tgz?c=/d",
                mirror("m.corp", "/b.tgz?c=/d"),
            ),
        ] {
            assert_eq!(located(url, false), std::slice::from_ref(&there));
            assert_eq!(
                located(url, true),
                [there, FileLocation::Url(url.to_owned())]
            );
        }
        for url in [
            "https://cdn.example.com/ab/b.tgz",
            "https://charts.example.com.evil/x",
        ] {
            assert_eq!(located(url, false), [FileLocation::Url(url.to_owned())]);
        }
    }

    #[test]
    fn what_follows_the_prefix_follows_the_mirror() {
        let mirrors = mirrors(
            &["docker.io=m.corp:5000/hub", "docker.io/calico=m.corp/c"],
            false,
        );
        for (image, there) in [
            ("nginx:1", "m.corp:5000/hub/library/nginx:1"),
            ("docker.io/calico/node:v1", "m.corp/c/node:v1"),
            ("docker.io/calicoctl/x:v1", "m.corp:5000/hub/calicoctl/x:v1"),
            ("quay.io/a/b:v1", "quay.io/a/b:v1"),
        ] {
            assert_eq!(locations(&mirrors, image), [there], "{image}");
        }
    }

    #[test]
    fn the_publisher_is_asked_only_if_that_was_requested() {
        let rules = ["quay.io=a.corp", "quay.io=b.corp/q"];
        let both = ["a.corp/x/y:1", "b.corp/q/x/y:1"];
        assert_eq!(locations(&mirrors(&rules, false), "quay.io/x/y:1"), both);
        let all = locations(&mirrors(&rules, true), "quay.io/x/y:1");
        assert_eq!(all, [both[0], both[1], "quay.io/x/y:1"]);
    }

    #[test]
    fn a_rule_says_what_is_wrong_with_it() {
        for (text, words) in [
            ("docker.io", "no = was found"),
            ("=m.corp", "not a destination"),
            ("docker.io=", "not a destination"),
            ("*io=m.corp", "not a domain"),
            ("docker.io=https://m.corp", "URL with a scheme"),
        ] {
            let error = text.parse::<MirrorRule>().unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
            assert!(error.contains("expected HOST[/PREFIX]"), "{error}");
        }
    }

    #[test]
    fn a_file_is_read_as_podman_reads_it() {
        let file = br#"
            unqualified-search-registries = ["docker.io"]
            [[registry]]
            prefix = "docker.io/calico"
            location = "docker.io/calico"
            [[registry.mirror]]
            location = "m.corp:5000/calico"
            insecure = true
            [[registry.mirror]]
            location = "digests.corp/calico"
            pull-from-mirror = "digest-only"
            [[registry]]
            prefix = "*.example.com"
            location = "proxy.corp/example"
            [[registry]]
            location = "evil.io"
            blocked = true
            [[registry]]
            location = "registry.corp"
            mirror-by-digest-only = true
            [[registry.mirror]]
            location = "copy.corp"
        "#;
        let mirrors = Mirrors::new(Vec::new(), false)
            .with_registries_conf("r.conf", file)
            .unwrap();
        let digest = sealift_oci::Digest::sha256(b"m");
        let pinned = format!("docker.io/calico/node@{digest}");
        for (image, there) in [
            (
                "docker.io/calico/node:v1",
                &["m.corp:5000/calico/node:v1".to_owned()][..],
            ),
            (
                &pinned,
                &[
                    format!("m.corp:5000/calico/node@{digest}"),
                    format!("digests.corp/calico/node@{digest}"),
                ],
            ),
            (
                "a.b.example.com/x:1",
                &["proxy.corp/example/x:1".to_owned()],
            ),
            ("registry.corp/x:1", &["registry.corp/x:1".to_owned()]),
            ("docker.io/other/x:1", &["docker.io/other/x:1".to_owned()]),
        ] {
            assert_eq!(locations(&mirrors, image), there, "{image}");
        }
        let blocked = mirrors.locations(&"evil.io/x:1".parse().unwrap());
        let words = blocked.unwrap_err().to_string();
        assert_eq!(words, "evil.io/x:1 is blocked by r.conf (prefix evil.io)");
        assert_eq!(mirrors.insecure, ["m.corp:5000"]);
        let notes = mirrors.notes.join("\n");
        assert!(notes.contains("unqualified-search-registries"), "{notes}");
    }

    #[test]
    fn a_malformed_file_is_refused_with_the_place() {
        for (text, words) in [
            ("[[registry]\n", "r.conf: line 1"),
            ("[registries.search]\nregistries = []", "first version"),
            (
                "[[registry]]\nprefix = \"a.io\"\nlocation = 1",
                "[[registry]] 1: location",
            ),
            (
                "[[registry]]\nblocked = true",
                "[[registry]] 1: it has neither",
            ),
            (
                "[[registry]]\nlocation = \"a.io\"\n[[registry.mirror]]\nlocation = \"a b\"",
                "[[registry]] 1: mirror 1: location",
            ),
            (
                "[[registry]]\nlocation = \"a.io\"\n[[registry.mirror]]\nlocation = \"b.io\"\npull-from-mirror = \"never\"",
                "pull-from-mirror",
            ),
        ] {
            let error = Mirrors::default().with_registries_conf("r.conf", text.as_bytes());
            let error = error.unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
