//! Text from registries: escaped, shortened, and without secrets.

use sealift_oci::excerpt;

/// No text of a registry is shown further.
const MAX_CHARS: usize = 300;
/// What stands where a secret stood.
const HIDDEN: &str = "***";

/// `text` as it can be shown: escaped, without passwords in URLs, and cut where it gets long.
pub(crate) fn printable(text: &str) -> String {
    excerpt(&without_userinfo(text), MAX_CHARS)
}

/// `text` with every one of `secrets` hidden.
pub(crate) fn without<'a>(text: &str, secrets: impl Iterator<Item = &'a str>) -> String {
    let mut text = text.to_owned();
    for secret in secrets.filter(|secret| !secret.is_empty()) {
        if text.contains(secret) {
            text = text.replace(secret, HIDDEN);
        }
    }
    text
}

/// Hides what stands before the `@` of a URL's authority: user name and password.
pub(crate) fn without_userinfo(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        let end = after
            .find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\''))
            .unwrap_or(after.len());
        rest = match after[..end].rfind('@') {
            Some(at) => {
                shown.push_str(HIDDEN);
                &after[at..]
            }
            None => after,
        };
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_shortened() {
        assert_eq!(printable("a\u{1b}[2J\r\nb"), r"a\u{1b}[2J\r\nb");
        assert_eq!(printable(&"x".repeat(1000)).chars().count(), MAX_CHARS + 1);
    }

    #[test]
    fn a_password_in_a_url_is_hidden() {
        for (text, shown) in [
            (
                "at https://me:canary@r.io/v2/ now",
                "at https://***@r.io/v2/ now",
            ),
            ("http://canary@r.io", "http://***@r.io"),
            ("https://me:p@canary@r.io/x", "https://***@r.io/x"),
            ("https://r.io/a@b", "https://r.io/a@b"),
            ("https://r.io?x=a@b c://u@d", "https://r.io?x=a@b c://***@d"),
            ("mail@r.io", "mail@r.io"),
        ] {
            assert_eq!(without_userinfo(text), shown);
        }
    }

    #[test]
    fn known_secrets_are_hidden_wherever_they_stand() {
        let secrets = ["canary", "", "dTpj"];
        assert_eq!(
            without("canary:canary dTpj", secrets.into_iter()),
            "***:*** ***"
        );
    }
}
