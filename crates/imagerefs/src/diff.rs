//! What a rewrite changes, as a unified diff.

use sealift_oci::escaped;
use similar::TextDiff;

use crate::encoding::decode;

/// Lines around a change that are shown with it.
const CONTEXT: usize = 3;

/// The difference between two versions of the text `name`, as `diff -u` prints it and `patch` reads it;
/// empty if there is none. The name is escaped, its content is not. UTF-16 is shown as UTF-8; other bytes that are not UTF-8 are shown as replacement characters.
pub fn unified_diff(name: &str, old: &[u8], new: &[u8]) -> String {
    if old == new {
        return String::new();
    }
    let text = |bytes| match decode(bytes, name) {
        Ok((text, _)) => String::from_utf8_lossy(&text).into_owned(),
        Err(_) => String::from_utf8_lossy(bytes).into_owned(),
    };
    let (old, new) = (text(old), text(new));
    let heading = escaped(name);
    let diff = TextDiff::from_lines(&old, &new);
    diff.unified_diff()
        .context_radius(CONTEXT)
        .header(&heading, &heading)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_shows_the_change_with_its_surroundings() {
        let old = "a\nb\nc\nd\nimage: x\ne\nf\ng\nh\n";
        let new = old.replace("image: x", "image: r/x");
        assert_eq!(
            unified_diff("f.yaml", old.as_bytes(), new.as_bytes()),
            "--- f.yaml\n+++ f.yaml\n@@ -2,7 +2,7 @@\n b\n c\n d\n-image: x\n+image: r/x\n e\n f\n g\n"
        );
        assert_eq!(unified_diff("f.yaml", b"a", b"a"), "");
        let wide = |text: &str| {
            text.encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect::<Vec<_>>()
        };
        let diff = unified_diff("f", &wide("image: x\n"), &wide("image: r/x\n"));
        assert!(diff.contains("+image: r/x\n"), "{diff}");
        let end = unified_diff("f", b"a", b"b");
        assert!(end.contains("\\ No newline at end of file"), "{end}");
    }
}
