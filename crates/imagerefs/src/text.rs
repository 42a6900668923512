//! From bytes to text, and from offsets to lines and columns.

use crate::error::{FindError, Reason};

/// The most that is read, in bytes: far above any list or manifest, low enough that a wrong file does
/// not fill the memory.
pub(crate) const MAX_BYTES: usize = 64 << 20;

/// Characters between two remembered offsets.
const STEP: usize = 256;

/// A text that is known to be UTF-8 without zero bytes, and its name.
pub(crate) struct Text<'t> {
    /// The name for messages.
    pub(crate) name: &'t str,
    /// The text after a byte order mark.
    pub(crate) body: &'t str,
    /// Bytes of the byte order mark: add to offsets in `body`.
    pub(crate) base: usize,
    line_starts: Vec<usize>,
    /// Byte offset of every [`STEP`]th character; empty where every character is one byte.
    marks: Vec<usize>,
}

impl<'t> Text<'t> {
    /// # Errors
    /// If the bytes are too many, not UTF-8 or have a zero byte.
    pub(crate) fn new(bytes: &'t [u8], name: &'t str) -> Result<Self, FindError> {
        let fail =
            |at: usize, reason| Err(FindError::new(name, raw_position(bytes, at), "", reason));
        if bytes.len() > MAX_BYTES {
            return fail(0, Reason::TooLarge { limit: MAX_BYTES });
        }
        if let Some(at) = bytes.iter().position(|&byte| byte == 0) {
            return fail(at, Reason::Nul);
        }
        let whole = match std::str::from_utf8(bytes) {
            Ok(whole) => whole,
            Err(error) => return fail(error.valid_up_to(), Reason::NotUtf8),
        };
        let body = whole.strip_prefix('\u{feff}').unwrap_or(whole);
        let ends = body.match_indices('\n').map(|(at, _)| at + 1);
        let line_starts = std::iter::once(0).chain(ends).collect();
        let marks = if body.is_ascii() {
            Vec::new()
        } else {
            body.char_indices()
                .step_by(STEP)
                .map(|(at, _)| at)
                .collect()
        };
        Ok(Self {
            name,
            body,
            base: whole.len() - body.len(),
            line_starts,
            marks,
        })
    }

    /// The byte offset of a character, which is what the YAML parser counts in.
    pub(crate) fn byte_of(&self, character: usize) -> usize {
        if self.marks.is_empty() {
            return character.min(self.body.len());
        }
        let Some(&mark) = self.marks.get(character / STEP) else {
            return self.body.len();
        };
        let rest = self.body[mark..].char_indices().nth(character % STEP);
        rest.map_or(self.body.len(), |(at, _)| mark + at)
    }

    /// How many characters stand before a byte offset; constant work, however long the line.
    fn character_of(&self, byte: usize) -> usize {
        if self.marks.is_empty() {
            return byte;
        }
        let mark = self
            .marks
            .partition_point(|&at| at <= byte)
            .saturating_sub(1);
        let rest = self.body.get(self.marks[mark]..byte).unwrap_or_default();
        mark * STEP + rest.chars().count()
    }

    /// Line and column (in characters), from 1, of an offset in `body`.
    pub(crate) fn position(&self, at: usize) -> (usize, usize) {
        let line = self.line_starts.partition_point(|&start| start <= at);
        let start = self.line_starts[line - 1];
        (line, self.character_of(at) - self.character_of(start) + 1)
    }

    /// Where a line (from 1) begins in `body`, and the line without its end; empty past the last.
    pub(crate) fn line(&self, number: usize) -> (usize, &'t str) {
        let start = self
            .line_starts
            .get(number.saturating_sub(1))
            .copied()
            .unwrap_or(self.body.len());
        (start, self.body[start..].lines().next().unwrap_or_default())
    }

    pub(crate) fn error(&self, at: usize, text: &str, reason: Reason) -> FindError {
        FindError::new(self.name, self.position(at), text, reason)
    }
}

/// The text without the blanks and line ends of YAML around it. Other white space, which Unicode has, is
/// part of a value.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r'])
}

/// Line and column for bytes that are not known to be text.
fn raw_position(bytes: &[u8], at: usize) -> (usize, usize) {
    let before = &bytes[..at.min(bytes.len())];
    let line_start = before
        .iter()
        .rposition(|&b| b == b'\n')
        .map_or(0, |n| n + 1);
    let line = before.split(|&b| b == b'\n').count();
    (
        line,
        String::from_utf8_lossy(&before[line_start..])
            .chars()
            .count()
            + 1,
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn positions_count_characters_and_bytes_agree() {
        let body = format!("{}\nb: é\n{}x", "ü".repeat(700), "ß".repeat(600));
        let bytes = format!("\u{feff}{body}");
        let text = Text::new(bytes.as_bytes(), "t").unwrap();
        assert_eq!(text.base, 3);
        for (character, (at, _)) in body.char_indices().enumerate() {
            assert_eq!(text.byte_of(character), at);
            assert_eq!(text.character_of(at), character);
        }
        assert_eq!(text.position(body.len() - 1), (3, 601));
        assert_eq!(text.line(2), (1401, "b: é"));
    }
}
