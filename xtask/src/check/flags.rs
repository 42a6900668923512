//! A library says what happened; what to do about it, in the command line's flags, is said by the command line.

use super::source::Crate;

/// Where texts may contain flags: the command line itself, what is only for developers, and what writes commands
/// of other programs.
const MAY_NAME: &[&str] = &[
    "crates/cli/",
    "crates/products/src/calico/",
    "crates/testkit/",
    "xtask/",
];

/// Texts of libraries that contain a flag.
pub(super) fn named(krate: &Crate) -> Vec<String> {
    let mut faults = Vec::new();
    for module in &krate.modules {
        if MAY_NAME
            .iter()
            .any(|folder| module.file.starts_with(folder))
        {
            continue;
        }
        for text in module.texts.iter().filter(|text| has_flag(text)) {
            faults.push(format!(
                "{}: the text {text:?} names a flag, which only the command line may do",
                module.file
            ));
        }
    }
    faults
}

/// Whether a word begins with two hyphens and a letter.
fn has_flag(text: &str) -> bool {
    text.split(|c: char| c.is_whitespace() || "([{\"'`".contains(c))
        .filter_map(|word| word.strip_prefix("--"))
        .any(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_in_a_librarys_text_is_a_fault() {
        let text = "fn f() { g(\"it is there already (use --force)\") }";
        assert_eq!(named(&Crate::of(&[("c/src/lib.rs", text)])).len(), 1);
        assert!(named(&Crate::of(&[("crates/cli/src/a.rs", text)])).is_empty());
    }

    #[test]
    fn hyphens_without_a_word_are_not_a_flag() {
        for text in ["---\n", "a--b", "-- ", "--1"] {
            assert!(!has_flag(text), "{text:?}");
        }
    }
}
