//! Text from outside, escaped so that a terminal shows it and does not act on it.
//!
//! Names and messages come from bundles, registries, archives and files. A line feed in one of them could
//! forge a line of output, an escape sequence could rewrite the screen, and a bidirectional mark could show
//! another name than the one that is used. Every crate that puts such text into a message uses this one rule.

use std::borrow::Cow;
use std::fmt::Write as _;

/// `text` on one line: line breaks, control characters, bidirectional marks and characters that are not
/// visible are written as escapes (`\n`, `\u{1b}`, `\u{202e}`). All other text stays as it is, so that
/// escaping twice changes nothing.
pub fn escaped(text: &str) -> Cow<'_, str> {
    escaped_except(text, |_| false)
}

/// As [`escaped`], for text of several lines that is shown as such: line feeds, the carriage returns before
/// them, and tabs stay.
pub fn escaped_lines(text: &str) -> Cow<'_, str> {
    escaped_except(text, |rest| {
        rest.starts_with(['\n', '\t']) || rest.starts_with("\r\n")
    })
}

/// A JSON text in which what [`escaped`] escapes is written as `\uXXXX`: the values stay the same. The line breaks and
/// tabs between them stay too.
pub fn escaped_json(json: &str) -> Cow<'_, str> {
    let stays = |c: char| matches!(c, '\n' | '\r' | '\t');
    if !json.contains(|c| acts(c) && !stays(c)) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        if acts(c) && !stays(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to text does not fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// At most `chars` characters of `text`, escaped; an ellipsis stands where more follows.
pub fn excerpt(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", escaped(&text[..end])),
        None => escaped(text).into_owned(),
    }
}

/// Escapes what is not shown as itself, unless `stays` accepts the text that begins there.
fn escaped_except(text: &str, stays: impl Fn(&str) -> bool) -> Cow<'_, str> {
    let acts_at = |from: usize| {
        let mut places = text[from..].char_indices();
        places
            .find(|(at, c)| acts(*c) && !stays(&text[from + at..]))
            .map(|(at, c)| (from + at, c))
    };
    let Some(mut next) = acts_at(0) else {
        return Cow::Borrowed(text);
    };
    let mut out = String::with_capacity(text.len() + 16);
    let mut done = 0;
    loop {
        let (at, c) = next;
        out.push_str(&text[done..at]);
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.extend(c.escape_unicode()),
        }
        done = at + c.len_utf8();
        match acts_at(done) {
            Some(place) => next = place,
            None => break,
        }
    }
    out.push_str(&text[done..]);
    Cow::Owned(out)
}

/// Whether a terminal acts on `c`, shows other text in another order because of it, or shows nothing
/// (Unicode's control and format characters, line and paragraph separators).
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordinary_text_is_not_copied() {
        for text in ["", "a: b", "quay.io/x:1", "Ünï cödé — „x“ 漢字 \\n", "🚢"] {
            assert!(matches!(escaped(text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn what_a_terminal_acts_on_is_written_out() {
        for (text, shown) in [
            ("a\nwarning: b", r"a\nwarning: b"),
            ("a\rb\tc\r\n", r"a\rb\tc\r\n"),
            ("\u{1b}[2Jx", r"\u{1b}[2Jx"),
            ("\u{9b}2J\u{7f}\0", r"\u{9b}2J\u{7f}\u{0}"),
            ("a\u{202e}gnp.exe", r"a\u{202e}gnp.exe"),
            (
                "\u{2066}x\u{2069}\u{200f}\u{61c}",
                r"\u{2066}x\u{2069}\u{200f}\u{61c}",
            ),
            (
                "a\u{200b}b\u{2028}c\u{feff}",
                r"a\u{200b}b\u{2028}c\u{feff}",
            ),
            ("a\u{e0041}", r"a\u{e0041}"),
        ] {
            assert_eq!(escaped(text), shown);
        }
    }

    #[test]
    fn text_of_several_lines_keeps_its_line_breaks_only() {
        assert_eq!(escaped_lines("-\ta\r\n+\tb\n"), "-\ta\r\n+\tb\n");
        assert_eq!(escaped_lines("a\rb\r"), r"a\rb\r");
        assert_eq!(
            escaped_lines("a\u{1b}[0m\n\u{202e}"),
            "a\\u{1b}[0m\n\\u{202e}"
        );
    }

    #[test]
    fn an_excerpt_says_that_more_follows() {
        assert_eq!(excerpt("abc", 3), "abc");
        assert_eq!(excerpt("äbcd", 3), "äbc…");
        assert_eq!(excerpt("a\nb", 2), r"a\n…");
    }

    #[test]
    fn what_a_terminal_acts_on_is_written_out_in_json_and_means_the_same() {
        let plain = "{\n\t\"a\": \"\\n „x“ 🚢\"\n}\n";
        assert!(matches!(escaped_json(plain), Cow::Borrowed(_)));
        assert_eq!(
            escaped_json("{\n  \"\u{9b}2J\": \"\u{202e}a\u{2028}\u{7f}\u{e0041}\"\n}"),
            "{\n  \"\\u009b2J\": \"\\u202ea\\u2028\\u007f\\udb40\\udc41\"\n}"
        );
    }

    proptest! {
        #[test]
        fn escaped_json_has_the_same_values(text in any::<String>()) {
            let json = serde_json::to_string(&text).unwrap();
            let once = escaped_json(&json);
            prop_assert!(!once.chars().any(acts), "{once:?}");
            prop_assert_eq!(serde_json::from_str::<String>(&once).unwrap(), text);
        }

        #[test]
        fn escaped_text_is_one_line_and_stays_as_it_is(text in any::<String>()) {
            let once = escaped(&text).into_owned();
            prop_assert!(!once.chars().any(acts), "{once:?}");
            prop_assert_eq!(escaped(&once), once.as_str());
        }
    }
}
