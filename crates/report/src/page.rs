//! One bundle as one HTML page without outside references: for a screen, for paper, for a screen reader.

mod images;
mod overview;
mod provenance;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::facts::Facts;

/// Colours, print and narrow screens; every pair of colours has a contrast of at least 4.5 to 1.
const STYLE: &str = include_str!("page/style.css");
/// Nothing but the style in the page itself may be loaded.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// Columns of numbers, whose heads are above their last digits.
const NUMBERS: [&str; 4] = ["Size", "Unique to it", "Signatures", "Packages"];

/// The sections, with the names that links use.
const SECTIONS: [(&str, &str); 7] = [
    ("check", "Check the file"),
    ("contents", "What is inside"),
    ("origin", "Where it came from"),
    ("signatures", "Signatures, attestations and SBOMs"),
    ("omitted", "What is not included"),
    ("packages", "Packages"),
    ("not-read", "What was not understood"),
];

/// The page. Characters that control a terminal or the direction of text, which names may contain, are replaced.
pub fn page(facts: &Facts) -> String {
    let title = format!("Bundle report: {}", facts.file);
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="referrer" content="no-referrer";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "Skip to the report" }
                header {
                    h1 { (title) }
                    (overview::summary(facts))
                }
                nav aria-label="Sections" {
                    ul {
                        @for (id, name) in SECTIONS {
                            li { a href={ "#" (id) } { (name) } }
                        }
                    }
                }
                main id="main" tabindex="-1" {
                    (section(0, overview::check(facts)))
                    (section(1, overview::contents(facts)))
                    (section(2, provenance::origin(facts)))
                    (section(3, provenance::signatures(facts)))
                    (section(4, provenance::omitted(facts)))
                    (section(5, images::packages(facts)))
                    (section(6, images::not_read(facts)))
                }
                footer {
                    p { "Written by sealift from the bundle only. The same facts are available as JSON." }
                }
            }
        }
    };
    markup.into_string().chars().map(harmless).collect()
}

fn section(index: usize, content: Markup) -> Markup {
    let (id, name) = SECTIONS[index];
    let heading = format!("{id}-heading");
    html! {
        section id=(id) aria-labelledby=(heading) {
            h2 id=(heading) { (name) }
            (content)
        }
    }
}

/// A table that scrolls by itself where it is too wide, also by keyboard.
fn table(caption: &str, head: &[&str], rows: Markup) -> Markup {
    html! {
        div.scroll role="region" aria-label=(caption) tabindex="0" {
            table {
                caption { (caption) }
                thead {
                    tr { @for name in head { th.number[NUMBERS.contains(name)] scope="col" { (name) } } }
                }
                tbody { (rows) }
            }
        }
    }
}

fn harmless(c: char) -> char {
    let directs = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    if c != '\n' && (c.is_control() || directs) {
        '\u{fffd}'
    } else {
        c
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_change_how_text_is_shown_are_replaced() {
        let shown: String = "a\u{202e}b\u{1b}[0m\nc\u{200f}"
            .chars()
            .map(harmless)
            .collect();
        assert_eq!(shown, "a\u{fffd}b\u{fffd}[0m\nc\u{fffd}");
    }
}
