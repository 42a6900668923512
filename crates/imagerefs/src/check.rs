//! Whether a piece of text is an image reference, and if not, what is wrong with it.
//!
//! The grammar is [`Reference`]'s; this module adds what it cannot know: template variables, addresses
//! with a scheme, passwords, and words that stand for a value to be filled in.

use sealift_oci::{Reference, ReferenceError};

use crate::error::Reason;
use crate::placeholder::Placeholder;
use crate::tag::split_tag;

/// Reads `text` as an image reference: `[registry/]repository[:tag][@digest]`.
///
/// # Errors
/// The most telling [`Reason`]: credentials, a template variable or a URL are named as such before the
/// grammar is looked at.
pub fn check(text: &str) -> Result<Reference, Reason> {
    if text.is_empty() {
        return Err(Reason::Grammar("it is empty".to_owned()));
    }
    if carries_credentials(text) {
        return Err(Reason::Credentials);
    }
    if let Some(placeholder) = Placeholder::of(text) {
        return Err(Reason::Placeholder(placeholder));
    }
    if text.contains("://") {
        return Err(Reason::Url);
    }
    if text.contains(char::is_whitespace) {
        return Err(Reason::WhiteSpace);
    }
    if let Some(c) = text.chars().find(|&c| !allowed(c)) {
        return Err(Reason::Character(c));
    }
    text.parse::<Reference>().map_err(reason)
}

/// What follows the first `@` of a reference is `algorithm:hex`. A slash or a dot there means a host, and
/// then what stands before it is a user with or without a password.
fn carries_credentials(text: &str) -> bool {
    text.split_once('@').is_some_and(|(before, after)| {
        let host = after.split(char::is_whitespace).next().unwrap_or_default();
        !before.ends_with('@') && !host.starts_with('@') && host.contains(['/', '.'])
    })
}

fn allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | ':' | '@' | '[' | ']')
}

fn reason(error: ReferenceError) -> Reason {
    match error {
        ReferenceError::Grammar { reason, .. } => Reason::Grammar(reason.to_owned()),
        ReferenceError::Credentials => Reason::Credentials,
        ReferenceError::Digest { source, .. } => Reason::Grammar(source.to_string()),
    }
}

/// Tag and digest of `text`, a reference; `None` if it has neither.
pub(crate) fn selector(text: &str) -> Option<(Option<&str>, Option<&str>)> {
    let (name, digest) = match text.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (text, None),
    };
    let (_, tag) = split_tag(name);
    (tag.is_some() || digest.is_some()).then_some((tag, digest))
}

/// Whether `text`, a reference, says which content is meant: by a tag, a digest or both.
pub(crate) fn has_selector(text: &str) -> bool {
    selector(text).is_some()
}

/// Whether `text`, a reference, begins with a registry's host, by the rule that clients share: the first
/// part has a dot or a colon or is `localhost`.
pub(crate) fn has_host(text: &str) -> bool {
    text.split_once('/')
        .is_some_and(|(first, _)| first.contains(['.', ':']) || first == "localhost")
}

/// A reference with a host and either a digest or a tag that looks like a version. Hardly anything else
/// looks like it, so that it is trusted wherever it is.
pub(crate) fn fully_qualified(text: &str) -> Option<Reference> {
    if text.len() > 512 || !text.contains('/') || !has_host(text) {
        return None;
    }
    if versioned(text) {
        check(text).ok()
    } else {
        None
    }
}

/// Whether `text` ends in a digest or in a tag that looks like a version.
fn versioned(text: &str) -> bool {
    let version = |tag: &str| tag == "latest" || tag.bytes().any(|byte| byte.is_ascii_digit());
    text.contains('@') || split_tag(text).1.is_some_and(version)
}

/// A name and a version without a registry, such as `redis:7-alpine` or `team/app:v2`. Much else looks like
/// it, so that it only may be an image; what can be `host:port` is not taken for one.
pub(crate) fn short_reference(text: &str) -> bool {
    let (name, tag) = split_tag(text);
    let port = |tag: &str| tag.parse::<u16>().is_ok_and(|port| port > 99);
    text.len() <= 256
        && !has_host(text)
        && versioned(text)
        && !matches!(name, "sha256" | "sha512" | "sha1" | "md5")
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && (name.contains('/') || !tag.is_some_and(port))
        && check(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_registries_take_is_taken() {
        let digest = "a".repeat(64);
        for good in [
            "redis",
            "redis:7.0.15-alpine",
            "calico/node:v3.25.0",
            "localhost/x",
            "registry.corp:5000/a/b__c/d--e:V1_x",
            &format!("quay.io/cilium/certgen:v0.2.0@sha256:{digest}"),
            &format!("x@sha256:{digest}"),
        ] {
            assert!(check(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        use Placeholder as P;
        let cases = [
            ("{{ .Values.image }}", Reason::Placeholder(P::Helm)),
            (
                "{{site.data.x}}/calico/node",
                Reason::Placeholder(P::Jekyll),
            ),
            ("calico/node:$[version]", Reason::Placeholder(P::Docusaurus)),
            (
                "calico/node:@@version@@",
                Reason::Placeholder(P::Docusaurus),
            ),
            ("$REGISTRY/calico/node", Reason::Placeholder(P::Variable)),
            (
                "<registry>/calico/node",
                Reason::Placeholder(P::AngleBrackets),
            ),
            ("windows/nanoserver:VERSION", Reason::Placeholder(P::Word)),
            ("https://quay.io/x", Reason::Url),
            ("https://me:secret@quay.io/x", Reason::Credentials),
            ("me:secret@quay.io/x", Reason::Credentials),
            ("docker pull me:secret@quay.io/x", Reason::Credentials),
            ("a b", Reason::WhiteSpace),
            ("a;b", Reason::Character(';')),
            ("a`b", Reason::Character('`')),
        ];
        for (bad, want) in cases {
            assert_eq!(check(bad), Err(want), "{bad}");
        }
        for bad in [
            "",
            "a//b",
            "a/",
            ":x",
            "a:",
            "a.",
            "x@sha256:12",
            "h:99999/x",
            "a@b@c",
            "r.io/A",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn free_places_need_a_host_and_a_version() {
        assert!(fully_qualified("quay.io/calico/node:v3").is_some());
        assert!(fully_qualified("localhost:5000/node:latest").is_some());
        for text in [
            "calico/node:v3",
            "quay.io/calico/node",
            "app.kubernetes.io/part-of:calico",
            "a/b",
        ] {
            assert!(fully_qualified(text).is_none(), "{text}");
        }
    }
}
