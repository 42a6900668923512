//! The source of a module as tokens: what ranges of instructions begin and end at, and the words that names and
//! strings come from.
//!
//! This is not a Python parser: its tokens only have to be the same in the encoder and the decoder. Ranges that do not
//! start and end at tokens are stored as lines and columns.

use std::collections::HashMap;
use std::ops::Range;

/// A token.
#[derive(Debug, Clone, Copy)]
struct Token {
    start: u32,
    end: u32,
    /// The number of its word, or [`NO_WORD`].
    word: u32,
}

const NO_WORD: u32 = u32::MAX;

/// A source.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    bytes: &'a [u8],
    tokens: Vec<Token>,
    /// Where each line begins.
    lines: Vec<u32>,
    /// The different names, numbers and contents of strings, in the order of their first occurrence.
    words: Vec<&'a [u8]>,
    numbers: HashMap<&'a [u8], u32>,
    /// How many bytes were searched for the ends of strings that have none.
    searched: usize,
}

/// Once so many times the bytes of the source were searched in vain, no string is looked for.
const MAX_SEARCHED: usize = 16;

impl<'a> Source<'a> {
    /// Divides a source, which is shorter than 4 GiB.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        let mut source = Self {
            bytes,
            tokens: Vec::new(),
            lines: line_starts(bytes),
            words: Vec::new(),
            numbers: HashMap::new(),
            searched: 0,
        };
        source.divide(0..bytes.len());
        source
    }

    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// How many words there are.
    pub(crate) fn words(&self) -> usize {
        self.words.len()
    }

    /// The word with this number.
    pub(crate) fn word(&self, number: usize) -> Option<&'a [u8]> {
        self.words.get(number).copied()
    }

    /// The number of a word.
    pub(crate) fn number(&self, word: &[u8]) -> Option<usize> {
        self.numbers.get(word).map(|number| *number as usize)
    }

    /// The number of a token's word.
    pub(crate) fn word_of(&self, token: usize) -> Option<usize> {
        let word = self.tokens.get(token)?.word;
        (word != NO_WORD).then_some(word as usize)
    }

    /// The token that begins at a line, from 1, and column, from 0.
    pub(crate) fn beginning_at(&self, line: i64, column: u32) -> Option<usize> {
        let offset = self.offset(line, column)?;
        let found = self
            .tokens
            .binary_search_by_key(&offset, |token| token.start);
        found.ok()
    }

    /// The token that ends at a line and column.
    pub(crate) fn ending_at(&self, line: i64, column: u32) -> Option<usize> {
        let offset = self.offset(line, column)?;
        let found = self.tokens.binary_search_by_key(&offset, |token| token.end);
        found.ok()
    }

    /// The line and column where a token begins, and those where it ends.
    pub(crate) fn range_of(&self, token: usize) -> Option<[(i64, u32); 2]> {
        let token = self.tokens.get(token)?;
        Some([token.start, token.end].map(|offset| self.position(offset)))
    }

    /// The first token that begins in a line or after it.
    pub(crate) fn first_of_line(&self, line: i64) -> usize {
        match self.offset(line, 0) {
            Some(offset) => self.tokens.partition_point(|token| token.start < offset),
            None => 0,
        }
    }

    /// Where a line and column are; `None` if the line is not so long.
    fn offset(&self, line: i64, column: u32) -> Option<u32> {
        let line = usize::try_from(line).ok()?.checked_sub(1)?;
        let start = *self.lines.get(line)?;
        let end = self.lines.get(line + 1).copied();
        let offset = start.checked_add(column)?;
        (offset < end.unwrap_or(self.bytes.len() as u32 + 1)).then_some(offset)
    }

    fn position(&self, offset: u32) -> (i64, u32) {
        let line = self.lines.partition_point(|start| *start <= offset);
        (line as i64, offset - self.lines[line - 1])
    }

    /// Divides a range into tokens.
    fn divide(&mut self, range: Range<usize>) {
        let mut at = range.start;
        while at < range.end {
            at = match self.bytes[at] {
                b' ' | b'\t' | b'\n' | b'\r' | b'\x0c' | b'\\' => at + 1,
                b'#' => self.end_of_line(at).min(range.end),
                b'"' | b'\'' => self.string(at, at, range.end),
                byte if is_name(byte) => self.name(at, range.end),
                _ => self.push(at, at + 1, None),
            };
        }
    }

    fn name(&mut self, start: usize, limit: usize) -> usize {
        let rest = &self.bytes[start..limit];
        let len = rest.iter().position(|byte| !is_name(*byte));
        let end = start + len.unwrap_or(rest.len());
        let is_prefix = end - start <= 2
            && end < limit
            && matches!(self.bytes[end], b'"' | b'\'')
            && self.bytes[start..end]
                .iter()
                .all(|byte| b"rRbBuUfFtT".contains(byte));
        if is_prefix {
            return self.string(start, end, limit);
        }
        self.push(start, end, Some(start..end))
    }

    /// A string whose quotes begin at `quote`: one token, or, where expressions can be inside, several.
    fn string(&mut self, start: usize, quote: usize, limit: usize) -> usize {
        let mark = self.bytes[quote];
        let triple = [mark; 3];
        let width = if self.bytes[quote..limit].starts_with(&triple) {
            3
        } else {
            1
        };
        let Some(end) = self.end_of_string(quote + width, width, limit) else {
            return self.push(start, quote + 1, None);
        };
        let inside = quote + width..end - width;
        if self.bytes[start..quote]
            .iter()
            .any(|byte| b"fFtT".contains(byte))
        {
            self.push(start, inside.start, None);
            self.flat(inside.clone());
            return self.push(inside.end, end, None);
        }
        self.push(start, end, Some(inside))
    }

    /// Tokens inside a string: strings inside it are not looked for.
    fn flat(&mut self, range: Range<usize>) {
        let mut at = range.start;
        while at < range.end {
            let byte = self.bytes[at];
            at = if is_name(byte) {
                let rest = &self.bytes[at..range.end];
                let len = rest.iter().position(|byte| !is_name(*byte));
                let end = at + len.unwrap_or(rest.len());
                self.push(at, end, Some(at..end))
            } else if byte.is_ascii_whitespace() {
                at + 1
            } else {
                self.push(at, at + 1, None)
            };
        }
    }

    /// Where a string ends, behind its quotes.
    fn end_of_string(&mut self, start: usize, width: usize, limit: usize) -> Option<usize> {
        if self.searched > MAX_SEARCHED * self.bytes.len() {
            return None;
        }
        let found = self.search(start, width, limit);
        match found {
            Ok(end) => Some(end),
            Err(end) => {
                self.searched += end - start;
                None
            }
        }
    }

    /// The end, or where the search for it ended.
    fn search(&self, start: usize, width: usize, limit: usize) -> Result<usize, usize> {
        let mark = self.bytes[start - 1];
        let mut at = start;
        while at < limit {
            match self.bytes[at] {
                b'\\' => at += 2,
                b'\n' if width == 1 => return Err(at),
                byte if byte == mark => {
                    let end = at + width;
                    let closing = self.bytes[..limit].get(at..end);
                    if closing.is_some_and(|closing| closing.iter().all(|byte| *byte == mark)) {
                        return Ok(end);
                    }
                    at += 1;
                }
                _ => at += 1,
            }
        }
        Err(at)
    }

    fn end_of_line(&self, at: usize) -> usize {
        let rest = &self.bytes[at..];
        let len = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        at + len.unwrap_or(rest.len())
    }

    fn push(&mut self, start: usize, end: usize, word: Option<Range<usize>>) -> usize {
        let word = word.map_or(NO_WORD, |range| {
            let next = self.words.len() as u32;
            let text = &self.bytes[range];
            let number = *self.numbers.entry(text).or_insert(next);
            if number == next {
                self.words.push(text);
            }
            number
        });
        self.tokens.push(Token {
            start: start as u32,
            end: end as u32,
            word,
        });
        end
    }
}

