//! Queries and percent-encoding, as far as a registry's URLs have them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What is encoded in a query: everything but unreserved characters (RFC 3986, section 2.3) and slashes.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// `text` with `%41` as `A`; `None` if that is not UTF-8 or an escape is malformed.
pub(crate) fn decoded(text: &str) -> Option<String> {
    let malformed = text.split('%').skip(1).any(|rest| {
        let digits = rest.as_bytes().get(..2);
        !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    if malformed {
        return None;
    }
    let decoded = percent_decode_str(text).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

/// `text` for a query.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// The first value of a query's parameter.
pub(crate) fn parameter(query: &str, name: &str) -> Option<String> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name)
            .then(|| decoded(&value.replace('+', " ")))
            .flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_comes_back() {
        for text in ["a/b", "sha256:00", "application/spdx+json", "ü %"] {
            assert_eq!(decoded(&encoded(text)).unwrap(), text);
        }
        assert_eq!(decoded("a%2"), None);
        assert_eq!(decoded("%ff"), None);
    }

    #[test]
    fn a_parameter_is_found_wherever_it_is() {
        assert_eq!(parameter("n=3&last=a%2Fb", "last").unwrap(), "a/b");
        assert_eq!(parameter("n=3", "last"), None);
    }
}
