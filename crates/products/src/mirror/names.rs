//! How a container runtime gets from a publisher's name to the name at the destination: by replacing what
//! stands before the repository. Each image is checked against that rule.

use std::collections::{BTreeMap, BTreeSet};

use sealift_oci::{NamingRule, Reference};

use super::request::{MirrorError, MirrorFormat, MirrorRequest};

/// The naming rules that a format can follow.
pub fn rules(format: MirrorFormat) -> &'static [NamingRule] {
    match format {
        MirrorFormat::Docker => &[NamingRule::Keep],
        _ => &[NamingRule::Keep, NamingRule::Host],
    }
}

/// For each source registry, the path that precedes its repositories at the destination, without the
/// registry: `None`, `mirror`, `mirror/docker.io`. It holds for every image of that registry.
pub(super) fn prefixes(
    format: MirrorFormat,
    request: &MirrorRequest<'_>,
) -> Result<BTreeMap<String, Option<String>>, MirrorError> {
    let mut prefixes: BTreeMap<String, Option<String>> = BTreeMap::new();
    for image in request.images {
        let loaded = request.naming.reference_at(image, request.destination)?;
        let rest = loaded.repository().strip_suffix(image.repository());
        let prefix = match rest {
            Some("") => None,
            Some(rest) if rest.ends_with('/') => Some(rest.trim_end_matches('/').to_owned()),
            _ => return Err(unfollowable(format, image, &loaded)),
        };
        match prefixes.get(image.registry()) {
            Some(known) if *known != prefix => return Err(unfollowable(format, image, &loaded)),
            Some(_) => {}
            None => {
                prefixes.insert(image.registry().to_owned(), prefix);
            }
        }
    }
    Ok(prefixes)
}

fn unfollowable(format: MirrorFormat, image: &Reference, loaded: &Reference) -> MirrorError {
    MirrorError::Naming {
        format,
        image: image.to_string(),
        loaded: loaded.to_string(),
        expected: "keep or host, without a prefix",
    }
}

/// The namespaces of the images (`docker.io/calico`), or the repository itself if it has no namespace, with
/// what replaces them at the destination. Narrower than a registry, from which other software on the
/// cluster may still pull.
pub(super) fn scopes(
    format: MirrorFormat,
    request: &MirrorRequest<'_>,
) -> Result<BTreeSet<(String, String)>, MirrorError> {
    let prefixes = prefixes(format, request)?;
    let mut scopes = BTreeSet::new();
    for image in request.images {
        let scope = match image.repository().rsplit_once('/') {
            Some((namespace, _)) => namespace,
            None => image.repository(),
        };
        let prefix = prefixes.get(image.registry()).and_then(Option::as_deref);
        let below = prefix.map_or_else(String::new, |prefix| format!("{prefix}/"));
        scopes.insert((
            format!("{}/{scope}", image.registry()),
            format!("{}/{below}{scope}", request.destination.registry()),
        ));
    }
    Ok(scopes)
}

/// `http` or `https`.
pub(super) fn scheme(request: &MirrorRequest<'_>) -> &'static str {
    if request.plain_http { "http" } else { "https" }
}