/// Whether a byte can be in a name or number; all characters beyond ASCII count.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn line_starts(bytes: &[u8]) -> Vec<u32> {
    let mut starts = vec![0];
    for (at, byte) in bytes.iter().enumerate() {
        let ends = match byte {
            b'\n' => true,
            b'\r' => bytes.get(at + 1) != Some(&b'\n'),
            _ => false,
        };
        if ends {
            starts.push(at as u32 + 1);
        }
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str) -> Vec<String> {
        let divided = Source::new(source.as_bytes());
        let texts = divided.tokens.iter().map(|token| {
            let range = token.start as usize..token.end as usize;
            source[range].to_owned()
        });
        texts.collect()
    }

    #[test]
    fn names_numbers_strings_and_operators_are_tokens() {
        assert_eq!(
            texts("x = f(1.5, 'a b', r\"\\\")\")  # y\n"),
            [
                "x",
                "=",
                "f",
                "(",
                "1",
                ".",
                "5",
                ",",
                "'a b'",
                ",",
                "r\"\\\")\"",
                ")"
            ]
        );
    }

    #[test]
    fn tokens_inside_formatted_strings_are_found() {
        assert_eq!(texts("f'{a}b'"), ["f'", "{", "a", "}", "b", "'"]);
    }

    #[test]
    fn unterminated_strings_are_single_quotes() {
        assert_eq!(texts("'a\nb"), ["'", "a", "b"]);
        assert_eq!(texts("\"\"\"a"), ["\"", "\"\"", "a"]);
    }

    #[test]
    fn a_string_is_the_word_between_its_quotes() {
        let source = Source::new(b"a = '''b c'''");
        assert_eq!(source.word_of(2), source.number(b"b c"));
        assert!(source.number(b"b c").is_some());
    }

    #[test]
    fn positions_are_lines_and_columns_for_any_ends_of_lines() {
        let source = Source::new(b"a\r\nbc d\re\n");
        let d = source.beginning_at(2, 3).unwrap();
        assert_eq!(source.range_of(d), Some([(2, 3), (2, 4)]));
        assert_eq!(source.ending_at(3, 1), Some(d + 1));
        assert_eq!(source.beginning_at(2, 7), None);
        assert_eq!(source.beginning_at(0, 0), None);
        assert_eq!(source.first_of_line(2), 1);
    }
}
