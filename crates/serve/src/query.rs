//! Queries and percent-encoding, as far as a registry's URLs have them.

/// `text` with `%41` made `A`; none where that is no UTF-8 or cut off.
pub(crate) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

/// `text` for a query: everything but unreserved characters is encoded.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                out.extend(char::from_digit(digit.into(), 16).map(|c| c.to_ascii_uppercase()));
            }
        }
    }
    out
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
    fn a_parameter_is_found_wherever_it_stands() {
        assert_eq!(parameter("n=3&last=a%2Fb", "last").unwrap(), "a/b");
        assert_eq!(parameter("n=3", "last"), None);
    }
}
