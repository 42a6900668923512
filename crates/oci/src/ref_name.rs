//! The escape that lets every reference be a value of `org.opencontainers.image.ref.name`.
//!
//! The annotation's grammar (image-spec, `annotations.md`) wants alphanumeric runs joined by exactly
//! one separator of `- . _ : @ +` or by `--`. References allow more: `a__b`, a tag that ends in `-`.
//! A run of separators that the grammar forbids is written as `+`, the run in lower-case hex, and, where
//! something follows inside the same path component, another `+`. No reference contains a `+` of its
//! own, so the escape can be undone.

use std::fmt::Write as _;

/// `reference` in the annotation's grammar; unchanged where it already is.
pub fn encode_ref_name(reference: &str) -> String {
    let components: Vec<String> = reference.split('/').map(encode_component).collect();
    components.join("/")
}

fn encode_component(component: &str) -> String {
    let mut encoded = String::with_capacity(component.len());
    let mut rest = component;
    while !rest.is_empty() {
        let word = rest
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(rest.len());
        encoded.push_str(&rest[..word]);
        rest = &rest[word..];
        let run = rest
            .find(|c: char| c.is_ascii_alphanumeric())
            .unwrap_or(rest.len());
        let (separators, after) = rest.split_at(run);
        encode_separators(separators, after.is_empty(), &mut encoded);
        rest = after;
    }
    encoded
}

fn encode_separators(separators: &str, last: bool, encoded: &mut String) {
    let plain = separators == "--"
        || (separators.len() == 1 && separators.bytes().all(|c| b"-._:@".contains(&c)));
    if separators.is_empty() {
        return;
    }
    if plain && !last {
        encoded.push_str(separators);
        return;
    }
    encoded.push('+');
    for byte in separators.bytes() {
        write!(encoded, "{byte:02x}").expect("writing to a string cannot fail");
    }
    if !last {
        encoded.push('+');
    }
}

/// The reference that [`encode_ref_name`] wrote; `None` where the escape is malformed.
pub fn decode_ref_name(name: &str) -> Option<String> {
    let components: Option<Vec<String>> = name.split('/').map(decode_component).collect();
    Some(components?.join("/"))
}

fn decode_component(component: &str) -> Option<String> {
    let mut decoded = String::with_capacity(component.len());
    for (index, piece) in component.split('+').enumerate() {
        if index % 2 == 0 {
            decoded.push_str(piece);
        } else {
            decoded.push_str(&decode_hex(piece)?);
        }
    }
    Some(decoded)
}

fn decode_hex(text: &str) -> Option<String> {
    if text.is_empty() || !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    let bytes: Option<Vec<u8>> = (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect();
    String::from_utf8(bytes?).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// The annotation's grammar, checked without the encoder's help.
    fn legal(name: &str) -> bool {
        name.split('/').all(|component| {
            let words: Vec<&str> = component
                .split(|c: char| !c.is_ascii_alphanumeric())
                .collect();
            let single = component.replace("--", "-");
            !component.is_empty()
                && !component.contains("---")
                && single
                    .split(|c: char| !c.is_ascii_alphanumeric())
                    .all(|word| !word.is_empty())
                && !words.is_empty()
                && component
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "-._:@+".contains(c))
        })
    }

    #[test]
    fn an_ordinary_reference_is_its_own_name() {
        for name in [
            "docker.io/library/nginx:1.25",
            "r:5000/a-b/c--d:v1",
            "quay.io/x@sha256:00",
        ] {
            assert_eq!(encode_ref_name(name), name);
        }
    }

    #[test]
    fn forbidden_runs_are_escaped_and_come_back() {
        for (name, encoded) in [
            ("r/a__b:1", "r/a+5f5f+b:1"),
            ("r/a:1.0-", "r/a:1.0+2d"),
            ("r/a:_x", "r/a+3a5f+x"),
            ("r/a---b:1", "r/a+2d2d2d+b:1"),
        ] {
            assert_eq!(encode_ref_name(name), encoded);
            assert_eq!(decode_ref_name(encoded).unwrap(), name);
        }
    }

    #[test]
    fn a_malformed_escape_is_no_name() {
        for name in ["a+zz+b", "a+5+b", "a+", "a+ff+b"] {
            assert_eq!(decode_ref_name(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn every_reference_has_a_legal_name_and_comes_back(
            name in "[a-z0-9]{1,3}(\\.[a-z]{1,3}){0,2}(:[0-9]{1,4})?(/[a-z0-9]{1,3}((_|__|-{1,4}|\\.)[a-z0-9]{1,2}){0,2}){1,3}:[a-zA-Z0-9_][a-zA-Z0-9._-]{0,12}"
        ) {
            let encoded = encode_ref_name(&name);
            prop_assert!(legal(&encoded), "{}", encoded);
            prop_assert_eq!(decode_ref_name(&encoded).unwrap(), name);
        }
    }
}
