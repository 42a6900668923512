//! Tags that do not identify a release.

/// Why a tag does not identify one release's image: it moves, or it is an unfilled placeholder. `None` if it
/// does.
pub fn floating(tag: &str) -> Option<&'static str> {
    const MOVING: &[&str] = &[
        "latest", "master", "main", "head", "edge", "stable", "nightly", "dev", "testing",
    ];
    let lower = tag.to_ascii_lowercase();
    if MOVING.contains(&lower.as_str()) || lower.starts_with("release-") {
        return Some("the tag moves; expected one that names a release");
    }
    if tag.is_empty()
        || (tag.contains("VERSION") && !tag.contains(|c: char| c.is_ascii_digit()))
        || tag.contains(['{', '$', '<', '%'])
    {
        return Some("the tag is an unfilled placeholder");
    }
    None
}
