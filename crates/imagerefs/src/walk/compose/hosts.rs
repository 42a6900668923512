//! Whether a text is a registry, or where charts or sources are kept.

use crate::check::check;

/// Whether a text is a registry's host with or without a path.
pub(super) fn is_registry(text: &str) -> bool {
    let text = text.trim_end_matches('/');
    let host = text.split('/').next().unwrap_or_default();
    (host.contains(['.', ':']) || host == "localhost")
        && !is_source(text)
        && check(&format!("{text}/x")).is_ok()
}

/// Whether a text is where charts or sources are kept.
pub(super) fn is_source(text: &str) -> bool {
    const HOSTS: &[&str] = &["github.com/", "gitlab.com/", "bitbucket.org/"];
    text.contains("://")
        || text.starts_with('@')
        || text.strip_suffix(".git").is_some()
        || HOSTS.iter().any(|host| text.starts_with(host))
}
