//! Names by the rules of DNS, which Kubernetes asks of its objects.

/// Whether `text` is a subdomain as Kubernetes names objects: up to 253 bytes, labels of lower-case
/// letters, digits and hyphens between dots, a hyphen at neither end of a label (RFC 1123; Kubernetes
/// documentation, "Object Names and IDs").
pub fn is_subdomain(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let label = |label: &str| {
        label.bytes().next().is_some_and(word)
            && label.bytes().last().is_some_and(word)
            && label.bytes().all(|b| word(b) || b == b'-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_objects_are_told_from_others() {
        for good in ["a", "pull-secret", "a.b-c.0", &"a".repeat(253)] {
            assert!(is_subdomain(good), "{good}");
        }
        for bad in [
            "",
            "A",
            "-a",
            "a-",
            "a..b",
            ".a",
            "a b",
            "ä",
            &"a".repeat(254),
        ] {
            assert!(!is_subdomain(bad), "{bad}");
        }
    }
}
